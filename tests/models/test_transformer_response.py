from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.models.transformer_response import TransformerResponse
from seqjax.nn.dropout import Noise

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
TIME = 8
EVENTS = {"item": np.int32([3, 1, 6, 2, 2, 5, 4, 1]), "category": np.int32([1, 2, 3, 3, 1, 2, 2, 1])}
VALID = np.array([False, True, True, False, True, True, True, False])
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@cache
def make(candidate=(), layers=2, window=3):
    """A model, and parameters none of which is zero."""
    model = TransformerResponse(SIZES, BOTH, candidate, 3, 4, layers, 2, window, head=(5, 2))
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(quick, static_argnums=(0, 2))
def call(model, params, method, *arguments):
    return model.apply({"params": params}, *arguments, method=method)


@partial(quick, static_argnums=0)
def answers(model, params, events, valid, target):
    """After every time, and after the last; read from the states of one reading."""

    def read(state):
        return model.apply({"params": params}, state, target, method="read")

    last, states = model.apply({"params": params}, model.init_state(), events, valid, method="encode")
    return jax.vmap(read)(states), read(last)


@pytest.mark.parametrize(("candidate", "layers"), [((), 2), (("user", "item"), 1)], ids=str)
@pytest.mark.parametrize("window", [1, 3, 20])
def test_equals_the_equations_after_every_event(candidate, layers, window):
    """An event that is not there leaves the answer as it was; before the first, h is zeros."""
    model, params = make(candidate, layers, window)
    x = [oracles.features(params["embed"], {name: EVENTS[name][at] for name in EVENTS}, BOTH) for at in range(TIME)]
    x = oracles.dense(params["body"]["enter"], np.array(x)[VALID])
    for layer in range(layers):
        x = oracles.transformer_block(params["body"][f"blocks_{layer}"], x, 2, window)
    outputs = np.concatenate([np.zeros((1, 4)), oracles.layer_norm(params["body"]["norm"], x)])
    v, expected = oracles.features(params["embed"], TARGET, candidate or BOTH), []
    for h in outputs[np.cumsum(VALID)]:
        every = np.concatenate([v, h, h @ params["project"]["kernel"] * v])
        expected.append(oracles.perceptron(params["perceptron"], every, np.tanh))
    each, last = answers(model, params, EVENTS, VALID, TARGET)
    np.testing.assert_allclose(each, expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(last, expected[-1], rtol=2e-5, atol=2e-5)


def test_padding_before_and_behind_the_events_changes_nothing():
    model, params = make()
    answers = []
    for before in range(4):
        events = {name: np.pad(ids[VALID], (before, 3 - before), constant_values=2) for name, ids in EVENTS.items()}
        valid = np.pad(np.ones(VALID.sum(), bool), (before, 3 - before))
        state, _ = call(model, params, "encode", model.init_state(), events, valid)
        answers.append(call(model, params, "read", state, TARGET))
    np.testing.assert_allclose(answers, answers[0], rtol=1e-5, atol=1e-5)


def test_what_is_beyond_every_window_is_forgotten():
    """Two layers that see three events each see five: by gradient."""
    model, params = make()

    @quick
    def of_rows(rows, params, category):
        def answer(rows):
            given = {**params, "embed": {**params["embed"], "item": {"rows": rows}}}
            events, valid = {"item": jnp.arange(TIME), "category": category}, jnp.ones(TIME, bool)
            state, _ = model.apply({"params": given}, model.init_state(), events, valid, method="encode")
            return jnp.sum(jnp.sin(state.output))

        return jax.grad(answer)(rows)

    rows = np.random.default_rng(0).normal(size=(TIME, 3))
    assert np.any(of_rows(rows, params, EVENTS["category"]), axis=1).tolist() == [False] * 3 + [True] * 5


def test_noise_drops_within_the_body():
    model, params = make()

    def output(rate, seed=0):
        noise = Noise(jax.random.key(seed), {"hidden": rate})
        return call(model, params, "encode", model.init_state(), EVENTS, VALID, noise)[0].output

    plain = call(model, params, "encode", model.init_state(), EVENTS, VALID)[0].output
    np.testing.assert_allclose(output(0.0), plain, rtol=1e-5, atol=1e-5)
    assert np.abs(output(0.5) - plain).max() > 0.01 and np.abs(output(0.5) - output(0.5, 1)).max() > 0.01


def test_default_parameter_count():
    shapes = jax.eval_shape(TransformerResponse((("item", 9),)).init, jax.random.key(0))["params"]
    body = shapes.pop("body")
    count = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in (shapes | body).items()}
    norm = 2 * 64
    block = 2 * norm + 4 * (64 + 1) * 64 + (64 + 1) * 256 + (256 + 1) * 64 + 64 * 64  # the last: a vector a distance
    assert count == {
        "embed": 10 * 32,
        "enter": (32 + 1) * 64,
        "blocks_0": block,
        "blocks_1": block,
        "norm": norm,
        "project": 64 * 32,
        "perceptron": 2 * 128 + (128 + 1) * 64 + 64 + 1,  # of [v, h, project(h) v], 32 + 64 + 32
    }
    assert sum(count.values()) == 121_345
