"""Machine code that all programs share is loaded once, whoever asks for it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("llvmlite")

from flambeau.compiler import fixed_code as module
from flambeau.compiler.fixed_code import fixed_code

SOURCE = """
define i64 @answer() {
  ret i64 42
}
"""


def test_threads_that_ask_at_once_get_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made = module.kept_object(SOURCE)
    together = threading.Barrier(2, timeout=60)

    def kept_object(source: str) -> bytes:
        together.wait()
        return made

    monkeypatch.setattr(module, "kept_object", kept_object)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fixed_code, [SOURCE] * 2)
    assert first is second is fixed_code(SOURCE)
