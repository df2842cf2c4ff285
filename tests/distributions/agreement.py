"""What a family of distributions must have in common with PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau as torch

Close = Callable[..., None]


def samples_that_agree(pytorch: Any, mine: Any, theirs: Any, close: Close) -> tuple[Any, Any]:
    """Samples for one seed, here and there, after shapes, text and densities were compared."""
    assert tuple(mine.batch_shape) == tuple(theirs.batch_shape)
    assert tuple(mine.event_shape) == tuple(theirs.event_shape)
    assert repr(mine) == repr(theirs)
    for shape in ((), (4, 2)):
        torch.manual_seed(5)
        pytorch.manual_seed(5)
        drawn, wanted = mine.sample(shape), theirs.sample(shape)
        close(drawn, wanted, "sample")
        assert torch.rand(1).item() == pytorch.rand(1).item()
    value = torch.from_numpy(wanted.numpy())
    close(mine.log_prob(value), theirs.log_prob(wanted), "log_prob")
    return value, wanted


def agree_expanded(mine: Any, theirs: Any, value: Any, wanted: Any, close: Close) -> None:
    """The distributions, expanded to a further batch dim, have the same densities."""
    shape = (2, *mine.batch_shape)
    expanded, wide = mine.expand(shape), theirs.expand(shape)
    assert tuple(expanded.batch_shape) == shape
    close(expanded.log_prob(value[0]), wide.log_prob(wanted[0]), "log_prob of expanded")


def agree_in_gradients(
    mine: Any, theirs: Any, leaves: Any, their_leaves: Any, value: Any, wanted: Any, close: Close,
    *options: Any,
) -> None:  # fmt: skip
    """The gradients of the densities for the parameters are the same."""
    mine.log_prob(value).sum().backward()
    theirs.log_prob(wanted).sum().backward()
    for leaf, other in zip(leaves, their_leaves):
        if other.grad is not None:
            close(leaf.grad, other.grad, "gradient of log_prob", *options)
