"""The examples of the docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import seqjax

NAMES = sorted(module.name for module in pkgutil.walk_packages(seqjax.__path__, "seqjax."))


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("name", ["seqjax.losses", "seqjax.metrics", "seqjax.data.plan"])
def test_losses_metrics_and_plans_carry_examples(name):
    assert doctest.testmod(importlib.import_module(name)).attempted > 0
