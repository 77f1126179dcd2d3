"""The examples in docstrings are true."""

import doctest
from importlib import import_module

import mmvitkd  # noqa: F401

import pytest

MODULES = (
    *('linear_cka', 'principal_components', 'singular_values', 'spectral_energy'),
    *('token_entropy', 'ridge_readout', 'weighted_knn', 'linear_probe'),
)


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    found = doctest.testmod(import_module(f'mmvitkd.analysis.functional.{name}'))
    assert found.attempted > 1 and not found.failed
