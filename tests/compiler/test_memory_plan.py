"""The arena's plan: nothing that is needed is overwritten, and memory is used again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flambeau.compiler.graph import Value
from flambeau.compiler.memory import ALIGNMENT, Lifetime, Room, plan_arena, plan_rooms

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


rooms = st.lists(
    st.tuples(st.integers(0, 9000), st.integers(0, 40)).map(lambda t: Room(*t)), max_size=6
)


@given(lifetimes, rooms)
@settings(deadline=None, max_examples=200)
def test_guests_leave_before_a_result_is_written(lives: list[Lifetime], rooms: list[Room]) -> None:
    found = plan_rooms(lives, rooms)
    for i, (r, offset) in found.items():
        life = lives[i]
        assert life.last < rooms[r].until and offset + life.size <= rooms[r].size
        assert offset % ALIGNMENT == 0
        for j, (other_room, other_offset) in found.items():
            other = lives[j]
            if j < i and other_room == r and life.first <= other.last and other.first <= life.last:
                apart = offset + life.size <= other_offset or other_offset + other.size <= offset
                assert apart or 0 in (life.size, other.size)


def test_what_fits_into_a_room_is_put_there() -> None:
    lives = [Lifetime(1000, 0, 3), Lifetime(1000, 2, 5), Lifetime(1000, 4, 6), Lifetime(3000, 0, 1)]
    assert plan_rooms(lives, [Room(2048, 6), Room(1024, 5)]) == {0: (1, 0), 1: (0, 0)}


# -- whole programs ---------------------------------------------------------------------------


def test_temporaries_lie_in_results_that_are_written_later() -> None:
    pytest.importorskip("llvmlite")
    import flambeau.compiler.symbolic as xp

    from .graphs import check

    rng = np.random.default_rng(0)
    x, v, w = (rng.standard_normal((n, 160)).astype(np.float32) for n in (48, 160, 160))

    def program(x: Value, v: Value, w: Value) -> list[Value]:
        first = xp.exp(xp.matmul(x, v) * 0.01)
        second = xp.tanh(xp.matmul(first, w))
        third = xp.matmul(second, v)
        return [xp.matmul(v, w), xp.sum(second), xp.matmul(xp.permute(third, (1, 0)), x)]

    executable = check(program, x, v, w)
    # one of the three temporaries: what the last result is made of
    assert executable.arena_bytes < 1.2 * x.nbytes
    # two calls have memory of their own, and leave each other's results alone
    first = executable([x, v, w])
    copies = [a.copy() for a in first]
    executable([-x, w, v])
    for array, copy in zip(first, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_a_result_that_comes_first_has_no_room() -> None:
    pytest.importorskip("llvmlite")
    import flambeau.compiler.symbolic as xp

    from .graphs import check

    x = np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)

    def program(x: Value) -> list[Value]:
        made = xp.matmul(x, x)
        again = xp.matmul(made, made)
        return [made, xp.sum(xp.matmul(again, x))]

    check(program, x)


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
