"""Models from a folder, and state dicts from the network (here: from `file:` addresses)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import hub


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "hubconf.py").write_text(
        "import helper\ndef net(width=2):\n    'A net.'\n    return helper.make(width)\n"
    )
    (tmp_path / "helper.py").write_text("def make(width):\n    return ['net', width]\n")
    return str(tmp_path)


def test_a_folder_s_models_are_listed_and_made(folder: str) -> None:
    assert hub.load(folder, "net", source="local", width=5) == ["net", 5]
    assert "net" in hub.list(folder, source="local")
    assert hub.help(folder, "net", source="local") == "A net."


def test_code_from_github_is_not_run(folder: str) -> None:
    with pytest.raises(RuntimeError, match="source='local'"):
        hub.load("pytorch/vision", "resnet18")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load(folder, "net", source="elsewhere")
    with pytest.raises(RuntimeError, match="Cannot find callable other"):
        hub.load(folder, "other", source="local")


def test_a_state_dict_is_downloaded_once_and_checked(tmp_path: Path) -> None:
    source = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(2)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    good = source.rename(tmp_path / f"net-{digest[:8]}.pt")
    kept = tmp_path / "kept"
    for _ in range(2):
        state = hub.load_state_dict_from_url(good.as_uri(), str(kept), check_hash=True)
        assert state["a"].tolist() == [1, 1]
    bad = tmp_path / "net-00000000.pt"
    bad.write_bytes(good.read_bytes())
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.load_state_dict_from_url(bad.as_uri(), str(kept), check_hash=True)
    assert [path.name for path in kept.iterdir()] == [good.name]


def test_the_folder_of_downloads_is_pytorch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert hub.get_dir() == "/somewhere/hub"
    monkeypatch.setattr(hub, "_folder", None)
    hub.set_dir("/elsewhere")
    assert hub.get_dir() == "/elsewhere"
