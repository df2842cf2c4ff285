"""Worker processes: what they are given, what they give back, and how they end."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs forking"
)


METHODS = [
    "fork",
    pytest.param("forkserver", marks=pytest.mark.slow),
    pytest.param("spawn", marks=pytest.mark.slow),
]


class Rows(Dataset):
    """Numbers, as tensors, arrays, and strings; some of them large."""

    def __init__(self, size: int = 12, width: int = 6000) -> None:
        self.size = size
        self.width = width

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        return {
            "tensor": flambeau.full((self.width,), float(index)),
            "array": np.full((2, 3), index),
            "name": str(index),
            "number": index,
        }


class Failing(Dataset):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        if index == 5:
            raise self.error
        return index


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        info = get_worker_info()
        if info is None:
            return iter(range(23))
        bounds = [23 * part // info.num_workers for part in (info.id, info.id + 1)]
        return iter(range(*bounds))

    def __len__(self) -> int:
        return 23


class Draws(Dataset):
    """What a worker's generators give, and what it knows of itself."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        assert info.dataset is self
        return (
            info.id,
            info.num_workers,
            info.seed,
            random.randint(0, 10**6),
            int(np.random.randint(0, 10**6)),
            int(flambeau.randint(0, 10**6, ())),
        )


@pytest.mark.parametrize("num_workers", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_batches_are_those_of_one_process(num_workers, method):
    options: Any = {"num_workers": num_workers, "multiprocessing_context": method}
    expected = list(DataLoader(Rows(), batch_size=5))
    found = list(DataLoader(Rows(), batch_size=5, **options))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == list(theirs)
        assert ours["name"] == theirs["name"]
        for key in ("tensor", "array", "number"):
            assert ours[key].dtype is theirs[key].dtype
            assert flambeau.equal(ours[key], theirs[key])


def test_true_is_one_worker():
    loader = DataLoader(Rows(), batch_size=4, num_workers=True)
    assert [batch["number"].tolist() for batch in loader] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]


def test_batches_may_be_kept_and_written_to():
    kept = []
    for batch in DataLoader(Rows(20, 20000), batch_size=2, num_workers=2):
        batch["tensor"] += 1
        kept.append(batch["tensor"])
    for index, tensor in enumerate(kept):
        assert tensor[:, 0].tolist() == [2 * index + 1, 2 * index + 2]
        assert (tensor == tensor[:, :1]).all()


def test_memory_for_batches_is_used_again():
    loader = DataLoader(Rows(60, 20000), batch_size=2, num_workers=1)
    iterator = iter(loader)
    for _ in range(30):
        next(iterator)
    (worker,) = iterator._pool.workers
    assert len(worker.receiver.segments) <= 5


@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"batch_size": None}])
@pytest.mark.parametrize("num_workers", [0, 1, 2, 3])
def test_streams_in_parts(num_workers, options):
    torch = pytest.importorskip("torch")

    class Theirs(torch.utils.data.IterableDataset):
        def __iter__(self):
            info = torch.utils.data.get_worker_info()
            if info is None:
                return iter(range(23))
            bounds = [23 * part // info.num_workers for part in (info.id, info.id + 1)]
            return iter(range(*bounds))

        def __len__(self):
            return 23

    options = {"batch_size": 4, "num_workers": num_workers, **options}
    with pytest.warns(UserWarning) if num_workers > (os.cpu_count() or 1) else _nothing():
        expected = [_list(batch) for batch in torch.utils.data.DataLoader(Theirs(), **options)]
        loader = DataLoader(Stream(), **options)
        assert [_list(batch) for batch in loader] == expected
        assert len(loader) == len(torch.utils.data.DataLoader(Theirs(), **options))


class _nothing:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        pass


def _list(batch: Any) -> Any:
    return batch.tolist() if hasattr(batch, "tolist") else batch


@pytest.mark.parametrize("method", METHODS)
def test_seeds_as_recorded(method):
    flambeau.manual_seed(0)
    loader = DataLoader(Draws(), batch_size=None, num_workers=2, multiprocessing_context=method)
    assert [list(sample) for sample in loader] == RECORDED_DRAWS


class Seeds(Dataset):
    """What a worker's initial seed is."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return info.id, info.seed, flambeau.initial_seed()


@pytest.mark.parametrize("method", METHODS)
def test_a_workers_seed_is_the_base_seed_and_its_number(method):
    flambeau.manual_seed(123)
    base = flambeau.empty((), dtype=flambeau.int64).random_().item()
    flambeau.manual_seed(123)
    loader = DataLoader(Seeds(), batch_size=None, num_workers=2, multiprocessing_context=method)
    found = [tuple(sample) for sample in loader]
    assert found == [(index % 2, base + index % 2, base + index % 2) for index in range(4)]
    # An epoch later, another base seed; after the same seed, the same again.
    assert [tuple(sample) for sample in loader] != found
    flambeau.manual_seed(123)
    assert [tuple(sample) for sample in loader] == found


def test_a_workers_initial_seed_is_pytorchs():
    torch = pytest.importorskip("torch")

    class Theirs(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            info = torch.utils.data.get_worker_info()
            return info.id, info.seed, torch.initial_seed()

    for given in (False, True):
        found = []
        for library, dataset in ((flambeau, Seeds()), (torch, Theirs())):
            library.manual_seed(7)
            generator = library.Generator().manual_seed(5) if given else None
            loader = library.utils.data.DataLoader(
                dataset,
                batch_size=None,
                num_workers=2,
                generator=generator,
                multiprocessing_context="fork",
            )
            found.append([tuple(sample) for sample in loader])
        assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_started_workers_keep_errors_deaths_and_epochs(method):
    options: Any = {"num_workers": 2, "multiprocessing_context": method}
    with pytest.raises(ValueError, match="Caught ValueError in DataLoader worker process"):
        list(DataLoader(Failing(ValueError("bad sample")), batch_size=2, **options))
    with pytest.raises(RuntimeError, match="exited unexpectedly.*SIGKILL"):
        list(DataLoader(Dying(), batch_size=2, **options))
    loader = DataLoader(Stream(), batch_size=4, persistent_workers=True, **options)
    first = [batch.tolist() for batch in loader]
    pids = [worker.process.pid for worker in loader._iterator._pool.workers]
    assert [batch.tolist() for batch in loader] == first
    assert [worker.process.pid for worker in loader._iterator._pool.workers] == pids


# From PyTorch 2.13 after manual_seed(0).
RECORDED_DRAWS: list[list[int]] = [
    [0, 2, 900450186894289455, 223507, 25098, 253906],
    [1, 2, 900450186894289456, 810954, 448746, 827724],
    [0, 2, 900450186894289455, 838017, 719145, 636010],
    [1, 2, 900450186894289456, 852360, 607639, 885002],
    [0, 2, 900450186894289455, 289877, 546226, 320804],
    [1, 2, 900450186894289456, 171360, 916042, 105724],
]


def test_init_function_runs_after_seeding():
    def init(worker_id: int) -> None:
        random.seed(worker_id)
        get_worker_info().dataset.size = 99 + worker_id  # type: ignore[union-attr]

    class Sized(Rows):
        def __getitem__(self, index: int) -> Any:
            return self.size, random.random()

    loader = DataLoader(Sized(4), batch_size=None, num_workers=2, worker_init_fn=init)
    expected = [random.Random(0).random(), random.Random(1).random()]
    assert list(loader)[:2] == [[99, expected[0]], [100, expected[1]]]


def test_persistent_workers_start_anew_each_epoch():
    loader = DataLoader(Stream(), batch_size=4, num_workers=2, persistent_workers=True)
    first = [batch.tolist() for batch in loader]
    pids = [worker.process.pid for worker in loader._iterator._pool.workers]
    for number, _ in enumerate(loader):
        if number == 1:
            break
    assert [batch.tolist() for batch in loader] == first
    assert [worker.process.pid for worker in loader._iterator._pool.workers] == pids


@pytest.mark.parametrize(
    "error, kind",
    [
        (ValueError("bad sample"), ValueError),
        (KeyError("bad sample"), KeyError),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad sample"), RuntimeError),
    ],
)
def test_exceptions_come_with_their_type_and_traceback(error, kind):
    with pytest.raises(kind) as raised:
        list(DataLoader(Failing(error), batch_size=2, num_workers=2))
    text = str(raised.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 0.\nOrig")
    assert "bad sample" in text
    assert "raise self.error" in text


def test_exceptions_of_the_init_function():
    def init(worker_id: int) -> None:
        raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        list(DataLoader(Rows(), num_workers=1, worker_init_fn=init))


def test_what_cannot_be_pickled_is_said():
    class Lambdas(Rows):
        def __getitem__(self, index: int) -> Any:
            return lambda: index

    with pytest.raises(Exception, match="Caught .* in DataLoader worker process 0"):
        list(DataLoader(Lambdas(), num_workers=1, collate_fn=lambda samples: samples))


class Dying(Rows):
    def __getitem__(self, index: int) -> Any:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_dead_worker_is_noticed():
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"worker \(pid\(s\) \d+\) exited unexpectedly.*SIGKILL"):
        list(DataLoader(Dying(), batch_size=2, num_workers=2))
    assert time.monotonic() - start < 4


class Slow(Rows):
    def __getitem__(self, index: int) -> Any:
        time.sleep(1.0 if index == 1 else 0)
        return index


def test_a_timeout_is_kept():
    with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds"):
        list(DataLoader(Slow(), num_workers=2, timeout=0.2))


def test_out_of_order_if_asked_for():
    found = [batch.item() for batch in DataLoader(Slow(8), num_workers=2, in_order=False)]
    assert sorted(found) == list(range(8))
    assert found[-1] in (1, 3)


def test_leaving_early_ends_the_workers():
    iterator = iter(DataLoader(Rows(), num_workers=2))
    next(iterator)
    processes = [worker.process for worker in iterator._pool.workers]
    assert all(process.is_alive() for process in processes)
    del iterator
    assert not any(process.is_alive() for process in processes)


def test_workers_end_when_the_program_is_killed(tmp_path):
    import subprocess
    import sys

    program = tmp_path / "program.py"
    program.write_text(
        "import os, time\n"
        "from flambeau.utils.data import DataLoader, Dataset\n"
        "class Slow(Dataset):\n"
        "    def __len__(self): return 1000\n"
        "    def __getitem__(self, index): time.sleep(0.01); return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    for batch in DataLoader(Slow(), num_workers=1):\n"
        "        print(batch.item(), flush=True)\n"
    )
    root = os.path.dirname(os.path.dirname(flambeau.__file__))
    process = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived the program")


def test_data_in_memory_needs_no_process():
    tensors = TensorDataset(flambeau.arange(10))
    iterator = iter(DataLoader(tensors, batch_size=4, num_workers=2))
    assert [batch[0].tolist() for batch in iterator] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert iterator._pool is None


def test_data_in_memory_has_processes_where_they_could_be_noticed():
    class Traced(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return os.getpid()

    loader = DataLoader(Traced(flambeau.arange(3)), num_workers=1)
    assert all(batch.item() != os.getpid() for batch in loader)
