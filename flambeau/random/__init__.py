"""Random numbers: PyTorch's streams for PyTorch's seeds."""

from flambeau.random.default import (
    default_generator,
    draw,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    thread_safe_generator,
)
from flambeau.random.generator import Generator

__all__ = [
    "Generator",
    "default_generator",
    "draw",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]
