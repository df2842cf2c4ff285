"""Parameters that lie in memory in other ways than usual are trained as in eager mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau import nn
from flambeau.compiler.same_program import same_program

ROWS = np.arange(24, dtype=np.float32).reshape(4, 6) / 10 - 1


def transposed() -> torch.Tensor:
    return nn.Parameter(torch.tensor(ROWS).t())


def transposed_copy() -> torch.Tensor:
    return nn.Parameter(torch.tensor(ROWS).t().clone())


def transposed_data() -> torch.Tensor:
    parameter = nn.Parameter(torch.tensor(ROWS))
    parameter.data = parameter.data.t()
    return parameter


def columns_first() -> torch.Tensor:
    return nn.Parameter(torch.from_numpy(np.asfortranarray(ROWS)))


def channels_last() -> torch.Tensor:
    images = torch.tensor(np.resize(ROWS, (2, 3, 4, 5)))
    return nn.Parameter(images.to(memory_format=torch.channels_last))


def part_of_another() -> torch.Tensor:
    return nn.Parameter(torch.tensor(ROWS).view(-1)[:8].view(2, 4))


def view_that_is_a_leaf() -> torch.Tensor:
    return torch.tensor(ROWS).view(-1)[:8].view(2, 4).requires_grad_()


def part_as_data() -> torch.Tensor:
    parameter = nn.Parameter(torch.zeros(2, 4))
    parameter.data = torch.tensor(ROWS).view(-1)[4:12].view(2, 4)
    return parameter


@pytest.mark.parametrize(
    "make",
    [transposed, transposed_copy, transposed_data, columns_first, channels_last,
     part_of_another, view_that_is_a_leaf, part_as_data],
    ids=lambda make: make.__name__,
)  # fmt: skip
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_it_is_trained(make: Callable[[], torch.Tensor], optimizer: type) -> None:
    found = []
    for compiled in (False, True):
        parameter = make()
        updates = optimizer([parameter], lr=0.1)

        def step(parameter: torch.Tensor = parameter, updates: object = updates) -> None:
            updates.zero_grad()
            (parameter * parameter).sum().backward()
            updates.step()

        function = torch.compile(step) if compiled else step
        sums = []
        for _ in range(8):
            function()
            sums.append(float(parameter.detach().square().sum()))
        found.append(sums)
    assert len(set(found[0])) == 8
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_captures_that_read_their_arguments_in_another_order_differ() -> None:
    """Else one would be kept on disk under the other's name."""

    def difference(turned: bool) -> torch.Tensor:
        return torch.compile(lambda a, b: b - a if turned else a - b)

    programs = []
    for turned in (False, True):
        function = difference(turned)
        for _ in range(4):
            function(torch.ones(3), torch.zeros(3))
        (runner,) = function.runners()
        programs.append(runner.program)
    assert same_program(programs[0], programs[1]) is not None
    assert same_program(programs[0], programs[0]) is None
