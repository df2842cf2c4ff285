"""``torch.testing.assert_close`` says what PyTorch's says."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau

UNLIKE = [
    lambda t: (t.tensor([1.0, 2.0]), t.tensor([1.0, 2.25])),
    lambda t: (t.ones(2), t.ones(3)),
    lambda t: (t.ones(2), t.ones(2).double()),
    lambda t: (1.0, 1.5),
    lambda t: (1, 2),
    lambda t: ([t.tensor(1.0), t.tensor(2.0)], [t.tensor(1.0), t.tensor(3.0)]),
    lambda t: ({"a": t.tensor(1)}, {"b": t.tensor(1)}),
    lambda t: ({"a": t.tensor(1)}, {"a": t.tensor(2)}),
    lambda t: (t.tensor([1, 2]), t.tensor([1, 4])),
    lambda t: ([t.tensor(1.0)], [t.tensor(1.0)] * 2),
    lambda t: (t.tensor(float("nan")), t.tensor(float("nan"))),
    lambda t: (t.ones(2, 2), t.zeros(2, 2)),
]


@pytest.mark.parametrize("pair", UNLIKE)
def test_differences_are_described_in_pytorchs_words(pair: Any) -> None:
    with pytest.raises(AssertionError) as found:
        flambeau.testing.assert_close(*pair(flambeau))
    reference = pytest.importorskip("torch")
    with pytest.raises(AssertionError) as expected:
        reference.testing.assert_close(*pair(reference))
    assert str(found.value) == str(expected.value)


def test_what_is_close_passes() -> None:
    close = flambeau.testing.assert_close
    close(flambeau.tensor([1.0]), flambeau.tensor([1.0 + 1e-7]))
    close(flambeau.tensor([1.0]), flambeau.tensor([1.2]), rtol=0.5, atol=0.0)
    close(flambeau.tensor(float("nan")), flambeau.tensor(float("nan")), equal_nan=True)
    close(flambeau.ones(2), flambeau.ones(2).double(), check_dtype=False)
    close({"a": [1.0, None]}, {"a": [1.0, None]})


def test_messages_can_be_made() -> None:
    with pytest.raises(AssertionError, match="^mine$"):
        flambeau.testing.assert_close(1.0, 2.0, msg="mine")
    with pytest.raises(AssertionError, match="^mine: Scalars"):
        flambeau.testing.assert_close(1.0, 2.0, msg=lambda m: f"mine: {m}")


def test_wrong_calls() -> None:
    with pytest.raises(TypeError, match="No comparison pair"):
        flambeau.testing.assert_close(flambeau.ones(1), "a")
    with pytest.raises(ValueError, match="must be either specified or omitted"):
        flambeau.testing.assert_close(1.0, 1.0, rtol=1.0)


@pytest.mark.parametrize("name", ["float32", "int64", "bool", "uint8", "float64"])
def test_made_tensors(name: str) -> None:
    dtype = getattr(flambeau, name)
    made = flambeau.testing.make_tensor(3, 4, dtype=dtype, device="cpu", noncontiguous=True)
    assert made.shape == (3, 4) and made.dtype is dtype and not made.is_contiguous()


@pytest.mark.parametrize("shape", [(3, 4), (), (0, 3), (5,)])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("float32", {}), ("float64", {}), ("bfloat16", {}), ("complex64", {}), ("int64", {}),
        ("uint8", {"low": -5, "high": 2}), ("bool", {}), ("float32", {"noncontiguous": True}),
        ("int32", {"low": 1.5, "high": 4}), ("int64", {"low": -2, "high": 2, "exclude_zero": True}),
    ],
)  # fmt: skip
def test_made_tensors_are_pytorchs_under_one_seed(name: str, options: Any, shape: Any) -> None:
    reference = pytest.importorskip("torch")
    made = []
    for library in (flambeau, reference):
        library.manual_seed(0)
        tensor = library.testing.make_tensor(
            shape, dtype=getattr(library, name), device="cpu", **options
        )
        made.append((str(tensor), tensor.stride()))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "options",
    [
        {"low": 5, "high": 2}, {"low": float("nan"), "high": 2},
        {"dtype": "int64", "requires_grad": True},
    ],
)  # fmt: skip
def test_wrong_limits_are_refused_in_pytorchs_words(options: dict[str, Any]) -> None:
    reference = pytest.importorskip("torch")
    messages = []
    for library in (flambeau, reference):
        given = options | {"dtype": getattr(library, options.get("dtype", "float32"))}
        with pytest.raises(ValueError) as error:
            library.testing.make_tensor(3, device="cpu", **given)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
