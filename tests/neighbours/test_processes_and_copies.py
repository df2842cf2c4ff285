"""Tensors, and what holds them, through copy, pickle and other processes."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from typing import Any

import pytest

import flambeau as torch


def _objects() -> dict[str, Any]:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    return {
        "tensor": torch.arange(3),
        "leaf": torch.ones(2, requires_grad=True),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "parameter": model.weight,
        "model": model,
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 3),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
        "format": torch.channels_last,
        "layout": torch.strided,
        "generator": torch.Generator().manual_seed(3),
        "named tuple": torch.ones(2, 2).max(0),
        "dataset": torch.utils.data.TensorDataset(torch.ones(2)),
        "packed": torch.nn.utils.rnn.pack_sequence([torch.ones(2), torch.ones(1)]),
    }


@pytest.mark.parametrize("name", list(_objects()))
@pytest.mark.parametrize("way", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy, copy.copy])
def test_everything_can_be_copied(name: str, way: Any) -> None:
    original = _objects()[name]
    again = way(original)
    assert type(again) is type(original)
    if isinstance(original, torch.Tensor):
        assert torch.equal(again, original)
        assert again.requires_grad == original.requires_grad
        assert again.stride() == original.stride()
    elif name == "named tuple":
        assert torch.equal(again.values, original.values)


def test_a_deep_copy_of_views_shares_memory_as_the_originals_do() -> None:
    base = torch.zeros(2, 3)
    for pair in ((base, base.T), (base.T, base)):
        first, second = copy.deepcopy(pair)
        first += 1
        assert second.sum() == 6
    assert base.sum() == 0


def test_pickling_keeps_that_a_result_requires_grad() -> None:
    result = torch.ones(2, requires_grad=True) * 2
    again = pickle.loads(pickle.dumps(result))
    assert again.requires_grad
    assert again.is_leaf


def test_deep_copying_a_result_is_refused() -> None:
    with pytest.raises(RuntimeError, match="created explicitly by the user"):
        copy.deepcopy(torch.ones(2, requires_grad=True) * 2)


def test_torch_save_of_attributes() -> None:
    buffer = io.BytesIO()
    torch.save({"x": torch.ones(2), "n": 1}, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer)["x"], torch.ones(2))


def _double(inbox: Any, outbox: Any) -> None:
    tensor = inbox.get()
    tensor *= 2
    outbox.put(tensor.sum())
    outbox.put(None)


def test_a_queue_copies_tensors_but_not_shared_ones() -> None:
    context = multiprocessing.get_context("spawn")
    for tensor, seen in ((torch.ones(3), 3), (torch.ones(3).share_memory_(), 6)):
        inbox, outbox = context.Queue(), context.Queue()
        process = context.Process(target=_double, args=(inbox, outbox))
        process.start()
        inbox.put(tensor)
        assert outbox.get(timeout=60) == 6
        assert outbox.get(timeout=60) is None
        process.join(60)
        assert tensor.sum() == seen


def test_views_of_shared_memory_are_shared_and_keep_it() -> None:
    tensor = torch.zeros(4).share_memory_()
    view = tensor[1:]
    assert view.is_shared()
    assert not torch.zeros(1).is_shared()
    del tensor
    others = [torch.zeros(4).share_memory_() for _ in range(4)]
    for other in others:
        other.fill_(9)
    assert view.sum() == 0


def test_a_result_with_history_does_not_cross() -> None:
    from multiprocessing.reduction import ForkingPickler

    import flambeau.multiprocessing  # noqa: F401

    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        ForkingPickler.dumps(torch.ones(1, requires_grad=True) * 2)


def _write(index: int, tensor: torch.Tensor) -> None:
    tensor[index] = index + 1


def _fail(index: int) -> None:
    raise ValueError("no luck")


def test_spawned_processes_write_to_shared_memory() -> None:
    mp = torch.multiprocessing
    tensor = torch.zeros(2).share_memory_()
    mp.spawn(_write, (tensor,), nprocs=2)
    assert tensor.tolist() == [1, 2]
    with pytest.raises(mp.ProcessRaisedException, match="no luck"):
        mp.spawn(_fail, nprocs=1)
