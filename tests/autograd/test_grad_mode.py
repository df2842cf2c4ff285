"""Where operations are recorded: context managers, decorators, generators, threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest


def _recorded(m: Any) -> bool:
    return (m.ones(1, requires_grad=True) * 2).requires_grad


def test_contexts_nest_and_end(m: Any) -> None:
    with m.no_grad():
        assert not _recorded(m) and not m.is_grad_enabled()
        with m.enable_grad():
            assert _recorded(m)
            with m.set_grad_enabled(False):
                assert not _recorded(m)
            assert _recorded(m)
        assert not _recorded(m)
    assert _recorded(m) and m.is_grad_enabled()


def test_contexts_end_with_an_error_too(m: Any) -> None:
    with pytest.raises(KeyError), m.no_grad():
        raise KeyError
    assert m.is_grad_enabled()


def test_set_grad_enabled_acts_at_once(m: Any) -> None:
    m.set_grad_enabled(False)
    assert not m.is_grad_enabled()
    m.set_grad_enabled(True)
    assert m.is_grad_enabled()


@pytest.mark.parametrize("with_call", [True, False])
def test_decorated_functions(m: Any, with_call: bool) -> None:
    decorator = m.no_grad() if with_call else m.no_grad

    @decorator
    def inside(x: int, *, y: int = 1) -> tuple[bool, int]:
        """Says something."""
        return _recorded(m), x + y

    assert inside(2, y=3) == (False, 5)
    assert inside.__name__ == "inside" and inside.__doc__ == "Says something."
    assert m.is_grad_enabled()


def test_decorating_with_set_grad_enabled_changes_nothing_now(m: Any) -> None:
    @m.set_grad_enabled(False)
    def inside() -> bool:
        return _recorded(m)

    assert m.is_grad_enabled()
    assert not inside()
    assert m.is_grad_enabled()


def test_decorated_recursion(m: Any) -> None:
    @m.no_grad()
    def down(n: int) -> bool:
        return down(n - 1) if n else m.is_grad_enabled()

    assert down(3) is False and m.is_grad_enabled()


def test_a_generator_has_the_mode_only_while_it_runs(m: Any) -> None:
    @m.no_grad()
    def numbers() -> Any:
        seen = yield _recorded(m)
        try:
            yield (_recorded(m), seen)
        except ValueError:
            yield ("caught", _recorded(m))

    generator = numbers()
    assert next(generator) is False
    assert _recorded(m)
    assert generator.send("x") == (False, "x")
    assert generator.throw(ValueError()) == ("caught", False)
    assert _recorded(m)
    generator.close()
    assert m.is_grad_enabled()


def test_each_thread_has_its_own_mode(m: Any) -> None:
    seen = []
    with m.no_grad():
        thread = threading.Thread(target=lambda: seen.append(m.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_can_run_backward_at_once(m: Any) -> None:
    found = []

    def work(k: int) -> None:
        x = m.full((50,), float(k), requires_grad=True)
        for _ in range(20):
            x.grad = None
            (x * x).sum().backward()
        found.append((k, x.grad[0].item()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(k, 2.0 * k) for k in range(4)]


def test_inference_mode(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with m.inference_mode():
        y = x * 2
        assert m.is_inference_mode_enabled() and not m.is_grad_enabled()
    assert not y.requires_grad and not m.is_inference_mode_enabled()
    assert y.is_inference()
    with m.inference_mode(False):
        assert _recorded(m)


def test_inference_tensors_take_no_part_in_autograd_later(m: Any) -> None:
    with m.inference_mode():
        y = m.ones(2)
    x = m.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Setting requires_grad=True on inference tensor"):
        y.requires_grad_()
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside"):
        y.add_(1)
    assert (y.clone() * x).requires_grad


def test_inference_mode_as_a_decorator(m: Any) -> None:
    @m.inference_mode()
    def inside() -> bool:
        return m.is_inference_mode_enabled()

    assert inside() and not m.is_inference_mode_enabled()


def test_requires_grad_of_what_is_made_without_recording(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        assert not (x + 1).requires_grad
        assert m.ones(2, requires_grad=True).requires_grad
        x.add_(1)  # a leaf may be written here
    assert x.tolist() == [2.0, 2.0] and x.requires_grad and x.is_leaf
