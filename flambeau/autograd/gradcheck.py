"""Whether gradients are right: analytical ones against finite differences.

The Jacobian of a function is formed twice: column by column from central differences, and row by
row from backward passes; then the two are compared. In fast mode only their product with one
random direction on either side is.

A complex input counts as its real and imaginary part, and the Jacobian's entry is the derivative
with respect to the real part plus j times that with respect to the imaginary part, which is the
gradient by PyTorch's convention; a complex output counts as two real ones.

Source: `torch.autograd.gradcheck
<https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html>`_.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from flambeau.autograd.backward import grad
from flambeau.tensor import Tensor, wrap

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """Raised by `gradcheck` and `gradgradcheck` for gradients that are not right."""


@dataclass
class _Tolerances:
    eps: float
    atol: float
    rtol: float
    nondet_tol: float

    def close(self, analytical: Any, numerical: Any) -> bool:
        return np.allclose(analytical, numerical, rtol=self.rtol, atol=self.atol, equal_nan=True)


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Check gradients of ``func`` against finite differences.

    Args:
        func: takes ``inputs``, returns a tensor or several.
        inputs: of ``func``; those that require grad, best of float64, are differentiated.
        eps: by how much an element is moved to either side.
        atol, rtol: how far the gradients may be apart, absolutely and in parts of the numerical.
        raise_exception: raise for wrong gradients, rather than return False.
        nondet_tol: how far the gradients of two equal backward passes may be apart.
        check_undefined_grad: check also that no gradient of the outputs makes none of the inputs.
        check_grad_dtypes: check also that gradients have their inputs' dtypes.
        check_batched_grad: check also ``is_grads_batched`` of `grad`.
        check_batched_forward_grad: False: tangents are not batched.
        check_forward_ad: check also the tangents of ``forward_ad``.
        check_backward_ad: False to check no backward pass.
        fast_mode: check along one random direction only.
        masked: concerns sparse tensors only, which there are none of.

    Returns: True if the gradients are right.

    Raises:
        GradcheckError: if they are not, and ``raise_exception``.
        ValueError: if no input requires grad.
    """
    if check_batched_forward_grad:
        raise ValueError(
            "gradcheck(): tangents are not batched here; check_batched_forward_grad must be False"
        )
    arguments = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    checked = _differentiable_inputs(arguments)
    tolerances = _Tolerances(eps, atol, rtol, nondet_tol)
    try:
        if check_forward_ad:
            _check_tangents(func, arguments, checked, tolerances, fast_mode)
        if not check_backward_ad:
            return True
        outputs = _tensors_of(func(*arguments))
        if not any(o.requires_grad for o in outputs):
            _check_constant(func, arguments, checked, tolerances)
            return True
        if fast_mode:
            _check_along_a_direction(func, arguments, checked, tolerances)
        else:
            _check_jacobians(func, arguments, checked, tolerances, check_grad_dtypes)
        if check_batched_grad:
            _check_batched(func, arguments, checked)
        if check_undefined_grad:
            _check_undefined(func, arguments, checked)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Any] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Check the gradients of the gradients of ``func`` against finite differences.

    Args:
        func: takes ``inputs``, returns a tensor or several.
        inputs: of ``func``; those that require grad, best of float64, are differentiated.
        grad_outputs: the gradients of the outputs to start from; random ones by default.
        gen_non_contig_grad_outputs: make the random ones tensors that are not contiguous.
        check_fwd_over_rev: check also the tangents that ``forward_ad`` gives of the gradients.
        check_rev_over_rev: False to check no backward pass through the backward pass.
        eps, atol, rtol, raise_exception, nondet_tol, check_undefined_grad, check_grad_dtypes,
            check_batched_grad, fast_mode, masked: as for `gradcheck`.

    Returns: True if the gradients are right.

    Raises:
        GradcheckError: if they are not, and ``raise_exception``.
    """
    arguments = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    if grad_outputs is None:
        outputs = [o for o in _tensors_of(func(*arguments)) if o.requires_grad]
        starts: tuple[Any, ...] = tuple(
            _random_gradient(o, gen_non_contig_grad_outputs) for o in outputs
        )
    else:
        given = grad_outputs if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
        starts = tuple(given)
    count = len(arguments)

    def gradients(*together: Any) -> tuple[Tensor, ...]:
        values, chosen = together[:count], together[count:]
        outputs = [o for o in _tensors_of(func(*values)) if o.requires_grad]
        wanted = [v for v in values if isinstance(v, Tensor) and v.requires_grad]
        found = grad(outputs, wanted, list(chosen), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        arguments + starts,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


def _random_gradient(output: Tensor, strided: bool) -> Tensor:
    """A random gradient for ``output``: PyTorch's numbers in [-1, 1), of the global generator."""
    from ..testing import make_tensor

    return make_tensor(
        tuple(output.shape), dtype=output.dtype, device="cpu", low=-1, high=1,
        requires_grad=True, noncontiguous=strided,
    )  # fmt: skip


def _random(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    values = rng.uniform(-1, 1, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(-1, 1, shape)
    return np.asarray(values).astype(dtype)


# -- inputs and outputs ---------------------------------------------------------------------------


def _tensors_of(outputs: Any) -> list[Tensor]:
    """The tensors that a function returned."""
    several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    tensors = [o for o in several if isinstance(o, Tensor)]
    if len(tensors) != len(several):
        other = next(o for o in several if not isinstance(o, Tensor))
        raise ValueError(
            f"gradcheck expects the function to return tensors, but got {type(other).__name__}"
        )
    return tensors


def _differentiable_inputs(inputs: tuple[Any, ...]) -> list[tuple[int, Tensor]]:
    """The inputs that require grad, with their positions."""
    checked = []
    for position, tensor in enumerate(inputs):
        if not (isinstance(tensor, Tensor) and tensor.requires_grad):
            continue
        checked.append((position, tensor))
        if tensor._array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{position} requires gradient and is not a double precision floating "
                "point or complex. This check will likely fail if all the inputs are not of "
                "double precision floating point or complex. ",
                UserWarning,
                stacklevel=3,
            )
        strides = getattr(tensor._array, "strides", ())
        if any(s == 0 and n > 1 for s, n in zip(strides, tensor.shape)):
            raise RuntimeError(
                f"The {position}th input has a dimension with stride 0. gradcheck only supports "
                "inputs that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before passing it to "
                "gradcheck."
            )
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    return checked


def _host(tensor: Tensor) -> np.ndarray:
    """A copy of a tensor's elements, on the host."""
    return np.array(tensor.detach()._concrete("gradcheck()"))


def _assign(tensor: Tensor, values: np.ndarray) -> None:
    """Give a tensor new elements, behind the tape's back."""
    if tensor._array.__class__ is np.ndarray:
        np.copyto(tensor._array, values)
    else:
        tensor.data = wrap(values).to(tensor.device)  # type: ignore[attr-defined]


def _parts(values: np.ndarray) -> list[np.ndarray]:
    """The real functions that an output counts as: itself, or its real and imaginary part."""
    return [values.real, values.imag] if values.dtype.kind == "c" else [values]


def _starts(output: Tensor) -> list[complex]:
    """The gradients of an output whose backward passes differentiate its real functions."""
    return [1.0, 1j] if output._array.dtype.kind == "c" else [1.0]


def _part_note(output: Tensor, part: int) -> str:
    if output._array.dtype.kind != "c":
        return ""
    return f"While considering the {('real', 'imaginary')[part]} part of complex outputs only, "


# -- finite differences ---------------------------------------------------------------------------


def _difference(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    tensor: Tensor,
    direction: np.ndarray,
    eps: float,
) -> list[list[np.ndarray]]:
    """The derivative of each output's real functions as ``tensor`` moves along ``direction``."""
    before = _host(tensor)
    sides = []
    try:
        for step in (eps, -eps):
            _assign(tensor, before + step * direction)
            sides.append([_host(o) for o in _tensors_of(func(*inputs))])
    finally:
        _assign(tensor, before)
    above, below = sides
    return [
        [(up - down) / (2 * eps) for up, down in zip(_parts(a), _parts(b))]
        for a, b in zip(above, below)
    ]


def _numerical_jacobian(
    func: Callable[..., Any], inputs: tuple[Any, ...], tensor: Tensor, eps: float
) -> list[list[np.ndarray]]:
    """For each output and real function, the Jacobian ``(elements of tensor, of the output)``."""
    array = tensor._array
    steps = [1.0, 1j] if array.dtype.kind == "c" else [1.0]
    rows: list[list[list[np.ndarray]]] = []
    for index in np.ndindex(tuple(array.shape)):
        row: list[list[np.ndarray]] | None = None
        for step in steps:
            direction = np.zeros(tuple(array.shape), array.dtype)
            direction[index] = step
            found = _difference(func, inputs, tensor, direction, eps)
            if row is None:
                row = [[part.reshape(-1) for part in output] for output in found]
            else:
                row = [
                    [r + 1j * part.reshape(-1) for r, part in zip(real, output)]
                    for real, output in zip(row, found)
                ]
        assert row is not None
        rows.append(row)
    if not rows:
        outputs = _tensors_of(func(*inputs))
        return [[np.zeros((0, o.numel())) for _ in _starts(o)] for o in outputs]
    return [
        [np.stack([row[k][part] for row in rows]) for part in range(len(rows[0][k]))]
        for k in range(len(rows[0]))
    ]


# -- backward passes ------------------------------------------------------------------------------


def _gradients(
    output: Tensor, checked: list[tuple[int, Tensor]], start: np.ndarray
) -> list[np.ndarray]:
    """The gradients of the inputs for one gradient of an output."""
    start_tensor = wrap(start)
    if output._array.__class__ is not np.ndarray:
        start_tensor = start_tensor.to(output.device)  # type: ignore[attr-defined]
    found = grad(
        output, [t for _, t in checked], start_tensor, retain_graph=True, allow_unused=True
    )
    results = []
    for (position, tensor), gradient in zip(checked, found):
        if gradient is None:
            results.append(np.zeros(tuple(tensor.shape), tensor._array.dtype))
            continue
        if gradient.shape != tensor.shape:
            raise GradcheckError(
                f"Analytical gradient has incorrect size: that of input {position} is "
                f"{list(gradient.shape)}, the input {list(tensor.shape)}"
            )
        results.append(_host(gradient))
    return results


def _analytical_jacobians(
    output: Tensor, checked: list[tuple[int, Tensor]], start: complex
) -> list[np.ndarray]:
    """For each input, the Jacobian ``(elements of the input, elements of the output)``."""
    columns: list[list[np.ndarray]] = [[] for _ in checked]
    for index in np.ndindex(tuple(output.shape)):
        direction = np.zeros(tuple(output.shape), output._array.dtype)
        direction[index] = start
        for column, gradient in zip(columns, _gradients(output, checked, direction)):
            column.append(gradient.reshape(-1))
    return [
        np.stack(column, 1) if column else np.zeros((tensor.numel(), 0), tensor._array.dtype)
        for column, (_, tensor) in zip(columns, checked)
    ]


def _differentiable_outputs(
    func: Callable[..., Any], inputs: tuple[Any, ...]
) -> Iterator[tuple[int, Tensor]]:
    for position, output in enumerate(_tensors_of(func(*inputs))):
        if output.requires_grad:
            yield position, output


# -- the checks -----------------------------------------------------------------------------------


def _check_constant(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    checked: list[tuple[int, Tensor]],
    tolerances: _Tolerances,
) -> None:
    """Outputs that do not require grad must not depend on the inputs."""
    for _, tensor in checked:
        for parts in _numerical_jacobian(func, inputs, tensor, tolerances.eps):
            for jacobian in parts:
                if not np.allclose(jacobian, 0, rtol=tolerances.rtol, atol=tolerances.atol):
                    raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_tangents(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    checked: list[tuple[int, Tensor]],
    tolerances: _Tolerances,
    fast_mode: bool,
) -> None:
    """Compare what ``forward_ad`` gives with differences, along each element of each input."""
    from . import forward_ad

    rng = np.random.default_rng(0)
    for position, tensor in checked:
        shape, dtype = tuple(tensor.shape), tensor._array.dtype
        if fast_mode:
            directions = [_random(rng, shape, dtype)]
        else:
            directions = []
            for index in np.ndindex(shape):
                for step in [1.0, 1j] if dtype.kind == "c" else [1.0]:
                    directions.append(np.zeros(shape, dtype))
                    directions[-1][index] = step
        for direction in directions:
            numerical = _difference(func, inputs, tensor, direction, tolerances.eps)
            with forward_ad.dual_level():
                moved = list(inputs)
                moved[position] = forward_ad.make_dual(tensor, wrap(direction))
                tangents = [forward_ad.unpack_dual(o).tangent for o in _tensors_of(func(*moved))]
            for k, (expected, found) in enumerate(zip(numerical, tangents)):
                analytical = np.zeros(expected[0].shape) if found is None else _host(found)
                for part, difference in enumerate(expected):
                    own = (analytical.real, analytical.imag)[part]
                    if not tolerances.close(own, difference):
                        raise GradcheckError(
                            "In forward mode: "
                            + _mismatch("", k, position, wrap(difference), wrap(own))
                        )


def _mismatch(note: str, output: int, position: int, numerical: Any, analytical: Any) -> str:
    head = "Jacobian mismatch" if not note else note + "Jacobian mismatch"
    return (
        f"{head} for output {output} with respect to input {position},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _check_jacobians(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    checked: list[tuple[int, Tensor]],
    tolerances: _Tolerances,
    check_dtypes: bool,
) -> None:
    numerical = [_numerical_jacobian(func, inputs, t, tolerances.eps) for _, t in checked]
    for k, output in _differentiable_outputs(func, inputs):
        if check_dtypes:
            _check_dtypes(output, checked)
        for part, start in enumerate(_starts(output)):
            first = _analytical_jacobians(output, checked, start)
            second = _analytical_jacobians(output, checked, start)
            for i, (position, _) in enumerate(checked):
                expected = numerical[i][k][part]
                if not tolerances.close(first[i], expected):
                    raise GradcheckError(
                        _mismatch(
                            _part_note(output, part),
                            k,
                            position,
                            wrap(expected),
                            wrap(first[i]),
                        )
                    )
            _check_reentrant(first, second, tolerances.nondet_tol)


def _check_reentrant(first: list[np.ndarray], second: list[np.ndarray], tolerance: float) -> None:
    for a, b in zip(first, second):
        if not np.allclose(a, b, rtol=0.0, atol=tolerance, equal_nan=True):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                "matches numerical gradient. The tolerance for nondeterminism was "
                f"{tolerance}."
            )


def _check_dtypes(output: Tensor, checked: list[tuple[int, Tensor]]) -> None:
    start = np.ones(tuple(output.shape), output._array.dtype)
    for (position, tensor), gradient in zip(checked, _gradients(output, checked, start)):
        if gradient.dtype != tensor._array.dtype:
            raise GradcheckError(
                f"Gradient for input {position} has dtype mismatch: {gradient.dtype}, the input "
                f"is of {tensor.dtype}"
            )


def _check_along_a_direction(
    func: Callable[..., Any],
    inputs: tuple[Any, ...],
    checked: list[tuple[int, Tensor]],
    tolerances: _Tolerances,
) -> None:
    """Compare the Jacobians between random unit vectors, v^T J u."""
    rng = np.random.default_rng(0)
    directions = []
    for _, tensor in checked:
        u = _random(rng, tuple(tensor.shape), tensor._array.dtype)
        directions.append(u / max(float(np.linalg.norm(u.reshape(-1))), 1e-300))
    moved = [
        _difference(func, inputs, tensor, u, tolerances.eps)
        for (_, tensor), u in zip(checked, directions)
    ]
    for k, output in _differentiable_outputs(func, inputs):
        v = rng.uniform(0, 1, tuple(output.shape))
        for part, start in enumerate(_starts(output)):
            direction = np.asarray(v * start).astype(output._array.dtype)
            first = _gradients(output, checked, direction)
            second = _gradients(output, checked, direction)
            for i, (position, tensor) in enumerate(checked):
                numerical = float((v * moved[i][k][part]).sum())
                # The real function moves by Re(conj(gradient) u), whatever is complex.
                analytical = float((first[i].conj() * directions[i]).real.sum())
                scale = _Tolerances(
                    tolerances.eps, tolerances.atol * float(np.abs(v).sum() or 1), tolerances.rtol,
                    tolerances.nondet_tol,
                )  # fmt: skip
                if not scale.close(analytical, numerical):
                    slow_numerical = _numerical_jacobian(func, inputs, tensor, tolerances.eps)
                    slow = _analytical_jacobians(output, [(position, tensor)], start)[0]
                    expected = slow_numerical[k][part]
                    raise GradcheckError(
                        _mismatch(_part_note(output, part), k, position, numerical, analytical)
                        + _FAST_MODE_NOTE
                        + f"\nNumerical:\n {wrap(expected)}\nAnalytical:\n{wrap(slow)}\n\n"
                        "The max per-element difference (slow mode) is: "
                        f"{np.abs(expected - slow).max()}.\n"
                    )
            _check_reentrant(first, second, tolerances.nondet_tol)


_FAST_MODE_NOTE = """
The above quantities relating the numerical and analytical jacobians are computed
in fast mode: each is the product of the jacobian with a random vector on either side.
Below, we recompute numerical and analytical jacobians in slow mode:
"""


def _check_batched(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[tuple[int, Tensor]]
) -> None:
    """Gradients of a batch of output gradients are those of its members."""
    rng = np.random.default_rng(0)
    wanted = [t for _, t in checked]
    for k, output in _differentiable_outputs(func, inputs):
        batch = wrap(_random(rng, (3, *output.shape), output._array.dtype))
        together = grad(
            output, wanted, batch, retain_graph=True, allow_unused=True, is_grads_batched=True
        )
        for n in range(3):
            alone = _gradients(output, checked, np.asarray(batch._array[n]))
            for (position, _), found, expected in zip(checked, together, alone):
                if found is not None and not np.allclose(_host(found)[n], expected, equal_nan=True):
                    raise GradcheckError(
                        f"For output {k} and input {position}: the gradients of a batch of output "
                        "gradients are not those of its members"
                    )


def _check_undefined(
    func: Callable[..., Any], inputs: tuple[Any, ...], checked: list[tuple[int, Tensor]]
) -> None:
    """Where no gradient of an output arrives, none of an input must leave."""
    outputs = [o for _, o in _differentiable_outputs(func, inputs)]
    if not outputs:
        return
    starts = [wrap(np.zeros(tuple(o.shape), o._array.dtype)) for o in outputs]
    found = grad(outputs, [t for _, t in checked], starts, retain_graph=True, allow_unused=True)
    for (position, _), gradient in zip(checked, found):
        if gradient is None:
            continue
        values = _host(gradient)
        if not np.all((values == 0) | np.isnan(values)):
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are "
                f"undefined or zero, but that of input {position} is {gradient}"
            )


class _CallableModule(ModuleType):
    """``autograd.gradcheck`` names a function and, once imported, this module: both are called."""

    def __call__(self, *args: Any, **kwargs: Any) -> bool:
        return gradcheck(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
