"""A module whose gradients all processes share (``torch.nn.parallel.DistributedDataParallel``)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from flambeau.nn.modules.module import Module

__all__ = ["DistributedDataParallel"]


class DistributedDataParallel(Module):
    """A module trained by a process group; a group here has one process, whose gradients stand.

    Args:
        module: the module, kept as ``module``: its state dict's names begin with ``module.``.
        device_ids, output_device: GPUs of the process: none here.
        process_group: the group, the default one where none is given.
        dim, broadcast_buffers, init_sync, bucket_cap_mb, find_unused_parameters, check_reduction,
            gradient_as_bucket_view, static_graph, options: in PyTorch, how gradients travel; here
            they go nowhere.

    Raises:
        ValueError: no process group has been initialized, or GPUs are named.
        RuntimeError: no parameter of the module requires a gradient.

    Source: ``torch.nn.parallel.DistributedDataParallel``.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: Any = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
        **options: Any,
    ) -> None:
        from flambeau import distributed

        super().__init__()
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.process_group = process_group or distributed.default_group()
        if device_ids or output_device is not None:
            raise ValueError(
                "DistributedDataParallel device_ids and output_device arguments only work with "
                "single-device/multiple-device GPU modules or CPU modules, but got device_ids "
                f"{device_ids}, output_device {output_device}, and module parameters on the CPU."
            )
        self.module = module
        self.device_ids = None
        self.require_backward_grad_sync = True

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module returns for ``inputs`` and ``kwargs``."""
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self) -> Iterator[None]:
        """A context in which gradients are gathered here only."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def join(self, *arguments: Any, **options: Any) -> contextlib.AbstractContextManager[None]:
        """A context for processes with unlike numbers of batches: one process waits for none."""
        return contextlib.nullcontext()

    def register_comm_hook(self, state: Any, hook: Callable[..., Any]) -> None:
        """Take a hook for gradients on their way: with one process they go nowhere."""
