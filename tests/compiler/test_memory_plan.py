"""The arena's plan: nothing that is needed is overwritten, and memory is used again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.compiler.memory import ALIGNMENT, Lifetime, plan_arena

lifetimes = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 10)).map(
        lambda t: Lifetime(t[0], t[1], t[1] + t[2])
    ),
    max_size=25,
)


@given(lifetimes)
@settings(deadline=None, max_examples=200)
def test_what_lives_at_one_time_does_not_overlap(lives: list[Lifetime]) -> None:
    offsets, total = plan_arena(lives)
    for i, (a, life) in enumerate(zip(offsets, lives, strict=True)):
        assert a % ALIGNMENT == 0
        assert a + life.size <= total or life.size == 0
        for b, other in zip(offsets[:i], lives[:i], strict=True):
            if life.first <= other.last and other.first <= life.last:
                assert a + life.size <= b or b + other.size <= a or 0 in (life.size, other.size)


@given(lifetimes)
@settings(deadline=None, max_examples=100)
def test_the_arena_is_no_larger_than_all_temporaries(lives: list[Lifetime]) -> None:
    _, total = plan_arena(lives)
    assert total <= sum(-(-life.size // ALIGNMENT) * ALIGNMENT for life in lives)


def test_memory_is_used_again() -> None:
    chain = [Lifetime(1000, i, i + 1) for i in range(20)]
    _, total = plan_arena(chain)
    assert total == 2 * 1024


# -- whole programs ---------------------------------------------------------------------------


def test_updates_see_the_old_values_of_each_other() -> None:
    """Two inputs that are each updated from both: a swap, and a rotation."""
    pytest.importorskip("llvmlite")
    from .graphs import check

    a, b, c = (np.arange(50, dtype=np.float32) + 100 * i for i in range(3))
    check(lambda x, y: [x + y], a, b, updates={0: lambda x, y: y, 1: lambda x, y: x})
    check(
        lambda x, y, z: [],
        a,
        b,
        c,
        updates={
            0: lambda x, y, z: y * 2 + x,
            1: lambda x, y, z: z + y,
            2: lambda x, y, z: x + z,
        },
    )


def test_an_update_that_reads_its_input_elsewhere_is_not_done_in_place() -> None:
    pytest.importorskip("llvmlite")
    import flambeau.compiler.symbolic as xp

    from .graphs import check

    a = np.arange(40, dtype=np.float32)
    m = np.arange(64, dtype=np.float32).reshape(8, 8)
    check(lambda x: [x * 2], a, updates={0: lambda x: xp.flip(x, (0,)) + 1})
    check(lambda x: [x * 2], m, updates={0: lambda x: xp.permute(x, (1, 0)) * 3})
    check(lambda x: [x * 2], m, updates={0: lambda x: x - xp.sum(x, dim=(0,))})
    check(lambda x: [], m, updates={0: lambda x: x / xp.sum(x, dim=(1,), keepdim=True)})
    check(lambda x: [], m, updates={0: lambda x: xp.matmul(x, x) * 0.01})
    check(lambda x: [], a, updates={0: lambda x: xp.cumsum(x, dim=0)})


def test_an_update_may_be_an_output_too() -> None:
    pytest.importorskip("llvmlite")
    from flambeau.compiler.executable import compile_graph
    from flambeau.compiler.graph import Graph, input_value

    x = input_value((40,), np.dtype(np.float32))
    new = x * 2
    executable = compile_graph(Graph([x], [new, new, x], {0: new}))
    state = np.arange(40, dtype=np.float32)
    before = state.copy()
    first, second, old = executable([state])
    np.testing.assert_array_equal(state, before * 2)
    np.testing.assert_array_equal(first, before * 2)
    np.testing.assert_array_equal(second, before * 2)
    np.testing.assert_array_equal(old, before)
    # results are the caller's: the next call leaves them alone
    executable([state])
    np.testing.assert_array_equal(first, before * 2)


def test_inputs_that_share_memory_give_what_separate_ones_give() -> None:
    pytest.importorskip("llvmlite")
    from flambeau.compiler.executable import compile_graph
    from flambeau.compiler.graph import Graph, evaluate, input_value

    x, y = (input_value((40,), np.dtype(np.float32)) for _ in range(2))
    import flambeau.compiler.symbolic as xp

    graph = Graph([x, y], [xp.sum(y)], {0: x + xp.flip(y, (0,))})
    shared = np.arange(40, dtype=np.float32)
    (wanted,), updates = evaluate(graph, [shared.copy(), shared.copy()])
    (total,) = compile_graph(graph)([shared, shared])
    np.testing.assert_allclose(total, wanted)
    np.testing.assert_allclose(shared, updates[0])


def test_bound_state_that_overlaps_is_refused() -> None:
    pytest.importorskip("llvmlite")
    from flambeau.compiler.executable import compile_graph
    from flambeau.compiler.graph import Graph, input_value

    x, y = (input_value((40,), np.dtype(np.float32)) for _ in range(2))
    executable = compile_graph(Graph([x, y], [], {0: x + y}))
    shared = np.zeros(60, np.float32)
    with pytest.raises(ValueError, match="share memory"):
        executable.bind([shared[:40], shared[20:]])
