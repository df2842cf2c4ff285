"""The generators of random numbers that a program draws from, while it is captured.

A program that keeps a generator's state, draws, and goes back to that state (checkpoints do, and
``fork_rng``) gets the same numbers a second time: they are the same inputs.  Whatever it draws
after having gone back must be what it drew there before, all of it; another program is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .capture_error import CaptureError
from .captured import Draw
from .graph import Value


class Stream:
    """A generator, and what has been drawn from it."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.start: np.ndarray | None = None
        self.draws: list[tuple[Draw, Value]] = []
        self.place = 0
        """How many of the draws the generator is behind."""
        self.marks: dict[bytes, int] = {}
        """The states that the program has seen, and the places that they belong to."""
        self.waiting = False
        """Whether there are draws that wait for their turn."""

    def drawn_again(self, draw: Draw) -> Value | None:
        """What this draw gave when the program was here before; None if it was not."""
        if self.place == len(self.draws):
            return None
        before, value = self.draws[self.place]
        if _kind(before) != _kind(draw):
            raise CaptureError("it goes back to a state of a generator and draws something else")
        if value.size:
            self.place += 1
        return value

    def note_draw(self, draw: Draw, value: Value) -> None:
        """Numbers that are new; none at all leave the generator where it was."""
        if value.size:
            self.draws.append((draw, value))
            self.place += 1

    def refuse_to_go_on(self) -> None:
        """The next draw waits for its turn: it is not noted what it gives."""
        if self.place < len(self.draws):
            raise CaptureError("it goes back to a state of a generator and draws something else")
        self.waiting = True


def _kind(draw: Draw) -> Any:
    return draw.sampler, draw.shape, draw.dtype, repr(draw.parameters)


class Streams:
    """The streams of a program."""

    def __init__(self) -> None:
        self._streams: dict[int, Stream] = {}
        self._restoring = False
        self.seen: list[np.ndarray] = []
        """The states that the program has been given."""

    def of(self, generator: Any) -> Stream:
        """The stream of ``generator``, from where it is now on."""
        stream = self._streams.get(id(generator))
        if stream is None:
            stream = self._streams[id(generator)] = Stream(generator)
            stream.start = generator.state_bytes()
        return stream

    def note(self, generator: Any, state: np.ndarray) -> None:
        """The program looks at the state of ``generator``."""
        stream = self._streams.get(id(generator))
        if stream is None:
            stream = self._streams[id(generator)] = Stream(generator)
            stream.start = state.copy()
        if stream.waiting:
            raise CaptureError("it looks at a generator whose numbers depend on elements")
        stream.marks[state.tobytes()] = stream.place
        self.seen.append(state)

    def go_back(self, generator: Any, state: np.ndarray) -> None:
        """The program sets ``generator`` to a state that it must have seen."""
        if self._restoring:
            return
        stream = self._streams.get(id(generator))
        place = None if stream is None else stream.marks.get(state.tobytes())
        if stream is None or place is None:
            raise CaptureError("it sets a generator of random numbers to another state")
        if stream.waiting:
            raise CaptureError("it sets a generator back whose numbers depend on elements")
        stream.place = place

    def changed(self) -> str | None:
        """In words, a generator that the program does not leave behind its last draw."""
        if any(s.place < len(s.draws) for s in self._streams.values()):
            return "the state of a generator of random numbers"
        return None

    def restore(self) -> None:
        """Take back what was drawn from the program's own generators."""
        self._restoring = True
        for stream in self._streams.values():
            if stream.start is not None:
                stream.generator.set_state_bytes(stream.start)


__all__ = ["Stream", "Streams"]
