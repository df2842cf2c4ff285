"""``GradScaler``: losses scaled up so that half-precision gradients do not vanish.

float16 gradients below 6e-8 are zero.  The loss is multiplied by a scale, the gradients divided by
it before the optimizer's step, and steps with infinite or NaN gradients left out.  The scale grows
as long as there are none and shrinks when there are.  bfloat16, autocast's default on the CPU, has
the range of float32 and needs none of this.

Source: https://pytorch.org/docs/stable/amp.html#gradient-scaling; Micikevicius et al., "Mixed
precision training", 2018.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import no_grad
from ..device import device as Device
from ..modes import MODES, NotYet
from ..tensor import Tensor, wrap

_READY, _UNSCALED, _STEPPED = "ready", "unscaled", "stepped"


def _step_unless(found: Tensor, optimizer: Any, args: Any, kwargs: Any) -> None:
    """The optimizer's step in a program that is being captured, undone where ``found`` is true."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    states = [v for p in parameters for v in optimizer.state.get(p, {}).values()]
    tensors = [t for t in (*parameters, *states) if isinstance(t, Tensor)]
    before = [MODES.capture.array_of(t) for t in tensors]
    count = sum(len(state) for state in optimizer.state.values())
    optimizer.step(*args, **kwargs)
    if sum(len(state) for state in optimizer.state.values()) != count:
        raise NotYet("the optimizer's state is made by its first step with finite gradients")
    for tensor, array in zip(tensors, before, strict=True):
        if tensor._array is not array:
            tensor._array = MODES.capture.namespace.where(found._array, array, tensor._array)


class GradScaler:
    """Scales losses and unscales gradients.

    Args:
        device: "cpu"; for a device that is not there the scaler is disabled, with a warning.
        init_scale: the first scale.
        growth_factor: what the scale is multiplied by after ``growth_interval`` steps in a row
            with finite gradients.
        backoff_factor: what it is multiplied by after a step with infinite or NaN gradients.
        growth_interval: see growth_factor.
        enabled: if False, :meth:`step` is the optimizer's, and the rest does nothing.

    Raises:
        AssertionError: ``growth_factor`` is 1 or less, or ``backoff_factor`` 1 or more.

    Source: https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        self._enabled = enabled
        if enabled and Device(device).type != "cpu":
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not available."
                "  Disabling.",
                UserWarning,
            )
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._scale: Tensor | None = None
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = wrap(np.array(0, np.int32))
        self._stages: dict[int, str] = {}
        self._found: dict[int, Any] = {}
        """Whether gradients are not finite, by optimizer; a tensor in a step that is captured."""

    # -- a training step ----------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """The scaled ``outputs``: a tensor, or tensors in nested sequences, times the scale.

        Raises:
            ValueError: they are something else.
        """
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._scale = wrap(np.array(self._init_scale, np.float32))
        if isinstance(outputs, Tensor):
            return outputs * self._scale.to(outputs.dtype)  # type: ignore[attr-defined, operator]
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the parameters of ``optimizer`` by the scale.

        To be called before they are clipped, once between two updates; :meth:`step` does it
        otherwise.

        Raises:
            RuntimeError: it was called before since the last update, or after :meth:`step`.
            ValueError: a gradient is float16.
            AssertionError: nothing has been scaled yet.
        """
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer), _READY)
        if stage == _UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage == _STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        scale = self._current_scale("unscale_")
        captured = MODES.capture is not None
        inverse: Any = 1.0 / (scale.double() if captured else float(scale.item()))
        found: Any = False
        with no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    gradient = parameter.grad
                    if gradient is None:
                        continue
                    if gradient.dtype is dtypes.float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    gradient.mul_(inverse)
                    if captured:
                        found = ~gradient.isfinite().all() | found
                    else:
                        found = found or not bool(gradient.isfinite().all())
        self._found[id(optimizer)] = found
        self._stages[id(optimizer)] = _UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """The optimizer's step, unless a gradient is infinite or NaN.

        Args:
            optimizer: the optimizer; its gradients are unscaled if they are not yet.
            args, kwargs: for the optimizer's ``step``, which must take no closure.

        Returns:
            what the optimizer's step returns; None if it was left out.

        Raises:
            RuntimeError: there is a closure, or it was called before since the last update.
            AssertionError: nothing has been scaled yet.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        stage = self._stages.get(id(optimizer), _READY)
        if stage == _STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if stage == _READY:
            self.unscale_(optimizer)
        result = None
        found = self._found[id(optimizer)]
        if isinstance(found, Tensor):
            with no_grad():
                _step_unless(found, optimizer, args, kwargs)
        elif not found:
            result = optimizer.step(*args, **kwargs)
        self._stages[id(optimizer)] = _STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Let the scale grow or shrink, by what the steps since the last update have found.

        Args:
            new_scale: the scale to take instead, a number or a tensor of one.

        Raises:
            AssertionError: nothing has been scaled, or there was no step.
        """
        if not self._enabled:
            return
        scale = self._current_scale("update")
        if new_scale is not None:
            with no_grad():
                if isinstance(new_scale, Tensor):
                    scale.copy_(new_scale)  # type: ignore[attr-defined]
                else:
                    scale.fill_(new_scale)  # type: ignore[attr-defined]
        elif MODES.capture is not None:
            self._update_captured(scale)
        else:
            if not self._found:
                raise AssertionError("No inf checks were recorded prior to update.")
            current = float(scale.item())
            if any(self._found.values()):
                current *= self._backoff_factor
                self._growth_tracker._array[...] = 0
            else:
                self._growth_tracker._array[...] += 1
                if self._growth_tracker._array == self._growth_interval:
                    grown = current * self._growth_factor
                    current = grown if np.isfinite(np.float32(grown)) else current
                    self._growth_tracker._array[...] = 0
            scale._array[...] = current
            scale._bump_version()
        self._stages.clear()
        self._found.clear()

    def _update_captured(self, scale: Any) -> None:
        """:meth:`update` in a step that is captured, where nothing is known yet."""
        if not self._found:
            raise AssertionError("No inf checks were recorded prior to update.")
        tracker: Any = self._growth_tracker
        with no_grad():
            found: Any = False
            for one in self._found.values():
                found = one | found
            steps = tracker + 1
            is_time = steps == self._growth_interval
            current = scale.double()
            grown = (current * self._growth_factor).to(scale.dtype)
            grown = grown.where(is_time & grown.isfinite(), scale)
            shrunk = (current * self._backoff_factor).to(scale.dtype)
            scale.copy_(shrunk.where(found, grown))
            tracker.copy_(steps.where(~(is_time | found), 0))

    def _current_scale(self, method: str) -> Tensor:
        if self._scale is None:
            raise AssertionError(
                f"Attempted {method} but _scale is None.  This may indicate your script did not "
                "use scaler.scale(loss or outputs) earlier in the iteration."
            )
        return self._scale

    # -- settings and state -------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """The scale; 1 if disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def get_growth_factor(self) -> float:
        """What the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale grows by to ``new_factor``."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale shrinks by."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale shrinks by to ``new_factor``."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many steps the scale grows to ``new_interval``."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors and the number of steps since it last changed; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(self._growth_tracker._array),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over ``state_dict``, which :meth:`state_dict` has given.

        Raises:
            RuntimeError: it is that of a disabled scaler.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale._array[...] = self._init_scale
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker._array[...] = state_dict["_growth_tracker"]
