"""A module over several devices of one process (``torch.nn.DataParallel``).

Source: https://docs.pytorch.org/docs/2.13/nn.html
"""

from __future__ import annotations

from typing import Any

from flambeau.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """A module whose batches several GPUs would share; with none it is called as it is.

    Args:
        module: the module, kept as ``module``: its state dict's names begin with ``module.``.
        device_ids: taken as in PyTorch, which ignores it where no GPU is available.
        output_device: likewise.
        dim: the dimension that would be split.

    Source: ``torch.nn.DataParallel``.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module returns for ``inputs`` and ``kwargs``."""
        return self.module(*inputs, **kwargs)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """What ``module`` returns for ``inputs`` (a tuple, or one).

    Args:
        module: any module.
        inputs: its arguments; None for none.
        device_ids, output_device, dim: taken as in PyTorch; without GPUs nothing is divided.
        module_kwargs: its arguments by name.

    Returns:
        What it returns.
    """
    if not isinstance(inputs, tuple):
        inputs = (inputs,) if inputs is not None else ()
    return module(*inputs, **(module_kwargs or {}))
