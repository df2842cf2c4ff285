"""Random graphs whose results are well conditioned, whatever is put into them.

Rounding differs between implementations, so what jumps (rounding to integers, comparisons, where a
maximum lies) is only asked of values that have been computed without any.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import flambeau.compiler.symbolic as xp
from flambeau.compiler.graph import Graph, Value, input_value

BATCHES = (0, 1, 2, 3, 7, 16, 17, 33, 65)
EXTENTS = (1, 2, 3, 5, 8, 9, 16, 17, 31, 40)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0)


def float_arrays(
    rng: np.random.Generator, values: list[Value], special: bool, subnormal: bool = True
) -> list[np.ndarray]:
    """Inputs; with ``special``, some elements are NaN, infinite, zero or (if wanted) subnormal."""
    arrays = []
    for value in values:
        if value.dtype.kind != "f":
            info = np.iinfo(value.dtype)
            low, high = max(info.min, -100), min(info.max, 100)
            arrays.append(rng.integers(low, high, value.shape, value.dtype, endpoint=True))
            continue
        array = rng.standard_normal(value.shape)
        if special and array.size:
            tiny = float(np.finfo(value.dtype).smallest_subnormal)
            small = [tiny, -3 * tiny, 1000 * tiny] if subnormal else []
            choices = np.array([*SPECIAL, *small])
            at = rng.random(value.shape) < rng.choice([0.0, 0.02, 0.2])
            array = np.where(at, rng.choice(choices, value.shape), array)
        arrays.append(np.asarray(array, value.dtype))
    return arrays


def integer_arrays(rng: np.random.Generator, values: list[Value]) -> list[np.ndarray]:
    """Inputs of integers: small ones, and the extremes of the dtype."""
    arrays = []
    for value in values:
        if value.dtype.kind == "b":
            arrays.append(rng.random(value.shape) < 0.5)
            continue
        info = np.iinfo(value.dtype)
        array = rng.integers(max(info.min, -50), min(info.max, 50), value.shape, value.dtype)
        extremes = np.array([info.min, info.max, 0, 1, info.min + 1], value.dtype)
        at = rng.random(value.shape) < 0.15
        arrays.append(np.where(at, rng.choice(extremes, value.shape), array))
    return arrays


class GraphMaker:
    """Grows a graph by random operations.

    Arguments:
        rng: what decides.
        dtype: of the inputs.
        batches: the sizes that the first dim may have.
        predicates: whether to compute with truth values as numbers.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        dtype: np.dtype,
        batches: tuple[int, ...] = BATCHES,
        predicates: bool = True,
    ) -> None:
        self.predicates = predicates
        self.rng = rng
        self.dtype = np.dtype(dtype)
        self.batch = int(rng.choice(batches))
        self.inputs: list[Value] = []
        self.values: list[Value] = []
        self.exact: set[int] = set()
        columns = [int(n) for n in rng.choice(EXTENTS, 2)]
        for n in columns:
            self._add(self._input((self.batch, n)), exact=True)
        self._add(self._input((columns[0],)), exact=True)
        self._add(self._input((self.batch, columns[0], columns[1])), exact=True)
        self.columns = columns

    def _input(self, shape: tuple[int, ...]) -> Value:
        value = input_value(shape, self.dtype)
        self.inputs.append(value)
        return value

    def _add(self, value: Value, exact: bool) -> None:
        if value.size <= 40_000 and value.ndim <= 4:
            self.values.append(value)
            if exact:
                self.exact.add(id(value))

    def _pick(self, exact: bool = False, ndim: int | None = None) -> Value:
        found = [
            v for v in self.values
            if (not exact or id(v) in self.exact) and (ndim is None or v.ndim == ndim)
        ]  # fmt: skip
        weights = np.arange(1, len(found) + 1) ** 1.5
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def _partner(self, x: Value, exact: bool = False) -> Value:
        """A value that broadcasts with ``x``."""
        found = []
        for v in self.values:
            try:
                shape = np.broadcast_shapes(v.shape, x.shape)
            except ValueError:
                continue
            if np.prod(shape) <= 40_000 and v.dtype == x.dtype:
                if not exact or id(v) in self.exact:
                    found.append(v)
        return found[int(self.rng.integers(len(found)))] if found else x

    def move(self) -> None:
        """Add a value with the elements of another in other places."""
        rng = self.rng
        x = self._pick()
        exact = id(x) in self.exact
        kind = int(rng.integers(7))
        if kind == 0 and x.ndim:
            dims = tuple(int(d) for d in rng.permutation(x.ndim))
            self._add(xp.permute(x, dims), exact)
        elif kind == 1:
            self._add(xp.reshape(x, (x.size,) if rng.random() < 0.5 else (*x.shape, 1)), exact)
        elif kind == 2 and x.ndim and x.shape[-1] > 2:
            step = int(rng.integers(1, 3))
            key = (*(slice(None) for _ in x.shape[:-1]), slice(1, x.shape[-1], step))
            self._add(xp.slice(x, key), exact)
        elif kind == 3 and x.ndim:
            widths = tuple((int(rng.integers(2)), int(rng.integers(3))) for _ in x.shape)
            self._add(xp.pad(x, widths), exact)
        elif kind == 4 and x.ndim:
            self._add(xp.flip(x, (int(rng.integers(x.ndim)),)), exact)
        elif kind == 5 and x.ndim:
            self._add(xp.cat([x, x], dim=int(rng.integers(x.ndim))), exact)
        elif kind == 6 and x.ndim == 1:
            self._add(xp.expand(x, (3, *x.shape)), exact)

    def grow_floats(self) -> None:
        """Add a value of an operation on floats."""
        rng = self.rng
        kind = int(rng.integers(14))
        x = self._pick()
        exact = id(x) in self.exact
        if kind == 0:
            name = str(rng.choice(["neg", "abs", "relu"]))
            self._add(getattr(xp, name)(x), exact)
        elif kind == 1:
            y = self._partner(x)
            name = str(rng.choice(["maximum", "minimum"]))
            self._add(getattr(xp, name)(x, y), exact and id(y) in self.exact)
        elif kind == 2:
            chosen = self._pick(exact=True)
            name = str(rng.choice(["floor", "ceil", "round", "trunc", "sign"]))
            self._add(getattr(xp, name)(chosen), True)
        elif kind == 3:
            chosen = self._pick(exact=True)
            other = self._partner(chosen, exact=True)
            name = str(rng.choice(["lt", "le", "gt", "ge", "eq", "ne"]))
            self._add(xp.where(getattr(xp, name)(chosen, other), chosen, other), True)
        elif kind == 4 and self.predicates:
            name = str(rng.choice(["isnan", "isinf", "isfinite"]))
            self._add(xp.astype(getattr(xp, name)(self._pick(exact=True)), self.dtype), True)
        elif kind == 5:
            y = self._partner(x)
            self._add(getattr(xp, str(rng.choice(["add", "sub"])))(x, y) * 0.5, False)
        elif kind == 6:
            product = xp.mul(x, self._partner(x))
            self._add(xp.minimum(xp.maximum(product, -9.0), 9.0), False)
        elif kind == 7:
            name = str(rng.choice(["tanh", "sigmoid", "erf", "atan", "sin"]))
            self._add(getattr(xp, name)(xp.minimum(xp.maximum(x, -9.0), 9.0)), False)
        elif kind == 8:
            name = str(rng.choice(["exp", "expm1"]))
            self._add(getattr(xp, name)(xp.minimum(x, 2.0)), False)
        elif kind == 9:
            self._add(xp.log(xp.add(xp.abs(x), 1.0)), False)
        elif kind == 10:
            y = self._partner(x)
            self._add(xp.div(x, xp.add(xp.abs(y), 1.0)), False)
        elif kind == 11 and x.ndim:
            dim = int(rng.integers(x.ndim))
            keep = bool(rng.random() < 0.5)
            if rng.random() < 0.5 and x.shape[dim]:
                self._add(xp.amax(x, dim=(dim,), keepdim=keep), exact)
            else:
                total = xp.sum(x, dim=(dim,), keepdim=keep)
                self._add(total * (1 / max(1, x.shape[dim])), False)
        elif kind == 12 and x.ndim == 2:
            others = [v for v in self.values if v.ndim == 2 and v.shape[0] == x.shape[1]]
            y = others[int(rng.integers(len(others)))] if others else xp.permute(x, (1, 0))
            self._add(xp.matmul(x, y) * (1 / max(1, x.shape[1])), False)
        else:
            self.move()

    def grow_integers(self) -> None:
        """Add a value of an operation on integers; every one of them is exact."""
        rng = self.rng
        kind = int(rng.integers(10))
        x = self._pick()
        y = self._partner(x)
        if kind == 0:
            self._add(getattr(xp, str(rng.choice(["neg", "abs", "bitwise_not", "sign"])))(x), True)
        elif kind <= 2:
            self._add(getattr(xp, str(rng.choice(["add", "sub", "mul"])))(x, y), True)
        elif kind == 3:
            self._add(getattr(xp, str(rng.choice(["maximum", "minimum"])))(x, y), True)
        elif kind == 4:
            name = str(rng.choice(["bitwise_and", "bitwise_or", "bitwise_xor"]))
            self._add(getattr(xp, name)(x, y), True)
        elif kind == 5:
            divisor = xp.bitwise_or(y, np.asarray(1, self.dtype))  # odd, so never 0
            name = str(rng.choice(["floor_divide", "remainder"]))
            self._add(getattr(xp, name)(x, divisor), True)
        elif kind == 6:
            bits = self.dtype.itemsize * 8 - 1
            places = xp.bitwise_and(y, np.asarray(bits, self.dtype))
            name = str(rng.choice(["bitwise_left_shift", "bitwise_right_shift"]))
            self._add(getattr(xp, name)(x, places), True)
        elif kind == 7:
            name = str(rng.choice(["lt", "le", "gt", "ge", "eq", "ne"]))
            self._add(xp.where(getattr(xp, name)(x, y), x, y), True)
        elif kind == 8 and x.ndim:
            dim = int(rng.integers(x.ndim))
            if rng.random() < 0.5 and x.shape[dim]:
                self._add(xp.amax(x, dim=(dim,), keepdim=True), True)
            else:
                total = xp.sum(x, dim=(dim,), keepdim=False)
                self._add(
                    total if total.dtype == self.dtype else xp.astype(total, self.dtype), True
                )
        else:
            self.move()

    def grow(self, steps: int) -> Graph:
        """A graph of so many operations."""
        step: Callable[[], None] = self.grow_floats
        if self.dtype.kind != "f":
            step = self.grow_integers
        for _ in range(steps):
            step()
        made = [v for v in self.values if v.primitive != "input"] or self.values
        count = min(len(made), int(self.rng.integers(1, 5)))
        chosen = self.rng.choice(len(made), count, replace=False)
        outputs = [made[int(i)] for i in chosen]
        updates: dict[int, Value] = {}
        for i, value in enumerate(self.inputs):
            same = [v for v in made if v.shape == value.shape and v.dtype == value.dtype]
            if same and self.rng.random() < 0.4:
                updates[i] = same[int(self.rng.integers(len(same)))]
        return Graph(self.inputs, outputs, updates)
