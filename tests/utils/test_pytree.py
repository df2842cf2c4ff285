"""Trees of containers: taken apart, put together, mapped."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

import flambeau as torch
from flambeau.utils import _pytree as pytree
from flambeau.utils._pytree import (
    LeafSpec,
    _broadcast_to_and_flatten,
    tree_flatten,
    tree_map,
    tree_unflatten,
)

Point = namedtuple("Point", ["x", "y"])

TREES = [
    1,
    None,
    (),
    [],
    {},
    (1, [2, (3,)]),
    {"a": [1, (2, 3)], "b": None},
    Point(1, {"k": Point(2, 3)}),
    OrderedDict(b=1, a=[2]),
    defaultdict(list, a=[1]),
    deque([1, 2], maxlen=3),
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_a_tree_comes_back(tree: object) -> None:
    leaves, spec = tree_flatten(tree)
    assert tree_unflatten(leaves, spec) == tree
    assert type(tree_unflatten(leaves, spec)) is type(tree)
    assert spec == pytree.tree_structure(tree) and hash(spec) == hash(pytree.tree_structure(tree))
    assert spec.num_leaves == len(leaves)


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_leaves_and_structures_are_pytorchs(tree: object) -> None:
    pytorch = pytest.importorskip("torch.utils._pytree")
    leaves, spec = tree_flatten(tree)
    expected_leaves, expected_spec = pytorch.tree_flatten(tree)
    assert leaves == expected_leaves
    assert (spec.num_leaves, spec.num_nodes) == (expected_spec.num_leaves, expected_spec.num_nodes)
    assert repr(spec) == repr(expected_spec)


def test_named_results_are_containers() -> None:
    found = torch.ones(2, 3).max(1)
    doubled = tree_map(lambda t: t * 2, found)
    assert type(doubled) is type(found)
    assert doubled.values.tolist() == [2, 2]


def test_trees_are_mapped_together() -> None:
    found = tree_map(lambda a, b: (a, b), {"x": 1, "y": [2]}, {"y": ["b"], "x": ("a", "c")})
    assert found == {"x": (1, ("a", "c")), "y": [(2, "b")]}
    with pytest.raises(ValueError, match="Node arity mismatch"):
        tree_map(lambda a, b: a, [1, 2], [1])
    with pytest.raises(ValueError, match="Type mismatch"):
        tree_map(lambda a, b: a, [1, 2], (1, 2))


def test_only_leaves_of_a_type() -> None:
    assert pytree.tree_map_only(int, lambda n: n + 1, {"a": 1, "b": "x"}) == {"a": 2, "b": "x"}
    assert pytree.tree_all_only(int, lambda n: n > 0, [1, "x", 2])
    assert not pytree.tree_any_only(int, lambda n: n > 2, [1, "x", 2])
    assert pytree.tree_any(lambda n: n == 2, [1, [2]])


def test_is_leaf_stops_above_the_leaves() -> None:
    leaves, _ = tree_flatten([(1, 2), [3]], is_leaf=lambda t: isinstance(t, tuple))
    assert leaves == [(1, 2), 3]


def test_wrong_numbers_of_leaves_are_refused() -> None:
    _, spec = tree_flatten([1, 2])
    with pytest.raises(ValueError, match="`leaves` has length 3 but the spec refers to"):
        tree_unflatten([1, 2, 3], spec)
    with pytest.raises(TypeError, match="instance of TreeSpec"):
        tree_unflatten([1], [1])


def test_prefixes_broadcast() -> None:
    _, spec = tree_flatten(([1, 2], {"a": 3}))
    assert _broadcast_to_and_flatten(0, spec) == [0, 0, 0]
    assert _broadcast_to_and_flatten((0, {"a": None}), spec) == [0, 0, None]
    assert _broadcast_to_and_flatten((0,), spec) is None
    assert _broadcast_to_and_flatten([0, 1], spec) is None
    assert LeafSpec().is_leaf()


def test_a_new_container_can_be_registered() -> None:
    class Pair:
        def __init__(self, a: object, b: object) -> None:
            self.a, self.b = a, b

    pytree.register_pytree_node(Pair, lambda p: ([p.a, p.b], None), lambda v, _: Pair(*v))
    found = tree_map(lambda n: n + 1, Pair(1, [2]))
    assert (found.a, found.b) == (2, [3])
    with pytest.raises(ValueError, match="already registered"):
        pytree.register_pytree_node(Pair, lambda p: ([], None), lambda v, _: Pair(0, 0))
