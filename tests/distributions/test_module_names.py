"""The modules of single families that programs import from."""

from __future__ import annotations

import importlib

import pytest

import flambeau as torch
from flambeau import distributions
from flambeau.distributions.module_names import MODULES


def test_a_family_is_imported_from_pytorchs_module() -> None:
    from flambeau.distributions.categorical import Categorical
    from flambeau.distributions.normal import Normal
    from flambeau.distributions.transforms import IndependentTransform

    assert Normal is distributions.Normal and Categorical is distributions.Categorical
    assert IndependentTransform is distributions.IndependentTransform
    assert distributions.multinomial.Multinomial is distributions.Multinomial


def test_the_modules_are_pytorchs() -> None:
    pytest.importorskip("torch")
    for name, module in MODULES.items():
        theirs = importlib.import_module(f"torch.distributions.{name}")
        assert set(module.__all__) <= set(dir(theirs)), name
        assert set(getattr(theirs, "__all__", module.__all__)) <= {*module.__all__, *dir(module)}


def test_triangles_become_vectors_and_come_back() -> None:
    from flambeau.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix

    matrix = torch.arange(9.0).reshape(3, 3)
    assert tril_matrix_to_vec(matrix).tolist() == [0.0, 3.0, 4.0, 6.0, 7.0, 8.0]
    for diag in (0, -1):
        vector = tril_matrix_to_vec(matrix, diag)
        assert torch.equal(vec_to_tril_matrix(vector, diag), matrix.tril(diag))
    with pytest.raises(ValueError, match="cannot be expressed as the lower triangular part"):
        vec_to_tril_matrix(torch.ones(4))
