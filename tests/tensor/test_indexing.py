"""``tensor[key]`` and ``tensor[key] = value`` for every form of key, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flambeau as torch

SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)


@st.composite
def shapes_and_keys(draw: Any) -> tuple[tuple[int, ...], Any]:
    """A shape and a key, as descriptions that :func:`_key` turns into one module's objects."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    items: list[Any] = []
    dim = 0
    ellipsis = False
    broadcast = draw(st.sampled_from([(2,), (3,), (1,), (2, 3), ()]))
    while dim < len(shape):
        kind = draw(
            st.sampled_from(
                ["int", "slice", "slice", "none", "ellipsis", "index", "index", "list", "mask",
                 "array", "stop", "bool"]
            )
        )  # fmt: skip
        n = shape[dim]
        if kind == "stop":
            break
        if kind == "none":
            items.append(None)
            if len(items) > 6:
                break
            continue
        if kind == "bool":
            if len(items) > 6:
                break
            items.append(draw(st.booleans()))
            continue
        if kind == "ellipsis":
            if ellipsis:
                continue
            ellipsis = True
            skipped = draw(st.integers(0, len(shape) - dim))
            # what follows must still fit: the ellipsis takes whatever is left
            items.append(Ellipsis)
            dim += skipped
            continue
        if kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-n - 2, n + 2)
            items.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
        elif kind in ("index", "array", "list"):
            size = broadcast if kind != "list" else broadcast[-1:] or (1,)
            if kind == "list" and len(size) != 1:
                size = (1,)
            values = draw(
                st.lists(st.integers(-n, n - 1), min_size=int(np.prod(size)),
                         max_size=int(np.prod(size)))
            )  # fmt: skip
            array = np.array(values, np.int64).reshape(size)
            items.append((kind, array if kind != "list" else array.tolist()))
        else:
            count = draw(st.integers(1, min(2, len(shape) - dim)))
            size = shape[dim : dim + count]
            bits = draw(st.lists(st.booleans(), min_size=int(np.prod(size)),
                                 max_size=int(np.prod(size))))  # fmt: skip
            items.append(("mask", np.array(bits, bool).reshape(size)))
            dim += count - 1
        dim += 1
    if len(items) == 1 and draw(st.booleans()):
        return shape, items[0]
    return shape, items


def _key(module: Any, described: Any) -> Any:
    def item(value: Any) -> Any:
        if not isinstance(value, tuple):
            return value
        kind, content = value
        if kind == "list":
            return list(content)
        if kind == "array":
            return content
        return module.from_numpy(content.copy())

    if isinstance(described, list):
        return tuple(item(d) for d in described)
    return item(described)


def _tensor(module: Any, shape: tuple[int, ...]) -> Any:
    values = np.arange(1.0, 1.0 + int(np.prod(shape))).reshape(shape)
    return module.from_numpy(values)


def _attempt(function: Any) -> Any:
    try:
        return function()
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        return type(error).__name__


def _compare(expected: Any, found: Any, described: Any) -> None:
    if isinstance(expected, str) or isinstance(found, str):
        assert isinstance(expected, str) and isinstance(found, str), (expected, found, described)
        return
    for wanted, have in zip(expected, found, strict=True):
        np.testing.assert_array_equal(have, wanted)


def _read(module: Any, shape: tuple[int, ...], described: Any) -> Any:
    source = _tensor(module, shape).requires_grad_(True)
    part = source[_key(module, described)]
    weights = np.arange(1.0, 1.0 + part.numel()).reshape(tuple(part.shape))
    if part.requires_grad:
        (part * module.from_numpy(weights)).sum().backward()
    shares = part.numel() > 0 and (
        source.data_ptr() <= part.data_ptr() < source.data_ptr() + 8 * source.numel()
    )
    grad = np.zeros(shape) if source.grad is None else source.grad.numpy()
    return part.detach().numpy().copy(), grad, np.array(shares)


@SETTINGS
@given(shapes_and_keys())
def test_reading_any_key_gives_pytorchs_values_gradients_and_views(case: Any) -> None:
    reference = pytest.importorskip("torch")
    shape, described = case
    expected = _attempt(lambda: _read(reference, shape, described))
    _compare(expected, _attempt(lambda: _read(torch, shape, described)), case)


def _without_repetition(described: Any) -> bool:
    """Whether no index of the key can name an element twice (there, which write wins is open)."""
    items = described if isinstance(described, list) else [described]
    for value in items:
        if isinstance(value, tuple) and value[0] != "mask":
            flat = np.asarray(value[1]).ravel()
            if len(set((flat % 97).tolist())) != flat.size or (flat < 0).any():
                return False
    return True


def _write(module: Any, shape: tuple[int, ...], described: Any, form: str) -> Any:
    source = _tensor(module, shape).requires_grad_(True)
    target = source * 1.0
    key = _key(module, described)
    like = target[key].detach()
    value: Any = -1.5
    if form != "number":
        size = tuple(like.shape)
        if form == "row":
            size = size[-1:]
        values = -np.arange(1.0, 1.0 + int(np.prod(size))).reshape(size)
        value = module.from_numpy(values).requires_grad_(True)
    target[key] = value
    weights = np.arange(1.0, 1.0 + target.numel()).reshape(shape)
    (target * module.from_numpy(weights)).sum().backward()
    result = [target.detach().numpy().copy(), source.grad.numpy()]
    if form != "number":
        none = value.grad is None
        result.append(np.zeros(tuple(value.shape)) if none else value.grad.numpy())
    return result


@SETTINGS
@given(shapes_and_keys(), st.sampled_from(["number", "whole", "row"]))
def test_writing_any_key_gives_pytorchs_values_and_gradients(case: Any, form: str) -> None:
    reference = pytest.importorskip("torch")
    shape, described = case
    if not _without_repetition(described):
        return
    expected = _attempt(lambda: _write(reference, shape, described, form))
    _compare(expected, _attempt(lambda: _write(torch, shape, described, form)), (case, form))


@SETTINGS
@given(shapes_and_keys())
def test_writing_in_place_is_seen_in_the_array(case: Any) -> None:
    shape, described = case
    if not _without_repetition(described):
        return
    tensor = _tensor(torch, shape)
    array = tensor.numpy()
    if isinstance(_attempt(lambda: tensor[_key(torch, described)]), str):
        return
    before = array.copy()
    tensor[_key(torch, described)] = 0.0
    changed = (before != array).sum()
    assert changed == _tensor(torch, shape)[_key(torch, described)].numel()


WRONG = {
    "too many": lambda t: t[0, 0, 0],
    "int beyond": lambda t: t[5],
    "negative int beyond": lambda t: t[-4],
    "second int beyond": lambda t: t[:, 7],
    "index beyond": lambda t: t[[0, 9]],
    "float": lambda t: t[1.0],
    "string": lambda t: t["a"],
    "negative step": lambda t: t[::-1],
    "zero step": lambda t: t[::0],
    "float in slice": lambda t: t[0.5:],
    "mask of another shape": lambda t: t[t[:, 0] > t[:, 1], t[0] > 0],
    "float list": lambda t: t[[0.5]],
    "indices that do not broadcast": lambda t: t[[0, 1], [0, 1, 2]],
    "0-d int": lambda t: t[0, 0][0],
    "0-d two": lambda t: t.sum()[None, 0, 0],
    "write too large": lambda t: t.__setitem__(0, t),
    "write wrong shape": lambda t: t.__setitem__(slice(None), t[:, :2]),
    "write wrong at index": lambda t: t.__setitem__([0, 1], t[:, 0]),
    "write a string": lambda t: t.__setitem__(0, "a"),
    "write a list": lambda t: t.__setitem__(0, [1.0, 2.0]),
    "assign None": lambda t: t.__setitem__(0, None),
    "dict key": lambda t: t[{}],
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_keys_are_refused_as_pytorch_refuses_them(what: str) -> None:
    reference = pytest.importorskip("torch")
    outcomes = []
    for module in (reference, torch):
        tensor = module.arange(12.0).reshape(3, 4)
        try:
            WRONG[what](tensor)
            outcomes.append("accepted")
        except Exception as error:  # noqa: BLE001  whatever PyTorch raises
            outcomes.append(type(error).__name__)
    assert outcomes[1] == outcomes[0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t: t[5], "index 5 is out of bounds for dimension 0 with size 3"),
        (lambda t: t[0, 0, 0], "too many indices for tensor of dimension 2"),
        (lambda t: t[1.0], "only integers, slices"),
        (lambda t: t[t[0] > 0], r"The shape of the mask \[4\] at index 0 does not match"),
        (lambda t: t[[0, 9]], "index 9 is out of bounds for dimension 0 with size 3"),
        (lambda t: t.__setitem__(0, [1.0]), "can't assign a list to a torch.FloatTensor"),
        (lambda t: t[::-1], "step must be greater than zero"),
    ],
)
def test_wrong_keys_say_what_is_wrong(wrong: Any, words: str) -> None:
    with pytest.raises((IndexError, ValueError, TypeError), match=words):
        wrong(torch.arange(12.0).reshape(3, 4))


def test_values_of_other_dtypes_are_converted() -> None:
    tensor = torch.zeros(3, dtype=torch.int64)
    tensor[0] = 2.9
    tensor[1:] = torch.tensor([1.5, True])
    assert tensor.tolist() == [2, 1, 1]
    flags = torch.zeros(2, dtype=torch.bool)
    flags[0] = 3
    assert flags.tolist() == [True, False]


def test_an_array_is_written_as_a_tensor_only() -> None:
    tensor = torch.zeros(2, 3)
    row = np.array([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match=r"can't assign a numpy\.ndarray to a torch\.FloatTensor"):
        tensor[0] = row
    tensor[0] = torch.from_numpy(row)
    assert tensor.tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ([[0, 1], [1, 2]], [1.0, 6.0]),
        ([torch.tensor(1), torch.tensor(2)], 6.0),
        ([slice(0, 1), 2], [2.0]),
        ([0.5, 1.5], [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
        (range(1), [[0.0, 1.0, 2.0, 3.0]]),
        (np.int64(2), [8.0, 9.0, 10.0, 11.0]),
    ],
)
def test_lists_and_their_like_as_keys(key: Any, expected: Any) -> None:
    assert torch.arange(12.0).reshape(3, 4)[key].tolist() == expected


def test_a_selection_by_indices_lies_row_by_row_and_can_be_viewed() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)
    for key in ((slice(None), [2, 0]), (Ellipsis, [1, 3]), (slice(None), slice(1, 3), [0, 1])):
        part = x[key]
        assert part.is_contiguous()
        assert torch.equal(part.view(-1), torch.tensor(x.numpy()[key].ravel()))


def test_an_index_tensor_without_dims_selects_as_an_int() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4)
    indices = torch.tensor([0, 1])
    part = x[None, indices, 1, None, torch.tensor(2)]
    assert part.shape == (1, 2, 1)
    assert torch.equal(part, x[None, indices, 1, None, 2])


def test_a_new_dim_has_the_stride_of_a_row() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    assert x[None].stride() == x.unsqueeze(0).stride() == (12, 4, 1)
    assert x[:, None].stride() == (4, 4, 1)
    assert x[..., None].stride() == (4, 1, 1)
    assert torch.zeros(3, 1).expand(3, 4).stride() == (1, 0)


@pytest.mark.parametrize("key", [0, slice(None), [0, 2]])
def test_a_complex_number_is_not_written_as_a_real_one(key: Any) -> None:
    x = torch.zeros(3)
    with pytest.raises(RuntimeError, match="cannot be converted to type float without overflow"):
        x[key] = 1 + 2j
    with pytest.raises(RuntimeError, match="cannot be converted to type float without overflow"):
        x.fill_(2j)
    x[key] = 3 + 0j
    assert x[0].item() == 3


def test_what_a_tensor_does_not_do_is_refused_in_pytorchs_words() -> None:
    tensor = torch.arange(3.0)
    with pytest.raises(TypeError, match="Tensor does not support deleting items"):
        del tensor[0]
    with pytest.raises(RuntimeError, match=r"self.size\(-1\) must be divisible by 2 to view Float"):
        tensor.view(torch.float64)
    with pytest.raises(RuntimeError, match="only supported on matrices or batches of matrices"):
        _ = tensor.mT
    with pytest.raises(TypeError, match=r"takes an iterable of 'int' \(item 0 is 'float'\)"):
        torch.Size([1.5])
    assert tensor.is_set_to(tensor.view(3)) and not tensor.is_set_to(tensor[1:])
