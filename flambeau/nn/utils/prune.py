"""Parameters with entries masked out (``torch.nn.utils.prune``).

A pruned parameter ``weight`` becomes ``weight_orig``, which is trained, times the buffer
``weight_mask``, computed before each call.

Source: https://docs.pytorch.org/docs/2.13/nn.html (pruning)
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import flambeau
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """What every way of pruning shares; a subclass has ``PRUNING_TYPE`` and ``compute_mask``."""

    _tensor_name: str
    PRUNING_TYPE: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for ``t``, of which ``default_mask`` is what earlier prunings have left.

        Returns:
            Of the shape of ``t``: 1 for entries that stay, else 0.
        """

    def apply_mask(self, module: Module) -> Tensor:
        """The parameter of ``module`` with its masked entries 0.

        Raises:
            AssertionError: the method has been applied to nothing.
        """
        if not hasattr(self, "_tensor_name"):
            raise AssertionError(f"Module {module} has to be pruned")
        mask: Any = getattr(module, self._tensor_name + "_mask")
        original: Any = getattr(module, self._tensor_name + "_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Any = None, **kwargs: Any
    ) -> Any:
        """Prune a parameter.

        Args:
            module: whose parameter.
            name: its name.
            args, kwargs: what the method is made with.
            importance_scores: of the parameter's shape, looked at instead of it.

        Returns:
            The method that does it from now on: this one, or a :class:`PruningContainer` behind
                others.

        Raises:
            AssertionError: scores of another shape.
        """
        found = [
            (key, hook)
            for key, hook in module._forward_pre_hooks.items()
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name
        ]
        if len(found) > 1:
            raise AssertionError(
                f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}"
            )
        method: Any = cls(*args, **kwargs)
        method._tensor_name = name
        if found:
            key, old = found[0]
            del module._forward_pre_hooks[key]
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
        original: Any = getattr(module, name)
        if importance_scores is not None:
            if importance_scores.shape != original.shape:
                raise AssertionError(
                    f"importance_scores should have the same shape as parameter {name} of {module}"
                )
        else:
            importance_scores = original
        if not found:
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
            default = flambeau.ones_like(original.detach())
        else:
            default = getattr(module, name + "_mask").detach().clone()
        try:
            mask = method.compute_mask(importance_scores.detach(), default_mask=default)
        except Exception:
            if not found:
                del module._parameters[name + "_orig"]
                module.register_parameter(name, original)
            raise
        module.register_buffer(name + "_mask", mask)
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """``t`` with its masked entries 0; no module is changed.

        Args:
            t: ``(*)``.
            default_mask: ``(*)``, what earlier prunings have left; None: all.
            importance_scores: ``(*)``, looked at instead of ``t``.

        Returns:
            ``(*)``.

        Raises:
            AssertionError: scores of another shape.
        """
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise AssertionError("importance_scores should have the same shape as tensor t")
        scores = t if importance_scores is None else importance_scores
        default = flambeau.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=default)

    def remove(self, module: Module) -> None:
        """Make the parameter of ``module``, as pruned, an ordinary one again.

        Raises:
            AttributeError: the method has been applied to nothing.
        """
        name = self._tensor_name
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        original = module._parameters.pop(name + "_orig")
        original.data = weight.data  # type: ignore[union-attr]
        del module._buffers[name + "_mask"]
        setattr(module, name, original)


class PruningContainer(BasePruningMethod):
    """Several prunings of one parameter, one after the other.

    Args:
        args: the first method, or none; :meth:`add_pruning_method` takes the others.

    Raises:
        AttributeError: it is no method of pruning, or several are given (as in PyTorch).
    """

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1 and not isinstance(args[0], Iterable):
            self._tensor_name = args[0]._tensor_name
            self.add_pruning_method(args[0])
        else:
            for method in args:
                self.add_pruning_method(method)

    def add_pruning_method(self, method: Any) -> None:
        """Append ``method``, which has to be for the same parameter.

        Raises:
            TypeError: it is no method of pruning.
            ValueError: it is for another parameter.
        """
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if self._tensor_name != method._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods = (*self._pruning_methods, method)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, index: Any) -> Any:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for ``t`` that the last method makes of what ``default_mask`` has left.

        Returns:
            Of the shape of ``t``.

        Raises:
            ValueError: the method's ``PRUNING_TYPE`` is not known.
        """
        method = self._pruning_methods[-1]
        mask = default_mask.to(dtype=t.dtype)
        kind = method.PRUNING_TYPE
        if kind == "unstructured":
            left: Any = mask == 1
        elif kind == "structured":
            dim: Any = method.dim % t.dim()  # type: ignore[attr-defined]
            alive = mask.sum(tuple(d for d in range(t.dim()) if d != dim)) != 0
            left = tuple([slice(None)] * dim) + (alive,)
        elif kind == "global":
            left = tuple([slice(None)] * t.dim())
        else:
            raise ValueError(f"Unrecognized PRUNING_TYPE {kind}")
        result = mask.clone()
        result[left] = method.compute_mask(t[left], default_mask=mask[left]).to(mask.dtype)
        return result


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the parameter ``<name>_orig`` and a mask of ones."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask

    @classmethod
    def apply(cls, module: Module, name: str) -> Any:  # type: ignore[override]
        return super().apply(module, name)


class _Amount(BasePruningMethod):
    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount

    def _count(self, size: int) -> int:
        count = _count_of(self.amount, size)
        _check_count(count, size)
        return count


class _Unstructured(_Amount):
    """Prunes single entries, chosen by a score."""

    PRUNING_TYPE = "unstructured"
    takes_largest = False

    def _scores(self, t: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        count = self._count(t.nelement())
        mask = default_mask.clone()
        if count:
            scores = self._scores(t).reshape(-1)
            chosen = flambeau.topk(scores, k=count, largest=self.takes_largest).indices
            mask.view(-1)[chosen] = 0
        return mask


class RandomUnstructured(_Unstructured):
    """Prunes entries at random.

    Args:
        amount: the share of the entries, a float in [0, 1], or their count.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
    """

    takes_largest = True  # of random numbers either end will do; PyTorch takes this one

    def _scores(self, t: Tensor) -> Tensor:
        return flambeau.rand_like(t)

    @classmethod
    def apply(cls, module: Module, name: str, amount: float) -> Any:  # type: ignore[override]
        """Prune ``amount`` of the parameter ``name`` of ``module``; returns the method that does
        it.
        """
        return super().apply(module, name, amount=amount)


class L1Unstructured(_Unstructured):
    """Prunes the entries nearest to 0.

    Args:
        amount: the share of the entries, a float in [0, 1], or their count.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
    """

    def _scores(self, t: Tensor) -> Tensor:
        return t.abs()

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Module, name: str, amount: float, importance_scores: Any = None
    ) -> Any:
        """Prune ``amount`` of the parameter ``name`` of ``module``, by ``importance_scores`` if
        given.

        Returns:
            The method that does it.
        """
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class RandomStructured(_Amount):
    """Prunes whole slices along a dim at random.

    Args:
        amount: the share of the slices, a float in [0, 1], or their count.
        dim: along which.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
        ValueError: the parameter has one dim only.
        IndexError: there is no such ``dim``.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_structured(t)
        _check_dim(t, self.dim)
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        chosen = flambeau.topk(flambeau.rand(size), k=count, largest=False).indices
        return _without_slices(default_mask, self.dim, chosen)

    @classmethod
    def apply(  # type: ignore[override]
        cls, module: Module, name: str, amount: float, dim: int = -1
    ) -> Any:
        """Prune ``amount`` of the slices along ``dim`` of ``name`` of ``module``; returns the
        method.
        """
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Amount):
    """Prunes whole slices along a dim, those of the least norm.

    Args:
        amount: the share of the slices, a float in [0, 1], or their count.
        n: of which norm.
        dim: along which.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
        ValueError: the parameter has one dim only.
        IndexError: there is no such ``dim``.
    """

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount)
        self.n = n
        self.dim = dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        _check_structured(t)
        _check_dim(t, self.dim)
        size = t.shape[self.dim]
        count = self._count(size)
        if not count:
            return default_mask
        rest = tuple(d for d in range(t.dim()) if d != self.dim % t.dim())
        norms = t.norm(self.n, rest)
        kept = flambeau.topk(norms, k=size - count, largest=True).indices
        alive = flambeau.zeros(size, dtype=flambeau.bool)
        alive[kept] = True
        return _without_slices(default_mask, self.dim, alive.logical_not().nonzero().squeeze(-1))

    @classmethod
    def apply(  # type: ignore[override]
        cls,
        module: Module,
        name: str,
        amount: float,
        n: Any,
        dim: int,
        importance_scores: Any = None,
    ) -> Any:
        """Prune ``amount`` of the slices along ``dim`` of ``name`` of ``module``, by their
        ``n``-norm.

        ``importance_scores``, if given, are looked at instead of the parameter.

        Returns:
            The method that does it.
        """
        return super().apply(
            module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores
        )


class CustomFromMask(BasePruningMethod):
    """Prunes what a mask says.

    Args:
        mask: of the parameter's shape, 0 for entries that go.

    Raises:
        AssertionError: a mask of another shape, when it is applied.
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """What ``default_mask`` and the given mask leave of ``t``.

        Raises:
            AssertionError: they have two shapes.
        """
        if default_mask.shape != self.mask.shape:
            raise AssertionError(
                f"mask {list(self.mask.shape)} and parameter {list(default_mask.shape)} should "
                "have the same shape"
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Module, name: str, mask: Tensor) -> Any:  # type: ignore[override]
        return super().apply(module, name, mask=mask)


def identity(module: Module, name: str) -> Module:
    """Make a parameter a pruned one of which nothing is pruned.

    Args:
        module: whose parameter.
        name: its name.

    Returns:
        ``module``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.identity.html
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune entries at random.

    Args:
        module: whose parameter.
        name: its name.
        amount: the share of the entries, a float in [0, 1], or their count.

    Returns:
        ``module``.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.random_unstructured.html
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the entries nearest to 0 (or of the lowest scores).

    Args:
        module: whose parameter.
        name: its name.
        amount: the share of the entries, a float in [0, 1], or their count.
        importance_scores: of the parameter's shape, looked at instead of it.

    Returns:
        ``module``.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.l1_unstructured.html
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices at random.

    Args:
        module: whose parameter.
        name: its name.
        amount: the share of the slices, a float in [0, 1], or their count.
        dim: along which.

    Returns:
        ``module``.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
        ValueError: the parameter has one dim only.
        IndexError: there is no such ``dim``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.random_structured.html
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: Any,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the slices of the least norm.

    Args:
        module: whose parameter.
        name: its name.
        amount: the share of the slices, a float in [0, 1], or their count.
        n: of which norm.
        dim: along which.
        importance_scores: of the parameter's shape, looked at instead of it.

    Returns:
        ``module``.

    Raises:
        ValueError, TypeError: an ``amount`` that is neither a share in [0, 1] nor a count in range.
        ValueError: the parameter has one dim only.
        IndexError: there is no such ``dim``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.ln_structured.html
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(
    parameters: Any,
    pruning_method: type[BasePruningMethod],
    importance_scores: Any = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: pairs of a module and a parameter's name.
        pruning_method: an unstructured method.
        importance_scores: scores by (module, name), instead of the parameters.
        kwargs: the method's arguments, such as ``amount``.

    Raises:
        TypeError: ``parameters`` cannot be iterated over, ``importance_scores`` is no dictionary,
            or the method is not unstructured.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.global_unstructured.html
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    parameters = list(parameters)
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    flat = flambeau.cat(
        [scores.get((m, n), getattr(m, n)).detach().reshape(-1) for m, n in parameters]
    )
    default = flambeau.cat(
        [
            getattr(m, n + "_mask", flambeau.ones_like(getattr(m, n).detach())).reshape(-1)
            for m, n in parameters
        ]
    )
    container = PruningContainer()
    container._tensor_name = "temp"
    method: Any = pruning_method(**kwargs)
    method._tensor_name = "temp"
    container.add_pruning_method(method)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    mask = container.compute_mask(flat, default)
    start = 0
    for module, name in parameters:
        value: Any = getattr(module, name)
        part = mask[start : start + value.numel()].reshape(value.shape)
        custom_from_mask(module, name, mask=part)
        start += value.numel()


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune the entries where a mask is 0.

    Args:
        module: whose parameter.
        name: its name.
        mask: of the parameter's shape.

    Returns:
        ``module``.

    Raises:
        AssertionError: a mask of another shape.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.custom_from_mask.html
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter, as it is, an ordinary one again.

    Args:
        module: whose parameter.
        name: its name.

    Returns:
        ``module``.

    Raises:
        ValueError: it is not pruned.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.remove.html
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    )


def is_pruned(module: Module) -> bool:
    """Whether ``module`` or one inside it has a pruned parameter.

    Returns:
        A bool.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.prune.is_pruned.html
    """
    return any(
        isinstance(hook, BasePruningMethod)
        for _, inner in module.named_modules()
        for hook in inner._forward_pre_hooks.values()
    )


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    wrong_count = isinstance(amount, numbers.Integral) and amount < 0
    wrong_share = not isinstance(amount, numbers.Integral) and not 0 <= float(amount) <= 1
    if wrong_count or wrong_share:
        raise ValueError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative "
            "integer"
        )


def _count_of(amount: Any, size: int) -> int:
    return int(amount) if isinstance(amount, numbers.Integral) else round(amount * size)


def _check_count(count: int, size: int) -> None:
    if count > size:
        raise ValueError(
            f"amount={count} should be smaller than the number of parameters to prune={size}"
        )


def _check_structured(t: Tensor) -> None:
    if t.dim() <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of "
            f"shape {t.shape} with {t.dim()} dims"
        )


def _check_dim(t: Tensor, dim: int) -> None:
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")


def _without_slices(mask: Tensor, dim: int, indices: Tensor) -> Tensor:
    result = mask.clone()
    key: Sequence[Any] = [slice(None)] * mask.dim()
    key[dim] = indices  # type: ignore[index]
    result[tuple(key)] = 0
    return result
