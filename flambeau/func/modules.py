"""Modules as functions of their parameters and buffers.

Source: https://pytorch.org/docs/stable/generated/torch.func.functional_call.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..tensor import Tensor

if TYPE_CHECKING:
    from ..nn import Module


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call ``module`` with other parameters and buffers than its own.

    Args:
        module: the module; it is as before afterwards.
        parameter_and_buffer_dicts: tensors by name, as ``named_parameters`` and ``named_buffers``
            give them; those that are not there are the module's.  Or several such dicts.
        args: the arguments: a tuple, or the only one.
        kwargs: the keyword arguments.
        tie_weights: whether a tensor that the module has under several names is replaced under
            all of them.
        strict: whether every name must be there, and none that the module does not have.

    Returns:
        what the module returns.

    Raises:
        ValueError: a name is in several dicts; tied names are given different tensors.
        RuntimeError: ``strict``, and names are missing or unexpected.

    Source: https://pytorch.org/docs/stable/generated/torch.func.functional_call.html
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        given = parameter_and_buffer_dicts
    elif isinstance(parameter_and_buffer_dicts, Sequence):
        given = _merged(parameter_and_buffer_dicts)
    else:
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(parameter_and_buffer_dicts)}"
        )
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    with _replaced(module, given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


def _merged(dicts: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    if not all(isinstance(d, dict) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    merged: dict[str, Tensor] = {}
    for tensors in dicts:
        for name, tensor in tensors.items():
            if name in merged:
                raise ValueError(
                    f"{name} appeared in multiple dictionaries; behavior of functional call is "
                    "ambiguous"
                )
            merged[name] = tensor
    return merged


def _slots(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """For each name of a parameter or buffer the dict that holds it, and its key there."""
    found = {}
    for prefix, submodule in module.named_modules(remove_duplicate=False):
        for held in (submodule._parameters, submodule._buffers):
            for key, tensor in held.items():
                if tensor is not None:
                    found[f"{prefix}.{key}" if prefix else key] = (held, key)
    return found


@contextmanager
def _replaced(
    module: Module, given: dict[str, Tensor], tie_weights: bool, strict: bool
) -> Iterator[None]:
    """``module`` with the tensors in ``given`` in place of its own."""
    slots = _slots(module)
    wanted = dict(given)
    if tie_weights:
        _tie(slots, wanted)
    unexpected = [name for name in wanted if name not in slots]
    missing = [name for name in slots if name not in wanted] if strict else []
    if strict and (missing or unexpected):
        lines = []
        if unexpected:
            lines.append("Unexpected key(s): " + ", ".join(f"'{n}'" for n in unexpected) + ".")
        if missing:
            lines.append("Missing key(s): " + ", ".join(f"'{n}'" for n in missing) + ".")
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(lines)
        )
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in wanted.items():
            if name in slots:
                held, key = slots[name]
                before.append((held, key, held[key]))
                held[key] = tensor
            elif "." in name:
                _refuse_name(module, name)  # a name that the module itself lacks is passed over
        yield
    finally:
        for held, key, tensor in reversed(before):
            held[key] = tensor


def _tie(slots: dict[str, tuple[dict[str, Any], str]], wanted: dict[str, Tensor]) -> None:
    """Give a tensor's other names what one of its names is given."""
    names: dict[int, list[str]] = {}
    for name, (held, key) in slots.items():
        names.setdefault(id(held[key]), []).append(name)
    for group in names.values():
        given = [name for name in group if name in wanted]
        if len(group) < 2 or not given:
            continue
        if len({id(wanted[name]) for name in given}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(given)}, which are tied. "
                "Consider using tie_weights=False"
            )
        for name in group:
            wanted[name] = wanted[given[0]]


def _refuse_name(module: Module, name: str) -> None:
    path, _, last = name.rpartition(".")
    owner = module.get_submodule(path)  # says where the path ends
    raise AttributeError(f"{type(owner).__name__} has no attribute `{last}`")


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and buffers of several models of one kind, stacked along a new first dim.

    With :func:`functional_call` and :func:`vmap` the whole ensemble then runs in one pass.

    Args:
        models: modules of the same class, all in training or all in evaluation mode.

    Returns:
        parameters and buffers, by name; parameters are leaves that require grad if the models' do.

    Raises:
        RuntimeError: there is no model, or they are of different kinds.

    Source: https://pytorch.org/docs/stable/generated/torch.func.stack_module_state.html
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(states: list[dict[str, Any]]) -> dict[str, Tensor]:
    from ..ops.shape import stack

    result = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        flags = {t.requires_grad for t in tensors}
        if len(flags) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        stacked = stack([t.detach() for t in tensors])
        result[name] = stacked.requires_grad_() if flags == {True} else stacked
    return result


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Let all batch normalizations below ``root`` keep no running averages, in place.

    The averages are written in training, which members of a ``vmap`` cannot do to a buffer that
    they share.

    Returns:
        ``root``.

    Source: https://pytorch.org/docs/stable/generated/torch.func.replace_all_batch_norm_modules_.html
    """
    from ..nn.modules.batchnorm import _BatchNorm

    for submodule in root.modules():
        if isinstance(submodule, _BatchNorm):
            submodule.track_running_stats = False
            submodule.running_mean = submodule.running_var = None  # type: ignore[assignment]
            submodule.num_batches_tracked = None  # type: ignore[assignment]
    return root
