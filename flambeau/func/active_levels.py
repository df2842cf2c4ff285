"""The ``vmap`` levels that the calling thread is inside of, and what they do to random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces.batched_array import BatchedArray, Level, as_batched, expanded, spread


class ActiveLevels:
    """The levels entered and not yet left, outermost first (``MODES.transforms``)."""

    __slots__ = ("levels",)

    def __init__(self, levels: tuple[Level, ...]) -> None:
        self.levels = levels

    def without(self, level: Level) -> ActiveLevels | None:
        """The levels that ``level`` was entered in, None if there are none."""
        outer = self.levels[: self.levels.index(level)] if level in self.levels else self.levels
        return ActiveLevels(outer) if outer else None

    def draw(
        self,
        sampler: Callable[..., Any],
        shape: tuple[int, ...],
        dtype: np.dtype,
        parameters: tuple[Any, ...],
        generator: Any,
    ) -> Any:
        """Random numbers of ``shape`` for each member: its own, or the same for all.

        The numbers for all members are one draw, with the batch dims in front, as in PyTorch.

        Raises:
            RuntimeError: some level's randomness is "error".
        """
        different = self._different()
        batch = tuple(level.size for level in different)
        if sampler.__name__ == "permutation" and batch:
            rows = [
                _drawn(sampler, shape, dtype, parameters, generator) for _ in np.ndindex(*batch)
            ]
            return BatchedArray(np.stack(rows).reshape(*batch, *shape), different)
        drawn = _drawn(sampler, (*batch, *shape), dtype, parameters, generator)
        return BatchedArray(drawn, different) if different else drawn

    def multinomial(self, weights: Any, count: int, replacement: bool, generator: Any) -> Any:
        """Indices drawn by ``weights``, (rows, categories) or (categories), for each member."""
        from ..random import default_generator, sampling
        from ..random.functions import _check_weights

        different = self._different()
        weights = as_batched(weights)
        if any(level not in different for level in weights.levels):
            raise RuntimeError(
                "Vmap does not currently support same randomness with a batched tensor input: "
                "use randomness='different' for multinomial()"
            )
        batch = tuple(level.size for level in different)
        rows = expanded(spread(weights, different), batch)
        *leading, categories = rows.shape
        rows = rows.reshape(-1, categories) if leading else rows
        _check_weights(rows)
        drawn = sampling.multinomial(
            default_generator if generator is None else generator, rows, count, replacement
        )
        drawn = drawn.reshape(*leading, count)
        return BatchedArray(drawn, different) if different else drawn

    def _different(self) -> tuple[Level, ...]:
        """The levels whose members each draw their own numbers; RuntimeError if one forbids it."""
        if any(level.randomness == "error" for level in self.levels):
            raise RuntimeError(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap"
            )
        return tuple(level for level in self.levels if level.randomness == "different")


def _drawn(
    sampler: Any, shape: tuple[int, ...], dtype: np.dtype, parameters: Any, generator: Any
) -> Any:
    from ..random.default import default_generator

    if MODES.capture is not None:
        return MODES.capture.draw(sampler, shape, dtype, parameters, generator)
    return sampler(default_generator if generator is None else generator, shape, dtype, *parameters)


def active_levels() -> tuple[Level, ...]:
    """The levels that the calling thread is inside of."""
    active = MODES.transforms
    return () if active is None else active.levels


class Inside:
    """Context manager: the program is inside ``level``."""

    def __init__(self, level: Level) -> None:
        self.level = level

    def __enter__(self) -> None:
        self.previous = MODES.transforms
        MODES.transforms = ActiveLevels((*active_levels(), self.level))

    def __exit__(self, *exc_info: object) -> None:
        MODES.transforms = self.previous
