"""A program for several processes runs as one of one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import flambeau as torch
from flambeau import distributed, nn
from flambeau.nn.parallel import DataParallel, DistributedDataParallel


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for key, value in (
        ("RANK", "0"), ("WORLD_SIZE", "1"), ("MASTER_ADDR", "localhost"), ("MASTER_PORT", "29500"),
    ):  # fmt: skip
        monkeypatch.setenv(key, value)
    distributed.init_process_group("gloo")
    yield
    distributed.destroy_process_group()


def test_the_only_process_has_rank_0(group: None) -> None:
    assert distributed.is_initialized()
    assert (distributed.get_rank(), distributed.get_world_size()) == (0, 1)
    assert distributed.get_backend() == "gloo"


def test_collectives_give_the_process_s_own_result(group: None) -> None:
    tensor = torch.arange(3.0)
    distributed.all_reduce(tensor)
    distributed.broadcast(tensor, src=0)
    assert distributed.reduce(tensor, 0, async_op=True).wait()
    assert tensor.tolist() == [0, 1, 2]
    gathered = [torch.zeros(3)]
    distributed.all_gather(gathered, tensor)
    assert gathered[0].tolist() == [0, 1, 2]
    objects = [None]
    distributed.all_gather_object(objects, {"a": 1})
    assert objects == [{"a": 1}]


def test_a_second_group_and_a_larger_one_are_refused(group: None) -> None:
    with pytest.raises(ValueError, match="twice"):
        distributed.init_process_group("gloo")
    with pytest.raises(ValueError, match="rank 3"):
        distributed.broadcast(torch.ones(1), src=3)
    distributed.destroy_process_group()
    with pytest.raises(RuntimeError, match="one process"):
        distributed.init_process_group("gloo", world_size=2, rank=0)
    with pytest.raises(RuntimeError, match="NCCL"):
        distributed.init_process_group("nccl", world_size=1, rank=0)
    distributed.init_process_group("gloo", "tcp://localhost:1", world_size=1, rank=0)


def test_without_a_group_its_questions_are_refused() -> None:
    assert distributed.is_available() and not distributed.is_initialized()
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        distributed.get_rank()
    with pytest.raises(ValueError, match="MASTER_ADDR expected"):
        distributed.init_process_group("gloo", rank=0, world_size=1)


def test_a_distributed_module_computes_as_its_module(group: None) -> None:
    module = nn.Linear(2, 3)
    wrapped = DistributedDataParallel(module)
    x = torch.randn(4, 2)
    assert torch.equal(wrapped(x), module(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    assert module.bias.grad.tolist() == [4, 4, 4]
    with pytest.raises(RuntimeError, match="doesn't have any parameter"):
        DistributedDataParallel(nn.ReLU())


def test_data_parallel_without_gpus_calls_the_module() -> None:
    module = nn.Linear(2, 3)
    x = torch.randn(4, 2)
    wrapped = DataParallel(module, device_ids=[0, 1])
    assert torch.equal(wrapped(x), module(x))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    assert torch.equal(nn.parallel.data_parallel(module, x), module(x))
