"""Versions: flambeau's own, and that of the PyTorch API it follows (`torch.version`)."""

from __future__ import annotations

from flambeau.torch_version import TorchVersion

FLAMBEAU_VERSION = "0.1.0"
API_VERSION = "2.13.0"

# Programs compare `torch.__version__` with the release whose features they need. The local part
# says what is really there, and sorts after the plain release.
__version__ = TorchVersion(f"{API_VERSION}+flambeau.{FLAMBEAU_VERSION}")

debug = False
git_version = "flambeau-" + FLAMBEAU_VERSION
cuda: str | None = None
hip: str | None = None
rocm: str | None = None
xpu: str | None = None
