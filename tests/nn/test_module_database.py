"""PyTorch's own database of modules: results and gradients under one seed, and refusals.

Floors: a share that falls below them is a fault; when it rises, raise them.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import flambeau

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

SEED = 20261
FLOOR = 114
"""How many modules must pass on all their inputs."""
REFUSALS_FLOOR = 138
"""How many of the database's wrong calls of modules must raise PyTorch's exception type."""
REFUSAL_WORDS_FLOOR = 138
"""How many of them must have the words that the database asks for."""


@functools.cache
def database() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        common = importlib.import_module("torch.testing._internal.common_modules")
    return common, {info.name: info for info in common.module_db}


def names() -> list[str]:
    return list(database()[1])


def ours(value: Any, known: dict[int, Any] | None = None) -> Any:
    """A value of PyTorch as flambeau's; what is one tensor there is one tensor here."""
    known = {} if known is None else known
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            made = flambeau.from_numpy(value.detach().numpy().copy(order="K"))
            known[id(value)] = made.requires_grad_(value.requires_grad)
        return known[id(value)]
    if isinstance(value, torch.dtype):
        return getattr(flambeau, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return flambeau.device(str(value))
    if isinstance(value, torch.nn.Module):
        return layer_of(value)
    if type(value).__name__ == "LinearCrossEntropyOptions":
        return flambeau.nn.LinearCrossEntropyOptions(**dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: ours(v, known) for key, v in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(ours(v, known) for v in value)
    if callable(value) and getattr(value, "__module__", "").startswith("torch"):
        return getattr(flambeau.nn.functional, value.__name__)
    return value


def layer_of(value: Any) -> Any:
    """A module that is an argument of another one."""
    cls = type_of(type(value))
    if cls is not flambeau.nn.TransformerEncoderLayer:
        return cls()
    attention = value.self_attn
    made = cls(
        attention.embed_dim, attention.num_heads, value.linear1.out_features, value.dropout.p,
        batch_first=attention.batch_first, norm_first=value.norm_first,
        bias=value.linear1.bias is not None,
    )  # fmt: skip
    made.load_state_dict(ours(dict(value.state_dict())))
    return made


def type_of(cls: Any) -> Any:
    return getattr(flambeau.nn, cls.__name__)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (torch.Tensor, flambeau.Tensor)):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from leaves(v)
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from leaves(v)


def compare(found: Any, wanted: Any, what: str, tolerance: float) -> None:
    assert (found is None) == (wanted is None), what
    if wanted is None:
        return
    assert tuple(found.shape) == tuple(wanted.shape), what
    assert str(found.dtype) == str(wanted.dtype), what
    np.testing.assert_allclose(
        found.detach().numpy(),
        wanted.detach().numpy(),
        rtol=tolerance,
        atol=tolerance,
        err_msg=what,
    )


def run(library: Any, cls: Any, module_input: Any, training: bool, move: Any) -> Any:
    """Results, parameters and inputs of one sample, and their gradients."""
    arguments = module_input.constructor_input
    library.manual_seed(SEED)
    module = cls(*move(arguments.args), **move(arguments.kwargs)).double().train(training)
    call = module_input.forward_input
    args, kwargs = move((call.args, call.kwargs))
    result = module(*args, **kwargs)
    outputs = [t for t in leaves(result) if t.requires_grad]
    inputs = [t for t in leaves([args, kwargs]) if t.requires_grad]
    parameters = list(module.parameters())
    library.manual_seed(SEED + 1)
    if outputs:
        cotangents = [library.randn(t.shape, dtype=t.dtype) for t in outputs]
        grads = library.autograd.grad(
            outputs, [*inputs, *parameters], cotangents, allow_unused=True
        )
    else:
        grads = ()
    return list(leaves(result)), [*parameters, *module.buffers()], list(grads)


def check(info: Any, most: int = 12) -> None:
    """Compare on the samples of ``info``; raise at the first difference."""
    cls = type_of(info.module_cls)
    dtype = torch.float64
    tolerance = 2e-6 if "Transformer" in info.name else 1e-7
    for training in (True, False) if info.train_and_eval_differ else (True,):
        torch.manual_seed(0)
        samples = info.module_inputs_func(
            info, device="cpu", dtype=dtype, requires_grad=True, training=training
        )
        if len(samples) > most:
            samples = samples[:: len(samples) // most]
        for sample in samples:
            if sample.forward_input is None:
                continue
            mine = run(flambeau, cls, sample, training, ours)
            theirs = run(torch, info.module_cls, sample, training, lambda value: value)
            for what, found, wanted in zip(("result", "state", "gradient"), mine, theirs):
                assert len(found) == len(wanted), what
                for i, (a, b) in enumerate(zip(found, wanted)):
                    compare(a, b, f"{info.name} {what} {i}, {sample.desc}", tolerance)


def failures() -> dict[str, str]:
    found = {}
    for name, info in database()[1].items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check(info)
            except Exception as error:
                found[name] = f"{type(error).__name__}: {error}"
    return found


def test_modules_give_pytorchs_results_and_gradients() -> None:
    failed = failures()
    passed = len(names()) - len(failed)
    listed = "\n".join(f"{name}: {words[:300]}" for name, words in failed.items())
    assert passed >= FLOOR, f"{passed} of {len(names())} modules pass\n{listed}"


def refusals() -> Iterator[tuple[str, Any, Exception | None]]:
    """Each wrong call of the database: the module's name, what is expected, what was raised."""
    common, infos = database()
    for name, info in infos.items():
        if info.module_error_inputs_func is None:
            continue
        for training in (True, False) if info.train_and_eval_differ else (True,):
            for wrong in info.module_error_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=False, training=training
            ):
                raised: Exception | None = None
                given = wrong.module_error_input
                arguments, call = given.constructor_input, given.forward_input
                try:
                    module = type_of(info.module_cls)(
                        *ours(arguments.args), **ours(arguments.kwargs)
                    )
                    if wrong.error_on == common.ModuleErrorEnum.FORWARD_ERROR:
                        module(*ours(call.args), **ours(call.kwargs))
                except Exception as error:
                    raised = error
                yield name, wrong, raised


def test_modules_refuse_what_pytorch_refuses() -> None:
    import re

    found = list(refusals())
    same_type = [(n, w, e) for n, w, e in found if isinstance(e, w.error_type)]
    same_words = [1 for _, w, e in same_type if re.search(w.error_regex, str(e))]
    missing = [
        f"{n}: {w.error_regex!r}, raised {e!r}"
        for n, w, e in found
        if not isinstance(e, w.error_type) or not re.search(w.error_regex, str(e))
    ]
    listed = "\n".join(missing)
    assert len(same_type) >= REFUSALS_FLOOR, f"{len(same_type)} of {len(found)}\n{listed}"
    assert len(same_words) >= REFUSAL_WORDS_FLOOR, f"{len(same_words)} of {len(found)}\n{listed}"
