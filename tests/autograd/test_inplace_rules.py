"""The rules of in-place writes on the tape, one by one."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_leaf_that_requires_grad_cannot_be_written(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    for write in (lambda: x.add_(1), lambda: x.__setitem__(0, 3.0), lambda: x.zero_()):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            write()
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0].mul_(2)
    with m.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 2.0] and x.is_leaf


def test_a_write_becomes_the_tensors_history(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    y.mul_(3).add_(x)
    assert not y.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_a_plain_tensor_that_is_given_a_history_by_a_write(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    total = m.zeros(2)
    total += x * 2
    assert total.requires_grad and not total.is_leaf
    total.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_writing_to_a_view_rewrites_its_bases_history(m: Any) -> None:
    x = m.ones(2, 2, requires_grad=True)
    y = x * 2
    row, corner = y[0], y[0, 0]
    row.mul_(10)
    assert type(y.grad_fn).__name__ == "CopySlices"
    assert row.requires_grad and corner.item() == 20.0
    (y.sum() + corner).backward()
    assert x.grad.tolist() == [[40.0, 20.0], [2.0, 2.0]]


def test_writing_to_a_base_renews_its_views(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    y = x * 2
    part = y[1:]
    y.mul_(5)
    assert part.tolist() == [10.0, 10.0]
    part.sum().backward()
    assert x.grad.tolist() == [0.0, 10.0, 10.0]


def test_a_view_of_a_view(m: Any) -> None:
    x = m.arange(6.0).requires_grad_()
    y = x * 1
    y.view(2, 3)[1].mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]


def test_a_plain_base_of_a_view_that_is_written_with_history(m: Any) -> None:
    x = m.tensor([3.0, 4.0], requires_grad=True)
    buffer = m.zeros(2, 2)
    buffer[0] = x
    buffer[1] = x * 2
    assert buffer.requires_grad
    (buffer * m.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert x.grad.tolist() == [7.0, 10.0]


def test_overwriting_cuts_the_gradient_off(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    y = x * 2
    y[1] = 0.0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]


def test_a_saved_input_that_is_written_is_noticed(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_a_saved_result_that_is_written_is_noticed(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    for function in (lambda t: t.exp(), lambda t: t.sigmoid(), lambda t: t.tanh()):
        z = function(x)
        z.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()


def test_what_was_not_saved_may_be_written(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    z = y + 1
    y.mul_(100)
    z.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_a_saved_plain_operand_that_is_written_is_noticed(m: Any) -> None:
    x, scale = m.ones(2, requires_grad=True), m.ones(2)
    z = x * scale
    scale.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_a_write_through_a_view_or_a_sibling_is_noticed(m: Any) -> None:
    x = m.ones(4, requires_grad=True)
    y = x * 1
    first, second = y[:2], y[2:]
    z = first * first
    second.mul_(2)  # one version counter for all that share memory
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_writes_through_detach_are_noticed_and_through_data_are_not(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    y.data.mul_(5)
    z.sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]  # PyTorch's own trap: the gradient of the new values
    z = y * y
    y.detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_versions_count_writes(m: Any) -> None:
    x = m.zeros(3)
    view, detached, data = x[1:], x.detach(), x.data
    assert x._version == 0
    x.add_(1)
    view.mul_(2)
    detached[0] = 7.0
    assert x._version == view._version == detached._version == 3
    data.add_(1)
    assert x._version == 3
    x.numpy()[0] = 1.0  # NumPy tells nobody
    assert x._version == 3


def test_writing_needs_no_more_than_the_destination_can_hold(m: Any) -> None:
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output"):
        m.ones(2, dtype=m.int64).add_(0.5)
    with pytest.raises(
        RuntimeError, match="output with shape .* doesn't match the broadcast shape"
    ):
        m.ones(3).add_(m.ones(2, 3))


def test_expanded_memory_cannot_be_written(m: Any) -> None:
    x = m.zeros(3, 1).expand(3, 4)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        x.copy_(m.ones(3, 4))
    x[:, :1].add_(1)
    assert x.sum().item() == 12.0


def test_parts_that_came_together_cannot_be_written(m: Any) -> None:
    y = m.ones(2, 2, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        y.unbind(0)[0].add_(1)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        y.split(1)[1].add_(1)
    for row in m.zeros(2, 2):
        row.add_(1)  # without gradients there is nothing to get wrong


def test_out_arguments_take_no_part_in_autograd(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="out=.* don't support automatic differentiation"):
        m.add(x, x, out=m.zeros(2))
    out = m.zeros(2)
    with m.no_grad():
        assert m.add(x, x, out=out) is out
    assert out.tolist() == [2.0, 2.0]


def test_detach_in_place(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 2
    assert y.detach_() is y and y.is_leaf and not y.requires_grad
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        (x * 2)[0].detach_()


def test_setting_data(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    x.data = m.tensor([5.0, 6.0])
    assert x.requires_grad and x.tolist() == [5.0, 6.0]
    x.data -= 1
    assert x.tolist() == [4.0, 5.0] and x.is_leaf


def test_in_place_after_itself(m: Any) -> None:
    x = m.tensor(0.5, requires_grad=True)
    y = x * 1
    y.sin_().cos_()
    y.backward()
    expected = m.autograd.grad(x.sin().cos(), x)[0]
    assert abs(x.grad.item() - expected.item()) < 1e-7


def test_masked_and_indexed_writes(m: Any) -> None:
    x = m.arange(4.0).requires_grad_()
    y = x * 1
    y[y > 2] = 0.0
    y[m.tensor([0, 0])] = m.tensor(5.0)
    y.index_put_((m.tensor([1]),), x[:1] * 7, accumulate=True)
    y.sum().backward()
    assert x.grad.tolist() == [7.0, 1.0, 1.0, 0.0]


def test_reshaping_in_place(m: Any) -> None:
    x = m.ones(2, 3, requires_grad=True)
    y = x * 2
    assert y.t_().shape == (3, 2) and y.unsqueeze_(0).shape == (1, 3, 2)
    (y * m.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]]
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.t_()


@pytest.mark.parametrize("kept", [
    lambda x: (x.max(1), 1), lambda x: (x.sort(1), 1), lambda x: (x.topk(2), 1),
    lambda x: (x.cummax(1), 1),
])  # fmt: skip
def test_saved_indices_that_are_written_are_noticed(m: Any, kept: Any) -> None:
    results, number = kept(m.arange(6.0).view(2, 3).requires_grad_())
    results[number].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        results[0].sum().backward()


def test_of_several_results_those_that_are_saved_are_watched(m: Any) -> None:
    x = m.tensor([[2.0, 1.0], [0.0, 3.0]], requires_grad=True)
    values, _ = x.max(1)
    values.mul_(2)  # not saved
    values.sum().backward()
    assert x.grad.tolist() == [[2.0, 0.0], [0.0, 2.0]]
    for decompose in (m.linalg.svd, m.linalg.qr, lambda t: m.linalg.eigh(t @ t.T),
                      m.linalg.slogdet):  # fmt: skip
        first, second, *_ = decompose(x)
        loss = second.sum() * 1
        first.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_an_input_of_which_only_the_shape_counts_may_be_written(m: Any) -> None:
    for select in (lambda y: y.sort()[0], lambda y: y.max(0)[0], lambda y: y.topk(1)[0]):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        y = x * 1
        chosen = select(y)
        y.mul_(2)
        chosen.sum().backward()
        assert x.grad.sum().item() == len(chosen.reshape(-1))


def test_a_power_of_a_number_does_not_need_its_result(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x**3
    y.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 24.0]


@pytest.mark.parametrize("key", [
    lambda i: i, lambda i: (i, i), lambda i: (slice(None), i), lambda i: (0, i),
])  # fmt: skip
def test_index_tensors_that_are_written_are_noticed(m: Any, key: Any) -> None:
    index = m.tensor([0, 2])
    x = m.arange(9.0).view(3, 3).requires_grad_()
    read = x[key(index)]
    written = x * 1
    written[key(index)] = m.ones((), requires_grad=True)
    index.zero_()
    for result in (read, written):
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            result.sum().backward()


def test_memory_that_is_partly_the_written_one_is_refused(m: Any) -> None:
    a = m.arange(4.0)
    for write in (lambda: a[1:].add_(a[:-1]), lambda: a[:2].copy_(a[1:3])):
        with pytest.raises(RuntimeError, match="some elements of the input tensor and the written"):
            write()
    a[:2].add_(a[2:])
    a.mul_(a.view(4))
    assert a.tolist() == [4.0, 16.0, 4.0, 9.0]


def test_writes_have_pytorchs_names(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    names = [m.zeros(3).copy_(x).grad_fn.name(), (x * 1).zero_().grad_fn.name()]
    assert names == ["torch::autograd::CopyBackwards", "ZeroBackward0"]
    y = x * 1
    y[1:].mul_(2)
    assert y.grad_fn.name() == "torch::autograd::CopySlices"
    assert "grad_fn=<CopySlices>" in repr(y)
