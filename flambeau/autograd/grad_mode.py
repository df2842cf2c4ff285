"""Whether operations are recorded: ``no_grad``, ``enable_grad``, ``inference_mode``, per thread.

Source: https://pytorch.org/docs/stable/torch.html#locally-disabling-gradient-computation
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..modes import DIRECT

F = TypeVar("F", bound=Callable[..., Any])


class _GradMode(threading.local):
    """The calling thread's mode; the class attributes are every thread's initial state."""

    enabled = True
    inference = False
    claimed = False  # what is_grad_enabled says in inference mode, where nothing is recorded
    transforms = 0  # how many of torch.func's derivatives the program is inside of


GRAD_MODE = _GradMode()


def is_grad_enabled() -> bool:
    """Whether operations in this thread are recorded for gradients."""
    return GRAD_MODE.enabled or (GRAD_MODE.inference and GRAD_MODE.claimed)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside :class:`inference_mode`."""
    return GRAD_MODE.inference


class _ModeContext:
    """A context manager that also decorates functions and generators."""

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exc_info: object) -> None:
        raise NotImplementedError

    def clone(self) -> _ModeContext:
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            setattr(function, "__init__", self(function.__init__))  # noqa: B010
            return function
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return decorated  # type: ignore[return-value]

    def _decorate_generator(self, function: F) -> F:
        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            # the mode holds inside the generator only, not in the code that drives it
            generator = function(*args, **kwargs)
            with self.clone():
                try:
                    item = next(generator)
                except StopIteration as stop:
                    return stop.value
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    with self.clone():
                        generator.close()
                    raise
                except BaseException as error:
                    with self.clone():
                        try:
                            item = generator.throw(error)
                        except StopIteration as stop:
                            return stop.value
                else:
                    with self.clone():
                        try:
                            item = generator.send(sent)
                        except StopIteration as stop:
                            return stop.value

        return decorated  # type: ignore[return-value]


class no_grad(_ModeContext):
    """Context manager and decorator: operations inside are not recorded.

    Args:
        orig_func: a function to decorate, where it is used without parentheses.
    """

    def __new__(cls, orig_func: Any = None) -> Any:
        self = object.__new__(cls)
        return self if orig_func is None else self(orig_func)

    def __enter__(self) -> None:
        self._previous = GRAD_MODE.enabled
        GRAD_MODE.enabled = False

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self._previous


class enable_grad(no_grad):
    """Context manager and decorator: operations inside are recorded, even within ``no_grad``.

    Within :class:`inference_mode` nothing is.

    Args:
        orig_func: a function to decorate, where it is used without parentheses.
    """

    def __enter__(self) -> None:
        self._previous = GRAD_MODE.enabled
        self._claimed = GRAD_MODE.claimed
        _set_enabled(True)

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self._previous
        GRAD_MODE.claimed = self._claimed


def _set_enabled(mode: bool) -> None:
    if GRAD_MODE.inference:
        GRAD_MODE.claimed = mode
    else:
        GRAD_MODE.enabled = mode


class set_grad_enabled(_ModeContext):
    """Set whether operations are recorded: at once, and as a context manager until its end.

    Args:
        mode: a bool.

    Raises:
        TypeError: ``mode`` is no bool.
    """

    def __init__(self, mode: bool) -> None:
        if mode.__class__ is not bool:
            raise TypeError(
                "set_grad_enabled(): argument 'enabled' (position 1) must be bool, not "
                f"{type(mode).__name__}"
            )
        self._previous = (GRAD_MODE.enabled, GRAD_MODE.claimed)
        self.mode = mode
        _set_enabled(self.mode)

    def __call__(self, function: F) -> F:
        self.__exit__()  # a decorator acts when the function runs
        return super().__call__(function)

    def __enter__(self) -> None:
        _set_enabled(self.mode)

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled, GRAD_MODE.claimed = self._previous

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"

    def clone(self) -> set_grad_enabled:
        """Another one of the same mode, which sets it at once."""
        return type(self)(self.mode)


_lock = threading.Lock()
_inferring = 0


def _count_inference(change: int) -> None:
    """Let generated functions mark their results while some thread is in inference mode."""
    global _inferring
    with _lock:
        _inferring += change
        if change:
            DIRECT["INFERRED"] = True
        DIRECT["new"] = _new_marked if _inferring else object.__new__


def _new_marked(cls: type) -> Any:
    made: Any = object.__new__(cls)
    if GRAD_MODE.inference and cls is DIRECT["Tensor"]:
        made._inference = True
    return made


class inference_mode(_ModeContext):
    """Context manager and decorator: no recording, and results never take part in it later.

    Args:
        mode: whether it is on; or a function to decorate, where it is used without parentheses.
    """

    mode: bool

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if isinstance(mode, bool):
            self.mode = mode
            return self
        self.mode = True
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        pass

    def __enter__(self) -> None:
        self._previous = (GRAD_MODE.enabled, GRAD_MODE.inference, GRAD_MODE.claimed)
        GRAD_MODE.inference = self.mode
        GRAD_MODE.claimed = False
        GRAD_MODE.enabled = not self.mode
        _count_inference(self.mode)

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled, GRAD_MODE.inference, GRAD_MODE.claimed = self._previous
        _count_inference(-self.mode)

    def clone(self) -> inference_mode:
        """Another one of the same mode."""
        return type(self)(self.mode)
