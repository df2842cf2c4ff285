"""``torch.compile``: a function, a training step or a module as one native call.

The first call with arguments of a kind (shapes, dtypes, Python values) runs eagerly, so that state
gets created.  The second and third are captured, and the two graphs compared: what differs between
them cannot be a constant of a program.  The graph is then compiled, and the first result of the
compiled program is compared with that of the same graph on NumPy, on a copy of the state: at the
third call, or at the second if the code is in the disk cache.  From then on a call checks its
guards and runs the program.

What cannot be captured runs eagerly, with one warning that says where and why.

Source: https://pytorch.org/docs/stable/generated/torch.compile.html
"""

from __future__ import annotations

import copy
import functools
import importlib
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..dtypes import get_default_dtype
from ..modes import MODES, ConcreteValueNeeded, NotYet
from ..tensor import Tensor
from .capture import capture
from .captured import Program
from .direct_call import MISS, direct_call
from .guards import GuardFailed
from .log import capture_log, described_call, described_seconds, fallback_log, guard_log, time_log
from .options import changed_options
from .origin import OWN_FILES, PACKAGE
from .progress import compiling, stage
from .reach import is_module
from .rebinding import Slot, changed_slots
from .recording import CaptureError
from .replay import Replay
from .run import Runner
from .same_program import same_program
from .unsupported import Unsupported
from .watched import hooks_of

if TYPE_CHECKING:
    from .explain import Explanation

MAX_CAPTURES = 6
"""The call at which a kind of arguments is given up whose programs differ each time."""
MAX_VARIANTS = 16
"""How many programs are kept for one function before the rest of its calls run eagerly."""


class _Variant:
    """What is known of the calls with one kind of arguments."""

    __slots__ = (
        "number", "calls", "capture_seconds", "program", "others", "replay", "ready", "runner",
        "eager_reason",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = 0
        self.capture_seconds: list[float] = []
        self.program: Program | None = None
        self.others: list[Program] = []
        """Programs of earlier captures."""
        self.replay: Replay | None = None
        """What the latest capture made."""
        self.ready: Runner | None = None
        """The program of the first capture with its code, if that was in the disk cache."""
        self.runner: Runner | None = None
        self.eager_reason: str | None = None

    def give_up(self, reason: str) -> None:
        """Run eagerly from now on."""
        self.eager_reason = reason
        self.program = self.replay = self.ready = self.runner = None
        self.others = []


class CompiledFunction:
    """A function whose calls run natively once they have been captured.

    Args:
        function: the function.
        fullgraph: raise, rather than run eagerly with a warning, if it cannot be captured.
        disabled: always run eagerly.
    """

    def __init__(
        self, function: Callable[..., Any], fullgraph: bool = False, disabled: bool = False
    ) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self._function = function
        self._fullgraph = fullgraph
        self._disabled = disabled
        self._variants: dict[Any, list[_Variant]] = {}
        self._varying: set[tuple[int, str]] = set()
        """Options of optimizers that have changed between calls: their groups' ids, and names."""
        self._changing: list[Slot] = []
        """Places of tensors that have been replaced between calls."""
        self._lock = threading.RLock()
        self._direct: Callable[[Any, Any], Any] | None = None
        self._warned = False

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        return CompiledFunction(
            copy.deepcopy(self._function, memo), self._fullgraph, self._disabled
        )

    def __reduce__(self) -> Any:
        return CompiledFunction, (self._function, self._fullgraph, self._disabled)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        direct = self._direct
        if direct is not None:
            result = direct(args, kwargs)
            if result is not MISS:
                return result
        # inside another one it is part of that; and a compiled program looks for no anomalies
        if self._disabled or MODES.capture is not None or MODES.anomaly:
            return self._function(*args, **kwargs)
        with self._lock:
            tensors: list[Tensor] = []
            key = (_kind(args, tensors), _kind(kwargs, tensors) if kwargs else None,
                   GRAD_MODE.enabled, GRAD_MODE.inference, *_surroundings())  # fmt: skip
            if len(tensors) > 1 and len({id(t) for t in tensors}) < len(tensors):
                first = {id(t): i for i, t in reversed(list(enumerate(tensors)))}
                key = (*key, tuple(first[id(t)] for t in tensors))
            return self._general(key, args, kwargs, tensors)

    def runners(self) -> list[Runner]:
        """The programs that calls are served by."""
        every = [v for variants in self._variants.values() for v in variants]
        return [v.runner for v in every if v.runner is not None]

    def _general(self, key: Any, args: Any, kwargs: Any, tensors: list[Tensor]) -> Any:
        """Any call: eager, captured, or by a program that was not the last one used."""
        variants = self._variants.get(key)
        if variants is None:
            if len(self._variants) >= MAX_VARIANTS:
                self._report(f"it was called with more than {MAX_VARIANTS} kinds of arguments")
                return self._function(*args, **kwargs)
            capture_log.info("%s: a new kind of arguments: %s", self.__name__, described_call(key))
            variants = self._variants[key] = []
        failed: list[tuple[_Variant, GuardFailed]] = []
        for variant in variants:
            runner = variant.runner
            if runner is None:
                continue
            if runner.direct is not None and runner.direct is not self._direct:
                result = runner.direct(args, kwargs)
                if result is not MISS:
                    self._direct = runner.direct
                    return result
            try:
                result = runner(tensors)
            except GuardFailed as error:
                failed.append((variant, error.with_traceback(None)))  # its frames would refer to it
                continue
            if runner.executable is not None:  # bound to the arrays that the state has now
                runner.direct = direct_call(runner, args, kwargs, GRAD_MODE.enabled)
            self._direct = runner.direct
            self._log_guards(failed, guard_log.debug)
            return result
        latest = variants[-1] if variants else None
        if latest is None or latest.runner is not None:
            if len(variants) >= MAX_VARIANTS:
                self._report(f"its state changed its kind more than {MAX_VARIANTS} times")
                return self._function(*args, **kwargs)
            self._log_guards(failed, guard_log.info)
            latest = _Variant(sum(map(len, self._variants.values())) + 1)
            variants.append(latest)
            guard_log.info("%s: variant %d, eager at first", self.__name__, latest.number)
        latest.calls += 1
        if latest.eager_reason is not None or latest.calls == 1:
            return self._function(*args, **kwargs)
        with compiling(self.__name__):
            return self._captured_call(latest, args, kwargs, tensors)

    def _log_guards(
        self, failed: list[tuple[_Variant, GuardFailed]], write: Callable[..., None]
    ) -> None:
        if failed and guard_log.isEnabledFor(20):
            from .names import names_within

            names = names_within(self._function)
            for variant, error in failed:
                write("%s: a guard of variant %d failed: %s", self.__name__, variant.number,
                      error.reason(names))  # fmt: skip

    def _captured_call(
        self, variant: _Variant, args: Any, kwargs: Any, tensors: list[Tensor]
    ) -> Any:
        """The second and third call: capture, and run what was captured."""
        generator_state = _generator_state()
        stage("capture")
        start = time.perf_counter()
        try:
            self._note_varying()
            program, recording = capture(
                self._function, args, kwargs, tensors, False, self._varying, self._changing,
                variant.replay,
            )  # fmt: skip
        except (ConcreteValueNeeded, CaptureError, Unsupported) as error:
            _restore_generator(generator_state)
            return self._go_eager(variant, error, args, kwargs)
        except NotYet as error:
            capture_log.info("%s: to be captured later: %s", self.__name__, error)
            _restore_generator(generator_state)
            variant.calls = 1
            return self._function(*args, **kwargs)
        except Exception as error:  # the program's own: it happens after what is done before it
            _restore_generator(generator_state)
            result = self._function(*args, **kwargs)
            reason = f"its capture raised {type(error).__name__}: {error}{_user_frame(error)}"
            self._give_up(variant, reason)
            if self._fullgraph:
                raise
            return result
        variant.capture_seconds.append(time.perf_counter() - start)
        if capture_log.isEnabledFor(logging.INFO):
            capture_log.info(
                "%s: variant %d captured in %s: %s", self.__name__, variant.number,
                described_seconds(variant.capture_seconds[-1]), _size(program),
            )  # fmt: skip
        variant.replay = recording.replay
        if variant.program is None:
            variant.program = program
            from .executable import prepare

            if prepare(program.graph):  # the code is there
                variant.ready = self._runner(variant, program)
        else:
            # state may have settled only now, and calls of several kinds may take turns
            before = [variant.program, *variant.others]
            differences = [same_program(p, program) for p in before]
            difference = differences[0] or ""
            if None in differences:
                same = before[differences.index(None)]
                program.take_digests(same)
                self._compile(variant, program, same)
            elif variant.calls < MAX_CAPTURES:
                capture_log.info("%s: to be captured again: %s", self.__name__, difference)
                variant.others.append(variant.program)
                variant.program = program
            else:
                self._give_up(variant, difference)
        stage("comparison with NumPy")
        runner = variant.runner or variant.ready
        if runner is not None and runner.program is program:
            result = runner.first_call(tensors, recording.arrays)
            if runner.wrong is not None:
                self._give_up_wrong(variant, runner.wrong)
            return result
        return Runner(program, None).first_call(tensors, recording.arrays)

    def _note_varying(self) -> None:
        """Look which options of optimizers have changed since programs were captured with them.

        Likewise for the places of tensors.
        """
        for variants in self._variants.values():
            for variant in variants:
                if variant.program is None:
                    continue
                self._varying |= changed_options(variant.program.groups)
                for slot in changed_slots(variant.program.surroundings):
                    if not any(slot.same_as(known) for known in self._changing):
                        self._changing.append(slot)

    def _compile(self, variant: _Variant, program: Program, same: Program) -> None:
        """Have calls be served by ``program``, an earlier capture of which is ``same``."""
        variant.program, variant.others, variant.replay = program, [], None
        ready, variant.ready = variant.ready, None
        if ready is not None and ready.program is same:
            variant.runner = ready.of_another_capture(program)
        else:
            variant.runner = self._runner(variant, program)
        if variant.runner is None:
            return
        if capture_log.isEnabledFor(logging.DEBUG):
            capture_log.debug("compiled %s: %s", self.__name__, variant.runner.description())
        _log_times(self.__name__, variant)

    def _runner(self, variant: _Variant, program: Program) -> Runner | None:
        """``program`` compiled; None if it cannot be."""
        from .executable import compile_graphs

        try:
            return Runner(program, compile_graphs)
        except Unsupported as error:
            self._give_up(variant, str(error))
            if self._fullgraph:
                raise
            return None

    def _give_up(self, variant: _Variant, reason: str) -> None:
        """Run a variant eagerly from now on, and say so."""
        variant.give_up(reason)
        self._report(reason)

    def _give_up_wrong(self, variant: _Variant, wrong: str) -> None:
        """Do without a program that gave wrong results."""
        reason = (
            f"the compiled program is wrong ({wrong}). This is a bug of flambeau's compiler, "
            "please report it"
        )
        self._give_up(variant, reason)
        if self._fullgraph:
            raise RuntimeError(f"flambeau.compile: {self.__name__}: {reason}")

    def _go_eager(self, variant: _Variant, error: Exception, args: Any, kwargs: Any) -> Any:
        self._give_up(variant, f"{error}{_user_frame(error)}")
        if self._fullgraph:
            raise error
        return self._function(*args, **kwargs)

    def _report(self, reason: str) -> None:
        fallback_log.info("%s runs eagerly: %s", self.__name__, reason)
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"flambeau.compile: {self.__name__} runs eagerly: {reason}",
                stacklevel=_depth_of_caller(),
            )

    def explain(
        self, html: str | os.PathLike[str] | None = None, measure: bool = True
    ) -> Explanation:
        """What has been captured and compiled so far.

        Args:
            html: a file to write it to as one page of HTML.
            measure: time each kernel, with a second program made for that, on copies of the
                arrays; if False nothing is compiled or run.

        Returns:
            the explanation, which is a ``str``: ``print(step.explain())``.
        """
        from .explain import explain

        return explain(self, html, measure)


def _kind(value: Any, tensors: list[Tensor]) -> Any:
    """What a call's arguments must have in common to share a program; gathers the tensors."""
    if isinstance(value, Tensor):
        tensors.append(value)
        array = value._array
        if value._requires_grad and hooks_of(value):
            return (array.shape, array.dtype, hooks_of(value), array.flags.c_contiguous)
        return (array.shape, array.dtype, value._requires_grad, array.flags.c_contiguous)
    cls = value.__class__
    if cls is tuple or cls is list:
        return (cls, *[_kind(v, tensors) for v in value])
    if cls is dict:
        return (cls, *[(k, _kind(v, tensors)) for k, v in value.items()])
    if isinstance(value, np.ndarray):
        raise_array_argument()
    if isinstance(value, tuple):
        return (cls, *[_kind(v, tensors) for v in value])
    if isinstance(value, dict):
        return (cls, *[(k, _kind(v, tensors)) for k, v in value.items()])
    if isinstance(value, (float, complex)) and (value == 0 or value != value):
        return (cls, str(value))
    try:
        hash(value)
    except TypeError:
        return (cls, id(value))
    return (cls, value)


def _surroundings() -> tuple[Any, ...]:
    """What else of the state of the framework a program depends on."""
    if MODES.autocast is None:
        return (get_default_dtype(),)
    return (get_default_dtype(), MODES.autocast.dtype, MODES.autocast.cache is None)


def raise_array_argument() -> None:
    """Refuse a NumPy array as an argument.

    Raises:
        TypeError: always.
    """
    raise TypeError(
        "a compiled function takes tensors, not NumPy arrays, whose values would be constants of "
        "the program: pass torch.from_numpy(array)"
    )


def _size(program: Program) -> str:
    """How large a captured program is, in words."""
    graph = program.graph
    text = f"{sum(1 for _ in graph.values())} operations"
    if program.joint is not None:
        text += f", {sum(1 for _ in program.joint.graph.values())} in its backward pass"
    return f"{text}, {len(graph.inputs)} inputs, {len(graph.updates)} updates"


def _log_times(name: str, variant: _Variant) -> None:
    """Say how long each stage of the compilation took."""
    assert variant.runner is not None
    for what, executable in variant.runner.executables().items():
        stages = ", ".join(
            f"{stage_name} {described_seconds(seconds)}"
            for stage_name, seconds in executable.stage_seconds.items()
        )
        time_log.info(
            "%s: %s of variant %d, %d kernels, in %s (%s)", name, what, variant.number,
            len(executable.kernels), described_seconds(executable.compile_seconds), stages,
        )  # fmt: skip


def _generator_state() -> Any:
    from ..random import default_generator

    return default_generator.state_bytes()


def _restore_generator(state: Any) -> None:
    from ..random import default_generator

    default_generator.set_state_bytes(state)


def _depth_of_caller() -> int:
    """How many frames of this package are above the user's call, the calling one included."""
    depth = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
        depth += 1
    return depth


def _user_frame(error: BaseException) -> str:
    """Where in the user's program ``error`` came about."""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(OWN_FILES)
    ]
    if not frames:
        return ""
    frame = frames[-1]
    return f" (at {frame.filename}:{frame.lineno}: {frame.line})"


def compiled_call_of(module: Any, fullgraph: bool = False) -> CompiledFunction:
    """The calls of a module, compiled: a function of the modes of its parts, args and kwargs.

    Args:
        module: the module.
        fullgraph: as for :func:`compile`.

    Returns:
        The compiled function.
    """

    def forward(modes: Any, args: Any, kwargs: Any) -> Any:
        return module(*args, **kwargs)

    forward.__name__ = type(module).__name__
    return CompiledFunction(forward, fullgraph)


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "flambeau",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
    steps: int | None = None,
) -> Any:
    """Compile a function, a whole training step, or a module.

    Args:
        model: what to compile; without it, a decorator is returned.
        fullgraph: raise, rather than run eagerly with a warning, if it cannot be captured.
        dynamic: shapes are always specialised: other shapes make another program.
        backend: ``"flambeau"`` (or PyTorch's default, ``"inductor"``), or ``"eager"``.
        mode, options: PyTorch's tuning presets; there is one way to compile here.
        disable: return ``model`` as it is.
        steps: not in PyTorch. One call of the result does so many steps, as far as possible in
            native code: ``compile(step, steps=1000)(x, y)`` calls ``step(x, y)`` 1000 times, and
            ``compile(step, steps=len(loader))(loader)`` calls ``step(*batch)`` for the batches of
            a ``DataLoader`` or another iterable, to its end or for so many.

    Returns:
        a callable that gives what ``model`` gives; of a module a module, an ``OptimizedModule``,
        whose ``_orig_mod`` is ``model``; with ``steps`` one that gives the results of
        all steps: tensors with one more dim in front, numbers as a list.

    Raises:
        TypeError: ``model`` cannot be called, or ``steps`` is given for a module.
        ValueError: ``steps`` is negative.
        RuntimeError: another ``backend``; or, in a call with ``fullgraph``, the step cannot be
            captured.

    Source: https://pytorch.org/docs/stable/generated/torch.compile.html
    """
    if model is None:
        return functools.partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
            options=options, disable=disable, steps=steps,
        )  # fmt: skip
    if backend not in ("flambeau", "inductor", "eager", "aot_eager"):
        raise RuntimeError(
            f"Invalid backend: '{backend}'; flambeau.compile knows 'flambeau' ('inductor') and "
            "'eager'"
        )
    if not callable(model):
        raise TypeError(f"compile() takes a function or a module, got {type(model).__name__}")
    if steps is not None:
        return _many_steps(model, fullgraph, disable or backend == "eager", steps)
    if disable or backend in ("eager", "aot_eager"):
        return model
    if is_module(model):
        # its class is of a layer above this one
        optimized = importlib.import_module("flambeau.nn.modules.optimized_module").OptimizedModule
        return model if isinstance(model, optimized) else optimized(model, fullgraph)
    return CompiledFunction(model, fullgraph)


def _many_steps(step: Any, fullgraph: bool, disabled: bool, steps: int) -> Any:
    if is_module(step):
        raise TypeError(
            "compile(module, steps=n): steps are calls of a function that trains; write one that "
            "calls the module, differentiates the loss and lets the optimizer update"
        )
    if not isinstance(steps, int) or steps < 0:
        raise ValueError(f"compile(): steps must be a number of steps, got {steps!r}")
    from .many_steps import CompiledSteps

    if isinstance(step, CompiledFunction):
        return CompiledSteps(step, steps)
    return CompiledSteps(CompiledFunction(step, fullgraph, disabled), steps)
