from functools import cache, partial

import jax
import numpy as np
import oracles
import pytest

from seqjax.models.lstm_response import LSTMResponse

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
EVENTS = {"item": np.array([3, 1, 6, 2]), "category": np.array([1, 2, 3, 3])}
VALID = np.array([True, True, False, True])
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}


@cache
def make(**form):
    """A model, and parameters none of which is zero."""
    model = LSTMResponse(SIZES, BOTH, width=3, hidden=4, head=(5, 2), **form)
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(jax.jit, static_argnums=(0, 2), compiler_options={"xla_backend_optimization_level": 0})
def call(model, params, method, *arguments):
    return model.apply({"params": params}, *arguments, method=method)


def answer(model, params):
    state, _ = call(model, params, "encode", model.init_state(), EVENTS, VALID)
    return call(model, params, "read", state, TARGET)


def life(params, *more):
    """Cell and hidden vector after the valid events, and more of them."""
    memory = np.zeros(4), np.zeros(4)
    events = [{name: ids[time] for name, ids in EVENTS.items()} for time in np.flatnonzero(VALID)]
    for event in (*events, *more):
        memory = oracles.lstm(params["cell"], memory, oracles.features(params["embed"], event, BOTH))
    return np.concatenate(memory)


@pytest.mark.parametrize("candidate", [(), ("user", "item")], ids=str)
def test_equals_the_equations(candidate):
    model, params = make(candidate=candidate)
    s, v = life(params), oracles.features(params["embed"], TARGET, candidate or BOTH)
    x = np.concatenate([v, s, s @ params["project"]["kernel"] * v])
    np.testing.assert_allclose(answer(model, params), oracles.perceptron(params["perceptron"], x, np.tanh), atol=1e-5)


@pytest.mark.parametrize("normalise", ["layer", "affine", "none"])
def test_release_reads_the_target_as_the_last_event(normalise):
    model, params = make(form="release", normalise=normalise)
    assert "project" not in params
    expected = oracles.perceptron(params["perceptron"], life(params, TARGET), np.tanh)
    np.testing.assert_allclose(answer(model, params), expected, atol=1e-5)
