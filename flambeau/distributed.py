"""``torch.distributed`` for a group of one process.

A program written for several processes runs as one of them: ``init_process_group`` makes a group
whose only member this process is, and every collective has that member's result. A larger group
is refused when it is asked for.

Source: https://docs.pytorch.org/docs/stable/distributed.html
"""

from __future__ import annotations

import os
import urllib.parse
from enum import Enum
from typing import Any

from flambeau.tensor import Tensor

__all__ = [
    "Backend",
    "ProcessGroup",
    "ReduceOp",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "gather",
    "get_backend",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "is_xccl_available",
    "new_group",
    "reduce",
    "reduce_scatter_tensor",
    "scatter",
]


class ReduceOp(Enum):
    """How a reduction combines what the processes have."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


class Backend(str):
    """The name of what carries messages between processes."""

    GLOO = "gloo"
    NCCL = "nccl"
    MPI = "mpi"
    UNDEFINED = "undefined"


class ProcessGroup:
    """A group of one process, whose messages ``backend`` (a str) would carry."""

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def rank(self) -> int:
        """This process's number in the group: 0."""
        return 0

    def size(self) -> int:
        """The number of processes: 1."""
        return 1

    def name(self) -> str:
        """The backend's name."""
        return self._backend


class _Groups:
    """Where the group of all processes is: ``WORLD``, None before it is made."""

    WORLD: ProcessGroup | None = None


group = GroupMember = _Groups


class _Done:
    """The handle of a collective that has ended: that of a single process has at once."""

    def wait(self, timeout: Any = None) -> bool:
        return True

    def is_completed(self) -> bool:
        return True


def is_available() -> bool:
    """Whether there is a package for process groups: True."""
    return True


def is_initialized() -> bool:
    """Whether ``init_process_group`` has been called."""
    return group.WORLD is not None


def is_gloo_available() -> bool:
    """Whether groups over the CPU can be made: True."""
    return True


def is_nccl_available() -> bool:
    """Whether groups over CUDA can be made: False."""
    return False


def is_mpi_available() -> bool:
    """Whether groups over MPI can be made: False."""
    return False


def is_xccl_available() -> bool:
    """Whether groups over XPUs can be made: False."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None


def default_group() -> ProcessGroup:
    """The group of all processes.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    if group.WORLD is None:
        raise ValueError(
            "Default process group has not been initialized, "
            "please make sure to call init_process_group."
        )
    return group.WORLD


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: Any = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
) -> None:
    """Make the group of all processes: of this one.

    Args:
        backend: "gloo".
        init_method: where processes would meet; by default the environment's variables say it.
        world_size: 1; by default the variable WORLD_SIZE, or what ``init_method`` says.
        rank: 0; by default the variable RANK, or what ``init_method`` says.
        store: where processes would find each other, instead of ``init_method``.
        timeout, group_name, pg_options, device_id: change nothing for one process.

    Raises:
        ValueError: a group is there already; a number of processes or a rank is not known.
        RuntimeError: more than one process, or a backend for devices that are not there.
    """
    if group.WORLD is not None:
        raise ValueError("trying to initialize the default process group twice!")
    if backend is not None and str(backend).lower() in ("nccl", "mpi", "ucc", "xccl"):
        name = str(backend).upper()
        raise RuntimeError(f"Distributed package doesn't have {name} built in: use 'gloo'")
    if store is None:
        settings = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(init_method or "").query))
        if init_method in (None, "env://"):
            needed = ["MASTER_ADDR", "MASTER_PORT"]
            needed += ["RANK"] * (rank == -1) + ["WORLD_SIZE"] * (world_size == -1)
            for variable in sorted(needed, key="RANK WORLD_SIZE MASTER_ADDR MASTER_PORT".find):
                if variable not in os.environ:
                    raise ValueError(
                        "Error initializing torch.distributed using env:// rendezvous: "
                        f"environment variable {variable} expected, but not set"
                    )
            settings = {key: os.environ.get(key.upper(), "") for key in ("rank", "world_size")}
        rank = int(settings["rank"]) if rank == -1 and "rank" in settings else rank
        if world_size == -1 and "world_size" in settings:
            world_size = int(settings["world_size"])
    if world_size == -1 or rank == -1:
        raise ValueError("init_process_group: world_size and rank are needed")
    if world_size != 1:
        raise RuntimeError(
            f"init_process_group: {world_size} processes were asked for; flambeau's groups have "
            "one process: start the program once, with world_size=1 and rank=0"
        )
    if rank != 0:
        raise ValueError(f"init_process_group: rank {rank} is not one of a group of 1 process")
    group.WORLD = ProcessGroup(str(backend or "gloo").lower())


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """End ``group`` (None: that of all processes).

    Raises:
        AssertionError: there is none.
    """
    if _Groups.WORLD is None:
        raise AssertionError("Process group cannot be None")
    if group is None or group is _Groups.WORLD:
        _Groups.WORLD = None


def new_group(ranks: list[int] | None = None, *arguments: Any, **options: Any) -> ProcessGroup:
    """A group of some of the processes: of this one.

    Args:
        ranks: their numbers, [0]; None: all.
        arguments, options: change nothing for one process.

    Raises:
        ValueError: other ranks, or ``init_process_group`` has not been called.
    """
    world = default_group()
    if ranks is not None and list(ranks) != [0]:
        raise ValueError(f"new_group: the ranks {ranks} are not [0], the only process's")
    return ProcessGroup(world.name())


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's number in ``group`` (None: that of all processes): 0.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    return (group or default_group()).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """The number of processes in ``group`` (None: that of all processes): 1.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    return (group or default_group()).size()


def get_backend(group: ProcessGroup | None = None) -> Backend:
    """The name of the backend of ``group`` (None: that of all processes).

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    return Backend((group or default_group()).name())


def _ended(async_op: bool, rank: int | None = 0) -> _Done | None:
    default_group()
    if rank not in (0, None):
        raise ValueError(f"rank {rank} is not in the group, whose only process has the rank 0")
    return _Done() if async_op else None


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> _Done | None:
    """Wait for all processes of the group: this one is here.

    Args:
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.
        device_ids: changes nothing on the CPU.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    return _ended(async_op)


def all_reduce(
    tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> _Done | None:
    """Combine all processes' tensors into each: one process's stays as it is.

    Args:
        tensor: this process's, of any shape.
        op: how, a :class:`ReduceOp`.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    return _ended(async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: Any = ReduceOp.SUM,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> _Done | None:
    """Combine all processes' tensors into that of one: it stays as it is.

    Args:
        tensor: this process's, of any shape.
        dst, group_dst: the rank that gets the result, in all or in the group: 0.
        op: how, a :class:`ReduceOp`.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: another rank, or ``init_process_group`` has not been called.
    """
    return _ended(async_op, dst if group_dst is None else group_dst)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> _Done | None:
    """Send the tensor of one process to all: to none other.

    Args:
        tensor: what is sent, or written to.
        src, group_src: the rank that sends, in all or in the group: 0.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: another rank, or ``init_process_group`` has not been called.
    """
    return _ended(async_op, src if group_src is None else group_src)


def broadcast_object_list(
    object_list: list[Any], src: int | None = None, group: Any = None, **options: Any
) -> None:
    """Send the objects of one process to all: to none other.

    Args:
        object_list: what is sent, or written to.
        src: the rank that sends: 0.
        group: which; None: all processes.
        options: change nothing for one process.

    Raises:
        ValueError: another rank, or ``init_process_group`` has not been called.
    """
    _ended(False, src)


def all_gather(
    tensor_list: list[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False
) -> _Done | None:
    """Write every process's tensor into the list's tensors.

    Args:
        tensor_list: a tensor for each process.
        tensor: this process's, of the same shape.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    handle = _ended(async_op)
    tensor_list[0].copy_(tensor)
    return handle


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Any = None, async_op: bool = False
) -> _Done | None:
    """Write every process's tensor into one, behind one another.

    Args:
        output_tensor: as many elements as all of them have.
        input_tensor: this process's.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    handle = _ended(async_op)
    output_tensor.copy_(input_tensor.reshape(output_tensor.shape))
    return handle


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Write every process's object into a list.

    Args:
        object_list: an entry for each process.
        obj: this process's.
        group: which; None: all processes.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    _ended(False)
    object_list[0] = obj


def gather(
    tensor: Tensor,
    gather_list: list[Tensor] | None = None,
    dst: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> _Done | None:
    """Write every process's tensor into the tensors of one process's list.

    Args:
        tensor: this process's.
        gather_list: there a tensor of that shape for each process, else None.
        dst, group_dst: the rank that has the list, in all or in the group: 0.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: another rank, or ``init_process_group`` has not been called.
    """
    handle = _ended(async_op, dst if group_dst is None else group_dst)
    if gather_list:
        gather_list[0].copy_(tensor)
    return handle


def scatter(
    tensor: Tensor,
    scatter_list: list[Tensor] | None = None,
    src: int | None = None,
    group: Any = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> _Done | None:
    """Give every process its tensor of one process's list.

    Args:
        tensor: what is written to.
        scatter_list: there a tensor of that shape for each process, else None.
        src, group_src: the rank that has the list, in all or in the group: 0.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: another rank, or ``init_process_group`` has not been called.
    """
    handle = _ended(async_op, src if group_src is None else group_src)
    if scatter_list:
        tensor.copy_(scatter_list[0])
    return handle


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: bool = False
) -> _Done | None:
    """Combine all processes' tensors and give every process its part.

    Args:
        output: what is written to.
        input: this process's, as many elements as all parts have.
        op: how, a :class:`ReduceOp`.
        group: which; None: all processes.
        async_op: whether to return a handle to wait for, rather than None.

    Raises:
        ValueError: ``init_process_group`` has not been called.
    """
    handle = _ended(async_op)
    output.copy_(input.reshape(output.shape))
    return handle
