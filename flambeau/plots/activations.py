"""Activation functions, their derivatives, and the table of the usual ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import flambeau

from ..tensor import Tensor
from .axes import colour, numbers, panels, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Activation(NamedTuple):
    """A row of the table: name, formula (in TeX), where it is used, and the function itself."""

    name: str
    formula: str
    used_in: str
    function: Callable[[Tensor], Tensor]


def unit_step(z: Tensor) -> Tensor:
    """0 where ``z`` is below zero, 1 above, and 0.5 at zero (Heaviside).

    Returns:
        The shape of ``z``.
    """
    return (flambeau.sign(z) + 1) / 2


def linear(z: Tensor) -> Tensor:
    """``z`` itself.

    Returns:
        The shape of ``z``.
    """
    return z * 1


def piecewise_linear(z: Tensor) -> Tensor:
    """0 where ``z`` is up to -1/2, 1 from 1/2 on, and a straight line between.

    Returns:
        The shape of ``z``.
    """
    return (z + 0.5).clamp(0.0, 1.0)  # type: ignore[attr-defined]


ACTIVATIONS = (
    Activation(
        "unit step",
        r"$0$ if $z<0$,  $\frac{1}{2}$ if $z=0$,  $1$ if $z>0$",
        "perceptron",
        unit_step,
    ),
    Activation("sign", r"$-1$ if $z<0$,  $0$ if $z=0$,  $1$ if $z>0$", "perceptron", flambeau.sign),
    Activation("linear", r"$z$", "Adaline, linear regression", linear),
    Activation(
        "piecewise linear",
        r"$\min(\max(z+\frac{1}{2},\,0),\,1)$",
        "support vector machine",
        piecewise_linear,
    ),
    Activation(
        "logistic (sigmoid)",
        r"$1\,/\,(1+e^{-z})$",
        "logistic regression, hidden layers",
        flambeau.sigmoid,
    ),
    Activation(
        "hyperbolic tangent",
        r"$(e^{z}-e^{-z})\,/\,(e^{z}+e^{-z})$",
        "hidden layers, recurrent networks",
        flambeau.tanh,
    ),
    Activation("ReLU", r"$\max(0,\,z)$", "deep and convolutional networks", flambeau.relu),
)
"""The activation functions of the first lesson on networks, oldest first."""


def plot_activations(
    x: Any,
    functions: Iterable[Any],
    *,
    derivatives: bool = True,
    columns: int = 3,
    ax: Axes | Sequence[Axes] | None = None,
) -> Any:
    """Draw activation functions and their derivatives.

    Args:
        x: where to evaluate them, ``(N,)``.
        functions: layers (``nn.Sigmoid`` or ``nn.Sigmoid()``), names of layers (``"Sigmoid"``), or
            functions of a tensor.
        derivatives: draw those too, as autograd gives them.
        columns: panels in a row.
        ax: one axes, to draw all functions over each other; or axes for them, one each. By
            default those of a new figure.

    Returns:
        The axes: the one that was given, or a list with one for each function.

    Raises:
        ImportError: matplotlib is not installed.
        TypeError: one is no function.
        ValueError: there is none, ``x`` is not ``(N,)``, or the axes are too few.
    """
    named = [_named(function) for function in functions]
    if not named:
        raise ValueError("plot_activations: there is no function to draw")
    if ax is not None and not isinstance(ax, (list, tuple, np.ndarray)):
        one: Any = ax
        for index, (name, function) in enumerate(named):
            _draw(one, x, function, colour(index), name, derivatives)
        one.legend(frameon=False, fontsize="small")
        return tidy(one)
    given = list(np.ravel(ax)) if ax is not None else panels(len(named), columns, (3.1, 2.5))
    if len(given) < len(named):
        raise ValueError(f"plot_activations: {len(named)} functions, but {len(given)} axes")
    for index, ((name, function), axes) in enumerate(zip(named, given)):
        _draw(axes, x, function, colour(0), "f(z)", derivatives, colour(1))
        tidy(axes, name)
        if index == 0 and derivatives:
            axes.legend(frameon=False, fontsize="small")
    return given[: len(named)] if ax is None else ax


def plot_activation_table(
    x: Any = None, *, derivatives: bool = True, ax: Sequence[Axes] | None = None
) -> Any:
    """Draw the table of :data:`ACTIVATIONS`: name, formula, use and graph of each.

    Args:
        x: where to evaluate them, ``(N,)``; by default from -4 to 4.
        derivatives: draw those too.
        ax: seven axes, one for each; those of a new figure if None.

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the axes are too few.
    """
    if x is None:
        x = flambeau.linspace(-4, 4, 801)
    given = list(np.ravel(ax)) if ax is not None else panels(len(ACTIVATIONS), 4, (3.3, 2.9))  # type: ignore[arg-type]
    plot_activations(x, [row.function for row in ACTIVATIONS], derivatives=derivatives, ax=given)
    for row, axes in zip(ACTIVATIONS, given):
        axes.set_title(f"{row.name}\n{row.formula}", fontsize=10)
        axes.set_xlabel(row.used_in, fontsize=8, color="0.35")
    return given if ax is None else ax


def _named(function: Any) -> tuple[str, Callable[[Tensor], Tensor]]:
    from flambeau import nn

    if isinstance(function, str):
        layer: Any = getattr(nn, function, None)
        if layer is None:
            raise TypeError(f"plot_activations: there is no layer nn.{function}")
        return function, layer()
    if isinstance(function, type):
        return function.__name__, function()
    if isinstance(function, nn.Module):
        return type(function).__name__, function
    if isinstance(function, ModuleType) or not callable(function):
        raise TypeError(
            f"plot_activations: {getattr(function, '__name__', function)!r} is a "
            f"{type(function).__name__}, not an activation function such as nn.ReLU"
        )
    return getattr(function, "__name__", type(function).__name__).replace("_", " "), function


def _draw(
    axes: Any,
    x: Any,
    function: Callable[[Tensor], Tensor],
    hue: str,
    label: str,
    derivatives: bool,
    derivative_hue: str | None = None,
) -> None:
    places = np.array(numbers(x), np.float64)
    if places.ndim != 1:
        raise ValueError(f"x should be of shape (N,), not {places.shape}")
    z = flambeau.from_numpy(places).requires_grad_(True)
    if isinstance(function, flambeau.nn.Module):
        function = function.double()
    with flambeau.enable_grad():
        values = function(z)
        if derivatives and values.requires_grad:
            (slope,) = flambeau.autograd.grad(values.sum(), z)
        else:
            slope = None
    axes.plot(*_broken_at_jumps(places, numbers(values)), color=hue, linewidth=2.0, label=label)
    if slope is not None:
        axes.plot(
            *_broken_at_jumps(places, numbers(slope)),
            color=derivative_hue or hue,
            linewidth=1.4,
            linestyle="--",
            label="f'(z)" if derivative_hue else None,
        )


def _broken_at_jumps(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line with a gap wherever it jumps, which no line should be drawn across."""
    steps = np.abs(np.diff(y))
    if len(steps) < 50:
        return x, y
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, 4, mode="edge"), 9)
    usual = np.median(around, axis=1)
    positions = np.nonzero((steps > 0.3 * np.ptp(y)) & (steps > 10 * usual))[0] + 1
    return np.insert(x, positions, np.nan), np.insert(y, positions, np.nan)
