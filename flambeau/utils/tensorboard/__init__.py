"""Training as TensorBoard shows it (``torch.utils.tensorboard``)."""

from __future__ import annotations

from flambeau.utils.tensorboard.writer import SummaryWriter

__all__ = ["SummaryWriter"]
