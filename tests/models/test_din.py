from functools import cache, partial

import jax
import numpy as np
import oracles
import pytest

from seqjax.models.din import DIN

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
EVENTS = {"item": np.array([4, 3, 1, 6, 2]), "category": np.array([2, 1, 2, 3, 3])}
VALID = np.array([True, True, True, False, True])
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}


@cache
def make(**form):
    """A model with a window of three, and parameters none of which is zero."""
    model = DIN(SIZES, BOTH, width=3, window=3, head=(5, 2), **form)
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(
    jax.jit, static_argnums=(0, 2), static_argnames="weights", compiler_options={"xla_backend_optimization_level": 0}
)
def call(model, params, method, *arguments, **options):
    return model.apply({"params": params}, *arguments, **options, method=method)


def answer(model, params, valid=VALID, **options):
    state, _ = call(model, params, "encode", model.init_state(), EVENTS, valid)
    return call(model, params, "read", state, TARGET, **options)


def vectors(params, valid=VALID):
    """Of the last three valid events."""
    events = [{name: ids[time] for name, ids in EVENTS.items()} for time in np.flatnonzero(valid)[-3:]]
    return np.array([oracles.features(params["embed"], event, BOTH) for event in events])


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize(
    ("weigh", "candidate"), [("sum", ()), ("softmax", ("user",)), ("sum", ("category", "item"))], ids=str
)
def test_equals_the_equations(weigh, candidate, few):
    model, params = make(candidate=candidate, weigh=weigh)
    valid = VALID & (np.arange(5) >= 3 * few)  # one event only, or more than the window holds
    x, v = vectors(params, valid), oracles.features(params["embed"], TARGET, candidate or BOTH)
    assert ("project" in params) == (candidate == ("user",))  # vectors of unequal width
    query = v @ params["project"]["kernel"] if "project" in params else v
    a = oracles.relevance(params["relevance"], query, x)
    if weigh == "softmax":
        a = oracles.softmax(a)
    expected = oracles.perceptron(params["perceptron"], np.concatenate([v, a @ x, query * (a @ x)]), oracles.elu)
    np.testing.assert_allclose(answer(model, params, valid), expected, rtol=2e-5, atol=1e-5)
    weights = answer(model, params, valid, weights=True)
    np.testing.assert_allclose(weights, [0.0] * (3 - len(a)) + list(a), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("weigh", ["sum", "softmax"])
def test_nobody_attends_to_an_empty_window(weigh):
    model, params = make(weigh=weigh)
    np.testing.assert_array_equal(answer(model, params, np.zeros(5, bool), weights=True), 0.0)


def test_the_state_holds_the_last_vectors():
    model, params = make()
    last, states = call(model, params, "encode", model.init_state(), EVENTS, VALID)
    np.testing.assert_allclose(last.vectors, vectors(params), atol=1e-6)
    np.testing.assert_array_equal(states.count, [1, 2, 3, 3, 3])
    assert states.vectors.shape == (5, 3, 6) and not states.vectors[0, :2].any()
