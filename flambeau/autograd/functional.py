"""Jacobians, Hessians, and their products with vectors, of functions of tensors.

Everything here is made of backward passes; a product with a Jacobian from the right (``jvp``) is a
backward pass through a backward pass.

Source: https://pytorch.org/docs/stable/autograd.html#functional-higher-level-api
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from .backward import grad
from .grad_mode import enable_grad

Tensors = tuple[Tensor, ...]


def _as_tuple(value: Any, what: str, function: str) -> tuple[bool, Tensors]:
    """Whether ``value`` is a tuple, and it as one."""
    if isinstance(value, Tensor):
        return False, (value,)
    if not isinstance(value, tuple):
        raise TypeError(
            f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but "
            f"the given {what} has type {type(value)}."
        )
    for position, element in enumerate(value):
        if not isinstance(element, Tensor):
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors "
                f"but the value at index {position} of the given {what} has type {type(element)}."
            )
    return True, value


def _like(flag: bool, tensors: Any) -> Any:
    """A tuple, or the only tensor, as the caller gave it."""
    return tuple(tensors) if flag else tensors[0]


def _variables(inputs: Tensors, create_graph: bool) -> Tensors:
    """Tensors to differentiate by: with the inputs' history if ``create_graph``, else leaves."""
    made = []
    for tensor in inputs:
        if create_graph:
            made.append(
                tensor.view_as(tensor)  # type: ignore[attr-defined]
                if tensor.requires_grad
                else tensor.detach().clone().requires_grad_()  # type: ignore[attr-defined]
            )
        else:
            made.append(tensor.detach().requires_grad_())
    return tuple(made)


def _finished(tensors: Any, create_graph: bool) -> Any:
    """Results without a history that nobody asked for."""
    if create_graph:
        return tensors
    return tuple(t.detach() for t in tensors)


def _require_dependence(outputs: Tensors) -> None:
    for position, output in enumerate(outputs):
        if not output.requires_grad:
            raise RuntimeError(
                f"Output {position} of the user-provided function does not require gradients. The "
                "outputs must be computed in a differentiable manner from the input when running "
                "in strict mode."
            )


def _gradients(
    outputs: Tensors, inputs: Tensors, vectors: Any, create_graph: bool, keep: bool = True
) -> tuple[Tensor | None, ...]:
    """The gradients of those outputs that have one, contracted with ``vectors``."""
    pairs = [(o, v) for o, v in zip(outputs, vectors) if o.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    return grad(
        [o for o, _ in pairs], inputs, [v for _, v in pairs], retain_graph=keep or create_graph,
        create_graph=create_graph, allow_unused=True,
    )  # fmt: skip


def _filled(
    found: Any, like: Tensors, create_graph: bool, strict: bool, what: str
) -> tuple[Tensor, ...]:
    """``found`` with zeros for None; in strict mode an error instead."""
    result = []
    for position, (tensor, model) in enumerate(zip(found, like)):
        if tensor is None:
            if strict:
                raise RuntimeError(
                    f"{what} is independent of input {position}. This is not allowed in strict "
                    "mode."
                )
            tensor = model.detach().new_zeros(model.shape)  # type: ignore[attr-defined]
        elif strict and create_graph and not tensor.requires_grad:
            raise RuntimeError(
                f"{what} is independent of input {position} after one differentiation. This is "
                "not allowed in strict mode when create_graph=True."
            )
        result.append(tensor)
    return tuple(result)


def _checked_vectors(v: Any, like: Tensors, tupled: bool, function: str, what: str) -> Tensors:
    """The vector argument, checked against the tensors that it must look like."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if "
                + ("the input to the user-provided function is" if what == "input" else
                   "the user-provided function returns")
                + " a single Tensor with a single element."
            )  # fmt: skip
        return (like[0].detach().new_ones(like[0].shape),)  # type: ignore[attr-defined]
    _, vectors = _as_tuple(v, "v", function)
    if len(vectors) != len(like):
        if tupled:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for position, (vector, model) in enumerate(zip(vectors, like)):
        if vector.shape != model.shape:
            entry = f"Entry {position} in " if tupled else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {model.shape} but got {vector.shape}."
            )
    return vectors


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The product of a vector and the Jacobian of ``func`` at ``inputs``.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: what to multiply from the left, of the outputs' shapes; may be left out for a single
            output of one element.
        create_graph: let the results be differentiated in their turn.
        strict: raise where an output does not depend on an input, instead of giving zeros.

    Returns:
        ``func``'s outputs, and a tensor per input, of its shape.

    Raises:
        TypeError: inputs or outputs are no tensors.
        RuntimeError: ``v`` is missing or of other shapes, or, if ``strict``, an output does not
            depend on an input.
    """
    with enable_grad():
        tupled, given = _as_tuple(inputs, "inputs", "vjp")
        variables = _variables(given, create_graph)
        outputs_tupled, outputs = _as_tuple(
            func(*variables), "outputs of the user-provided function", "vjp"
        )
        if strict:
            _require_dependence(outputs)
        vectors = _checked_vectors(v, outputs, outputs_tupled, "vjp", "output")
        found = _gradients(outputs, variables, vectors, create_graph, keep=False)
        found = _filled(
            found, given, create_graph, strict, "The output of the user-provided function"
        )
    return (
        _like(outputs_tupled, _finished(outputs, create_graph)),
        _like(tupled, _finished(found, create_graph)),
    )


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The product of the Jacobian of ``func`` at ``inputs`` and a vector.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        v: what to multiply from the right, of the inputs' shapes; may be left out for a single
            input of one element.
        create_graph: let the results be differentiated in their turn.
        strict: raise where an output does not depend on the inputs, instead of giving zeros.

    Returns:
        ``func``'s outputs, and a tensor per output, of its shape.

    Raises:
        TypeError: inputs or outputs are no tensors.
        RuntimeError: ``v`` is missing or of other shapes, or, if ``strict``, an output does not
            depend on the inputs.
    """
    with enable_grad():
        tupled, given = _as_tuple(inputs, "inputs", "jvp")
        variables = _variables(given, create_graph)
        vectors = _checked_vectors(v, given, tupled, "jvp", "input")
        outputs_tupled, outputs = _as_tuple(
            func(*variables), "outputs of the user-provided function", "jvp"
        )
        if strict:
            _require_dependence(outputs)
        found = _pushed(outputs, variables, vectors, create_graph)
        what = "The user-provided function's output"
        if strict and any(f is None for f in found):
            raise RuntimeError(f"{what} is independent of the inputs in strict mode.")
        found = _filled(found, outputs, create_graph, False, what)
    return (
        _like(outputs_tupled, _finished(outputs, create_graph)),
        _like(outputs_tupled, _finished(found, create_graph)),
    )


def _pushed(
    outputs: Tensors, variables: Tensors, vectors: Tensors, create_graph: bool
) -> tuple[Tensor | None, ...]:
    """Jacobian times ``vectors``: the gradient, by the cotangents, of the vector-Jacobian product.

    That product is linear in the cotangents, so their values do not matter.
    """
    cotangents = tuple(
        o.detach().new_zeros(o.shape).requires_grad_()  # type: ignore[attr-defined]
        for o in outputs
    )
    pulled = _gradients(outputs, variables, cotangents, create_graph=True)
    return _gradients_of_pulled(pulled, cotangents, vectors, create_graph)


def _gradients_of_pulled(
    pulled: Any, cotangents: Tensors, vectors: Tensors, create_graph: bool
) -> tuple[Tensor | None, ...]:
    kept = [(p, v) for p, v in zip(pulled, vectors) if p is not None]
    return _gradients(tuple(p for p, _ in kept), cotangents, [v for _, v in kept], create_graph)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Jacobian of ``func`` at ``inputs``.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors.
        create_graph: let the result be differentiated in its turn.
        strict: raise where an output does not depend on an input, instead of giving zeros.
        vectorize: compute all rows (or columns) in one batched pass.
        strategy: ``"reverse-mode"``, row by row, or with ``vectorize`` ``"forward-mode"``, column
            by column.

    Returns:
        for one output and one input a tensor ``(*output shape, *input shape)``; a tuple over the
        inputs, over the outputs, or a tuple of tuples ``[output][input]``, where there are tuples.

    Raises:
        AssertionError: another ``strategy``.
        NotImplementedError: ``"forward-mode"`` without ``vectorize``.
        TypeError: inputs or outputs are no tensors.
        RuntimeError: ``strict`` with ``vectorize``, or, if ``strict``, an output does not depend on
            an input.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together. Please either set `strict=False` or `vectorize=False`."
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only "
            "implemented for `vectorize=True`."
        )
    with enable_grad():
        tupled, given = _as_tuple(inputs, "inputs", "jacobian")
        variables = _variables(given, create_graph)
        outputs_tupled, outputs = _as_tuple(
            func(*variables), "outputs of the user-provided function", "jacobian"
        )
        if strict:
            _require_dependence(outputs)
        if strategy == "forward-mode":
            rows = _by_columns(outputs, variables, create_graph)
        else:
            rows = [
                _by_rows(output, position, variables, create_graph, strict, vectorize)
                for position, output in enumerate(outputs)
            ]
    finished = [_like(tupled, _finished(row, create_graph)) for row in rows]
    return _like(outputs_tupled, finished)


def _unit(tensor: Tensor, place: int) -> Tensor:
    """A tensor like ``tensor`` of zeros, but 1 at ``place`` among all its elements."""
    unit = tensor.detach().new_zeros(tensor.numel())  # type: ignore[attr-defined]
    unit[place] = 1
    return unit.reshape(tensor.shape)


def _by_rows(
    output: Tensor, position: int, variables: Tensors, create_graph: bool, strict: bool,
    vectorize: bool,
) -> tuple[Tensor, ...]:  # fmt: skip
    from ..ops.shape import stack

    zeros = [
        output.detach().new_zeros((*output.shape, *v.shape)).to(v.dtype)  # type: ignore[attr-defined]
        for v in variables
    ]
    if not output.requires_grad or not output.numel():
        return tuple(zeros)
    units = [_unit(output, j) for j in range(output.numel())]
    if vectorize:
        columns: Any = [
            None if g is None else g
            for g in grad(output, variables, stack(units), retain_graph=True,
                          create_graph=create_graph, allow_unused=True, is_grads_batched=True)
        ]  # fmt: skip
    else:
        what = f"Output {position} of the user-provided function"
        rows = []
        for unit in units:
            found = _gradients((output,), variables, (unit,), create_graph)
            rows.append(_filled(found, variables, create_graph, True, what) if strict else found)
        columns = [
            None
            if all(row[i] is None for row in rows)
            else stack([_or_zeros(row[i], v) for row in rows])
            for i, v in enumerate(variables)
        ]
    return tuple(
        zero if column is None else column.reshape((*output.shape, *v.shape))
        for column, zero, v in zip(columns, zeros, variables)
    )


def _or_zeros(tensor: Tensor | None, like: Tensor) -> Tensor:
    """``tensor``, or zeros if there is none."""
    return like.detach().new_zeros(like.shape) if tensor is None else tensor  # type: ignore[attr-defined]


def _by_columns(outputs: Tensors, variables: Tensors, create_graph: bool) -> list[Tensors]:
    from ..ops.shape import stack

    cotangents = tuple(
        o.detach().new_zeros(o.shape).requires_grad_()  # type: ignore[attr-defined]
        for o in outputs
    )
    pulled = _gradients(outputs, variables, cotangents, create_graph=True)
    by_output: list[list[Tensor]] = [[] for _ in outputs]
    for pull, variable in zip(pulled, variables):
        columns: list[Any] = []
        for place in range(variable.numel()):
            unit = _unit(variable, place)
            found: Any = (None,) * len(outputs)
            if pull is not None and pull.requires_grad:
                found = _gradients((pull,), cotangents, (unit,), create_graph)
            columns.append(found)
        for k, output in enumerate(outputs):
            if not columns:
                whole = output.detach().new_zeros((*output.shape, 0))  # type: ignore[attr-defined]
            else:
                whole = stack([_or_zeros(c[k], output) for c in columns], -1)
            by_output[k].append(whole.reshape((*output.shape, *variable.shape)))
    return [tuple(row) for row in by_output]


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The Hessian at ``inputs`` of a function that returns one element.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: a tensor or a tuple of tensors.
        create_graph, strict, vectorize: see :func:`jacobian`.
        outer_jacobian_strategy: how the gradient's derivatives are computed, as ``strategy`` of
            :func:`jacobian`.

    Returns:
        for one input a tensor ``(*input shape, *input shape)``, else a tuple of tuples of them.

    Raises:
        RuntimeError: the function does not return one element, or, if ``strict``, does not depend
            on an input.
    """
    tupled, given = _as_tuple(inputs, "inputs", "hessian")

    def single(*variables: Tensor) -> Tensor:
        output = func(*variables)
        is_tuple, outputs = _as_tuple(output, "outputs of the user-provided function", "hessian")
        if is_tuple:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(
                "The Tensor returned by the function given to hessian should contain a single "
                "element"
            )
        return outputs[0].reshape(())  # type: ignore[attr-defined]

    def slopes(*variables: Tensor) -> Any:
        found = jacobian(single, variables, create_graph=True, strict=strict)
        if strict:
            for position, slope in enumerate(found):
                if not slope.requires_grad:
                    raise RuntimeError(
                        "While computing the hessian, found that the jacobian of the "
                        f"user-provided function with respect to input {position} is independent "
                        "of the input. This is not allowed in strict mode. You should ensure that "
                        "your function is twice differentiable."
                    )
        return found

    result = jacobian(
        slopes, given, create_graph=create_graph, strict=False, vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )  # fmt: skip
    return result if tupled else result[0][0]


def _slope(func: Callable[..., Any], variables: Tensors, name: str, strict: bool) -> Any:
    """The output of ``func``, one element, and its gradients, on the tape."""
    is_tuple, outputs = _as_tuple(func(*variables), "outputs of the user-provided function", name)
    if strict:
        _require_dependence(outputs)
    if is_tuple or outputs[0].numel() != 1:
        what = "a single Tensor" if is_tuple else "a Tensor with a single element"
        raise RuntimeError(f"The function given to {name} should return {what}")
    ones = outputs[0].detach().new_ones(outputs[0].shape)  # type: ignore[attr-defined]
    found = _gradients(outputs, variables, (ones,), create_graph=True)
    what = "The output of the user-provided function"
    return outputs[0], _filled(found, variables, strict, strict, what)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The product of a vector and the Hessian of ``func``, which returns one element.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: a tensor or a tuple of tensors.
        v: what to multiply from the left, of the inputs' shapes; may be left out for a single input
            of one element.
        create_graph: let the results be differentiated in their turn.
        strict: raise where the output does not depend on an input, instead of giving zeros.

    Returns:
        ``func``'s output, and a tensor per input, of its shape.

    Raises:
        TypeError: inputs or the output are no tensors.
        RuntimeError: ``v`` is missing or of other shapes, the function does not return one element,
            or, if ``strict``, does not depend on an input.
    """
    with enable_grad():
        tupled, given = _as_tuple(inputs, "inputs", "vhp")
        variables = _variables(given, create_graph)
        vectors = _checked_vectors(v, given, tupled, "vhp", "input")
        output, slopes = _slope(func, variables, "vhp", strict)
        found = _gradients(slopes, variables, vectors, create_graph)
        found = _filled(found, given, create_graph, strict, "The jacobian of the function")
    return (
        _finished((output,), create_graph)[0],
        _like(tupled, _finished(found, create_graph)),
    )


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """The product of the Hessian of ``func``, which returns one element, and a vector.

    Hessians are symmetric, so the value is that of :func:`vhp`; this one goes through the columns.

    Args:
        func: takes tensors, returns a tensor of one element.
        inputs: a tensor or a tuple of tensors.
        v: what to multiply from the right, of the inputs' shapes; may be left out for a single
            input of one element.
        create_graph: let the results be differentiated in their turn.
        strict: raise where the output does not depend on an input, instead of giving zeros.

    Returns:
        ``func``'s output, and a tensor per input, of its shape.

    Raises:
        TypeError: inputs or the output are no tensors.
        RuntimeError: ``v`` is missing or of other shapes, the function does not return one element,
            or, if ``strict``, does not depend on an input.
    """
    with enable_grad():
        tupled, given = _as_tuple(inputs, "inputs", "hvp")
        variables = _variables(given, create_graph)
        vectors = _checked_vectors(v, given, tupled, "hvp", "input")
        output, slopes = _slope(func, variables, "hvp", strict)
        found = _pushed(slopes, variables, vectors, create_graph)
        found = _filled(found, given, create_graph, strict, "The jacobian of the function")
    return (
        _finished((output,), create_graph)[0],
        _like(tupled, _finished(found, create_graph)),
    )


__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
