"""Files that are broken, or made to do harm: refused in words, run nothing, allocate nothing."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict

import pytest

import flambeau as torch
from flambeau.serialization.archive import ArchiveReader, ArchiveWriter

from .recorded_files import FILES, unpacked

REFUSALS = (RuntimeError, pickle.UnpicklingError, EOFError, ValueError)


def archive(pickled, **records):
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    writer.write_record("data.pkl", pickled)
    for name, data in records.items():
        writer.write_record(name.replace("_", "/"), data)
    writer.finish()
    return file.getvalue()


def refused(tmp_path, data, match, error=REFUSALS, most=2_000_000, **options):
    """Loading is refused with the file's name, and without more memory than ``most``."""
    path = tmp_path / "some-model.pt"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(error, match=match) as caught:
            torch.load(path, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "some-model.pt" in str(caught.value)
    assert peak < most + 3 * len(data)
    return caught.value


# -- broken files ---------------------------------------------------------------------------------


def test_an_empty_file_is_refused(tmp_path):
    refused(tmp_path, b"", "Ran out of input: .* is empty", EOFError)
    refused(tmp_path, b"", "Ran out of input: .* is empty", EOFError, weights_only=False)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"<html><body>404</body></html>", "begins with b'<html>"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"\x93NUMPY\x01\x00" + bytes(100), "numpy.load"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip: unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
        (pickle.dumps({"a": 1}, 2), "Invalid magic number"),
        (bytes(300), "Invalid magic number"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path, data, match):
    refused(tmp_path, data, match, pickle.UnpicklingError)
    refused(tmp_path, data, match, RuntimeError, weights_only=False)


def test_torchscript_is_refused(tmp_path):
    refused(tmp_path, archive(b"\x80\x02N.", **{"constants.pkl": b"x"}), "TorchScript archive")


@pytest.mark.parametrize("name", ["VIEWS", "LEGACY"])
@pytest.mark.parametrize("weights_only", [True, False])
def test_files_truncated_anywhere_are_refused(tmp_path, name, weights_only):
    data = unpacked(name)
    end = len(data)
    for length in [*range(0, end, 29), *range(end - 120, end)]:
        refused(tmp_path, data[:length], "some-model", weights_only=weights_only)


@pytest.mark.parametrize("name", ["CHECKPOINT", "LEGACY"])
def test_flipped_bits_are_refused_or_harmless(tmp_path, name):
    """In the zip format checksums find them; the older format has none, and has to survive."""
    data = unpacked(name)
    path = tmp_path / "some-model.pt"
    for offset in range(0, len(data), 3 if name == "LEGACY" else 11):
        broken = bytearray(data)
        broken[offset] ^= 1 << offset % 8
        path.write_bytes(broken)
        try:
            torch.load(path)
        except (*REFUSALS, AssertionError) as error:
            assert not isinstance(error, AssertionError)
            assert "some-model.pt" in str(error), (offset, error)


def test_a_missing_record_is_named(tmp_path):
    reader = ArchiveReader(io.BytesIO(unpacked("VIEWS")), "x")
    data = archive(reader.read("data.pkl"))
    refused(tmp_path, data, "locating file data/0: file not found", RuntimeError)
    file = io.BytesIO()
    writer = ArchiveWriter(file)
    writer.write_record("other", b"x")
    writer.finish()
    refused(tmp_path, file.getvalue(), "locating file data.pkl", RuntimeError)


# -- pickles that would run something -------------------------------------------------------------


def os_pickle(module, name, argument):
    """GLOBAL module.name called with a string."""
    head = b"\x80\x02" + f"c{module}\n{name}\n(X".encode()
    return head + struct.pack("<I", len(argument)) + argument.encode() + b"tR."


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"),
        ("builtins", "eval"), ("__builtin__", "exec"), ("builtins", "getattr"),
        ("builtins", "__import__"), ("sys", "exit"), ("importlib", "import_module"),
        ("torch", "load"), ("torch.serialization", "load"), ("flambeau", "load"),
        ("torch._utils", "_import_dotted_name"), ("torch._utils", "importlib"),
        ("torch.serialization", "os"), ("torch.nn", "Linear"), ("numpy", "fromfile"),
        ("torch.jit._script", "load"), ("torch._C", "_VariableFunctionsClass"),
        ("codecs", "encode"), ("torch", "Tensor.__class__"), ("shutil", "rmtree"),
        ("torch.storage", "_load_from_bytes"), ("pickle", "loads"), ("torch", "hub.load"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stacked", [False, True])
def test_what_is_not_on_the_list_is_neither_found_nor_called(tmp_path, module, name, stacked):
    mark = tmp_path / "it-ran"
    data = os_pickle(module, name, f"touch {mark}")
    if stacked:  # as protocol 4 names it
        head = f"c{module}\n{name}\n".encode()
        words = b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
        data = data.replace(head, words + b"\x93")
    refused(tmp_path, archive(data), "Weights only load failed", pickle.UnpicklingError)
    legacy = b"".join(
        pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    refused(tmp_path, legacy + data, "Weights only load failed", pickle.UnpicklingError)
    assert not mark.exists()


def test_the_refusal_says_what_helps(tmp_path):
    data = archive(os_pickle("subprocess", "Popen", "true"))
    message = str(refused(tmp_path, data, "GLOBAL subprocess.Popen was not an allowed global"))
    assert "weights_only" in message
    assert "add_safe_globals([subprocess.Popen])" in message
    message = str(refused(tmp_path, archive(os_pickle("os", "system", "true")), "module os is bl"))
    assert "add_safe_globals" not in message


def test_blocked_modules_stay_blocked_even_if_marked_as_safe(tmp_path):
    mark = tmp_path / "it-ran"
    with torch.serialization.safe_globals([os.system, (os.system, "os.system")]):
        data = archive(os_pickle("os", "system", f"touch {mark}"))
        refused(tmp_path, data, "whose module os is blocked", pickle.UnpicklingError)
    assert not mark.exists()


def word(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


STORAGE = b"(" + word("storage") + b"ctorch\nFloatStorage\n" + word("0") + word("cpu") + b"K\x04tQ"
TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x89"
    b"ccollections\nOrderedDict\n)RtR"
)


def test_the_parts_of_these_pickles_are_well_formed(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(archive(b"\x80\x02" + TENSOR + b".", data_0=bytes(16)))
    assert torch.load(path).tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        # Attributes of classes, tensors and containers are not the file's to set.
        (b"ccollections\nOrderedDict\nN}" + word("keys") + b"K\x01s\x86b", "build"),
        (b"ctorch\nTensor\nN}" + word("__add__") + b"K\x01s\x86b", "build"),
        (TENSOR + b"}" + word("_array") + b"K\x01sb", "build"),
        (b"ccollections\nOrderedDict\n)R}" + word("items") + b"K\x01sb", "methods"),
        (
            b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\n"
            b"ctorch\nTensor\n("
            + STORAGE
            + b"K\x00K\x04\x85K\x01\x85\x89N"
            + b"t}"
            + word("_array")
            + b"K\x01stR",
            "overwrite",
        ),
        # Functions of the list are called with their own arguments only.
        (b"cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x7f\x85R", "bytearray"),
        (b"ccollections\nOrderedDict\nK\x05\x85R", "OrderedDict"),
        (b"cbuiltins\ncomplex\n" + word("1") + b"\x85R", "complex"),
        (b"c_codecs\nencode\n" + word("x") + word("zip") + b"\x86R", "encode"),
        (b"ctorch\nSize\n" + word("x") + b"\x85R", "Size"),
        (b"ctorch\nTensor\n\x8a\x06\x00\x00\x00\x00\x00\x7f\x85R", "Tensor"),
        (b"ctorch\nTensor\n\x8a\x06\x00\x00\x00\x00\x00\x7f\x85\x81", "create new object"),
        (b"ctorch\nFloatStorage\n\x8a\x06\x00\x00\x00\x00\x00\x7f\x85R", "FloatStorage|reduce"),
        (
            b"ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)"
            b"NtR",
            "rebuilt",
        ),
        (b"ctorch.serialization\n_get_layout\n" + word("torch.load") + b"\x85R", "no layout"),
        # Hooks would be called later.
        (
            b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x88}"
            b"K\x00ccollections\nOrderedDict\nstR",
            "hooks",
        ),
        # Persistent ids are storages only.
        (b"(" + word("module") + b"ctorch\nTensor\nNNNtQ", "storage is allowed"),
        (word("storage") + b"Q", "persistent_load"),
        (b"(" + word("storage") + b"NNNNtQ", "no storage is described"),
        # Sizes that reach out of the storage, or are no sizes.
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"K\x05\x85K\x01\x85"), "out of bounds"),
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"K\x04\x85K\x02\x85"), "out of bounds"),
        (TENSOR.replace(b"K\x00K\x04\x85", b"K\x01K\x04\x85"), "out of bounds"),
        (TENSOR.replace(b"K\x00K\x04\x85", b"J\xff\xff\xff\xffK\x04\x85"), "cannot be"),
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"K\x04\x85J\xff\xff\xff\xff\x85"), "cannot be"),
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"J\xff\xff\xff\x7f\x85K\x01\x85"), "out of bou"),
        (
            TENSOR.replace(b"K\x04\x85K\x01\x85", b"\x8a\x09" + b"\xff" * 8 + b"\x00\x85K\x01\x85"),
            "out of bounds",
        ),
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"\x88\x85K\x01\x85"), "cannot be"),
        (TENSOR.replace(b"K\x04\x85K\x01\x85", b"K\x02K\x02\x86K\x01\x85"), "cannot be"),
        (TENSOR.replace(STORAGE, b"N"), "storage"),
        # Storages larger than their records.
        (TENSOR.replace(b"K\x04tQ", b"J\xff\xff\xff\x7ftQ"), "claims 2147483647 elements"),
        (TENSOR.replace(b"K\x04tQ", b"\x8a\x08" + b"\xff" * 7 + b"\x7ftQ"), "claims 9223372"),
        (TENSOR.replace(b"K\x04tQ", b"J\xff\xff\xff\xfftQ"), "claims -1"),
        (TENSOR.replace(word("0"), word("../../../etc/passwd")), "file not found"),
        # Corrupt pickles.
        (b"", "corrupt"),
        (b"R", "corrupt"),
        (b"t", "corrupt"),
        (b"h\x05", "corrupt"),
        (b"]K\x01K\x02s", "SETITEM"),
        (b"}K\x01a", "append"),
        (b"K\x01)R", "reduce for unrecognized"),
        (b"X\xff\xff\xff\xffab", "truncated"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab", "truncated"),
        (b"\x8b\xff\xff\xff\xff", "truncated"),
        (b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated"),
        (b"r\xff\xff\xff\xff", "corrupt"),
        (b"ctorch", "truncated"),
        (b"S'os'\n", "Unsupported operand"),
        (b"i" + b"os\nsystem\n", "Unsupported operand"),
        (b"P0\n", "Unsupported operand"),
        (b"\x80\x09", "protocol"),
        (b"}]K\x01s", "TypeError|unhashable"),
        (b"}K\x01X\x02\x00\x00\x00\xff\xfes", "corrupt"),
    ],
)
@pytest.mark.parametrize("end", [b"."])
def test_hostile_pickles_are_refused(tmp_path, pickled, match, end):
    data = archive(b"\x80\x02" + pickled + end, data_0=bytes(16))
    refused(tmp_path, data, match)


def test_copies_of_copies_are_refused(tmp_path):
    """A small file that asks for a large dictionary again and again."""
    pairs = [b"J" + struct.pack("<i", key) + b"K\x01\x86" for key in range(4_000)]
    items = b"(" + b"".join(pairs) + b"t"
    pickled = (
        b"\x80\x02"
        + items
        + b"q\x000ccollections\nOrderedDict\nq\x010("
        + b"h\x01h\x00\x85R" * 4_000
        + b"t."
    )
    refused(tmp_path, archive(pickled), "far more copies", most=50_000_000)


def test_keys_nested_too_deeply_are_refused(tmp_path):
    pickled = b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s."
    refused(tmp_path, archive(pickled), "nested too deeply", most=100_000_000)


def test_deep_nesting_alone_is_no_harm(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(archive(b"\x80\x02)" + b"\x85" * 100_000 + b"."))
    loaded = torch.load(path)
    assert len(loaded) == 1


def test_a_large_memo_index_costs_nothing(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(archive(b"\x80\x02K\x01r\xff\xff\xff\xff."))
    assert torch.load(path) == 1


def test_legacy_files_cannot_claim_more_than_they_hold(tmp_path):
    data = unpacked("LEGACY")
    for count in (b"\x7f\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x7f"):
        assert b"K\x18Nt" in data
        broken = data.replace(b"K\x18Nt", b"J" + count[-4:] + b"Nt")
        refused(tmp_path, broken, "more than the file holds|claims")


def test_a_storage_mapped_to_another_record_size_is_refused(tmp_path):
    data = archive(b"\x80\x02" + TENSOR + b".", data_0=bytes(17))
    refused(tmp_path, data, "claims 4 elements of torch.float32 .* holds 17 bytes", RuntimeError)
    refused(tmp_path, data, "holds 17 bytes", RuntimeError, weights_only=False)
    refused(tmp_path, data, "holds 17 bytes", RuntimeError, mmap=True)


def test_an_unknown_byte_order_is_refused(tmp_path):
    data = archive(b"\x80\x02" + TENSOR + b".", data_0=bytes(16), byteorder=b"middle")
    refused(tmp_path, data, "Unknown endianness", ValueError)


def test_files_of_the_other_byte_order_are_loaded(tmp_path):
    path = tmp_path / "a.pt"
    content = struct.pack(">4f", 1, 2, 3, 4)
    path.write_bytes(archive(b"\x80\x02" + TENSOR + b".", data_0=content, byteorder=b"big"))
    assert torch.load(path).tolist() == [1.0, 2.0, 3.0, 4.0]
    assert torch.load(path, mmap=True).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_unknown_classes_are_reported_with_the_file(tmp_path):
    path = tmp_path / "some-model.pt"
    path.write_bytes(archive(b"\x80\x02ctorch.nn.modules.strange\nStrange\n)\x81."))
    with pytest.raises(AttributeError, match="has no torch.nn.modules.strange.Strange") as caught:
        torch.load(path, weights_only=False)
    assert any("some-model.pt" in note for note in caught.value.__notes__)


def test_a_pickle_module_is_not_for_weights_only(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(OrderedDict(a=1), path)
    assert torch.load(path, pickle_module=pickle) == {"a": 1}
    with pytest.raises(RuntimeError, match="Can not safely load weights"):
        torch.load(path, pickle_module=pickle, weights_only=True)


def test_every_recorded_file_is_one_that_is_loaded():
    for name in FILES:
        torch.load(io.BytesIO(unpacked(name)), weights_only=False)
