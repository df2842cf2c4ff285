"""Image datasets (``torchvision.datasets``)."""

from __future__ import annotations

from .mnist import KMNIST, MNIST, FashionMNIST
from .vision import StandardTransform, VisionDataset

__all__ = ["KMNIST", "MNIST", "FashionMNIST", "StandardTransform", "VisionDataset"]
