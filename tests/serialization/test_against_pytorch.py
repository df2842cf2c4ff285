"""Files both ways between PyTorch and flambeau, to the bit."""

from __future__ import annotations

import io
import pickletools
import zipfile

import numpy as np
import pytest

import flambeau as torch

pytorch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")

DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex64 complex128 float8_e4m3fn float8_e5m2"
).split()


def saved(library, obj, **options):
    file = io.BytesIO()
    library.save(obj, file, **options)
    return file.getvalue()


def loaded(library, data, **options):
    return library.load(io.BytesIO(data), **options)


def contents(data):
    """A file's bytes up to PyTorch's identifier, which is a hash of its own making."""
    return data[: data.index(b"/.data/serialization_id")]


def objects(library):
    """The same things in either library."""
    base = library.arange(24.0).reshape(2, 3, 4)
    library.manual_seed(0)
    model = library.nn.Sequential(
        library.nn.Linear(3, 2), library.nn.BatchNorm1d(2), library.nn.Linear(2, 1, bias=False)
    )
    optimizer = library.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(library.ones(4, 3)).sum().backward()
    optimizer.step()
    leaf = library.ones(3, requires_grad=True)
    tagged = library.ones(2)
    tagged.tag = "words"
    return {
        "dtypes": {
            name: library.tensor([0, 1, 3]).to(getattr(library, name)) for name in DTYPES
        },
        "views": [base, base.transpose(0, 2)[1:, ::2], base[1], base[0, 0, 0], base[:0]],
        "expanded": library.tensor([[1.0], [2.0]]).expand(2, 3),
        "empty": library.empty(2, 0, 3),
        "scalar": library.tensor(5),
        "parameter": library.nn.Parameter(base[0]),
        "leaf": leaf,
        "computed": leaf * 2,
        "tagged": tagged,
        "state": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "plain": [
            library.float32, library.bfloat16, library.device("cpu"), library.device("cuda:1"),
            library.Size([2, 3]), 1.5, 3 + 4j, b"abc", {1, 2}, None, True, 2**70, -1, 70000, "é",
            bytearray(b"xyz"), (1, 2, 3, 4),
        ],
    }  # fmt: skip


# The states of small parameters share one array in our optimizers.
@pytest.mark.parametrize("name", [name for name in objects(pytorch) if name != "optimizer"])
def test_the_same_thing_makes_the_same_file(name):
    ours, theirs = saved(torch, objects(torch)[name]), saved(pytorch, objects(pytorch)[name])
    if name == "state":  # the numbers may differ in the last bit
        ours, theirs = (pickled(data) for data in (ours, theirs))
    else:
        ours, theirs = contents(ours), contents(theirs)
    assert ours == theirs


def pickled(data):
    text = io.StringIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pickletools.dis(archive.read("archive/data.pkl"), out=text)
    return text.getvalue()


@pytest.mark.parametrize("weights_only", [True, False])
def test_pytorch_loads_what_flambeau_saved(weights_only):
    mine = objects(torch)
    theirs = loaded(pytorch, saved(torch, mine), weights_only=weights_only)
    for name in DTYPES:
        assert str(theirs["dtypes"][name].dtype) == f"torch.{name}"
        assert same_bits(mine["dtypes"][name], theirs["dtypes"][name])
    for ours, other in zip(mine["views"], theirs["views"]):
        assert ours.stride() == other.stride()
        assert same_bits(ours, other)
    theirs["views"][0].fill_(9.0)
    assert theirs["parameter"].flatten().tolist() == [9.0] * 12
    assert type(theirs["parameter"]) is pytorch.nn.Parameter
    assert theirs["leaf"].requires_grad
    assert theirs["tagged"].tag == "words"
    assert theirs["state"]._metadata == mine["state"]._metadata
    model = pytorch.nn.Sequential(
        pytorch.nn.Linear(3, 2), pytorch.nn.BatchNorm1d(2), pytorch.nn.Linear(2, 1, bias=False)
    )
    model.load_state_dict(theirs["state"])
    optimizer = pytorch.optim.SGD(model.parameters(), lr=1.0, momentum=0.5)
    optimizer.load_state_dict(theirs["optimizer"])
    assert optimizer.param_groups[0]["momentum"] == 0.9
    model(pytorch.ones(4, 3)).sum().backward()
    optimizer.step()


def same_bits(ours, theirs):
    flat = theirs.detach().contiguous().reshape(-1)
    raw = flat.view(pytorch.uint8).numpy() if flat.numel() else np.empty(0, np.uint8)
    return np.ascontiguousarray(ours._array).tobytes() == raw.tobytes()


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_flambeau_loads_what_pytorch_saved(weights_only, protocol):
    theirs = objects(pytorch)
    data = saved(pytorch, theirs, pickle_protocol=protocol)
    mine = loaded(torch, data, weights_only=weights_only)
    for name in DTYPES:
        assert str(mine["dtypes"][name].dtype) == f"torch.{name}"
        assert same_bits(mine["dtypes"][name], theirs["dtypes"][name])
    for ours, other in zip(mine["views"], theirs["views"]):
        assert ours.stride() == other.stride()
        assert same_bits(ours, other)
    assert mine["state"]._metadata == theirs["state"]._metadata
    assert mine["tagged"].tag == "words"


def test_a_file_goes_through_flambeau_and_comes_out_as_it_was():
    data = saved(pytorch, objects(pytorch))
    assert contents(saved(torch, loaded(torch, data))) == contents(data)


@pytest.mark.parametrize("weights_only", [True, False])
def test_the_older_format_both_ways(weights_only):
    # PyTorch does not load untyped storages of the older format itself.
    newer = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")
    for source, target in ((torch, pytorch), (pytorch, torch)):
        obj = objects(source)
        for name in newer:
            del obj["dtypes"][name]
        data = saved(source, obj, _use_new_zipfile_serialization=False)
        result = loaded(target, data, weights_only=weights_only)
        for one, two in zip(obj["views"], result["views"]):
            assert one.tolist() == two.tolist()
        result["views"][0].fill_(9.0)
        assert result["parameter"].flatten().tolist() == [9.0] * 12


def test_pytorch_maps_our_files_and_we_map_theirs(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(objects(torch)["views"], path)
    assert pytorch.load(path, mmap=True)[1].tolist() == objects(torch)["views"][1].tolist()
    pytorch.save(objects(pytorch)["views"], path)
    assert torch.load(path, mmap=True)[1].tolist() == objects(torch)["views"][1].tolist()


def test_the_archives_folder_is_named_as_pytorch_names_it(tmp_path):
    for name in ("model.pt", "a.tar.gz", "plain", "with space.pth"):
        folders = []
        for library in (torch, pytorch):
            library.save([], tmp_path / name)
            with zipfile.ZipFile(tmp_path / name) as archive:
                folders.append(archive.namelist()[0])
        assert folders[0] == folders[1]


def modules(library):
    nn = library.nn
    return {
        "mlp": nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2), nn.Linear(4, 2)),
        "cnn": nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Tanh(), nn.MaxPool2d(2),
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 4),
            nn.LayerNorm(4), nn.Sigmoid(),
        ),
        "embedding": nn.Sequential(nn.Embedding(5, 3, padding_idx=0), nn.Flatten()),
        "losses": nn.ModuleList(
            [nn.MSELoss(), nn.CrossEntropyLoss(label_smoothing=0.1), nn.BCEWithLogitsLoss()]
        ),
        "activations": nn.ModuleDict(
            {"a": nn.LeakyReLU(0.2), "b": nn.ELU(), "c": nn.GELU(), "d": nn.Softmax(dim=1)}
        ),
    }  # fmt: skip


INPUTS = {
    "mlp": lambda library: library.arange(6.0).reshape(2, 3) / 6,
    "cnn": lambda library: library.arange(128.0).reshape(2, 1, 8, 8) / 128,
    "embedding": lambda library: library.tensor([[0, 2], [4, 1]]),
}


@pytest.mark.parametrize("name", list(modules(pytorch)))
@pytest.mark.parametrize("training", [True, False])
def test_whole_modules_both_ways(name, training):
    for source, target in ((torch, pytorch), (pytorch, torch)):
        model = modules(source)[name].train(training)
        copy = loaded(target, saved(source, model), weights_only=False)
        assert copy.training is training
        assert repr(copy) == repr(model)
        assert type(copy).__name__ == type(model).__name__
        state = model.state_dict()
        assert list(copy.state_dict()) == list(state)
        if name in INPUTS:
            model.eval()
            copy.eval()
            expected = model(INPUTS[name](source)).tolist()
            np.testing.assert_allclose(
                copy(INPUTS[name](target)).tolist(), expected, rtol=1e-5, atol=1e-6
            )
            copy.train()
            if name != "embedding":
                copy(INPUTS[name](target)).sum().backward()


def test_generators_both_ways():
    for source, target in ((torch, pytorch), (pytorch, torch)):
        generator = source.Generator()
        generator.manual_seed(11)
        source.randn(5, generator=generator)
        copy = loaded(target, saved(source, generator), weights_only=False)
        np.testing.assert_allclose(
            target.rand(4, generator=copy).tolist(), source.rand(4, generator=generator).tolist()
        )


def test_refusals_are_pytorchs():
    import collections
    import pickle

    data = saved(torch, collections.deque())
    for library in (torch, pytorch):
        with pytest.raises(pickle.UnpicklingError, match="^Weights only load failed") as caught:
            loaded(library, data)
        assert (
            "Unsupported global: GLOBAL collections.deque was not an allowed global by default. "
            "Please use `torch.serialization.add_safe_globals([collections.deque])`"
        ) in str(caught.value)
    for library in (torch, pytorch):
        with pytest.raises(RuntimeError, match="PytorchStreamReader failed reading zip archive: f"):
            loaded(library, data[:-30])
