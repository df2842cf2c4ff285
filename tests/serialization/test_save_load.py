"""What is saved is what is loaded; files of PyTorch's that were recorded are loaded without it."""

from __future__ import annotations

import io
import os
import pathlib
import stat
import subprocess
import sys
import textwrap
from collections import Counter, OrderedDict, defaultdict, deque

import numpy as np
import pytest

import flambeau as torch
from flambeau.serialization.archive import ArchiveReader, ArchiveWriter
from flambeau.tensor import wrap

from .recorded_files import CNN_OUTPUT, GENERATOR_NEXT, unpacked

nn = torch.nn


def saved(obj, **options):
    file = io.BytesIO()
    torch.save(obj, file, **options)
    return file.getvalue()


def round_trip(obj, **options):
    return torch.load(io.BytesIO(saved(obj)), **options)


def recorded(name, **options):
    return torch.load(io.BytesIO(unpacked(name)), **options)


# -- files recorded from PyTorch ------------------------------------------------------------------

DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex64 complex128 float8_e4m3fn float8_e5m2"
).split()


@pytest.mark.parametrize("weights_only", [True, False])
def test_every_dtype_of_pytorchs_is_loaded(weights_only):
    pytest.importorskip("ml_dtypes")
    loaded = recorded("DTYPES", weights_only=weights_only)
    assert list(loaded) == DTYPES
    for name, tensor in loaded.items():
        assert str(tensor.dtype) == f"torch.{name}"
        expected = [False, True, True] if name == "bool" else [0, 1, 3]
        assert tensor._array.astype(np.complex128).tolist() == expected


@pytest.mark.parametrize("weights_only", [True, False])
def test_views_share_storage_and_keep_their_strides(weights_only):
    loaded = recorded("VIEWS", weights_only=weights_only)
    base = loaded["base"]
    assert base.tolist() == torch.arange(24.0).reshape(2, 3, 4).tolist()
    assert loaded["transposed"].stride() == (1, 8, 12)
    assert loaded["transposed"].tolist() == base.transpose(0, 2)[1:, ::2].tolist()
    assert loaded["expanded"].stride() == (1, 0)
    assert loaded["expanded"].tolist() == [[1, 1, 1], [2, 2, 2]]
    assert loaded["scalar"].tolist() == 5
    assert loaded["scalar"].shape == ()
    assert loaded["empty"].shape == (2, 0, 3)
    assert type(loaded["parameter"]) is nn.Parameter
    assert loaded["parameter"].requires_grad
    assert loaded["leaf"].requires_grad
    assert loaded["leaf"].is_leaf
    assert loaded["conjugate"].tolist() == [1 - 2j]
    base.fill_(7.0)
    assert loaded["row"].tolist() == [[7.0] * 4] * 3
    assert set(loaded["parameter"].flatten().tolist()) == {7.0}


@pytest.mark.parametrize("weights_only", [True, False])
def test_a_whole_checkpoint_is_loaded(weights_only):
    loaded = recorded("CHECKPOINT", weights_only=weights_only)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3))
    assert type(loaded["model"]) is OrderedDict
    assert loaded["model"]._metadata[""] == {"version": 1}
    model.load_state_dict(loaded["model"])
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    optimizer.load_state_dict(loaded["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.01
    assert optimizer.state[model[0].weight]["step"].item() == 1
    rest = {k: v for k, v in loaded.items() if k not in ("model", "optimizer")}
    assert rest == {
        "epoch": 3, "losses": [0.5, 0.25], "shape": torch.Size([2, 3]), "dtype": torch.float16,
        "device": torch.device("cuda", 1), "name": "é", "big": 2**70, "set": {1, 2},
        "complex": 1 + 2j, "bytes": b"ab", "none": None,
    }  # fmt: skip
    assert type(rest["shape"]) is torch.Size


def test_whole_modules_of_pytorchs_are_loaded_and_run():
    linear = recorded("LINEAR", weights_only=False)
    assert type(linear) is nn.Linear
    assert linear(torch.tensor([[1.0, 10.0]])).tolist() == [[33.0]]
    model = recorded("CNN", weights_only=False)
    assert not model.training
    result = model(torch.arange(16.0).reshape(1, 1, 4, 4) / 16)
    np.testing.assert_allclose(result.tolist(), CNN_OUTPUT, rtol=1e-5)
    assert "Conv2d(1, 2, kernel_size=(3, 3)" in repr(model)


def test_whole_modules_need_permission():
    with pytest.raises(Exception, match="GLOBAL torch.nn.modules.linear.Linear was not an all"):
        recorded("LINEAR")
    with torch.serialization.safe_globals([nn.Linear]):
        assert type(recorded("LINEAR")) is nn.Linear


def test_a_generator_goes_on_where_pytorchs_was():
    generator = recorded("GENERATOR", weights_only=False)
    assert torch.rand(3, generator=generator).tolist() == GENERATOR_NEXT


@pytest.mark.parametrize("weights_only", [True, False])
def test_the_format_from_before_the_zip_format_is_loaded(weights_only):
    loaded = recorded("LEGACY", weights_only=weights_only)
    assert loaded["n"] == 1
    loaded["a"].fill_(3.0)
    assert loaded["row"].tolist() == [[3.0] * 4] * 3
    for name, tensor in recorded("LEGACY_DTYPES", weights_only=weights_only).items():
        assert str(tensor.dtype) == f"torch.{name}"
        expected = [False, True, True] if name == "bool" else [0, 1, 3]
        assert tensor._array.astype(np.complex128).tolist() == expected


# -- round trips ----------------------------------------------------------------------------------


def numbers(dtype):
    kind = getattr(torch, dtype)
    bits = np.random.default_rng(0).integers(0, 256, 24 * kind.itemsize, np.uint8)
    if kind is torch.bool:
        bits &= 1
    return wrap(bits.view(kind.numpy))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("as_zip", [True, False])
def test_every_bit_of_every_dtype_survives(dtype, weights_only, as_zip):
    pytest.importorskip("ml_dtypes")
    tensor = numbers(dtype)
    data = saved(tensor, _use_new_zipfile_serialization=as_zip)
    loaded = torch.load(io.BytesIO(data), weights_only=weights_only)
    assert loaded.dtype is tensor.dtype
    assert loaded._array.tobytes() == tensor._array.tobytes()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("weights_only", [True, False])
def test_every_protocol_is_read_back(protocol, weights_only):
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    obj = {"a": [1, 2.5, "é" * 300, b"x" * 300, None, True], "state": model.state_dict()}
    loaded = torch.load(io.BytesIO(saved(obj, pickle_protocol=protocol)), weights_only=weights_only)
    assert loaded["a"] == obj["a"]
    assert loaded["state"]._metadata == obj["state"]._metadata
    for name, value in obj["state"].items():
        assert torch.equal(loaded["state"][name], value)


def test_shared_storage_is_saved_once_and_shared_again():
    base = torch.arange(1000.0)
    both = [base, base[10:20], base.view(10, 100).t()]
    assert len(saved(both)) < len(saved(base)) + 1000
    first, second, third = round_trip(both)
    first[10] = -1.0
    assert second[0].item() == -1.0
    assert third[10, 0].item() == -1.0
    assert third.stride() == (1, 100)


def test_a_view_takes_its_whole_storage_along_and_a_clone_does_not():
    base = torch.arange(10000.0)
    assert len(saved(base[:2])) > 40000 > 10000 > len(saved(base[:2].clone()))


def test_tensors_of_two_dtypes_on_one_storage_are_refused():
    base = torch.zeros(4)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        saved([base, base.view(torch.int32)])


def test_tensors_in_fortran_order_keep_it():
    tensor = torch.from_numpy(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    loaded = round_trip(tensor)
    assert loaded.stride() == (1, 2)
    assert torch.equal(loaded, tensor)


def test_tensors_of_foreign_memory_are_saved():
    buffer = bytearray(np.arange(6, dtype=np.float32).tobytes())
    tensor = torch.from_numpy(np.frombuffer(buffer, np.float32)[::2])
    assert round_trip(tensor).tolist() == [0.0, 2.0, 4.0]


def test_parameters_flags_and_attributes_survive():
    parameter = nn.Parameter(torch.ones(2), requires_grad=False)
    parameter.note = "mine"
    tensor = torch.ones(2, requires_grad=True)
    tensor.tag = [1, 2]
    for weights_only in (True, False):
        one, two = round_trip([parameter, tensor], weights_only=weights_only)
        assert type(one) is nn.Parameter
        assert not one.requires_grad
        assert one.note == "mine"
        assert type(two) is torch.Tensor
        assert two.requires_grad
        assert two.tag == [1, 2]


def test_a_computed_tensor_is_loaded_as_a_leaf():
    leaf = torch.ones(2, requires_grad=True)
    loaded = round_trip(leaf * 2)
    assert loaded.is_leaf
    assert loaded.requires_grad
    assert loaded.grad_fn is None


def test_tied_weights_stay_tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    loaded = round_trip(model, weights_only=False)
    assert loaded[0].weight is loaded[1].weight
    state = round_trip(model.state_dict())
    state["0.weight"].fill_(5.0)
    assert state["1.weight"].tolist() == [[5.0, 5.0], [5.0, 5.0]]


def test_plain_objects_survive():
    obj = {
        "numbers": [0, -1, 255, 256, 65536, 2**31, -(2**70), 1.5, float("inf"), 1 - 2j],
        "texts": ["", "é", "x" * 70000], "bytes": [b"", b"\xff" * 300, bytearray(b"ab")],
        "sets": [set(), {1, "a"}], "ordered": OrderedDict(b=1, a=2), "counter": Counter("aab"),
        "nested": (((), (1,), (1, 2)), (1, 2, 3, 4)), "same": [None, True, False],
        "torch": [torch.float32, torch.bfloat16, torch.device("cpu"), torch.Size([1, 2])],
        (1, "key"): "tuple", None: 1, 2.5: 2,
    }  # fmt: skip
    assert round_trip(obj) == obj
    loop = [1]
    loop.append(loop)
    loaded = round_trip(loop)
    assert loaded[1] is loaded


def test_whole_modules_of_the_program_survive():
    model = Program(3)
    model.eval()
    loaded = round_trip(model, weights_only=False)
    assert type(loaded) is Program
    assert not loaded.training
    x = torch.rand(2, 3)
    assert torch.equal(loaded(x), model(x))
    with torch.serialization.safe_globals([Program, nn.Linear, nn.Tanh]):
        assert torch.equal(round_trip(model)(x), model(x))


def test_lazy_modules_survive_before_they_know_their_shape():
    loaded = round_trip(nn.LazyLinear(2), weights_only=False)
    assert repr(loaded) == repr(nn.LazyLinear(2))
    assert loaded(torch.ones(3, 4)).shape == (3, 2)
    assert type(loaded) is nn.Linear


class Program(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, 2)
        self.act = nn.Tanh()
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x):
        return self.act(self.layer(x)) * self.scale


def test_optimizers_and_schedulers_survive():
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(3):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
    loaded = round_trip({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()})
    other = torch.optim.SGD(model.parameters(), lr=5.0)
    other.load_state_dict(loaded["optimizer"])
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]
    assert loaded["scheduler"]["last_epoch"] == 3


def test_a_generator_survives():
    generator = torch.Generator()
    generator.manual_seed(3)
    torch.randn(7, generator=generator)
    loaded = round_trip(generator, weights_only=False)
    assert torch.equal(torch.randn(5, generator=loaded), torch.randn(5, generator=generator))


# -- what is safe ---------------------------------------------------------------------------------


@pytest.fixture
def no_safe_globals():
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()


def test_classes_of_the_program_are_refused_until_they_are_marked_as_safe(no_safe_globals):
    data = saved(deque([1, 2]))
    with pytest.raises(Exception, match=r"add_safe_globals\(\[collections.deque\]\)"):
        torch.load(io.BytesIO(data))
    torch.serialization.add_safe_globals([deque])
    assert torch.serialization.get_safe_globals() == [deque]
    assert torch.load(io.BytesIO(data)) == deque([1, 2])
    torch.serialization.clear_safe_globals()
    assert torch.serialization.get_safe_globals() == []
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(io.BytesIO(data))
    with torch.serialization.safe_globals([deque]):
        assert torch.load(io.BytesIO(data)) == deque([1, 2])
    with pytest.raises(Exception, match="Weights only load failed"):
        torch.load(io.BytesIO(data))


def test_a_safe_class_may_have_another_name_in_the_file(no_safe_globals):
    data = saved(deque([1]))
    with torch.serialization.safe_globals([(list, "collections.deque")]):
        assert torch.load(io.BytesIO(data)) == [1]


def test_unsafe_names_are_listed_without_loading(no_safe_globals, tmp_path):
    path = tmp_path / "a.pt"
    torch.save([deque(), nn.Linear(1, 1), torch.ones(1)], path)
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == [
        "collections.deque", "torch.nn.modules.linear.Linear",
    ]  # fmt: skip
    torch.serialization.add_safe_globals([deque, nn.Linear])
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []


def test_errors_of_safe_classes_come_through(no_safe_globals):
    with torch.serialization.safe_globals([Touchy]):
        with pytest.raises(ZeroDivisionError, match="touched"):
            torch.load(io.BytesIO(saved(Touchy())))


class Touchy:
    def __getstate__(self):
        return {"x": 1}

    def __setstate__(self, state):
        raise ZeroDivisionError("touched")


def test_dictionaries_of_the_program_keep_their_kind(no_safe_globals):
    obj = defaultdict(list, a=[1])
    with torch.serialization.safe_globals([defaultdict, list]):
        assert round_trip(obj) == obj


def test_environment_variables_force_weights_only(monkeypatch):
    data = saved(deque())
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.warns(UserWarning, match="forcing weights_only=False"):
        assert torch.load(io.BytesIO(data)) == deque()
    with pytest.raises(Exception, match="Weights only"):
        torch.load(io.BytesIO(data), weights_only=True)
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(RuntimeError, match="both were set"):
        torch.load(io.BytesIO(data))


# -- files and places -----------------------------------------------------------------------------


def test_paths_files_and_buffers(tmp_path):
    tensor = torch.arange(5.0)
    for path in (str(tmp_path / "a.pt"), tmp_path / "b.pt", tmp_path / "ünïcode", tmp_path / ".pt"):
        torch.save(tensor, path)
        assert torch.equal(torch.load(path), tensor)
    with open(tmp_path / "c.pt", "wb") as file:
        file.write(b"head")
        torch.save(tensor, file)
    with open(tmp_path / "c.pt", "rb") as file:
        file.seek(4)
        assert torch.equal(torch.load(file), tensor)
    with pytest.raises(AttributeError, match="'write' attribute"):
        torch.save(tensor, 5)
    with pytest.raises(TypeError, match="open for text"), open(tmp_path / "d", "w") as file:
        torch.save(tensor, file)
    with pytest.raises(TypeError, match="open for text"), open(tmp_path / "d") as file:
        torch.load(file)


def test_files_that_cannot_go_back_are_refused():
    read, write = os.pipe()
    with open(read, "rb") as file, open(write, "wb"):
        with pytest.raises(io.UnsupportedOperation, match="only torch.load from a file that is s"):
            torch.load(file)


def test_mapped_files_are_read_when_used_and_not_written(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.arange(5.0), "b": torch.arange(3)}, path)
    before = path.read_bytes()
    loaded = torch.load(path, mmap=True)
    loaded["a"].fill_(9.0)
    assert loaded["a"].tolist() == [9.0] * 5
    assert loaded["b"].tolist() == [0, 1, 2]
    assert path.read_bytes() == before
    assert len(saved(loaded["b"])) < 2000
    with pytest.raises(ValueError, match="f must be a file path"):
        torch.load(io.BytesIO(before), mmap=True)
    torch.save(torch.ones(1), path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        torch.load(path, mmap=True)


@pytest.mark.parametrize(
    "map_location",
    ["cpu", torch.device("cpu"), {"cpu": "cpu"}, lambda storage, tag: storage,
     lambda storage, tag: None, lambda storage, tag: storage.cpu()],
)  # fmt: skip
def test_map_location(map_location):
    loaded = round_trip([torch.ones(2)], map_location=map_location)
    assert loaded[0].tolist() == [1.0, 1.0]
    assert loaded[0].device == torch.device("cpu")


def test_tensors_of_a_gpu_need_map_location_where_there_is_none():
    reader = ArchiveReader(io.BytesIO(saved(torch.ones(2))), "x")
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    for name in ("data.pkl", "byteorder", "data/0"):
        content = reader.read(name)
        writer.write_record(name, content.replace(b"\x03\0\0\0cpu", b"\x06\0\0\0cuda:0"))
    writer.finish()
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA dev"):
            torch.load(io.BytesIO(file.getvalue()))
    for place in ("cpu", {"cuda:0": "cpu"}, lambda storage, tag: storage):
        loaded = torch.load(io.BytesIO(file.getvalue()), map_location=place)
        assert loaded.tolist() == [1.0, 1.0]


# -- saving as a whole ----------------------------------------------------------------------------


class Unpicklable:
    def __reduce__(self):
        raise ValueError("not this one")


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(1, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not this one"):
        torch.save([torch.ones(10), Unpicklable()], path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.pt"]


@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_a_killed_save_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(torch.zeros(200_000), path)
    script = textwrap.dedent(
        f"""
        import flambeau as torch
        print("ready", flush=True)
        step = 0
        while True:
            step += 1
            torch.save(torch.full((200_000,), float(step)), {str(path)!r})
        """
    )
    for delay in (0.0, 0.004, 0.011):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE,
            cwd=pathlib.Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05 + delay)
        process.kill()
        process.wait()
        process.stdout.close()
        loaded = torch.load(path)
        assert loaded.shape == (200_000,)
        assert (loaded == loaded[0]).all()


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_and_links_are_kept(tmp_path):
    path = tmp_path / "a.pt"
    umask = os.umask(0o027)
    try:
        torch.save(1, path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    torch.save(2, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    link = tmp_path / "latest.pt"
    link.symlink_to("a.pt")
    torch.save(3, link)
    assert link.is_symlink()
    assert torch.load(path) == 3


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no /dev/null")
def test_devices_are_written_to_and_stay_devices():
    torch.save(torch.ones(3), "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_places_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(RuntimeError, match="Parent directory .*none does not exist"):
        torch.save(1, tmp_path / "none" / "a.pt")
    with pytest.raises(RuntimeError, match="names a folder"):
        torch.save(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "absent.pt")
    with pytest.raises((IsADirectoryError, PermissionError)):
        torch.load(tmp_path)
