"""PyTorch's database of operators (``op_db``), asked of flambeau.

Each entry makes sample calls: shapes, dims, options, broadcasting, empty and 0-d tensors, tensors
that are not contiguous.  PyTorch and flambeau make the same calls on the same values, and an
*aspect* of what comes out is compared:

* ``float64``: results and the gradients of all inputs for one random cotangent;
* ``second``: the gradients of those gradients;
* ``inplace``: the in-place method on a tensor that others depend on, with its gradients;
* ``out``: ``out=`` given, given in another shape (a warning), and in another dtype;
* ``view``: strides, offset, and writes through a result that shares its input's memory;
* ``float32``, ``bfloat16``, ``int64``, ``int32``, ``uint8``, ``bool``, ``complex64``: results.

Run by hand, it lists what differs::

    python -m tests.conformance.operator_database [--only REGEX] [ASPECT ...]
"""

from __future__ import annotations

import argparse
import functools
import importlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import flambeau

OUTSIDE = re.compile(
    r"^(_refs|ops|jiterator|_|sparse|to_sparse|masked\.|torch\.|empty|new_empty|resize_as_|"
    r"nn\.functional\.(scaled_grouped_mm|grouped_mm|scaled_mm)|"
    r"native_dropout_backward|native_batch_norm|native_layer_norm|max_pool2d_with_indices_backward|"
    r"chalf$|half$|triangular_solve|nonzero_static|cauchy|log_normal|exponential$|geometric$|"
    r"uniform$|slice$|as_strided_scatter|slice_scatter_never)"
)
"""Sparse and quantized layouts, kernels of other devices, private helpers, what has no values."""
VARIANTS_OUTSIDE = {
    ("as_strided", "partial_views"), ("linalg.lstsq", "grad_oriented"),
    ("linalg.pinv", "singular"), ("normal", "in_place"), ("normal", "number_mean"),
    ("rand_like", ""), ("bfloat16", ""), ("nn.functional.triplet_margin_with_distance_loss", ""),
}  # fmt: skip
"""Entries that only PyTorch itself can answer, and those that are not the same function."""

MOVED: dict[str, Callable[..., Any]] = {
    "where": lambda x, condition, other, **k: flambeau.where(condition, x, other, **k),
    "einsum": lambda operands, equation: flambeau.einsum(equation, *operands),
    "polygamma": lambda x, n, **k: flambeau.polygamma(n, x, **k),
    "special.polygamma": lambda x, n, **k: flambeau.special.polygamma(n, x, **k),
    "nn.functional.embedding": lambda w, i, **k: flambeau.nn.functional.embedding(i, w, **k),
    "svd_lowrank": lambda a, b, **k: flambeau.svd_lowrank(a @ b.mT, **k),
    "pca_lowrank": lambda a, b, **k: flambeau.pca_lowrank(a @ b.mT, **k),
    "zero_": lambda x: x.clone().zero_(),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "H": lambda x: x.H,
    "mH": lambda x: x.mH,
}
"""Operators whose entries give the arguments in another order."""

MOST = {"float64": 12, "second": 3, "inplace": 3, "out": 2, "view": 6}
"""How many samples an aspect is compared on; of the dtypes without a number here ``FEW``."""
FEW = 2
SLOW = {"grid_sampler_3d"}
"""Entries of so many elements that one sample has to do."""
DTYPES = ("float32", "bfloat16", "int64", "int32", "uint8", "bool", "complex64")
SEED = 42
TOLERANCE = {"float64": 1e-7, "float32": 1e-4, "bfloat16": 3e-2, "float16": 1e-2,
             "complex128": 1e-7, "complex64": 1e-4}  # fmt: skip


seed = torch.default_generator.manual_seed
"""Of the CPU alone: `torch.manual_seed` takes a stack trace for every other kind of device."""


class Different(AssertionError):
    """What flambeau gives is not what PyTorch gives."""


@functools.cache
def entries() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = importlib.import_module("torch.testing._internal.common_methods_invocations")
    return [
        op for op in module.op_db
        if not OUTSIDE.match(op.name) and (op.name, op.variant_test_name) not in VARIANTS_OUTSIDE
    ]  # fmt: skip


def name_of(op: Any) -> str:
    return op.name + (f"[{op.variant_test_name}]" if op.variant_test_name else "")


def counterpart(op: Any) -> Callable[..., Any]:
    """flambeau's function for an entry: by its dotted name, or the method of Tensor."""
    if op.name in MOVED:
        return MOVED[op.name]
    found: Any = flambeau
    for part in op.name.split("."):
        found = getattr(found, part, None)
        if found is None:
            break
    if callable(found):
        return found
    name = op.name.split(".")[-1]
    if not hasattr(flambeau.Tensor, name):
        raise Different(f"there is no {op.name}")
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


# -- values from there to here and back ---------------------------------------------------------


def ours(value: Any) -> Any:
    """PyTorch's value as flambeau's."""
    if isinstance(value, torch.Tensor):
        plain = value.detach().resolve_conj().resolve_neg()
        if plain.dtype is torch.bfloat16:
            made = flambeau.from_numpy(plain.float().numpy().copy(order="K")).bfloat16()
        else:
            made = flambeau.from_numpy(plain.numpy().copy(order="K"))
        return made.requires_grad_(True) if value.requires_grad else made
    if isinstance(value, torch.device):
        return flambeau.device(str(value))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return getattr(flambeau, str(value).removeprefix("torch."))
    if isinstance(value, dict):
        return {k: ours(v) for k, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(ours(v) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(ours(v) for v in value)
    return value


def copied(value: Any) -> Any:
    """PyTorch's value again, in new memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(v) for v in value)
    return value


def theirs(tensor: Any) -> torch.Tensor:
    """flambeau's tensor as PyTorch's."""
    if tensor.dtype is flambeau.bfloat16:
        return theirs(tensor.float()).bfloat16()
    return torch.from_numpy(np.array(tensor.detach().numpy(), copy=True))


def tensors(value: Any, kind: type) -> list[Any]:
    """The tensors in ``value``, numbers as tensors among them."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors(v, kind)]
    if isinstance(value, (list, tuple)):
        return [t for v in value for t in tensors(v, kind)]
    if isinstance(value, (bool, int, float, complex)):
        return [(torch if kind is torch.Tensor else flambeau).tensor(value)]
    return []


def compare(expected: torch.Tensor, found: Any, what: str) -> None:
    if tuple(expected.shape) != tuple(found.shape):
        raise Different(f"{what}: shape {tuple(found.shape)}, not {tuple(expected.shape)}")
    if str(expected.dtype) != str(found.dtype):
        raise Different(f"{what}: {found.dtype}, not {expected.dtype}")
    tolerance = TOLERANCE.get(str(expected.dtype).removeprefix("torch."), 0)
    plain = expected.detach().resolve_conj().resolve_neg()
    least = tolerance
    if tolerance > 1e-7 and plain.numel():  # large terms were rounded where others were not
        least *= max(1.0, float(plain[plain.isfinite()].abs().sum()) / plain.numel())
    if not torch.allclose(theirs(found), plain, rtol=tolerance, atol=least, equal_nan=True):
        raise Different(f"{what}: other values")


def compare_all(expected: Any, found: Any, what: str = "result") -> None:
    there, here = tensors(expected, torch.Tensor), tensors(found, flambeau.Tensor)
    if len(there) != len(here):
        raise Different(f"{len(here)} results, not {len(there)}")
    for i, (e, f) in enumerate(zip(there, here)):
        compare(e, f, f"{what} {i}" if len(there) > 1 else what)


# -- one sample, one aspect -----------------------------------------------------------------------


class Call:
    """A sample call, made there and here when asked for."""

    def __init__(self, op: Any, sample: Any) -> None:
        self.op = op
        self.function = counterpart(op)
        self.there = ((sample.input, *sample.args), sample.kwargs)
        self.here = ours(self.there)

    def results(self) -> tuple[Any, Any]:
        seed(SEED)
        expected = self.op.op(*self.there[0], **self.there[1])
        flambeau.manual_seed(SEED)
        return expected, self.function(*self.here[0], **self.here[1])

    def inputs(self) -> tuple[list[torch.Tensor], list[Any]]:
        """The tensors with gradients among the arguments."""
        there = [t for t in tensors(self.there, torch.Tensor) if t.requires_grad]
        here = [t for t in tensors(self.here, flambeau.Tensor) if t.requires_grad]
        return there, here


def cotangents(pairs: list[tuple[torch.Tensor, Any]]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(e.shape, generator=generator, dtype=e.dtype) for e, _ in pairs]


def differentiable(expected: Any, found: Any) -> list[tuple[torch.Tensor, Any]]:
    pairs = zip(tensors(expected, torch.Tensor), tensors(found, flambeau.Tensor))
    return [(e, f) for e, f in pairs if e.requires_grad and e.is_floating_point()]


def compare_gradients(expected: Any, found: Any, what: str) -> None:
    for i, (e, f) in enumerate(zip(expected, found)):
        if e is None or f is None:
            other = f if e is None else e
            if other is not None and other.numel() and float(other.abs().max()) != 0:
                raise Different(f"{what} {i}: {'missing' if f is None else 'unexpected'}")
        else:
            compare(e, f, f"{what} {i}")


def first_gradients(call: Call, results: tuple[Any, Any], graph: bool) -> Any:
    pairs = differentiable(*results)
    there, here = call.inputs()
    if not pairs or not there:
        return None
    weights = cotangents(pairs)
    moved = [ours(w) for w in weights]
    if graph:
        for w, m in zip(weights, moved):
            w.requires_grad_(True)
            m.requires_grad_(True)
    both = same_outcome(
        lambda: torch.autograd.grad(
            [e for e, _ in pairs], there, weights, allow_unused=True, create_graph=graph
        ),
        lambda: flambeau.autograd.grad(
            [f for _, f in pairs], here, moved, allow_unused=True, create_graph=graph
        ),
        "gradients",
    )
    if both is None:
        return None
    expected, found = both
    return expected, found, there + weights, here + moved


def results_alike(call: Call) -> None:
    expected, found = call.results()
    compare_all(expected, found)


NOT_IN_ORDER = {"linalg.lu", "svd_lowrank", "pca_lowrank"}
"""Entries with results that are transposed in memory here, and not there."""


def compare_memory(call: Call, expected: Any, found: Any) -> None:
    """That `view` works on a result where it does in PyTorch, and random numbers are in order."""
    if call.op.name in NOT_IN_ORDER:
        return
    if not all(t.is_contiguous() for t in tensors(call.there, torch.Tensor)):
        return
    pairs = zip(tensors(expected, torch.Tensor), tensors(found, flambeau.Tensor), strict=True)
    for i, (e, f) in enumerate(pairs):
        if e.is_contiguous() and not f.is_contiguous():
            raise Different(f"result {i} of shape {tuple(f.shape)} has strides {f.stride()}")


def results_and_gradients(call: Call) -> None:
    results = call.results()
    compare_all(*results)
    compare_memory(call, *results)
    if call.op.supports_autograd:
        gradients = first_gradients(call, results, False)
        if gradients is not None:
            compare_gradients(*gradients[:2], "gradient")


def second_gradients(call: Call) -> None:
    if not (call.op.supports_autograd and call.op.supports_gradgrad):
        return
    gradients = first_gradients(call, call.results(), True)
    if gradients is None:
        return
    expected, found, there, here = gradients
    pairs = [(e, f) for e, f in zip(expected, found)
             if e is not None and f is not None and e.requires_grad]  # fmt: skip
    if not pairs:
        return
    weights = cotangents(pairs)
    both = same_outcome(
        lambda: torch.autograd.grad([e for e, _ in pairs], there, weights, allow_unused=True),
        lambda: flambeau.autograd.grad(
            [f for _, f in pairs], here, [ours(w) for w in weights], allow_unused=True
        ) if any(f.requires_grad for _, f in pairs) else [None] * len(here),
        "second gradients",
    )  # fmt: skip
    if both is not None:
        compare_gradients(*both, "second gradient")


def in_place(call: Call) -> None:
    """The in-place method on a copy of the first argument; refused here where it is there."""
    variant = call.op.inplace_variant
    if variant is None or not isinstance(call.there[0][0], torch.Tensor):
        return
    (first, *rest), keywords = call.there
    (mine, *others), mine_keywords = call.here
    name = getattr(variant, "__name__", "")
    if not name.endswith("_") or name.startswith("<"):
        return
    method = getattr(flambeau.Tensor, name, None)
    if method is None:
        raise Different(f"there is no Tensor.{name}")

    def there() -> Any:
        seed(SEED)
        target = first * 1 if first.requires_grad else first.clone()
        result = variant(target, *rest, **keywords)
        return target, result is target

    def here() -> Any:
        flambeau.manual_seed(SEED)
        target = mine * 1 if mine.requires_grad else mine.clone()
        result = method(target, *others, **mine_keywords)
        return target, result is target

    results = same_outcome(there, here)
    if results is None:
        return
    (expected, same), (found, mine_same) = results
    if same and not mine_same:
        raise Different(f"{name} returns another tensor")
    compare(expected, found, name)
    if call.op.supports_autograd:
        gradients = first_gradients(call, (expected, found), False)
        if gradients is not None:
            compare_gradients(*gradients[:2], f"gradient of {name}")


def same_outcome(there: Callable[[], Any], here: Callable[[], Any], what: str = "") -> Any:
    """Both results, or None if both raise: here what is raised there, or what is more special.

    PyTorch has no derivative of some functions: where only it raises, for ``what`` other than a
    call, there is nothing to compare.
    """
    try:
        expected = there()
    except Exception as error:
        if what:
            return None
        kind = type(error)
    else:
        return expected, here()
    wanted: Any = next(
        k for k in (NotImplementedError, IndexError, TypeError, ValueError, RuntimeError, Exception)
        if issubclass(kind, k)
    )  # fmt: skip
    try:
        here()
    except wanted:
        return None
    except Exception as error:
        if isinstance(error, RuntimeError) and wanted is NotImplementedError:
            return None
        raise Different(f"raises {type(error).__name__}, not {wanted.__name__}: {error}") from None
    raise Different(f"does not raise {wanted.__name__}")


def _like(expected: Any, make: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(expected, torch.Tensor):
        return make(expected)
    return tuple(make(e) for e in expected)


def _with_out(function: Any, arguments: Any, keywords: Any, out: Any) -> Any:
    """The ``out`` after the call, whether it was returned, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments, **keywords, out=out)
    resized = any("was resized" in str(w.message) for w in caught)
    whole = result if isinstance(result, (tuple, list)) else (result,)
    given = out if isinstance(out, (tuple, list)) else (out,)
    return out, all(r is o for r, o in zip(whole, given)), resized


def given_out(call: Call) -> None:
    """``out=`` of the right kind, of another shape, and of another dtype."""
    if not call.op.supports_out or "out" in call.there[1]:
        return
    expected = call.results()[0]
    if not isinstance(expected, torch.Tensor) and not (
        isinstance(expected, tuple) and all(isinstance(e, torch.Tensor) for e in expected)
    ):
        return
    strip = lambda v: v.detach() if isinstance(v, torch.Tensor) else v  # noqa: E731
    there = torch.utils._pytree.tree_map(strip, call.there)
    here = ours(there)
    fits = lambda e: torch.zeros(e.shape, dtype=e.dtype)  # noqa: E731
    larger = lambda e: torch.zeros((*e.shape, 2), dtype=e.dtype)  # noqa: E731
    whole = lambda e: torch.zeros(e.shape, dtype=torch.int16)  # noqa: E731
    for what, make in (("out=", fits), ("out= of another shape", larger),
                       ("out= of another dtype", whole)):  # fmt: skip
        out = _like(expected, make)
        mine = ours(out)

        def run_there(out: Any = out) -> Any:
            seed(SEED)
            return _with_out(call.op.op, *there, out)

        def run_here(mine: Any = mine) -> Any:
            flambeau.manual_seed(SEED)
            return _with_out(call.function, *here, mine)

        try:
            results = same_outcome(run_there, run_here)
        except Different as error:
            raise Different(f"{what}: {error}") from None
        if results is None:
            continue
        (e, returned, resized), (f, mine_returned, mine_resized) = results
        compare_all(e, f, what)
        if returned and not mine_returned:
            raise Different(f"{what}: another tensor is returned")
        if resized != mine_resized:
            raise Different(f"{what}: {'no' if resized else 'an unexpected'} warning of resizing")


def as_view(call: Call) -> None:
    """Strides and offset of a view, and writes through it and below it."""
    (first, *rest), keywords = call.there
    (mine, *others), mine_keywords = call.here
    if not isinstance(first, torch.Tensor) or not first.numel():
        return
    base, my_base = first.detach().clone(), mine.detach().clone()
    if tuple(base.stride()) != tuple(my_base.stride()):
        return
    expected = tensors(call.op.op(base, *rest, **keywords), torch.Tensor)
    memory = base.untyped_storage().data_ptr()
    if not any(e.numel() and e.untyped_storage().data_ptr() == memory for e in expected):
        return
    found = tensors(call.function(my_base, *others, **mine_keywords), flambeau.Tensor)
    for i, (e, f) in enumerate(zip(expected, found, strict=True)):
        shared = e.untyped_storage().data_ptr() == memory
        if not e.numel() or not shared or e is base:
            continue
        layout = (tuple(e.stride()), e.storage_offset())
        mine_layout = (tuple(f.stride()), f.storage_offset())
        if layout != mine_layout:
            raise Different(f"view {i}: strides and offset {mine_layout}, not {layout}")
        value = 3 + i
        try:
            e.fill_(value)
        except RuntimeError:
            continue  # several elements in one place
        f.fill_(value)
        compare(base, my_base, f"base written through view {i}")
        base.mul_(2)
        my_base.mul_(2)
        compare(e, f, f"view {i} after its base was written")


ASPECTS: dict[str, Callable[[Call], None]] = {
    "float64": results_and_gradients,
    "second": second_gradients,
    "inplace": in_place,
    "out": given_out,
    "view": as_view,
    **dict.fromkeys(DTYPES, results_alike),
}


# -- all samples ----------------------------------------------------------------------------------


def dtype_of(op: Any) -> torch.dtype | None:
    """The dtype of the samples for the aspects that are no dtype themselves."""
    for dtype in (torch.float64, torch.float32, torch.int64, torch.bool):
        if op.supports_dtype(dtype, "cpu"):
            return dtype
    return None


def samples(op: Any, dtype: torch.dtype, gradients: bool) -> Iterator[Any]:
    seed(0)
    np.random.seed(0)
    # by the definition itself: `op.sample_inputs` looks up the source line of every sample
    for sample in op.sample_inputs_func(op, "cpu", dtype, gradients):
        if not (isinstance(sample.input, torch.Tensor) and sample.input.layout != torch.strided):
            yield sample


def first_difference(op: Any, dtype: torch.dtype, aspects: list[str]) -> dict[str, str]:
    """For each aspect that differs, how it does on the first sample where it does."""
    found: dict[str, str] = {}
    gradients = op.supports_autograd and dtype is torch.float64
    most = 1 if name_of(op) in SLOW else max(MOST.get(a, FEW) for a in aspects)
    for number, sample in enumerate(samples(op, dtype, gradients)):
        if number >= most:
            break
        for aspect in aspects:
            if aspect in found or number >= MOST.get(aspect, FEW):
                continue
            try:
                ASPECTS[aspect](Call(op, sample))
            except Exception as error:
                text = str(error).splitlines()[0] if str(error) else ""
                kind = "" if isinstance(error, Different) else f"{type(error).__name__}: "
                found[aspect] = f"{kind}{text}"[:200]
    return found


def differences(aspects: list[str], only: str = "") -> dict[str, dict[str, str]]:
    """Aspect -> entry -> what differs."""
    found: dict[str, dict[str, str]] = {a: {} for a in aspects}
    general = [a for a in aspects if a not in DTYPES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for op in entries():
            if not re.search(only, op.name):
                continue
            name = name_of(op)
            dtype = dtype_of(op)
            if general and dtype is not None:
                for aspect, text in first_difference(op, dtype, general).items():
                    found[aspect][name] = text
            for aspect in aspects:
                if aspect in DTYPES and op.supports_dtype(getattr(torch, aspect), "cpu"):
                    text = first_difference(op, getattr(torch, aspect), [aspect]).get(aspect)
                    if text is not None:
                        found[aspect][name] = text
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="a regular expression for names of entries")
    parser.add_argument("aspects", nargs="*", help=f"of {', '.join(ASPECTS)}; all by default")
    parser.add_argument("--most", type=int, help="samples, in place of a few for each aspect")
    options = parser.parse_args()
    if options.most:
        MOST.update(dict.fromkeys(ASPECTS, options.most))
    found = differences(options.aspects or list(ASPECTS), options.only)
    asked = sum(bool(re.search(options.only, op.name)) for op in entries())
    for aspect, names in found.items():
        print(f"{aspect}: {len(names)} of {asked} entries differ")
        for name, text in names.items():
            print(f"  {name:45s} {text}")


if __name__ == "__main__":
    sys.exit(main())
