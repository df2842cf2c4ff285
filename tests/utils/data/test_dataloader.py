"""DataLoader: batches, fast paths, arguments."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    StackDataset,
    Subset,
    TensorDataset,
)
from flambeau.utils.data.batch_access import batch_reader


def tensors(size: int = 10) -> TensorDataset:
    return TensorDataset(
        flambeau.arange(size * 3).reshape(size, 3), flambeau.arange(size, dtype=flambeau.float32)
    )


class Counted(TensorDataset):
    """A subclass that reads samples in its own way."""

    reads = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.reads += 1
        x, y = super().__getitem__(index)
        return x * 10, y


@pytest.mark.parametrize(
    "make",
    [
        tensors,
        lambda: Subset(tensors(), [9, 1, 1, 4, 0]),
        lambda: Subset(tensors(), range(2, 7)),
        lambda: Subset(Subset(tensors(), np.arange(8)), [7, 3, 2]),
        lambda: StackDataset(tensors(), Subset(tensors(20), range(10))),
        lambda: StackDataset(left=tensors(), right=tensors()),
        lambda: TensorDataset(flambeau.arange(24).reshape(3, 8).t()),
    ],
)
def test_a_batch_at_once_is_the_batch_of_its_samples(make):
    dataset = make()
    assert batch_reader(dataset) is not None
    options: Any = {"batch_size": 4, "shuffle": True}
    flambeau.manual_seed(1)
    found = list(DataLoader(dataset, **options))
    flambeau.manual_seed(1)
    # A collation of one's own has the samples read one by one.
    collate = flambeau.utils.data.default_collate
    expected = list(DataLoader(dataset, collate_fn=lambda s: collate(s), **options))
    assert repr(found) == repr(expected)
    assert len(found) == len(expected)


def test_a_subclass_that_reads_in_its_own_way_is_asked_for_every_sample():
    Counted.reads = 0
    dataset = Counted(flambeau.arange(6), flambeau.arange(6))
    assert batch_reader(dataset) is None
    batches = [x.tolist() for x, _ in DataLoader(dataset, batch_size=4)]
    assert batches == [[0, 10, 20, 30], [40, 50]]
    assert Counted.reads == 6
    assert next(iter(DataLoader(Subset(dataset, [5]))))[0].tolist() == [50]


def test_batches_are_copies():
    x = flambeau.zeros(4, 2)
    for (batch,) in DataLoader(TensorDataset(x), batch_size=2):
        batch += 1
    assert x.sum() == 0


def test_tensors_that_require_grad_stay_on_the_tape():
    x = flambeau.ones(4, 2, requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(x), batch_size=3)))
    batch.sum().backward()
    assert x.grad.tolist() == [[1, 1]] * 3 + [[0, 0]]


def test_getitems_is_called_with_the_batch():
    class Batched(Dataset):
        def __len__(self) -> int:
            return 5

        def __getitems__(self, indices: list[int]) -> list[int]:
            assert type(indices) is list
            return [index * 2 for index in indices]

    found = [batch.tolist() for batch in DataLoader(Batched(), batch_size=3)]  # type: ignore[var-annotated]
    assert found == [[0, 2, 4], [6, 8]]


def test_indices_of_any_kind_reach_the_dataset():
    data = {"a": 1, "b": 2, ("c", 1): 3}
    loader: Any = DataLoader(data, sampler=list(data), batch_size=2)  # type: ignore[arg-type]
    assert [batch.tolist() for batch in loader] == [[1, 2], [3]]


def test_not_batched():
    samples = list(DataLoader(tensors(3), batch_size=None))
    assert [y.item() for _, y in samples] == [0, 1, 2]
    arrays = list(DataLoader([np.ones(2), 3], batch_size=None))  # type: ignore[list-item]
    assert isinstance(arrays[0], flambeau.Tensor)
    assert arrays[1] == 3


def test_lengths():
    assert len(DataLoader(tensors(10), batch_size=4)) == 3
    assert len(DataLoader(tensors(10), batch_size=4, drop_last=True)) == 2
    assert len(DataLoader(tensors(10), batch_size=None)) == 10
    assert len(ConcatDataset([tensors(3), tensors(4)]) + tensors(1)) == 8


def test_a_stream_longer_than_it_said():
    class Stream(IterableDataset):
        def __iter__(self) -> Any:
            return iter(range(4))

        def __len__(self) -> int:
            return 2

    loader = DataLoader(Stream())
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2"):
        assert len(list(loader)) == 4


@pytest.mark.parametrize(
    "options, kind, message",
    [
        ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, ValueError, "could only be specified in multiprocessing"),
        (
            {"prefetch_factor": -2, "num_workers": 1},
            ValueError,
            "prefetch_factor option should be non-negative",
        ),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs"),
        ({"sampler": [0], "shuffle": True}, ValueError, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "batch_sampler option is mutually"),
        ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None option disables"),
        ({"batch_size": 0}, ValueError, "batch_size should be a positive integer value"),
        ({"drop_last": 1}, ValueError, "drop_last should be a boolean value"),
        ({"multiprocessing_context": "fork"}, ValueError, "can only be used with multi-process"),
        (
            {"multiprocessing_context": "knife", "num_workers": 1},
            ValueError,
            "should specify a valid start method",
        ),
        (
            {"multiprocessing_context": 3, "num_workers": 1},
            TypeError,
            "should be a valid context",
        ),
    ],
)
def test_wrong_arguments_are_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        DataLoader(tensors(), **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"shuffle": True}, "expected unspecified shuffle option, but got shuffle=True"),
        ({"sampler": [0]}, r"expected unspecified sampler option, but got sampler=\[0\]"),
        ({"batch_sampler": [[0]]}, "expected unspecified batch_sampler option"),
    ],
)
def test_a_stream_has_no_order_to_choose(options, message):
    class Stream(IterableDataset):
        pass

    with pytest.raises(ValueError, match=message):
        DataLoader(Stream(), **options)


def test_no_samples_to_shuffle():
    with pytest.raises(ValueError, match="num_samples=0"):
        DataLoader([], shuffle=True)  # type: ignore[arg-type]
    assert list(DataLoader([])) == []  # type: ignore[arg-type]


def test_attributes_that_are_fixed():
    loader = DataLoader(tensors(), batch_size=4)
    assert loader.batch_size == 4
    assert type(loader.sampler) is SequentialSampler
    assert type(loader.batch_sampler) is BatchSampler
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 5
    loader.dataset.tensors = tensors(2).tensors  # the dataset itself may change
    assert len(loader) == 1


def test_warnings():
    with pytest.warns(UserWarning, match="no accelerator is found"):
        iter(DataLoader(tensors(), pin_memory=True))
    with pytest.warns(UserWarning, match="This DataLoader will create 1000 worker processes"):
        DataLoader(tensors(), num_workers=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(DataLoader(tensors(), shuffle=True))


def test_importing_does_not_import_multiprocessing():
    import subprocess
    import sys

    code = "import flambeau.utils.data, sys; sys.exit('multiprocessing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
