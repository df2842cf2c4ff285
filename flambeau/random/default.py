"""The default generator, and the functions that seed it and keep its state.

Source: https://pytorch.org/docs/stable/torch.html#random-sampling
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.modes import MODES
from flambeau.random.generator import Generator

if TYPE_CHECKING:
    from flambeau.tensor import Tensor

__all__ = [
    "default_generator", "draw", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
    "set_rng_state", "thread_safe_generator",
]  # fmt: skip

default_generator = Generator()
"""The generator from which everything is drawn that is given no other."""


def draw(
    sampler: Callable[..., np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype,
    *parameters: Any,
    generator: Generator | None = None,
) -> Any:
    """Draw an array by one of the samplers of `flambeau.random.sampling`.

    Every random number that a tensor holds comes through here, so that a recorder of programs can
    make of each draw an input that is drawn anew at each run.

    Args:
        sampler: called as ``sampler(generator, shape, dtype, *parameters)``.
        shape: of the result.
        dtype: of the result.
        parameters: numbers; what depends on tensors is computed from the draw by operations.
        generator: to draw from, or None for the default one.
    """
    if MODES.transforms is not None:
        return MODES.transforms.draw(sampler, shape, dtype, parameters, generator)
    capture = MODES.capture
    if capture is not None:
        return capture.draw(sampler, shape, dtype, parameters, generator)
    return sampler(default_generator if generator is None else generator, shape, dtype, *parameters)


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and return it.

    Args:
        seed: an integer in [-2**63, 2**64); a negative one stands for ``2**64 + seed``.

    Raises:
        ValueError: if ``seed`` is out of range.

    Source: `torch.manual_seed
    <https://docs.pytorch.org/docs/stable/generated/torch.manual_seed.html>`_.
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator from the operating system, and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed that the default generator was started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the state of the default generator, a uint8 tensor of 5056 elements as PyTorch's."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the state of the default generator.

    Args:
        new_state: what `get_rng_state` returned, here or in PyTorch.

    Raises:
        TypeError: if ``new_state`` is not a uint8 tensor.
        RuntimeError: if it is no state of a CPU generator.
    """
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str | None = None,
) -> Iterator[None]:
    """Have a block draw as it likes: after it the default generator is where it was before.

    Args:
        devices: accepted for PyTorch's sake: one generator serves all devices, and is forked.
        enabled: False for a block that moves the generator on as usual.
        device_type: as ``devices``.

    Source: `torch.random.fork_rng <https://docs.pytorch.org/docs/stable/random.html>`_.
    """
    if not enabled:
        yield
        return
    state = default_generator.state_bytes()
    try:
        yield
    finally:
        default_generator.set_state_bytes(state)


def thread_safe_generator() -> Generator | None:
    """Return the calling DataLoader worker's own generator, or None outside a worker thread."""
    from flambeau.utils.data import get_worker_info

    worker = get_worker_info()
    rng = getattr(worker, "rng", None)
    if getattr(worker, "worker_method", None) != "thread" or rng is None:
        return None
    return rng.torch_generator
