"""Datasets and collation."""

from __future__ import annotations

from collections import OrderedDict, UserDict, namedtuple
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    default_collate,
    default_convert,
    random_split,
)

Point = namedtuple("Point", ["x", "y"])


def test_tensor_dataset():
    dataset = TensorDataset(flambeau.arange(6).reshape(3, 2), flambeau.arange(3))
    assert len(dataset) == 3
    assert [part.tolist() for part in dataset[1]] == [[2, 3], 1]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(flambeau.zeros(3), flambeau.zeros(4))


def test_concatenation():
    joint: Any = ConcatDataset([range(3), range(10, 12)])  # type: ignore[list-item]
    assert [joint[index] for index in (0, 2, 3, -1, -5)] == [0, 2, 10, 11, 0]
    assert joint.cumulative_sizes == [3, 5]
    with pytest.raises(ValueError, match="absolute value of index"):
        joint[-6]
    with pytest.raises(AssertionError, match="not be an empty iterable"):
        ConcatDataset([])


def test_streams():
    class Stream(IterableDataset):
        def __init__(self, *items: int) -> None:
            self.items = items

        def __iter__(self) -> Any:
            return iter(self.items)

        def __len__(self) -> int:
            return len(self.items)

    chained = Stream(1, 2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [1, 2, 3]
    assert len(chained) == 3
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(1)])
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([[1]]))


def test_stacks():
    named = StackDataset(a=[1, 2], b=[3, 4])
    assert named[1] == {"a": 2, "b": 4}
    assert named.__getitems__([0, 1]) == [{"a": 1, "b": 3}, {"a": 2, "b": 4}]
    assert StackDataset([1, 2], [3, 4]).__getitems__([1]) == [(2, 4)]
    for arguments, named_arguments, message in [
        (([1],), {"b": [1]}, "both types are given"),
        ((), {}, "At least one dataset"),
        (([1], [1, 2]), {}, "Size mismatch"),
    ]:
        with pytest.raises(ValueError, match=message):
            StackDataset(*arguments, **named_arguments)


def test_subset_subclasses_have_to_say_how_batches_are_read():
    class Doubling(Subset):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index) * 2

    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        Doubling([1, 2], [0])


def test_an_unfinished_dataset_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        Dataset()[0]


def test_splits():
    parts = random_split(range(10), [3, 7])
    assert sorted([*parts[0], *parts[1]]) == list(range(10))
    assert [len(part) for part in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(range(10), [3, 4])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(1), [0.5, 0.5])


SAMPLES: list[Any] = [
    [1, 2, 3],
    [True, False],
    [1.5, 2.5],
    ["a", "b"],
    [b"a", b"b"],
    [np.float32(1), np.float32(2)],
    [np.int8(1), np.int8(2)],
    [np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)],
    [np.array(1.0), np.array(2.0)],
    [(1, 2.0), (3, 4.0)],
    [[1, "a"], [2, "b"]],
    [{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3, 4]}],
    [Point(1, 2.0), Point(3, 4.0)],
    [OrderedDict(a=1), OrderedDict(a=2)],
    [UserDict(a=1), UserDict(a=2)],
    [(), ()],
    [range(2), range(2)],
]


def text(value: Any) -> str:
    return f"{type(value).__name__}: {value!r}"


@pytest.mark.parametrize("samples", SAMPLES, ids=[repr(samples[0]) for samples in SAMPLES])
def test_collation_is_pytorchs(samples):
    torch = pytest.importorskip("torch")
    from torch.utils import data

    assert text(default_collate(samples)) == text(data.default_collate(samples))
    assert text(default_convert(samples)) == text(data.default_convert(samples))
    assert torch


def test_collation_of_tensors():
    rows = [flambeau.arange(3) + start for start in range(2)]
    assert default_collate(rows).tolist() == [[0, 1, 2], [1, 2, 3]]
    assert default_collate([flambeau.tensor(1.5), flambeau.tensor(2.5)]).tolist() == [1.5, 2.5]
    mixed = default_collate([{"x": rows[0], "y": (1, "a")}, {"x": rows[1], "y": (2, "b")}])
    assert mixed["x"].shape == (2, 3)
    assert mixed["y"][0].tolist() == [1, 2]
    assert mixed["y"][1] in (["a", "b"], ("a", "b"))


@pytest.mark.parametrize(
    "samples, kind, message",
    [
        ([object(), object()], TypeError, "batch must contain tensors, numpy arrays.*object"),
        ([np.array(["a"]), np.array(["b"])], TypeError, "batch must contain tensors.*<U1"),
        ([[1, 2], [1]], RuntimeError, "each element in list of batch should be of equal size"),
        (
            [flambeau.zeros(3), flambeau.zeros(4)],
            RuntimeError,
            r"stack expects each tensor to be equal size, but got \[3\] at entry 0 and \[4\]",
        ),
    ],
)
def test_what_cannot_be_collated(samples, kind, message):
    with pytest.raises(kind, match=message):
        default_collate(samples)


def test_collation_of_types_of_ones_own():
    from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

    class Name(str):
        pass

    functions = {Name: lambda batch, *, collate_fn_map: "+".join(batch), **default_collate_fn_map}
    assert collate([Name("a"), Name("b")], collate_fn_map=functions) == "a+b"
    loader = DataLoader([1, 2, 3], batch_size=2, collate_fn=lambda samples: sum(samples))  # type: ignore[arg-type]
    assert list(loader) == [3, 3]
