"""``explain()``: what it says is true, it can be read, and asking changes nothing."""

from __future__ import annotations

import inspect
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler import explain as package
from flambeau.compiler.explain import profile
from flambeau.compiler.explain.facts import Program


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_BUDGET", 0.01)


def make_step():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters())
    loss_fn = nn.CrossEntropyLoss()

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        scores = model(x)
        loss = loss_fn(scores, y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = torch.randn(32, 4), torch.randint(3, (32,))
    for _ in range(5):
        step(x, y)
    return step, model, optimizer, x, y


def program_of(function) -> Program:
    (variant,) = function.explain().facts.variants
    return variant.programs[0]


def line_number(function, text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def test_the_explanation_is_text_that_shows_itself():
    step, *_ = make_step()
    explanation = step.explain()
    assert isinstance(explanation, str)
    assert repr(explanation) == str(explanation)
    for words in ("variant 1: (float32[32, 4], int64[32])", "arena of", "guards:", "of peak flops",
                  "the program:", "LLVM", "model.0.weight: float32[16, 4], state",
                  "in train mode:", "kernels that are not one:"):  # fmt: skip
        assert words in explanation


def test_asking_changes_nothing():
    step, model, optimizer, x, y = make_step()
    other, other_model, _, _, _ = make_step()
    step.explain()
    torch.manual_seed(5)
    losses = [step(x, y).item() for _ in range(5)]
    torch.manual_seed(5)
    assert losses == [other(x, y).item() for _ in range(5)]
    for p, q in zip(model.parameters(), other_model.parameters()):
        assert torch.equal(p, q)


def test_the_stream_of_random_numbers_goes_on():
    step, *_ = make_step()
    before = torch.get_rng_state()
    step.explain()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_ordinary_program_has_no_clock():
    step, *_ = make_step()
    step.explain()
    (variants,) = step._variants.values()
    executable = variants[0].runner.executable
    assert "call i64 @llvm.readcyclecounter" not in executable.source


def test_values_know_their_lines():
    step, *_ = make_step()
    program = program_of(step)
    forward = line_number(make_step, "scores = model(x)")
    loss = line_number(make_step, "loss = loss_fn")
    update = line_number(make_step, "optimizer.step()")
    origins = {line.split("# ")[1] for line in program.graph if "# " in line}
    name = Path(__file__).name
    assert {
        f"{name}:{forward} Linear",
        f"{name}:{forward} Tanh",
        f"{name}:{forward} Dropout",
        f"{name}:{loss} CrossEntropyLoss",
        f"gradient of {name}:{forward} Linear",
        f"gradient of {name}:{loss} CrossEntropyLoss",
        f"{name}:{update} optimizer",
    } <= origins
    assert any(f"{name}:{forward} Linear" in k.origins for k in program.kernels)


def test_operations_and_bytes_of_a_product_are_counted():
    function = torch.compile(lambda a, b: a @ b)
    a, b = torch.randn(64, 48), torch.randn(48, 80)
    for _ in range(4):
        function(a, b)
    kernels = program_of(function).kernels
    (product,) = [k for k in kernels if "matmul" in k.computes]
    assert product.operations == 2 * 64 * 48 * 80
    assert product.bytes == 4 * (64 * 48 + 48 * 80 + 64 * 80)
    assert product.seconds is not None and product.seconds > 0
    assert product.arithmetic is not None and 0 < product.arithmetic < 2


def test_only_the_part_of_an_array_that_is_read_counts():
    function = torch.compile(lambda a: a[:, 3].exp())
    a = torch.randn(50, 40, dtype=torch.float64)
    for _ in range(4):
        function(a)
    (kernel,) = program_of(function).kernels
    assert kernel.operations == 50
    assert kernel.bytes == 8 * 100


def test_temporaries_that_live_together_do_not_overlap():
    step, *_ = make_step()
    program = program_of(step)
    assert program.buffers
    assert program.peak_bytes <= program.arena_bytes <= program.unshared_bytes
    for i, a in enumerate(program.buffers):
        assert a.within or a.offset + a.bytes <= program.arena_bytes
        for b in program.buffers[:i]:
            if a.within == b.within and a.first <= b.last and b.first <= a.last:
                assert a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset


def test_the_reason_against_joining_kernels_is_given():
    def function(a, b):
        return (a @ b).softmax(1)

    compiled = torch.compile(function)
    for _ in range(4):
        compiled(torch.randn(30, 20), torch.randn(20, 50))
    program = program_of(compiled)
    assert any(
        "which are not complete" in reason for k in program.kernels for reason in k.obstacles
    )


def test_the_compilation_is_told_by_stages():
    step, *_ = make_step()
    program = program_of(step)
    assert list(program.stage_seconds) == [
        "cache", "importing", "lowering", "code", "LLVM", "loading",
    ]  # fmt: skip
    assert not program.from_cache
    (variant,) = step.explain(measure=False).facts.variants
    assert len(variant.capture_seconds) == 2


def test_a_program_from_the_disk_cache_says_so(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("FLAMBEAU_CACHE", str(tmp_path))
    for expected in (False, True):
        function = torch.compile(lambda a: a.sin().sum())
        for _ in range(4):
            function(torch.ones(9))
        program = program_of(function)
        assert program.from_cache is expected
        assert ("LLVM" in program.stage_seconds) is not expected


def test_a_module_has_a_backward_program():
    model = torch.compile(nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 2)))
    for _ in range(4):
        model(torch.randn(6, 5)).sum().backward()
    (variant,) = model.explain().facts.variants
    assert [p.title for p in variant.programs] == ["the program", "the backward pass"]
    forward, backward = variant.programs
    assert any("for the backward pass" in line for line in forward.outputs)
    assert any(line.startswith("gradient for module.0.weight") for line in backward.outputs)
    assert all(k.seconds is not None for p in variant.programs for k in p.kernels)


def test_a_scan_can_be_explained():
    rnn = nn.LSTM(3, 8)
    compiled = torch.compile(lambda x: rnn(x)[0].sum())
    with torch.no_grad():
        for _ in range(4):
            compiled(torch.randn(6, 4, 3))
    program = program_of(compiled)
    (scan,) = [k for k in program.kernels if "scan" in k.computes]
    assert scan.operations > 6 * 2 * 4 * 32 * 8
    for lines in (program.graph, scan.lines):  # with the body of the loop
        assert any(line.startswith("  | ") and "= tanh(" in line for line in lines)
        assert any(line.startswith("  | -> v") for line in lines)


def test_guards_and_outputs_are_named():
    step, *_ = make_step()
    (variant,) = step.explain(measure=False).facts.variants
    assert "model.0.weight is float32[16, 4], requires grad" in variant.guards
    assert any(
        g.startswith("the optimizer's options are betas=(0.9, 0.999)") for g in variant.guards
    )
    outputs = variant.programs[0].outputs
    assert outputs[0] == "result: float32[]"
    assert "grad of model.0.weight: float32[16, 4]" in outputs
    assert "exp_avg of model.0.weight: in place" in variant.programs[0].updates


def test_a_result_that_is_an_argument_is_told():
    function = torch.compile(lambda first, second: (first, first + second))
    for _ in range(4):
        function(torch.ones(3), torch.ones(3))
    assert "result[0] is first itself" in program_of(function).outputs


def test_without_measuring_nothing_is_compiled_or_run(monkeypatch):
    step, *_ = make_step()

    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(profile, "compile_graph", refuse)
    explanation = step.explain(measure=False)
    assert explanation.facts.machine is None
    assert "not measured" in explanation
    assert all(k.seconds is None for k in explanation.facts.variants[0].programs[0].kernels)


def test_what_is_not_compiled_says_why():
    function = torch.compile(lambda x: x * 2 if x.sum() > 0 else x)
    assert function.explain() == "<lambda>:"
    function(torch.ones(2))
    assert "not compiled yet (1 calls)" in function.explain()
    with pytest.warns(UserWarning):
        function(torch.ones(2))
    assert "eager: bool() needs" in function.explain()


def test_each_kind_of_arguments_is_a_variant():
    function = torch.compile(lambda x, y=None: x.exp())
    for n in (3, 5):
        for _ in range(4):
            function(torch.ones(n))
    variants = function.explain().facts.variants
    assert [(v.number, v.arguments) for v in variants] == [
        (1, "(float32[3])"),
        (2, "(float32[5])"),
    ]


_VOID = {"meta", "line", "rect", "br"}


class _Checker(HTMLParser):
    """Checks that every element is closed, and gathers what there is."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: dict[str, list[dict[str, str | None]]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        given = dict(attrs)
        self.attributes.setdefault(tag, []).append(given)
        self.ids += [given["id"]] if "id" in given else []
        self.references += [given[k] for k in ("src", "href") if k in given]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "br"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_large_program_is_told_in_short(monkeypatch):
    from flambeau.compiler.explain import text
    from flambeau.compiler.explain.page import write_page

    model = nn.Sequential(*(nn.Linear(64, 64) for _ in range(6)))
    call = torch.compile(lambda x: model(x))
    x = torch.randn(64, 64)
    with torch.no_grad():
        for _ in range(4):
            call(x)
    facts = call.explain().facts
    (program,) = facts.variants[0].programs
    names = [kernel.name for kernel in program.kernels]
    name = max(names, key=names.count)
    assert names.count(name) > 1
    whole = text.write_text(facts)
    together = f"{names.count(name)} x {name}: "
    assert together in whole
    assert together in write_page(facts)
    assert "more" not in whole

    monkeypatch.setattr(text, "_MOST_LINES", 4)
    listed = text.write_text(facts)
    assert f"... and {len(program.inputs) - 4} more, which explain(html=...) shows" in listed

    monkeypatch.setattr(text, "_MOST_KERNELS", len(names) - 1)
    monkeypatch.setattr(text, "_LEAST_SHARE", 2.0)  # more than any kernel takes
    summed_up = text.write_text(facts)
    assert f"... and {len(names)} more, 100 % of the time, which explain" in summed_up


def test_the_page_is_one_file_of_well_formed_html(tmp_path: Path):
    step, *_ = make_step()
    path = tmp_path / "step.html"
    explanation = step.explain(html=path)
    page = path.read_text(encoding="utf-8")
    assert page == explanation.html()
    assert page.startswith("<!DOCTYPE html>")
    checker = _Checker(page)
    program = explanation.facts.variants[0].programs[0]
    assert checker.references == []
    assert "script" not in checker.count and "url(" not in page and "@import" not in page
    assert len(set(checker.ids)) == len(checker.ids)
    assert checker.attributes["html"] == [{"lang": "en"}]
    assert checker.count["rect"] == len([b for b in program.buffers if b.bytes])
    (svg,) = checker.attributes["svg"]
    assert svg["role"] == "img" and svg["aria-labelledby"] in checker.ids
    assert all("scope" in th for th in checker.attributes["th"])
    assert "prefers-color-scheme: dark" in page
    for kernel in program.kernels:
        assert f"<code>{kernel.name}</code>" in page


def test_names_are_escaped_on_the_page():
    function = torch.compile(lambda x: x + 1)
    for _ in range(4):
        function(torch.ones(3))
    page = function.explain(measure=False).html()
    _Checker(page)
    assert "&lt;lambda&gt;" in page and "<lambda>" not in page


def test_a_notebook_shows_the_page():
    function = torch.compile(lambda x: x + 1)
    for _ in range(4):
        function(torch.ones(3))
    shown = function.explain(measure=False)._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and shown.count('"') == 4


def test_pictures_stay_inside_their_frame():
    step, *_ = make_step()
    checker = _Checker(step.explain(measure=False).html())
    _, _, width, height = map(float, checker.attributes["svg"][0]["viewbox"].split())
    for rect in checker.attributes["rect"]:
        x, y, w, h = (float(rect[k]) for k in ("x", "y", "width", "height"))
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height


def test_the_machines_peaks_are_plausible():
    from flambeau.compiler.explain.peaks import machine

    best = machine()
    assert 1e9 < best.float32 < 1e12
    assert best.float64 < 1.2 * best.float32
    assert 1e8 < best.memory < 1e12
    assert package.explain is not None


def test_what_was_updated_keeps_its_memory():
    weight = torch.ones(3)

    @torch.compile
    def step(x):
        weight.add_(x)
        return weight.sum()

    for _ in range(4):
        step(torch.ones(3))
    step.explain()
    np.testing.assert_array_equal(weight, np.full(3, 5.0))
