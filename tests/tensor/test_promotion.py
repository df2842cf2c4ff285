"""Result dtypes of operations on operands of different dtypes, against PyTorch."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
import pytest

import flambeau as torch

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
         "float64"]  # fmt: skip
NUMBERS: list[Any] = [True, 2, 1.5]
BINARY: dict[str, Any] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "eq": operator.eq,
    "lt": operator.lt, "ge": operator.ge, "and": operator.and_, "xor": operator.xor,
}  # fmt: skip


def _operand(module: Any, kind: Any) -> Any:
    if not isinstance(kind, tuple):
        return kind
    name, dims = kind
    data = [1, 1] if dims else 1
    return module.tensor(data, dtype=getattr(module, name))


def _outcome(module: Any, function: Any, left: Any, right: Any) -> Any:
    try:
        result = function(_operand(module, left), _operand(module, right))
    except (RuntimeError, TypeError) as error:
        return type(error).__name__
    return str(result.dtype), tuple(result.shape)


@pytest.mark.parametrize("name", BINARY)
def test_binary_operators_have_pytorchs_result_dtype(name: str) -> None:
    reference = pytest.importorskip("torch")
    operands = [*itertools.product(NAMES, (0, 1)), *NUMBERS]
    wrong = []
    for left, right in itertools.product(operands, operands):
        if not isinstance(left, tuple) and not isinstance(right, tuple):
            continue
        expected = _outcome(reference, BINARY[name], left, right)
        found = _outcome(torch, BINARY[name], left, right)
        if found != expected:
            wrong.append(f"{left} {name} {right}: {found}, PyTorch {expected}")
    assert not wrong, "\n".join([f"{len(wrong)} differ", *wrong[:20]])


def _same_dtype_everywhere(expressions: dict[str, Any]) -> list[str]:
    reference = pytest.importorskip("torch")
    wrong = []
    for text, (names, function) in expressions.items():
        for given in names:
            outcomes = []
            for module in (reference, torch):
                try:
                    outcomes.append(str(function(module, getattr(module, given)).dtype))
                except (RuntimeError, TypeError) as error:
                    outcomes.append(type(error).__name__)
            if outcomes[0] != outcomes[1]:
                wrong.append(f"{text} of {given}: {outcomes[1]}, PyTorch {outcomes[0]}")
    return wrong


UNARY = (
    "abs neg sign exp log sqrt sin tanh sigmoid floor ceil trunc round square reciprocal rsqrt "
    "erf relu logical_not isnan isfinite sum prod mean cumsum argmax amax any all var std median"
).split()


def test_functions_of_one_tensor_have_pytorchs_result_dtype() -> None:
    wrong = _same_dtype_everywhere(
        {
            name: (NAMES, lambda m, d, name=name: getattr(m, name)(
                m.ones(3, dtype=d), *([0] if name == "cumsum" else [])))
            for name in UNARY if hasattr(torch, name)
        }
    )  # fmt: skip
    assert not wrong, "\n".join(wrong)


def test_joining_and_choosing_promote_as_pytorch_does() -> None:
    expressions = {}
    for other in NAMES:
        for what, function in {
            "cat": lambda m, a, b: m.cat([m.ones(2, dtype=a), m.ones(2, dtype=b)]),
            "stack": lambda m, a, b: m.stack([m.ones(2, dtype=a), m.ones(2, dtype=b)]),
            "where": lambda m, a, b: m.where(
                m.tensor([True, False]), m.ones(2, dtype=a), m.ones(2, dtype=b)
            ),
            "where with 0-d": lambda m, a, b: m.where(
                m.tensor([True, False]), m.ones(2, dtype=a), m.ones((), dtype=b)
            ),
            "maximum": lambda m, a, b: m.maximum(m.ones(2, dtype=a), m.ones(2, dtype=b)),
            "atan2": lambda m, a, b: m.atan2(m.ones(2, dtype=a), m.ones(2, dtype=b)),
            "clamp": lambda m, a, b: m.clamp(m.ones(2, dtype=a), min=m.ones(2, dtype=b)),
            "add_": lambda m, a, b: m.ones(2, dtype=a).add_(m.ones(2, dtype=b)),
            "div_": lambda m, a, b: m.ones(2, dtype=a).div_(m.ones(2, dtype=b)),
            "matmul": lambda m, a, b: m.ones(2, dtype=a) @ m.ones(2, dtype=b),
            "result_type": lambda m, a, b: m.ones((), dtype=m.result_type(
                m.ones(2, dtype=a), m.ones((), dtype=b))),
            "promote_types": lambda m, a, b: m.ones((), dtype=m.promote_types(a, b)),
        }.items():  # fmt: skip
            expressions[f"{what} with {other}"] = (
                NAMES,
                lambda m, a, f=function, other=other: f(m, a, getattr(m, other)),
            )
    wrong = _same_dtype_everywhere(expressions)
    assert not wrong, "\n".join([f"{len(wrong)} differ", *wrong[:40]])


NUMPY_OPERANDS = {
    "float64 array": lambda: np.ones(2), "float32 array": lambda: np.ones(2, np.float32),
    "int64 array": lambda: np.ones(2, np.int64), "bool array": lambda: np.ones(2, bool),
    "0-d array": lambda: np.array(1.0), "float64 scalar": lambda: np.float64(1.0),
    "float32 scalar": lambda: np.float32(1.0), "int64 scalar": lambda: np.int64(1),
    "int32 scalar": lambda: np.int32(1), "bool scalar": lambda: np.bool_(True),
}  # fmt: skip


@pytest.mark.parametrize("operand", NUMPY_OPERANDS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_numpy_operands_give_what_pytorch_gives(operand: str, side: str) -> None:
    reference = pytest.importorskip("torch")
    made = NUMPY_OPERANDS[operand]
    wrong = []
    for name, function in BINARY.items():
        for dtype in ("float32", "float64", "int64", "bool"):
            for requires_grad in (False, True):
                if requires_grad and not dtype.startswith("float"):
                    continue
                outcomes = []
                for module in (reference, torch):
                    tensor = module.ones(2, dtype=getattr(module, dtype))
                    tensor.requires_grad_(requires_grad)
                    pair = (made(), tensor) if side == "left" else (tensor, made())
                    try:
                        result = function(*pair)
                    except (RuntimeError, TypeError) as error:
                        outcomes.append(type(error).__name__)
                        continue
                    kind = "Tensor" if isinstance(result, module.Tensor) else "array"
                    values = np.asarray(result.detach() if kind == "Tensor" else result)
                    outcomes.append((kind, str(result.dtype), values.tolist(),
                                     bool(getattr(result, "requires_grad", False))))  # fmt: skip
                if outcomes[0] != outcomes[1]:
                    wrong.append(
                        f"{dtype}{' with grad' * requires_grad} {name}: {outcomes[1]}, "
                        f"PyTorch {outcomes[0]}"
                    )
    assert not wrong, "\n".join(wrong)


def test_matrix_product_with_an_array() -> None:
    reference = pytest.importorskip("torch")
    for matrix in (np.ones((3, 2)), np.ones((3, 2), np.float32)):
        outcomes = []
        for module in (reference, torch):
            tensor = module.ones(2, 3, dtype=module.float64)
            row = []
            for function in (lambda: tensor @ matrix, lambda: matrix @ tensor):
                try:
                    result = function()
                    row.append((type(result).__name__, str(result.dtype), tuple(result.shape)))
                except (RuntimeError, TypeError, ValueError) as error:
                    row.append(type(error).__name__)
            outcomes.append(row)
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize(
    ("expression", "dtype"),
    [
        (lambda: torch.ones(2, dtype=torch.int32) + 1.5, torch.float32),
        (lambda: torch.ones(2, dtype=torch.int32) + 2, torch.int32),
        (lambda: torch.ones(2) + torch.ones((), dtype=torch.float64), torch.float32),
        (lambda: torch.ones(2, dtype=torch.int64) + torch.ones((), dtype=torch.float16),
         torch.float16),
        (lambda: torch.ones(2, dtype=torch.int64) / 2, torch.float32),
        (lambda: torch.ones(2, dtype=torch.uint8) + torch.ones(2, dtype=torch.int8), torch.int16),
        (lambda: torch.ones(2, dtype=torch.bool).sum(), torch.int64),
        (lambda: torch.ones(2, dtype=torch.float16) + torch.ones(2, dtype=torch.bfloat16),
         torch.float32),
    ],
)  # fmt: skip
def test_recorded_promotions(expression: Any, dtype: Any) -> None:
    assert expression().dtype is dtype


def test_default_dtype_decides_for_numbers_and_divisions() -> None:
    torch.set_default_dtype(torch.float64)
    assert (torch.ones(2, dtype=torch.int64) / 2).dtype is torch.float64
    assert (torch.ones(2, dtype=torch.int64) + 1.5).dtype is torch.float64
    assert torch.tensor(1.5).dtype is torch.float64


def test_a_complex_number_of_no_dims_leaves_the_precision_to_the_dims() -> None:
    wide = torch.tensor(1j, dtype=torch.complex128)
    assert (torch.zeros(2) * wide).dtype is torch.complex64
    assert (torch.zeros(2, dtype=torch.float64) * wide).dtype is torch.complex128
    assert (torch.zeros(2, dtype=torch.int32) * wide).dtype is torch.complex128
    assert (torch.zeros(()) * wide).dtype is torch.complex128


def test_the_common_divisor_has_the_common_dtype() -> None:
    few = torch.tensor([4, 6], dtype=torch.int8)
    assert torch.gcd(few, torch.tensor(2, dtype=torch.int16)).dtype is torch.int8
    assert torch.lcm(few, torch.tensor([2, 3], dtype=torch.int16)).dtype is torch.int16
    assert torch.gcd(torch.tensor([True]), torch.tensor([2])).tolist() == [1]


def test_no_elements_are_divided_by_zero() -> None:
    none = torch.empty(0, dtype=torch.int64)
    zero = torch.tensor(0)
    for divided in (none // zero, none % zero, torch.fmod(none, zero)):
        assert divided.shape == (0,)
        assert divided.dtype is torch.int64
