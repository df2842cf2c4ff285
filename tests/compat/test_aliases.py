"""PyTorch's names give flambeau's modules, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_every_form_of_import_gives_the_same_module(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import importlib
        import sys
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.utils.data
        import torchsummary
        import torchvision.transforms as T
        from torch import nn as from_torch, optim
        from torch.nn import Linear
        from torch.utils.data import DataLoader
        from torchsummary import summary
        from torchvision import datasets, transforms

        assert torch is flambeau
        assert nn is from_torch is flambeau.nn is torch.nn
        assert F is flambeau.nn.functional
        assert Linear is flambeau.nn.Linear
        assert DataLoader is flambeau.utils.data.DataLoader
        assert T is transforms is importlib.import_module("flambeau.vision.transforms")
        assert torchsummary is importlib.import_module("flambeau.training.summary")
        assert importlib.import_module("torch.nn.init") is flambeau.nn.init
        assert sys.modules["torch.optim"] is flambeau.optim
        """)


def test_modules_keep_their_own_names_and_specs(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import torch, torch.nn, torchvision
        assert torch.__name__ == torch.__spec__.name == "flambeau"
        assert torch.nn.__spec__.name == "flambeau.nn"
        assert torchvision.__spec__.name == "flambeau.vision"
        assert type(torch.__spec__.loader).__name__ != "_AliasLoader"
        """)


def test_importing_a_module_does_not_replace_the_function_that_hides_it(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import torch
        before = {name: value for name, value in vars(torch).items()}
        import torch.tensor
        import torch.autograd.gradcheck
        assert torch.tensor is before["tensor"] and callable(torch.tensor)
        assert callable(torch.autograd.gradcheck)
        """)


def test_find_spec_tells_what_is_there(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        from importlib.util import find_spec
        assert find_spec("torch").name == "torch"
        assert find_spec("torch.nn") is not None
        assert find_spec("torch.no_such_module") is None
        assert find_spec("torchvision") is not None
        assert find_spec("torchaudio") is None
        """)


def test_missing_names_are_refused_where_they_are_used_and_can_be_probed(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import torch
        import torch.nn as nn

        def refusal(statement, kind):
            try:
                exec(statement, globals())
            except kind as error:
                return str(error)
            raise AssertionError(statement)

        assert not hasattr(torch, "no_such_thing") and not hasattr(nn, "NoSuchLayer")
        assert getattr(torch, "no_such_thing", 3) == 3
        assert "no_such_thing" in refusal("torch.no_such_thing(2)", AttributeError)
        assert "torch.nn.NoSuchLayer" in refusal("nn.NoSuchLayer", AttributeError)
        assert "NoSuchLayer" in refusal("from torch.nn import NoSuchLayer", ImportError)
        assert "no_such_thing" in refusal("from torch import no_such_thing", ImportError)
        assert "'torch.no_such'" in refusal("import torch.no_such", ModuleNotFoundError)
        assert "'torchvision.no_such'" in refusal("import torchvision.no_such", ModuleNotFoundError)
        """)


def test_an_imported_pytorch_is_not_replaced(program: Any, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("real = True\n")
    program("""
        import torch, flambeau.compat
        try:
            flambeau.compat.install()
        except RuntimeError as error:
            assert "already imported" in str(error) and "flambeau run" in str(error)
        else:
            raise AssertionError("not refused")
        assert torch.real and not flambeau.compat.installed()
        """)


def test_uninstalling_gives_the_names_back(program: Any, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("real = True\n")
    program("""
        import flambeau.compat
        flambeau.compat.install()
        flambeau.compat.install()
        import torch
        assert torch is flambeau and flambeau.compat.installed()
        flambeau.compat.uninstall()
        flambeau.compat.uninstall()
        import torch
        assert torch.real and torch is not flambeau and not flambeau.compat.installed()
        import flambeau.nn
        try:
            flambeau.nn.NoSuchLayer
        except AttributeError as error:
            assert "torch.nn" not in str(error)
        """)


def test_an_installed_pytorch_is_not_imported(program: Any, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError('imported')\n")
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import torch, torch.nn
        assert torch is flambeau
        """)


def test_objects_pickle_while_the_names_are_installed(program: Any) -> None:
    program("""
        import flambeau.compat
        flambeau.compat.install()
        import pickle
        import torch
        model = pickle.loads(pickle.dumps(torch.nn.Linear(2, 3)))
        assert type(model) is torch.nn.Linear
        assert isinstance(model, torch.nn.Module)
        """)


def test_the_version_compares_as_a_version() -> None:
    version = pytest.importorskip("packaging.version")
    import flambeau

    ours = flambeau.__version__
    assert version.parse(ours) >= version.parse("2.13.0")
    assert version.parse(ours) < version.parse("2.14")
    assert ours >= (2, 13) and ours > "2.9" and ours < "2.13.1"
    assert ours.split("+")[0] == "2.13.0"
    assert [int(part) for part in ours.split(".")[:2]] == [2, 13]
    assert ours != None  # noqa: E711
    assert {ours: 1}[str(ours)] == 1
