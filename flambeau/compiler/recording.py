"""The mode that is on while a program is captured: it notes what the program meets and does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any

import numpy as np

from ..modes import MODES, ConcreteValueNeeded
from ..random.default import default_generator
from ..tensor import Tensor
from ..tensor.views import chain_of, is_alias, record_alias
from ..tensor.views import replay as replayed
from . import symbolic
from .array_calls import TURN, call_values, drawn, name_of
from .capture_error import CaptureError
from .captured import Draw, Grad, Program, RangeCheck
from .graph import Value, constant, input_value
from .memory_order import MAY_COPY, copies, in_row_major_order
from .newborn import Newborn
from .options import Hyperparameter, OptionNumber, Varying, form
from .origin import OnePlace, Origin, find_origin
from .repetition import Repetitions
from .replay import Replay
from .requirements import required, singular_places
from .streams import Streams

_MOVES = ("reshape", "permute", "expand", "flip", "astype")
"""Primitives that leave the set of an array's elements as it is."""


class DeferredNumber:
    """``tensor.item()`` during capture: fit only to be returned."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def _needed(self, *_: Any) -> Any:
        raise ConcreteValueNeeded("computing with item()")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _needed
    __rtruediv__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = _needed
    __neg__ = __abs__ = __format__ = __index__ = __pow__ = __rpow__ = __floordiv__ = _needed
    __str__ = __repr__ = __round__ = _needed  # type: ignore[assignment]


def capturing() -> bool:
    """Whether this thread is capturing a program."""
    return MODES.capture is not None


class Capture:
    """The mode that is on while a program is captured (``MODES.capture``)."""

    namespace = symbolic

    def __init__(
        self,
        varying: Set[tuple[int, str]],
        known: dict[int, Tensor],
        seen: dict[int, Tensor],
        earlier: Replay | None = None,
    ) -> None:
        self.known = known
        """The tensors that the program can name."""
        self.varying = varying
        """Options that are inputs: their groups' ids, and names."""
        self.varied: dict[tuple[int, str], Varying] = {}
        self.replay = Replay(earlier)
        self.repetitions = Repetitions(self.replay)
        self.newborn = Newborn(seen)
        """The tensors that are made while the program runs."""
        self.inputs: list[Value] = []
        self.sources: list[Any] = []
        self.arrays: list[np.ndarray] = []
        """The values of the inputs at this call."""
        self.states: dict[int, tuple[Tensor, Value]] = {}
        self.original: dict[int, tuple[Tensor, Any, Any, bool, dict[str, Any]]] = {}
        self.original_grads: dict[int, tuple[Tensor, Tensor | None]] = {}
        self.grad_owners: dict[int, Tensor] = {}
        """The tensors whose ``grad`` a tensor is, by its id, of those that have a ``grad``."""
        self.original_flags: dict[int, tuple[Tensor, bool]] = {}
        """The ``requires_grad`` of tensors that the program has changed."""
        self.shared_grads: set[int] = set()
        self.known_orders: dict[int, bool] = {}
        self.known_memory: dict[int, np.ndarray] = {}
        self.looked_at: list[Value] = []
        """What :mod:`.memory_order` has found."""
        self.source_by_tensor: dict[int, Any] = {}
        self.streams = Streams()
        self.in_order: set[int] = set()
        """Arguments whose elements lie in row-major order."""
        self.of_unknown_order: set[int] = set()
        """Results that lie in memory as something else does, of which that is not known."""
        self.left_behind: dict[int, tuple[Tensor, Value]] = {}
        """Tensors whose ``data`` have been replaced, and what they were just before."""
        self.derived: dict[int, tuple[Tensor, Any]] = {}
        """Views of states, and their arrays."""
        self.early: set[int] = set()
        """The inputs that were made before the program met them."""
        self.unasked: set[int] = set()
        """States and arguments, while nobody has asked for their ``grad``."""
        self.delivered: dict[int, Tensor] = {}
        """The tensors that become outputs, by their ids."""
        self.hyperparameters: dict[tuple[int, str, int | None], Tensor] = {}
        self.groups: dict[int, dict[str, Any]] = {}
        self.afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.moved: set[int] = set()
        """Optimizers' groups that :attr:`afterwards` changes."""
        self.cut: list[Tensor] = []
        """Arguments that were computed under the tape."""
        self.checks: list[RangeCheck] = []
        self.requirements: list[Value] = []
        """Values that are computed because that may raise."""
        self.turn: Value | None = None
        """Whose turn it is to draw from the default generator, once a draw waits for elements."""
        self.forgotten: set[int] = set()
        """Tensors whose ``grad`` the program replaces before it could matter."""
        self.argument_positions: dict[int, int] = {}
        self.origin: Origin | None = None
        """Of all values that are made, while that is known."""

    # -- what operations ask ------------------------------------------------------------------

    def one_place(self) -> OnePlace:
        """While this is entered, all that is computed comes from one line of the program."""
        return OnePlace(self)

    def note_call(self, node: Any) -> None:
        """Keep on the tape's ``node`` where its operation was called."""
        node.called_at = self.origin or find_origin()

    def array_of(self, tensor: Tensor) -> Value:
        """The symbolic array of ``tensor``, which is lifted if it has a value."""
        array = tensor._array
        if array.__class__ is Value or hasattr(array, "batch_memory"):
            return array
        return self.lift(tensor)

    def lift(self, tensor: Tensor) -> Value:
        """Make ``tensor`` a state of the program, or a constant if the program itself made it."""
        if not isinstance(tensor._array, np.ndarray):
            raise CaptureError(f"a tensor on {tensor.device} met a program compiled for the CPU")
        if tensor in self.newborn:
            if any(tensor._array is state for state in self.streams.seen):
                raise CaptureError("it computes with, or returns, the state of a generator")
            tensor._array = self.constant(tensor._array)
            return tensor._array
        owner = self.grad_owners.get(id(tensor))
        if owner is None or id(tensor) in self.known:
            if tensor._base is not None and tensor._view is not None:
                return self._derive(tensor)
            return self._bind(tensor, tensor)
        if id(tensor) in self.shared_grads:
            raise CaptureError("two tensors have the same tensor as their grad")
        if tensor._requires_grad:
            raise CaptureError("it uses a grad that is itself on the tape (create_graph=True)")
        self.note_grad(owner)
        return self._bind(tensor, Grad(self.argument_positions.get(id(owner), owner)))

    def _remember(self, tensor: Tensor) -> None:
        """Keep what :meth:`restore` puts back."""
        kept: dict[str, Any] = {
            name: tensor.__dict__[name] for name in ("_rebased", "_seen") if name in tensor.__dict__
        }
        self.original[id(tensor)] = (
            tensor, tensor._array, tensor._node, tensor._requires_grad, kept,
        )  # fmt: skip

    def histories_of(self, tensors: Iterable[Tensor]) -> list[Any]:
        """The nodes that ``tensors`` from outside had on the tape before the program."""
        found = (self.original[id(t)][2] for t in tensors if id(t) in self.original)
        return [node for node in found if node is not None]

    def _derive(self, view: Tensor) -> Any:
        """Make ``view``, from outside, what it is: a view of a state."""
        base = view._base
        assert base is not None
        self.derived[id(view)] = (view, view._array)
        self._remember(view)
        value = replayed(chain_of(view), self.array_of(base))
        view._array = value
        view._seen = base._rebased
        return value

    def lift_early(self, tensors: Iterable[Tensor]) -> None:
        """Make ``tensors`` states before the program meets them.

        Code that looks at a tensor's memory then sees that it has none.
        """
        for tensor in tensors:
            if (
                id(tensor) not in self.states
                and isinstance(tensor._array, np.ndarray)
                and tensor._base is None
            ):
                self.early.add(id(self._bind(tensor, tensor)))

    def drop_unused(self, program: Program) -> None:
        """Leave out states that were lifted early, and not used."""
        graph, joint = program.graph, program.joint
        used = self.replay.reached_by(graph.roots()) | {id(c.value) for c in program.checks}
        used |= {id(graph.inputs[i]) for i in graph.updates}
        if joint is not None:
            used |= {id(graph.inputs[k[1]]) for k in joint.kept if isinstance(k, tuple)}
        kept = [i for i, v in enumerate(self.inputs) if id(v) in used or id(v) not in self.early]
        place = {old: new for new, old in enumerate(kept)}
        graph.updates = {place[i]: value for i, value in graph.updates.items()}
        if joint is not None:
            joint.kept = [("input", place[k[1]]) if isinstance(k, tuple) else k for k in joint.kept]
        self.inputs = [self.inputs[i] for i in kept]
        self.sources = [self.sources[i] for i in kept]
        self.arrays = [self.arrays[i] for i in kept]
        graph.inputs = list(self.inputs)

    def knows_grads_of(self, tensors: Iterable[Tensor]) -> None:
        """Note whose ``grad`` the gradients of ``tensors`` are."""
        for tensor in tensors:
            grad = tensor._grad
            if grad is not None:
                if self.grad_owners.setdefault(id(grad), tensor) is not tensor:
                    self.shared_grads.add(id(grad))

    def note_requires_grad(self, tensor: Tensor) -> None:
        """Remember ``requires_grad`` before the program sets it."""
        if tensor not in self.newborn:
            self.original_flags.setdefault(id(tensor), (tensor, tensor._requires_grad))

    def argument(self, tensor: Tensor, position: int) -> Value:
        """Make ``tensor`` the argument ``position`` of the program."""
        self.argument_positions[id(tensor)] = position
        contiguous = isinstance(tensor._array, np.ndarray) and tensor._array.flags.c_contiguous
        value = self._bind(tensor, position)
        if contiguous:  # or it would be another kind of argument
            self.in_order.add(id(value))
        return value

    def _bind(self, tensor: Tensor, source: Any) -> Value:
        array = tensor._array
        value = input_value(array.shape, array.dtype)
        self.inputs.append(value)
        self.sources.append(source)
        self.arrays.append(array)
        self.states[id(tensor)] = (tensor, value)
        self.source_by_tensor[id(tensor)] = source
        self._remember(tensor)
        if not isinstance(source, Grad) and id(tensor) not in self.original_grads:
            self._keep_grad(tensor)
            self.unasked.add(id(tensor))
        tensor._array = value
        if tensor._node is not None and tensor._base is None:
            tensor._node = None  # the program's tape begins at its arguments and its state
            self.cut.append(tensor)
        return value

    def note_grad(self, tensor: Tensor, replaced: bool = False) -> None:
        """Remember the ``grad`` that ``tensor`` had before the program.

        Args:
            replaced: it is about to be replaced; if it is still the one of before, then the
                program does not depend on it.
        """
        self.unasked.discard(id(tensor))
        if id(tensor) not in self.original_grads:
            if tensor in self.newborn:
                return
            self._keep_grad(tensor)
        if replaced and tensor._grad is self.original_grads[id(tensor)][1]:
            self.forgotten.add(id(tensor))

    def _keep_grad(self, tensor: Tensor) -> None:
        self.original_grads[id(tensor)] = (tensor, tensor._grad)
        self.knows_grads_of((tensor,))

    def replace_data(self, tensor: Tensor, value: Tensor) -> None:
        """``tensor.data = value``: from now on they are one memory, which is another at each call.

        Raises:
            CaptureError: one of them is a view, has views, or is not what it would have to be.
        """
        root = value
        while root._base is not None and all(is_alias(o) for o, _ in chain_of(root)):
            root = root._base
        if root is tensor:  # as after ``tensor.data -= x``
            return
        array = self.array_of(tensor)
        source = self.source_by_tensor.get(id(tensor))
        if source is not tensor or tensor._base is not None or id(tensor) in self.left_behind:
            raise CaptureError("it replaces the data of a tensor that is a view, or its own")
        if root not in self.newborn or root._base is not None or root._requires_grad:
            raise CaptureError("it replaces a tensor's data by those of a tensor from outside")
        if any(t._base is tensor for t in self.newborn.living()):
            raise CaptureError("it replaces the data of a tensor that it has views of")
        if any(t._base is root and t is not value for t in self.newborn.living()):
            raise CaptureError("it replaces a tensor's data by those of one that it has views of")
        new = self.array_of(root)
        if new.shape != array.shape or new.dtype != array.dtype:
            raise CaptureError("it replaces a tensor's data by some of another shape or dtype")
        self.left_behind[id(tensor)] = (tensor, array)
        tensor._array = new
        record_alias(root, tensor)
        if value is not root:
            record_alias(value, tensor)

    def constant(self, array: Any) -> Value:
        """A value made inside the program that is the same at every call."""
        if isinstance(array, Value):
            return array
        if array.size and array.ndim and (array == array.flat[0]).all():
            return symbolic.full(  # type: ignore[attr-defined]
                array.shape, array.flat[0].item(), array.dtype
            )
        return constant(array)

    def draw(self, sampler: Any, shape: Any, dtype: Any, parameters: Any, generator: Any) -> Value:
        """Random numbers: an input that each call draws anew."""
        if generator is default_generator:
            generator = None
        stream = self.streams.of(default_generator if generator is None else generator)
        if generator is None and self.turn is not None:
            stream.refuse_to_go_on()
            name = name_of(sampler)
            if name is None:
                raise CaptureError("it draws by a function without a name of its own")
            kind = (tuple(shape), np.dtype(dtype))
            arguments = {"sampler": name, "shape": kind[0], "dtype": kind[1],
                         "parameters": tuple(parameters)}  # fmt: skip
            return self.call_drawing(drawn, (), [kind], arguments, None)[0]
        draw = Draw(sampler, tuple(shape), np.dtype(dtype), tuple(parameters), generator)
        array = np.asarray(draw.sample())
        again = stream.drawn_again(draw)
        if again is not None:
            return again
        value = input_value(array.shape, array.dtype)
        self.inputs.append(value)
        self.sources.append(draw)
        self.arrays.append(array)
        stream.note_draw(draw, value)
        return value

    def repeated(
        self, key: Any, arguments: dict[str, Tensor], compute: Callable[[], dict[str, Any]]
    ) -> Any:
        """``compute()``, which may come again with other arguments (see :mod:`.repetition`)."""
        if all(self.array_of(tensor).__class__ is Value for tensor in arguments.values()):
            return self.repetitions.results(key, arguments, compute)
        return compute()

    def call(
        self, function: Callable[..., Any], operands: Sequence[Value], kinds: Sequence[Any],
        arguments: dict[str, Any],
    ) -> list[Value]:  # fmt: skip
        """The results of ``function`` of arrays, which each call of the program calls."""
        name = name_of(function)
        if name is None:
            raise CaptureError("it calls a function of arrays that has no name of its own")
        return call_values(name, operands, kinds, arguments)

    def call_drawing(
        self, function: Callable[..., Any], operands: Sequence[Value], kinds: Sequence[Any],
        arguments: dict[str, Any], generator: Any,
    ) -> list[Value]:  # fmt: skip
        """The same for one that draws random numbers, when it is its turn."""
        if generator is not None:
            raise CaptureError(
                "how many numbers it draws from a generator of its own depends on elements"
            )
        name = name_of(function)
        if name is None:
            raise CaptureError("it draws by a function that has no name of its own")
        self.streams.of(default_generator).refuse_to_go_on()
        turn = constant(np.zeros(*TURN)) if self.turn is None else self.turn
        *results, self.turn = call_values(
            name, (*operands, turn), [*kinds, TURN], arguments, draws=True
        )
        return results

    def hyperparameter(self, group: dict[str, Any], name: str) -> Any:
        """An optimizer's option: ``lr``, and what has varied, as an input, others as they are."""
        self.groups[id(group)] = group
        if id(group) in self.moved:
            raise CaptureError(f"the optimizer reads '{name}' after its schedule's step")
        value = group[name]
        if name == "lr":
            return value if isinstance(value, Tensor) else self._number(group, name, None, Tensor)
        kind = form(value)
        if (id(group), name) not in self.varying or kind is None:
            return value
        varying = self.varied.setdefault((id(group), name), Varying(value))
        numbers = []
        for place in range(max(1, kind)):
            number = self._number(group, name, place if kind else None, OptionNumber)
            number._option = (varying, place, value[place] if kind else value)
            numbers.append(number)
        return tuple(numbers) if kind else numbers[0]

    def _number(self, group: dict[str, Any], name: str, index: int | None, cls: type) -> Any:
        """A number of an optimizer's group as an input."""
        key = (id(group), name, index)
        if key not in self.hyperparameters:
            source = Hyperparameter(group, name, index)
            symbol = input_value((), np.dtype(np.float64))
            self.inputs.append(symbol)
            self.sources.append(source)
            self.arrays.append(source.read())
            tensor: Any = object.__new__(cls)
            tensor._array = symbol
            self.hyperparameters[key] = tensor
        return self.hyperparameters[key]

    def later(self, optimizer: Any, call: Callable[..., Any], *arguments: Any) -> None:
        """Have each call of the program end with ``call(*arguments)``, a schedule's step.

        Args:
            optimizer: whose groups ``call`` changes.
            call, arguments: what is called; tensors among the arguments become numbers.
        """
        known = (DeferredNumber(a) if isinstance(a, Tensor) else a for a in arguments)
        self.afterwards.append((call, tuple(known)))
        self.moved.update(map(id, optimizer.param_groups))

    def concrete(self, array: Any, wanted: str) -> np.ndarray:
        """The elements of ``array``, which must be the same at every call."""
        if isinstance(array, Value):
            if array.primitive == "constant":
                return array.attributes["array"]
            if array.primitive == "full":
                return np.full(array.shape, array.attributes["value"], array.dtype)
        raise ConcreteValueNeeded(wanted)

    def require_in_range(
        self, index: Value, low: int, high: int, error: Callable[[int], Exception],
        ignored: int | None,
    ) -> None:  # fmt: skip
        """Have each call refuse indices out of range among its inputs, before it does anything.

        Indices that the program computes are checked where they are used.
        """
        source = index
        while source.primitive in _MOVES:
            source = source.operands[0]
        if source.primitive == "input":
            self.checks.append(RangeCheck(source, low, high, ignored, error))

    def source_of(self, tensor: Tensor) -> Any:
        """What ``tensor`` from outside is: a :class:`Grad`, an argument's position, or itself."""
        if id(tensor) in self.states:
            return self.source_by_tensor[id(tensor)]
        owner = self.grad_owners.get(id(tensor))
        if owner is None or id(tensor) in self.known:
            return tensor
        self.note_grad(owner)
        return Grad(self.argument_positions.get(id(owner), owner))

    def surely_copies(self, operation: Any, source: Tensor, result: Tensor) -> bool:
        """Whether ``operation``, of a view, had to copy in eager mode."""
        if operation.name not in MAY_COPY or source._array.__class__ is not Value:
            return False
        return copies(operation.name, source._array, result._array.shape, self) is True

    def lies_in_order(self, array: Any) -> bool:
        """Whether the elements of ``array`` certainly lie in row-major order in eager mode."""
        return in_row_major_order(array, self)

    def takes_order_of(self, result: Tensor, source: Tensor) -> None:
        """In eager mode the memory of ``result`` has the order that ``source`` has."""
        array = result._array
        if array.__class__ is Value and not in_row_major_order(source._array, self):
            self.of_unknown_order.add(id(array))
            self.looked_at.append(array)  # its id stays its own

    def note_write(self, view: Tensor) -> None:
        """A view is written in place: it must be one in eager mode too."""
        sure_chain(self, view)

    def singular_places(self, matrices: Any, result: Any) -> Value:
        """For each matrix 0, or where its elimination ends if ``result`` is not finite."""
        lifted = matrices if isinstance(matrices, Value) else self.constant(matrices)
        return singular_places(lifted, result)

    def require_success(self, infos: Value, name: str, words: str, error: type[Exception]) -> None:
        """Have each call raise ``error`` where ``infos`` are not 0."""
        self.requirements.append(required(infos, name, words, error))

    def item(self, tensor: Tensor) -> DeferredNumber:
        """``tensor.item()``."""
        return DeferredNumber(tensor)

    # -- putting everything back --------------------------------------------------------------

    def restore(self) -> None:
        """Give every tensor its array, history and gradient back."""
        for tensor, array, node, requires_grad, kept in self.original.values():
            tensor._array = array
            tensor._node = node
            tensor._requires_grad = requires_grad
            for name in ("_rebased", "_seen"):
                tensor.__dict__.pop(name, None)
            tensor.__dict__.update(kept)
        for tensor, requires_grad in self.original_flags.values():
            if id(tensor) not in self.original and tensor._node is None:
                tensor._requires_grad = requires_grad
        for tensor, grad in self.original_grads.values():
            tensor._grad = grad

    def restore_streams(self) -> None:
        """Take back the random numbers of the program's own generators."""
        self.streams.restore()

    def changed_flag(self) -> str | None:
        """In words, a tensor from outside that the program leaves with another history."""
        for tensor, requires_grad in self.original_flags.values():
            if tensor._requires_grad is not requires_grad:
                return "requires_grad of a tensor"
        cut = {id(tensor) for tensor in self.cut}  # whose history the capture has set aside
        for tensor, _, node, requires_grad, _ in self.original.values():
            now = tensor._node
            if id(tensor) in cut:
                node = None
            if (now is not node and now is not None) or tensor._requires_grad is not requires_grad:
                return f"what a tensor of shape {list(tensor.shape)} was computed from, in place"
        return None


def _is_view(operation: Any, parent: Tensor, result: Tensor, recording: Capture) -> bool:
    """Whether ``operation`` certainly gave a view in eager mode."""
    array = parent._array
    if in_row_major_order(array, recording):
        return True
    if array.__class__ is not Value or result._array.__class__ is not Value:
        return False
    return copies(operation.name, array, result._array.shape, recording) is False


def sure_chain(recording: Capture, view: Tensor) -> list[tuple[Any, tuple[Any, ...]]]:
    """The operations that lead to ``view``, each of which gives a view in eager mode too.

    Raises:
        CaptureError: one of them might copy.
    """
    chain: list[tuple[Any, tuple[Any, ...]]] = []
    tensor = view
    while tensor is not view._base:
        if tensor._view is None:
            raise CaptureError("its result shares memory with a tensor in another dtype")
        operation, parent, arguments = tensor._view
        if operation.name in MAY_COPY and not _is_view(operation, parent, tensor, recording):
            raise CaptureError(
                f"it writes to the result of {operation.name}, or returns it together with what "
                "it was taken of, and whether that is a view is not known"
            )
        if any(isinstance(argument, Tensor) for argument in arguments):
            raise CaptureError(f"its result is a view that {operation.name} takes by a tensor")
        chain.append((operation, arguments))
        tensor = parent
    return chain[::-1]


__all__ = ["Capture", "CaptureError", "DeferredNumber", "capturing", "sure_chain"]
