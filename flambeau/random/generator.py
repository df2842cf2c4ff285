"""The pseudo-random number generator: PyTorch's CPU generator on NumPy's MT19937.

Both are the Mersenne Twister of Matsumoto and Nishimura (ACM TOMACS 8, 1998) seeded by its
`init_genrand`, so that the 32-bit words are the same words in the same order. What this module
adds is PyTorch's bookkeeping around them: the position in a block of 624 words, the spare normal
number that a scalar Box-Muller draw leaves behind, and the byte layout of the state.
"""

from __future__ import annotations

import operator
import os
import struct
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.modes import MODES, ConcreteValueNeeded
from flambeau.random.native import kernels, spent

if TYPE_CHECKING:
    from numpy.random import MT19937

    from flambeau.device import device as Device
    from flambeau.tensor import Tensor

__all__ = ["Generator"]

BLOCK = 624  # words that one twist of the Mersenne Twister yields
DEFAULT_SEED = 67280421310721  # the seed of a new generator, PyTorch's

# PyTorch's state: the seed, words left before the next twist, seeded?, the next word, the 624
# words (eight bytes each), three doubles of which the second is the spare normal number, its
# flag, and a spare float with its flag that its CPU samplers never use.
_HEAD = struct.Struct("<QiiQ")
_TAIL = struct.Struct("<dddi4xfB3x")
_WORDS = slice(_HEAD.size, _HEAD.size + 8 * BLOCK)
STATE_BYTES = _WORDS.stop + _TAIL.size

MANY = 1 << 14
"""Words from which on machine code makes them, where there is some."""
_SECONDS = 2.5e-9
"""What a word takes NumPy."""

_NO_WORDS = np.empty(0, np.uint32)


class Generator:
    """A stream of pseudo-random numbers: for PyTorch's seeds, PyTorch's numbers.

    Args:
        device: the device that the generator is for. Numbers are drawn on the CPU for every
            device, so that a seed means the same numbers everywhere.

    Source: `torch.Generator <https://docs.pytorch.org/docs/stable/generated/torch.Generator.html>`_.
    """

    def __init__(self, device: Any = "cpu") -> None:
        if type(device) is str and device == "cpu":
            self._device: Any = None  # resolved when asked for: the default generator comes early
        else:
            from flambeau.device import device as as_device

            self._device = as_device(device)
        self.lock = threading.RLock()
        """Held by a sampler for the whole of a draw."""
        self.manual_seed(DEFAULT_SEED)

    @property
    def device(self) -> Device:
        """The device that the generator is for."""
        if self._device is None:
            from flambeau.device import device as as_device

            self._device = as_device("cpu")
        return self._device

    # -- seeds ----------------------------------------------------------------------------------

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream anew from ``seed`` and return the generator.

        Args:
            seed: an integer in [-2**63, 2**64); a negative one stands for ``2**64 + seed``.

        Raises:
            RuntimeError: if ``seed`` is not an integer.
            ValueError: if it is out of range.
        """
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        seed = operator.index(seed)
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError(
                f"Overflow when unpacking long long: manual_seed got {seed}, "
                "a seed must be in [-2**63, 2**64)"
            )
        if MODES.capture is not None:
            raise ConcreteValueNeeded("seeding a generator")
        with self.lock:
            self._seed = seed % (1 << 64)
            self._bits: MT19937 | None = None  # made at the first draw: most are never drawn from
            self._words = _NO_WORDS  # the current block, tempered
            self._next = BLOCK  # the next of its words to hand out
            self._untwisted = True  # no block was drawn since the seeding
            self.spare_normal: float | None = None
            self._spare_float_normal: float | None = None
        return self

    def seed(self) -> int:
        """Start the stream anew from a seed of the operating system's, and return that seed."""
        seed = int.from_bytes(os.urandom(8), "little") >> 11  # PyTorch's, too, fit into 53 bits
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """Return the seed from which the stream was started.

        Raises:
            RuntimeError: in a captured program.
        """
        if MODES.capture is not None:
            raise ConcreteValueNeeded("initial_seed()")
        return self._seed

    # -- the words --------------------------------------------------------------------------------

    def words(self, count: int) -> np.ndarray:
        """Return the next ``count`` words of the stream (uint32, not to be written to).

        Whole blocks are drawn and handed out in slices: a small draw costs a slice, and NumPy's
        key array is always what PyTorch keeps, the twisted state that the block was tempered from.
        """
        start = self._next
        end = start + count
        if end <= BLOCK:
            self._next = end
            return self._words[start:end]
        bits = self._bits or self._seeded_bits()
        missing = end - BLOCK
        blocks = -(-missing // BLOCK)
        drawn = self._blocks(bits, blocks)
        rest = self._words[start:]
        self._words = drawn[-BLOCK:].copy() if blocks > 1 else drawn
        self._next = missing - (blocks - 1) * BLOCK
        self._untwisted = False
        return np.concatenate((rest, drawn[:missing])) if rest.size else drawn[:missing]

    def _blocks(self, bits: MT19937, blocks: int) -> np.ndarray:
        """The words of the next whole blocks."""
        count = blocks * BLOCK
        if count < MANY:
            return bits.random_raw(count).astype(np.uint32)
        native = kernels(count * _SECONDS)
        if native is None:
            return spent(lambda: bits.random_raw(count).astype(np.uint32))  # type: ignore[no-any-return]
        state = bits.state["state"]
        drawn, key = native.words(state["key"], count)
        bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": state["pos"]}}
        return drawn

    def _seeded_bits(self) -> MT19937:
        from numpy.random import MT19937  # 20 ms: not at import

        bits = self._bits = MT19937(0)
        bits._legacy_seeding(self._seed & 0xFFFFFFFF)  # type: ignore[attr-defined]
        return bits

    # -- the state --------------------------------------------------------------------------------

    def state_bytes(self) -> np.ndarray:
        """Return the state in PyTorch's layout, an array of 5056 uint8."""
        state = np.empty(STATE_BYTES, np.uint8)
        with self.lock:
            bits = self._bits or self._seeded_bits()
            head = _HEAD.pack(
                self._seed, BLOCK + 1 - self._next, 1, 0 if self._untwisted else self._next
            )
            words = bits.state["state"]["key"].astype("<u8")
            double, single = self.spare_normal, self._spare_float_normal
            tail = _TAIL.pack(
                0.0, double or 0.0, 0.0, double is not None, single or 0.0, single is not None
            )
        state[: _HEAD.size] = np.frombuffer(head, np.uint8)
        state[_WORDS] = words.view(np.uint8)
        state[_WORDS.stop :] = np.frombuffer(tail, np.uint8)
        if MODES.capture is not None:
            MODES.capture.streams.note(self, state)
        return state

    def set_state_bytes(self, state: np.ndarray) -> None:
        """Continue from ``state``, which ``state_bytes`` or PyTorch made.

        Raises:
            RuntimeError: if it is not 5056 bytes long, or no state of a generator.
        """
        if state.size != STATE_BYTES:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE_BYTES} but found the input RNG "
                f"state size to be {state.size}"
            )
        state = np.ascontiguousarray(state, np.uint8).reshape(-1)
        seed, left, seeded, at = _HEAD.unpack(state[: _HEAD.size].tobytes())
        if not (seeded == 1 and 1 <= left <= BLOCK and at <= BLOCK):
            raise RuntimeError("Invalid mt19937 state")
        tail = _TAIL.unpack(state[_WORDS.stop :].tobytes())
        _, double, _, has_double, single, has_single = tail
        key = state[_WORDS].view("<u8").astype(np.uint32)
        if MODES.capture is not None:
            MODES.capture.streams.go_back(self, state)
        with self.lock:
            bits = self._bits or self._seeded_bits()
            bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": BLOCK}}
            self._seed = seed
            self._untwisted = left == 1 and at == 0
            self._next = BLOCK + 1 - left
            if self._next < BLOCK:
                bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": 0}}
                self._words = bits.random_raw(BLOCK).astype(np.uint32)
            self.spare_normal = double if has_double else None
            self._spare_float_normal = single if has_single else None

    def get_state(self) -> Tensor:
        """Return the state as a uint8 tensor, byte for byte as PyTorch's CPU generator gives it."""
        from flambeau.tensor import wrap

        return wrap(self.state_bytes())

    def set_state(self, new_state: Tensor) -> None:
        """Continue from ``new_state``, which `get_state` or PyTorch's `get_state` returned.

        Raises:
            TypeError: if ``new_state`` is not a uint8 tensor.
            RuntimeError: if it is no state of a CPU generator.
        """
        from flambeau.tensor import Tensor

        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        if new_state.dtype.numpy != np.uint8:
            raise TypeError(f"RNG state must be a torch.ByteTensor, but got {new_state.dtype}")
        self.set_state_bytes(np.asarray(new_state._array))

    def clone_state(self) -> Generator:
        """Return a new generator that continues from where this one is."""
        twin = Generator(self.device)
        twin.set_state_bytes(self.state_bytes())
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (str(self.device), self.state_bytes())

    def __setstate__(self, state: tuple[int, Any, Tensor]) -> None:
        """Take what PyTorch's pickles hold: the seed, an offset (of GPUs) and the state."""
        self.set_state(state[2])

    def __copy__(self) -> Generator:
        return self.clone_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> Generator:
        return self.clone_state()


def _restored(device: str, state: np.ndarray) -> Generator:
    generator = Generator(device)
    generator.set_state_bytes(state)
    return generator
