"""The layouts of temporaries: which dim lies innermost in memory.

Values that a program computes on the way have no layout that anyone sees.  Most of them share one
large dim, usually the batch: with that innermost, every loop over it is made of full vectors, and
softmax, pooling, bias and convolution need nothing from across a vector.  Dims are followed through
the graph; the one that most memory has in common is chosen.  Images of so few samples that vectors
along the batch are mostly empty have their channels innermost instead.

Where a contraction wants an operand in another layout than it has, a copy is put in, if copying
costs less than it saves.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from .cache import attribute_text
from .codegen.expressions import ELEMENTWISE, Source, sources
from .codegen.indexing import Index, contiguous_strides, linear
from .codegen.loops import IsLeaf, Strides, arrange_loops
from .codegen.tile_plan import TileProblem, plan_tiles, register_count
from .codegen.tiles import bounded_loops, packable
from .graph import Graph, Value
from .kernels import CONTRACTIONS, kernel_of
from .origin import inherit

Dim = tuple[int, int]
"""A value's id and one of its dims."""

_VIEWS = frozenset(("reshape", "permute", "expand"))

_ACROSS_ROWS = 0.5
"""How full vectors are, as a rule, that are walked along the rows of images."""
_WORTH_TURNING = 1.2
"""How much fuller they must be along channels: the filters are turned in every step."""

_PADDED = 2048
"""Elements from which rows are padded to whole cache lines."""


@dataclass
class Layouts:
    """The order of the dims in memory, outermost first, where it is not the usual one."""

    orders: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _values: list[Value] = field(default_factory=list)

    def set(self, value: Value, order: tuple[int, ...]) -> None:
        """Give ``value`` the order ``order``."""
        self.orders[id(value)] = order
        self._values.append(value)  # its id must not be given to another

    def unset(self, value: Value) -> None:
        """Give ``value`` the usual order again."""
        self.orders.pop(id(value), None)

    def strides(self, value: Value) -> tuple[int, ...]:
        """The distance in elements between neighbours along each dim."""
        order = self.orders.get(id(value))
        if order is None:
            return contiguous_strides(value.shape)
        strides = [0] * value.ndim
        stride = 1
        for position, dim in enumerate(reversed(order)):
            strides[dim] = stride
            stride *= value.shape[dim]
            if position == 0 and value.size >= _PADDED:
                line = 64 // value.dtype.itemsize
                stride = -(-stride // line) * line
                if stride * value.dtype.itemsize % 2048 == 0:
                    stride += line  # rows that far apart compete for the same lines of the cache
        return tuple(strides)

    def size(self, value: Value) -> int:
        """The elements that the value takes in memory, padding included."""
        if value.size == 0:
            return 0
        strides = self.strides(value)
        return 1 + sum((n - 1) * s for n, s in zip(value.shape, strides, strict=True))


# -- dims that are one ---------------------------------------------------------------------------


class DimClasses:
    """Union-find over dims."""

    def __init__(self) -> None:
        self.parent: dict[Dim, Dim] = {}

    def find(self, dim: Dim) -> Dim:
        root = dim
        while (above := self.parent.get(root, root)) != root:
            root = above
        while dim != root:
            self.parent[dim], dim = root, self.parent.get(dim, dim)
        return root

    def union(self, a: Dim, b: Dim) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a


def join_dims(value: Value, classes: DimClasses) -> None:
    """Note which dims of ``value`` and of its operands are walked together."""
    name = value.primitive
    operands = value.operands
    key = id(value)

    def same(x: Value, from_dim: int, to_dim: int) -> None:
        if x.shape[from_dim] == value.shape[to_dim] != 1:
            classes.union((id(x), from_dim), (key, to_dim))

    def both(x: Value, i: int, y: Value, j: int) -> None:
        if x.shape[i] == y.shape[j] != 1:
            classes.union((id(x), i), (id(y), j))

    if name in ELEMENTWISE or name in ("expand", "relayout"):
        for x in operands:
            offset = value.ndim - x.ndim
            for d in range(x.ndim):
                same(x, d, d + offset)
    elif name == "permute":
        for i, d in enumerate(value.attributes["dims"]):
            same(operands[0], d % operands[0].ndim, i)
    elif name == "reshape":
        x = operands[0]
        left = 0
        while left < min(x.ndim, value.ndim) and x.shape[left] == value.shape[left]:
            same(x, left, left)
            left += 1
        right = 1
        while right <= min(x.ndim, value.ndim) - left and x.shape[-right] == value.shape[-right]:
            same(x, x.ndim - right, value.ndim - right)
            right += 1
        if left == 0 or right == 1:
            _join_single(x, value, classes)
    elif name in ("sum", "prod", "amax", "amin", "any", "all"):
        x = operands[0]
        dim = value.attributes["dim"]
        reduced = set(range(x.ndim)) if dim is None else {d % x.ndim for d in dim}
        kept = [d for d in range(x.ndim) if d not in reduced]
        places = kept if value.attributes["keepdim"] else range(len(kept))
        for d, place in zip(kept, places, strict=True):
            same(x, d, place)
    elif name == "matmul":
        x, y = operands
        both(x, x.ndim - 1, y, max(0, y.ndim - 2))
        if x.ndim > 1:
            same(x, x.ndim - 2, value.ndim - (2 if y.ndim > 1 else 1))
        if y.ndim > 1:
            same(y, y.ndim - 1, value.ndim - 1)
        for operand in operands:
            for i in range(operand.ndim - 2):
                same(operand, i, i + (value.ndim - operand.ndim))
    elif name in ("conv", "conv_input"):
        same(operands[0], 0, 0)
    elif name == "conv_weight":
        both(operands[0], 0, operands[1], 0)
    elif name not in ("scan", "host") and operands and operands[0].ndim == value.ndim:
        # pooling, slices, padding, scatter: dims whose extent stays
        for x in operands:
            if x.ndim == value.ndim:
                for d in range(x.ndim):
                    same(x, d, d)


def _join_single(x: Value, value: Value, classes: DimClasses) -> None:
    """A reshape that only adds or removes dims of one element."""
    a = [i for i, n in enumerate(x.shape) if n != 1]
    b = [i for i, n in enumerate(value.shape) if n != 1]
    if [x.shape[i] for i in a] == [value.shape[i] for i in b]:
        for i, j in zip(a, b, strict=True):
            classes.union((id(x), i), (id(value), j))


def _filled(extent: int, lanes: int) -> float:
    """How full the vectors of a loop are."""
    return extent / (-(-extent // lanes) * lanes)


def _innermost_class(graph: Graph, classes: DimClasses, lanes: int) -> Dim | None:
    """The dim that most memory of the temporaries has, and that fills vectors."""
    scores: dict[Dim, float] = {}
    every = list(graph.values())
    # images: neighbouring positions make up for a batch of few vectors
    convolves = any(v.primitive in ("conv", "conv_input", "conv_weight") for v in every)
    most = lanes if convolves else 4 * lanes
    for value in every:
        if value.primitive in ("input", "constant", "full", "arange", "expand", "permute"):
            continue
        for d, n in enumerate(value.shape):
            if n <= 1:
                continue
            root = classes.find((id(value), d))
            # a class of many vectors leaves room for register tiles
            score = value.size * _filled(n, lanes) * min(n, most)
            scores[root] = scores.get(root, 0.0) + score
    if not any(v.primitive in CONTRACTIONS for v in every):
        # little is done with each element: what is given and wanted is not worth turning
        for value in (*graph.inputs, *graph.roots()):
            if value.ndim and value.shape[-1] >= lanes:
                root = classes.find((id(value), value.ndim - 1))
                scores[root] = scores.get(root, 0.0) + 4 * value.size * most
    if not scores:
        return None
    return max(scores, key=lambda root: scores[root])


def _innermost(graph: Graph, classes: DimClasses, lanes: int) -> set[Dim]:
    """The classes of dims that lie innermost: one, or the channels of all images."""
    best = _innermost_class(graph, classes, lanes)
    if best is None:
        return set()
    along_best = along_channels = 0.0
    channels: set[Dim] = set()
    for value in graph.values():
        if value.primitive not in ("conv", "conv_input", "conv_weight") or value.size == 0:
            continue
        if value.primitive == "conv_weight":
            grad, image = value.operands
            weight, made = value.shape, (grad, image)
            filled = max(_filled(n, lanes) for n in weight[:2])
        else:
            image, taken = value.operands
            weight, made = taken.shape, (value, image)
            filled = _filled(value.shape[1], lanes)
        groups = value.attributes["groups"]
        if groups > 1 and (weight[1] > 1 or weight[0] != groups):
            filled = 0.0  # neighbouring filters read other channels
        work = math.prod(weight) * min(math.prod(v.shape) / v.shape[1] for v in made)
        batch = classes.find((id(image), 0)) == best
        along_best += work * (_filled(image.shape[0], lanes) if batch else _ACROSS_ROWS)
        along_channels += work * filled
        for v in made:
            if 2 * v.shape[1] >= lanes:
                channels.add(classes.find((id(v), 1)))
    return channels if along_channels > _WORTH_TURNING * along_best > 0 else {best}


# -- copies for contractions ----------------------------------------------------------------------


def _base(operand: Value) -> tuple[Value, list[Value]]:
    """What ``operand`` is a view of, and the views from it outwards."""
    chain = []
    while operand.primitive in _VIEWS:
        chain.append(operand)
        operand = operand.operands[0]
    return operand, chain


def _flat(source: Source, is_leaf: IsLeaf, strides: Strides) -> Index:
    """Where in the memory of its array a source is read."""
    operand, index = source.operand, source.index
    while not is_leaf(operand):
        (inner,) = sources(operand, index, _no_dynamic)
        operand, index = inner.operand, inner.index
    return linear(index, strides(operand))


def _form(value: Value) -> Any:
    """What a primitive does, whatever its operands are."""
    attributes = sorted(value.attributes.items())
    return (
        value.primitive,
        tuple((name, attribute_text(attribute)) for name, attribute in attributes),
        value.shape,
        value.dtype,
    )


def _seen_through(operand: Value, layouts: Layouts) -> Any:
    """What ``operand`` is to its reader: views, and the kind and layout of what they show."""
    base, chain = _base(operand)
    within: tuple[Any, ...] = ()
    if base.primitive == "slice":
        within = _form(base), *_seen_through(base.operands[0], layouts)
    return *map(_form, chain), base.shape, base.dtype, layouts.strides(base), *within


def _no_dynamic(*read: object) -> Index:
    raise RuntimeError("a view reads no index")


class _CopyChooser:
    def __init__(self, layouts: Layouts, lanes: int) -> None:
        self.layouts = layouts
        self.lanes = lanes
        self.copies: dict[tuple[int, int], Value] = {}
        self.costs: dict[Any, float] = {}
        """What contractions cost, by all that it depends on: equal layers have equal ones."""

    def rewritten(self, value: Value) -> Value:
        """``value``, a contraction, with operands copied where that pays."""
        if value.size == 0 or any(v.size == 0 for v in value.operands):
            return value
        cost, chosen = self.choice(value)
        if cost == math.inf and value.primitive == "conv_input":
            value = self._read_apart(value)
            _, chosen = self.choice(value)
        if not chosen:
            return value
        operands = list(value.operands)
        for which, dim in chosen.items():
            operands[which] = self.copied(operands[which], dim)
        return value.on(tuple(operands))

    def _read_apart(self, value: Value) -> Value:
        """``value`` reading a copy of images that are another array's reshaping.

        Where windows reach beyond the images, their places in that array are no sum of strides.
        """
        images, filters = value.operands
        if _base(images)[0] is images:
            return value
        order = self.layouts.orders.get(id(value))
        key = (id(images), -1)
        copy = self.copies.get(key)
        if copy is None:
            copy = Value("relayout", (images,), {}, images.shape, images.dtype)
            if order is not None and order[-1] == 0:
                self.layouts.set(copy, (*range(1, images.ndim), 0))
            self.copies[key] = copy
        new = value.on((copy, filters))
        if order is not None:
            self.layouts.set(new, order)
        return new

    def choice(self, value: Value) -> tuple[float, dict[int, int]]:
        """The least cost of ``value``, and the copies of operands that it takes."""
        best = self._cost(value, {})
        chosen: dict[int, int] = {}
        trials = self._trials(value)
        for trial in trials:
            cost = self._cost(value, trial) + self._copying(value, trial)
            if cost < best:
                best, chosen = cost, trial
        if value.primitive == "conv_input" and len(chosen) == 1:
            # with its filters turned, images whose channels are far apart may be worth it too
            for trial in [chosen | t for t in trials if not chosen.keys() & t.keys()]:
                cost = self._cost(value, trial) + self._copying(value, trial)
                if cost < best:
                    best, chosen = cost, trial
        return best, chosen

    def _copying(self, value: Value, copies: dict[int, int]) -> float:
        """What the copies cost that are not there yet."""
        bases = [(_base(value.operands[which])[0], dim) for which, dim in copies.items()]
        return sum(40 + 0.7 * b.size for b, d in bases if (id(b), d) not in self.copies)

    def _trials(self, value: Value) -> list[dict[int, int]]:
        """Operands of ``value`` that may be copied, each with the dim that would lie innermost."""
        trials: list[dict[int, int]] = []
        for which, operand in enumerate(value.operands):
            base, _ = _base(operand)
            if base.primitive in ("full", "arange") or base.ndim < 2:
                continue
            strides = self.layouts.strides(base)
            # taps of filters are read where they are
            apart = base.primitive == "slice" and value.primitive != "matmul"
            trials += [
                {which: d} for d, n in enumerate(base.shape) if n > 1 and (apart or strides[d] != 1)
            ]
        if value.primitive == "conv_weight":
            # both are walked along the batch: one such copy alone gains nothing
            batch = [t for t in trials if list(t.values()) == [0]]
            if len(batch) == 2 and all(_base(v)[0] is v for v in value.operands):
                trials.append({0: 0, 1: 0})
        return trials

    def _order(self, value: Value, dim: int) -> tuple[int, ...]:
        before = self.layouts.orders.get(id(value), tuple(range(value.ndim)))
        return (*(d for d in before if d != dim), dim)

    def _cost(self, value: Value, copied: dict[int, int]) -> float:
        trial = Layouts(dict(self.layouts.orders))
        for which, dim in copied.items():
            base, _ = _base(value.operands[which])
            trial.set(base, self._order(base, dim))
        key = (
            _form(value),
            tuple(copied),
            trial.strides(value),
            *(_seen_through(v, trial) for v in value.operands),
        )
        cost = self.costs.get(key)
        if cost is None:
            cost = self.costs[key] = self._planned_cost(value, trial, copied)
        return cost

    def _planned_cost(self, value: Value, trial: Layouts, copies: Collection[int]) -> float:
        kernel = kernel_of(value)
        kernel.stored = [value]
        arrange_loops(kernel, lambda v: v.primitive not in _VIEWS, trial.strides)
        group = kernel.groups[0]
        member = group.members[0]
        assert member.reduction is not None
        terms = member.reduction.terms(member.position, group.terms_at)
        copied = {id(_base(value.operands[which])[0]) for which in copies}
        taps = value.primitive != "matmul"

        def is_leaf(v: Value) -> bool:
            in_place = taps and v.primitive == "slice" and id(v) not in copied
            return v.primitive not in _VIEWS and not in_place

        problem = TileProblem.of(
            kernel.outer,
            group.reduced,
            [_flat(source, is_leaf, trial.strides) for source in terms],
            [linear(member.position, trial.strides(value))],
            register_count(4 * self.lanes),
            bounded_loops(terms, group.reduced) or frozenset(),
            packable=packable(kernel, terms, is_leaf),
            windows=taps,
        )
        plan = plan_tiles(problem, self.lanes)
        return math.inf if plan is None else plan.cost

    def copied(self, operand: Value, dim: int) -> Value:
        base, chain = _base(operand)
        key = (id(base), dim)
        copy = self.copies.get(key)
        if copy is None:
            copy = Value("relayout", (base,), {}, base.shape, base.dtype)
            self.layouts.set(copy, self._order(base, dim))
            self.copies[key] = copy
        result = copy
        for view in reversed(chain):
            result = Value(view.primitive, (result,), view.attributes, view.shape, view.dtype)
        return result


def _convolved(graph: Graph) -> set[int]:
    """The ids of results that are images a convolution made."""
    found: set[int] = set()
    updates = {id(v) for v in graph.updates.values()}
    for value in graph.outputs:
        image = value
        while image.primitive in ELEMENTWISE | {"reshape"} and image.shape == value.shape:
            image = next((v for v in image.operands if v.shape == value.shape), image.operands[0])
        if (
            image.primitive in ("conv", "conv_input")
            and image.size >= _PADDED
            and id(value) not in updates
        ):
            found.add(id(value))
    return found


def _turned(
    value: Value, layouts: Layouts, chooser: _CopyChooser, lanes: int
) -> tuple[int, ...] | None:
    """The order of dims in which a contraction is better computed, and then brought to its own.

    A product of few columns is computed column by column; the gradient of filters in vectors along
    the filters or their channels.
    """
    if value.size == 0:
        return None
    if value.primitive == "matmul" and value.ndim == 2:
        rows, columns = value.shape
        if columns > lanes // 2 or rows < 2 * lanes or value.operands[0].shape[-1] < 8 * lanes:
            return None
        orders: list[tuple[int, ...]] = [(1, 0)]
    elif value.primitive == "conv_weight":
        orders = [
            (*(i for i in range(value.ndim) if i != d), d)
            for d in (0, 1)
            if value.shape[d] >= lanes
        ]
    else:
        return None
    best, found = 0.8 * chooser.choice(value)[0], None
    for order in orders:
        layouts.set(value, order)
        cost = chooser.choice(value)[0] + 40 + 0.7 * value.size
        layouts.unset(value)
        if cost < best:
            best, found = cost, order
    return found


def _padded_after_turning(value: Value, layouts: Layouts, chooser: _CopyChooser) -> Value:
    """A padding whose operand is first brought to its layout: blocks are turned in registers."""
    (operand,) = value.operands
    order = layouts.orders[id(value)]
    base, _ = _base(operand)
    if base is not operand or operand.size < _PADDED or operand.primitive in ("full", "arange"):
        return value
    if layouts.strides(operand)[order[-1]] == 1:
        return value
    turned = chooser.copied(operand, order[-1])
    new = Value("pad", (turned,), value.attributes, value.shape, value.dtype)
    layouts.set(new, order)
    return new


def choose_layouts(graph: Graph, lanes: int) -> tuple[Graph, Layouts]:
    """Layouts for the temporaries of ``graph``, and the graph with the copies that they need."""
    classes = DimClasses()
    for value in graph.values():
        join_dims(value, classes)
    innermost = _innermost(graph, classes, lanes)
    layouts = Layouts()
    pinned = {id(v) for v in graph.roots()}
    for value in graph.values():
        if value.primitive in ("scan", "host"):  # found by address
            pinned |= {id(value), *(id(v) for v in value.operands)}
    convolved = _convolved(graph) if innermost else set()
    chooser = _CopyChooser(layouts, lanes)
    table: dict[int, Value] = {}
    outward: dict[int, Value] = {}
    """Results that are computed in a layout of their own: a copy in the usual one."""
    for value in graph.values():
        operands = tuple(table[id(v)] for v in value.operands)
        new = value.on(operands)
        if (
            id(value) not in pinned
            and innermost
            and value.primitive not in ("input", "constant")
            or id(value) in convolved
        ):
            dims = [d for d in range(value.ndim) if classes.find((id(value), d)) in innermost]
            if not dims and id(value) in convolved:
                # the batch, or the channels
                dims = [d for d in (0, 1) if value.shape[d] >= lanes][:1]
            if len(dims) == 1 and dims[0] != value.ndim - 1:
                order = (*(d for d in range(value.ndim) if d != dims[0]), dims[0])
                layouts.set(new, order)
            elif dims and value.ndim > 1:
                layouts.set(new, tuple(range(value.ndim)))
        if new.primitive == "pad" and id(new) in layouts.orders:
            new = _padded_after_turning(new, layouts, chooser)
        if new.primitive in CONTRACTIONS:
            own = layouts.orders.get(id(new))
            turned: tuple[int, ...] | None = None
            filters = value.primitive == "conv_weight"
            if own is None and (
                not filters or classes.find((id(value.operands[0]), 1)) in innermost
            ):
                turned = _turned(new, layouts, chooser, lanes)
            if turned is not None:
                own = turned
                layouts.set(new, own)
            new = chooser.rewritten(new)
            if own is not None:
                layouts.set(new, own)
            if turned is not None:
                new = Value("relayout", (inherit(new, value),), {}, value.shape, value.dtype)
        table[id(value)] = inherit(new, value)
        if id(value) in convolved and id(table[id(value)]) in layouts.orders:
            copy = Value("relayout", (table[id(value)],), {}, value.shape, value.dtype)
            outward[id(value)] = inherit(copy, value)
    chosen = Graph(
        graph.inputs,
        [outward.get(id(v), table[id(v)]) for v in graph.outputs],
        {i: table[id(v)] for i, v in graph.updates.items()},
    )
    return chosen, layouts


__all__ = ["DimClasses", "Layouts", "choose_layouts", "join_dims"]
