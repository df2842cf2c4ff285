"""Trees of Python containers: tuples, lists, dicts and their like, with anything at the leaves.

Source: https://github.com/pytorch/pytorch/blob/main/torch/utils/_pytree.py (its interface).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

PyTree = Any
Context = Any


class NodeDef(NamedTuple):
    """How a container is taken apart and put together again."""

    type: type
    flatten_fn: Callable[[Any], tuple[list[Any], Any]]
    unflatten_fn: Callable[[Iterable[Any], Any], Any]


SUPPORTED_NODES: dict[type, NodeDef] = {}
"""The container types; anything else is a leaf."""


def register_pytree_node(
    cls: type,
    flatten_fn: Callable[[Any], tuple[list[Any], Any]],
    unflatten_fn: Callable[[Iterable[Any], Any], Any],
    *,
    serialized_type_name: str | None = None,
    to_dumpable_context: Callable[[Any], Any] | None = None,
    from_dumpable_context: Callable[[Any], Any] | None = None,
    flatten_with_keys_fn: Callable[[Any], Any] | None = None,
) -> None:
    """Let instances of ``cls`` be containers.

    Args:
        cls: the type.
        flatten_fn: from an instance to its children and a context.
        unflatten_fn: from children and context to an instance.
        serialized_type_name, to_dumpable_context, from_dumpable_context: how PyTorch writes tree
            specs to JSON, which is not done here; must be None or are unused.
        flatten_with_keys_fn: as flatten_fn, with a key to each child; unused.

    Raises:
        ValueError: ``cls`` is registered already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn)


def is_namedtuple_class(cls: type) -> bool:
    """Whether ``cls`` is a named tuple's class.

    Returns:
        A bool.
    """
    return (
        isinstance(cls, type)
        and issubclass(cls, tuple)
        and isinstance(getattr(cls, "_fields", None), tuple)
        and callable(getattr(cls, "_make", None))
    )


def is_namedtuple_instance(obj: object) -> bool:
    """Whether ``obj`` is a named tuple.

    Returns:
        A bool.
    """
    return is_namedtuple_class(type(obj))


def is_namedtuple(obj: object) -> bool:
    """Whether ``obj`` is a named tuple or its class.

    Returns:
        A bool.
    """
    return is_namedtuple_class(obj if isinstance(obj, type) else type(obj))


def is_structseq_class(cls: type) -> bool:
    """Whether ``cls`` is the class of an operation's named results (``torch.return_types``)."""
    return isinstance(cls, type) and cls.__module__ == "torch.return_types"


def is_structseq_instance(obj: object) -> bool:
    """Whether ``obj`` is an operation's named results.

    Returns:
        A bool.
    """
    return is_structseq_class(type(obj))


def is_structseq(obj: object) -> bool:
    """Whether ``obj`` is an operation's named results or their class.

    Returns:
        A bool.
    """
    return is_structseq_class(obj if isinstance(obj, type) else type(obj))


def _dict_of(values: Iterable[Any], keys: Any) -> dict[Any, Any]:
    return dict(zip(keys, values))


register_pytree_node(tuple, lambda t: (list(t), None), lambda values, _: tuple(values))
register_pytree_node(list, lambda t: (list(t), None), lambda values, _: list(values))
register_pytree_node(dict, lambda d: (list(d.values()), list(d)), _dict_of)
register_pytree_node(
    OrderedDict,
    lambda d: (list(d.values()), list(d)),
    lambda values, keys: OrderedDict(zip(keys, values)),
)
register_pytree_node(
    defaultdict,
    lambda d: (list(d.values()), [d.default_factory, list(d)]),
    lambda values, context: defaultdict(context[0], zip(context[1], values)),
)
register_pytree_node(
    deque, lambda d: (list(d), d.maxlen), lambda values, maxlen: deque(values, maxlen)
)
_NAMED = NodeDef(tuple, lambda t: (list(t), type(t)), lambda values, cls: cls._make(values))
_RESULTS = NodeDef(tuple, lambda t: (list(t), type(t)), lambda values, cls: cls(tuple(values)))


def _node_def(tree: Any) -> NodeDef | None:
    """How ``tree`` is taken apart; None for a leaf."""
    found = SUPPORTED_NODES.get(type(tree))
    if found is None and isinstance(tree, tuple):
        if is_structseq_instance(tree):
            return _RESULTS
        if is_namedtuple_instance(tree):
            return _NAMED
    return found


class TreeSpec:
    """The structure of a tree: the type and context of every container, a ``*`` for each leaf.

    Args:
        type: of the container; None for a leaf.
        context: what its ``flatten_fn`` returned beside the children.
        children: their specs.

    Attributes:
        num_nodes, num_leaves, num_children: how many there are, containers and leaves; leaves;
            children.
    """

    __slots__ = ("type", "context", "_children", "num_nodes", "num_leaves", "num_children")

    def __init__(self, type: Any, context: Any, children: list[TreeSpec]) -> None:
        self.type = type
        self.context = context
        self._children = list(children)
        self.num_nodes: int = 1 + sum(c.num_nodes for c in children)
        self.num_leaves: int = 1 if type is None else sum(c.num_leaves for c in children)
        self.num_children = len(children)

    def is_leaf(self) -> bool:
        """Whether the tree is a single leaf."""
        return self.type is None

    def children(self) -> list[TreeSpec]:
        """The specs of the children."""
        return list(self._children)

    def child(self, index: int) -> TreeSpec:
        """The spec of the child at ``index``.

        Raises:
            IndexError: there is none.
        """
        return self._children[index]

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The tree of this structure with ``leaves``.

        Raises:
            ValueError: there are more or fewer leaves than it has.
        """
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec "
                f"refers to a pytree that holds {self.num_leaves} items ({self})."
            )
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.type is None:
            return next(leaves)
        children = [child._build(leaves) for child in self._children]
        definition = SUPPORTED_NODES.get(self.type)
        if definition is None:
            definition = _RESULTS if is_structseq_class(self.type) else _NAMED
        return definition.unflatten_fn(children, self.context)

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of ``tree`` that stand where this structure has leaves.

        Raises:
            ValueError: ``tree`` has another structure above them.
        """
        if self.type is None:
            return [tree]
        definition = _node_def(tree)
        if definition is None or type(tree) is not self.type:
            raise ValueError(f"Type mismatch; expected {self.type!r}, but got {type(tree)!r}.")
        children, context = definition.flatten_fn(tree)
        if len(children) != len(self._children):
            raise ValueError(
                f"Node arity mismatch; expected {len(self._children)}, but got {len(children)}."
            )
        if isinstance(tree, dict) and set(tree) != set(self._keys()):
            raise ValueError(f"Node keys mismatch: {list(tree)} and {self._keys()}.")
        if isinstance(tree, dict):
            children = [tree[key] for key in self._keys()]
        elif context != self.context:
            raise ValueError(
                f"Node context mismatch for node type {self.type!r}: {context} and {self.context}."
            )
        found: list[Any] = []
        for spec, child in zip(self._children, children):
            found.extend(spec.flatten_up_to(child))
        return found

    def _keys(self) -> list[Any]:
        return self.context[1] if self.type is defaultdict else self.context

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.type is other.type
            and self.context == other.context
            and self._children == other._children
        )

    def __hash__(self) -> int:
        return hash((self.type, str(self.context), tuple(self._children)))

    def __repr__(self, indent: int = 0) -> str:
        if self.type is None:
            return "*"
        name = "namedtuple" if is_namedtuple_class(self.type) else self.type.__name__
        head = f"TreeSpec({name}, {self.context}, ["
        step = indent + 2
        inner = (",\n" + " " * step).join(c.__repr__(step) for c in self._children)
        return f"{head}{inner}])"


PyTreeSpec = TreeSpec
_LEAF = TreeSpec(None, None, [])


def LeafSpec() -> TreeSpec:
    """The structure of a leaf.

    Returns:
        A :class:`TreeSpec`, always the same.
    """
    return _LEAF


IsLeaf = Callable[[Any], bool] | None


def tree_is_leaf(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether ``tree`` is no container, or one that ``is_leaf`` takes for a leaf.

    Returns:
        A bool.
    """
    return (is_leaf is not None and is_leaf(tree)) or _node_def(tree) is None


def tree_flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeSpec]:
    """The leaves of ``tree`` from left to right, and its structure.

    Args:
        tree: any tree.
        is_leaf: containers for which it holds are leaves.

    Returns:
        A list, and a :class:`TreeSpec`.
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list[Any], is_leaf: IsLeaf) -> TreeSpec:
    definition = None if is_leaf is not None and is_leaf(tree) else _node_def(tree)
    if definition is None:
        leaves.append(tree)
        return _LEAF
    children, context = definition.flatten_fn(tree)
    return TreeSpec(type(tree), context, [_flatten(c, leaves, is_leaf) for c in children])


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Any:
    """The tree of structure ``treespec`` with ``leaves``.

    Returns:
        The tree.

    Raises:
        TypeError: ``treespec`` is none.
        ValueError: there are more or fewer leaves than it has.
    """
    if not isinstance(treespec, TreeSpec):
        raise TypeError(
            "tree_unflatten(leaves, treespec): Expected `treespec` to be instance of TreeSpec but "
            f"got item of type {type(treespec)}."
        )
    return treespec.unflatten(leaves)


def tree_iter(tree: Any, is_leaf: IsLeaf = None) -> Iterator[Any]:
    """The leaves of ``tree``, one after the other.

    Args:
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        An iterator.
    """
    yield from tree_leaves(tree, is_leaf)


def tree_leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of ``tree`` from left to right.

    Args:
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A list.
    """
    return tree_flatten(tree, is_leaf)[0]


def tree_structure(tree: Any, is_leaf: IsLeaf = None) -> TreeSpec:
    """The structure of ``tree``.

    Args:
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A :class:`TreeSpec`.
    """
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """The tree of ``func(leaf, ...)`` for the leaves of ``tree`` (and what is there in ``rests``).

    Args:
        func: called with one leaf of each tree.
        tree: gives the structure.
        rests: trees of that structure, or with subtrees for leaves.
        is_leaf: containers of ``tree`` for which it holds are leaves.

    Returns:
        A tree of the structure of ``tree``.

    Raises:
        ValueError: ``rests`` have another structure.
    """
    leaves, treespec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(treespec.flatten_up_to(rest) for rest in rests)]
    return treespec.unflatten(func(*row) for row in zip(*columns))


def tree_map_(func: Callable[..., Any], tree: Any, *rests: Any, is_leaf: IsLeaf = None) -> Any:
    """Call ``func`` as :func:`tree_map` does, for what it does to the leaves.

    Args:
        func, tree, rests, is_leaf: as there.

    Returns:
        ``tree``.

    Raises:
        ValueError: ``rests`` have another structure.
    """
    leaves, treespec = tree_flatten(tree, is_leaf)
    columns = [leaves, *(treespec.flatten_up_to(rest) for rest in rests)]
    for row in zip(*columns):
        func(*row)
    return tree


def _accepts(type_or_types: Any) -> Callable[[Any], bool]:
    if isinstance(type_or_types, (type, tuple)) or hasattr(type_or_types, "__args__"):
        return lambda x: isinstance(x, type_or_types)
    if callable(type_or_types):
        return type_or_types
    raise TypeError("Argument must be a type, a tuple of types, or a callable.")


def map_only(type_or_types_or_pred: Any) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """A decorator: the function, applied only to what is of the type(s) or meets the predicate.

    Args:
        type_or_types_or_pred: a type, a tuple or union of types, or a predicate.

    Returns:
        The decorator.

    Raises:
        TypeError: something else for the types.
    """
    accepts = _accepts(type_or_types_or_pred)

    def decorate(func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: func(x) if accepts(x) else x

    return decorate


def tree_map_only(
    type_or_types_or_pred: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None
) -> Any:
    """:func:`tree_map` for some leaves; the others stay.

    Args:
        type_or_types_or_pred: a type, a tuple or union of types, or a predicate.
        func: called with each leaf of that type, or that meets the predicate.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A tree of the structure of ``tree``.

    Raises:
        TypeError: something else for the types.
    """
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(
    type_or_types_or_pred: Any, func: Callable[[Any], Any], tree: Any, is_leaf: IsLeaf = None
) -> Any:
    """:func:`tree_map_` for some leaves.

    Args:
        type_or_types_or_pred: a type, a tuple or union of types, or a predicate.
        func: called with each leaf of that type, or that meets the predicate.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        ``tree``.

    Raises:
        TypeError: something else for the types.
    """
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether ``pred`` holds for all leaves of ``tree``.

    Args:
        pred: of a leaf.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A bool.
    """
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether ``pred`` holds for some leaf of ``tree``.

    Args:
        pred: of a leaf.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A bool.
    """
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(
    type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None
) -> bool:
    """Whether ``pred`` holds for all leaves of the given type(s).

    Args:
        type_or_types: a type, a tuple or union of types, or a predicate.
        pred: of a leaf.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A bool.

    Raises:
        TypeError: something else for the types.
    """
    accepts = _accepts(type_or_types)
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if accepts(x))


def tree_any_only(
    type_or_types: Any, pred: Callable[[Any], bool], tree: Any, is_leaf: IsLeaf = None
) -> bool:
    """Whether ``pred`` holds for some leaf of the given type(s).

    Args:
        type_or_types: a type, a tuple or union of types, or a predicate.
        pred: of a leaf.
        tree: any tree.
        is_leaf: containers for which it holds are leaves, too.

    Returns:
        A bool.

    Raises:
        TypeError: something else for the types.
    """
    accepts = _accepts(type_or_types)
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if accepts(x))


def _broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: IsLeaf = None
) -> list[Any] | None:
    """The leaves of ``tree``, each repeated for the leaves of ``treespec`` below it.

    None if ``tree`` does not broadcast: above its leaves it must have the structure of
    ``treespec``.
    """
    definition = None if is_leaf is not None and is_leaf(tree) else _node_def(tree)
    if definition is None:
        return [tree] * treespec.num_leaves
    if treespec.is_leaf() or treespec.type is not type(tree):
        return None
    children, context = definition.flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    found: list[Any] = []
    for child, spec in zip(children, treespec._children):
        flat = _broadcast_to_and_flatten(child, spec, is_leaf)
        if flat is None:
            return None
        found.extend(flat)
    return found


__all__ = [
    "LeafSpec", "PyTreeSpec", "TreeSpec", "is_namedtuple", "is_namedtuple_class",
    "is_namedtuple_instance", "is_structseq", "is_structseq_class", "is_structseq_instance",
    "register_pytree_node", "tree_all", "tree_all_only", "tree_any", "tree_any_only",
    "tree_flatten", "tree_is_leaf", "tree_iter", "tree_leaves", "tree_map", "tree_map_",
    "tree_map_only", "tree_map_only_", "tree_structure", "tree_unflatten",
]  # fmt: skip
