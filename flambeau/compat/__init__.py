"""flambeau under PyTorch's names.

`install()` makes `import torch`, `import torch.nn as nn`, `from torchvision import transforms` and
`from torchsummary import summary` give flambeau's modules: the same objects, so that
`torch.nn is flambeau.nn`. `flambeau run` does it for a whole program.
"""

from __future__ import annotations

from flambeau.compat.aliases import ALIASES, install, installed, uninstall

__all__ = ["ALIASES", "install", "installed", "uninstall"]
