"""The import hook that finds flambeau's modules under PyTorch's names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ALIASES = {
    "torch": "flambeau",
    "torchvision": "flambeau.vision",
    "torchsummary": "flambeau.training.summary",
}
"""The top-level names that programs import, and the modules that they get."""


def install() -> None:
    """Make `torch`, `torchvision` and `torchsummary` import as flambeau from now on.

    Installing twice is the same as once. PyTorch itself, if it is there, is not touched and not
    imported.

    Raises:
        RuntimeError: one of the names is already imported as another package: the program would
            hold tensors of two kinds.
    """
    if installed():
        return
    taken = [
        name
        for name in ALIASES
        if (module := sys.modules.get(name)) is not None and not _is_ours(module)
    ]
    if taken:
        place = getattr(sys.modules[taken[0]], "__file__", None) or "built in"
        raise RuntimeError(
            f"flambeau cannot stand in for {' and '.join(taken)}: already imported ({place}). "
            "Call flambeau.compat.install() before the first import of it, "
            "or start the program with `flambeau run`."
        )
    sys.meta_path.insert(0, _FINDER)
    _name_tensor("torch")


def uninstall() -> None:
    """Undo `install()`: the names mean the installed packages again, for imports yet to come."""
    if not installed():
        return
    sys.meta_path.remove(_FINDER)
    _name_tensor("flambeau.tensor.tensor")
    for name in list(sys.modules):
        if name.partition(".")[0] in ALIASES and _is_ours(sys.modules[name]):
            del sys.modules[name]
    for module in _EXPLAINED:
        module.__dict__.pop("__getattr__", None)
    _EXPLAINED.clear()
    importlib.invalidate_caches()


def _name_tensor(module: str) -> None:
    """Have `print(type(x))` say where the program has Tensor from: `<class 'torch.Tensor'>`."""
    from flambeau.tensor import Tensor

    Tensor.__module__ = module


def installed() -> bool:
    """Whether the names stand for flambeau at present."""
    return _FINDER in sys.meta_path


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] == "flambeau"


class _AliasLoader(Loader):
    """Gives the module that is there, and puts back what the import system writes on it."""

    def __init__(self, real: str) -> None:
        self.real = real
        self.real_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.real)
        self.real_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # Executed already, under its own name; the import system has just replaced its spec.
        module.__spec__ = self.real_spec
        _name_what_is_loaded()


class _AliasFinder(MetaPathFinder):
    """Finds `torch.x.y` where `flambeau.x.y` is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        if top not in ALIASES:
            return None
        real = ALIASES[top] + ("." + rest if rest else "")
        found = importlib.util.find_spec(real)
        if found is None:
            return None
        spec = ModuleSpec(
            fullname,
            _AliasLoader(real),
            origin=found.origin,
            is_package=found.submodule_search_locations is not None,
        )
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.extend(found.submodule_search_locations or ())
        return spec


_FINDER = _AliasFinder()
_EXPLAINED: list[ModuleType] = []


def _known_as(real: str) -> str | None:
    """PyTorch's name for a flambeau module: `flambeau.nn.init` is `torch.nn.init`."""
    # The longest of our names first: flambeau.vision is torchvision, not torch.vision.
    for alias, ours in sorted(ALIASES.items(), key=lambda item: -len(item[1])):
        if real == ours or real.startswith(ours + "."):
            return alias + real[len(ours) :]
    return None


def _name_what_is_loaded() -> None:
    """Enter every loaded module of flambeau under its second name.

    Were they left to the import system, it would set each as an attribute of its parent again:
    over a function that is meant to hide it, as `autograd.gradcheck` hides its module.
    """
    for real, module in list(sys.modules.items()):
        if module is None or real.partition(".")[0] != "flambeau":
            continue
        name = _known_as(real)
        if name is not None and sys.modules.setdefault(name, module) is module:
            _explain_missing_names(module, name)


def _explain_missing_names(module: ModuleType, known_as: str) -> None:
    """Have a module say, in the program's own terms, which name it lacks.

    An AttributeError still, so that a program that asks with `hasattr` goes on.
    """
    if "__getattr__" in module.__dict__:
        return

    def __getattr__(name: str) -> Any:
        raise AttributeError(
            f"flambeau has no {known_as}.{name} (module {module.__name__!r} has no such attribute)",
            name=name,
            obj=module,
        )

    module.__dict__["__getattr__"] = __getattr__
    _EXPLAINED.append(module)
