from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.models.lstm_fcn import LSTMFCN
from seqjax.nn.dropout import Noise
from seqjax.nn.recent import Recent

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
TIME, WINDOW = 9, 6
EVENTS = {"item": np.int32([3, 1, 6, 2, 2, 5, 4, 1, 6]), "category": np.int32([1, 2, 3, 3, 1, 2, 2, 1, 3])}
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}
KERNELS = (4, 3, 2)
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@cache
def make(candidate=(), window=WINDOW):
    """A model, and parameters none of which is zero."""
    sizes = {"width": 3, "filters": (4, 5, 3), "kernels": KERNELS, "cells": 2, "head": (5, 2)}
    model = LSTMFCN(SIZES, BOTH, candidate, window=window, **sizes)
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(quick, static_argnums=(0, 2))
def call(model, params, method, *arguments):
    return model.apply({"params": params}, *arguments, method=method)


@partial(quick, static_argnums=0)
def told(model, params, events, target):
    """After the first 0, 1, 2, ... events."""

    def answer(count):
        valid = jnp.arange(TIME) < count
        state, _ = model.apply({"params": params}, model.init_state(), events, valid, method="encode")
        return model.apply({"params": params}, state, target, method="read")

    return jax.vmap(answer)(jnp.arange(TIME + 1))


def answers(model, params):
    return np.asarray(told(model, params, EVENTS, TARGET))


def branches(params, x):
    """m and h from the vectors of the events alone: there is no padding."""
    memory = np.zeros(2), np.zeros(2)
    for vector in x:
        memory = oracles.lstm(params["cell"], memory, vector)
    if not len(x):
        return np.zeros(3), memory[1]
    for layer, kernel in enumerate(KERNELS):
        x = oracles.convolution(params[f"layers_{layer}"], x, kernel)
        x = oracles.relu(oracles.layer_norm(params[f"norms_{layer}"], x))
    return x.mean(axis=0), memory[1]


@pytest.mark.parametrize("candidate", [(), ("user", "item")], ids=str)
def test_equals_the_equations_at_every_length(candidate):
    model, params = make(candidate)
    x = np.array([oracles.features(params["embed"], {name: EVENTS[name][at] for name in EVENTS}, BOTH)
                  for at in range(TIME)])  # fmt: skip
    v, expected = oracles.features(params["embed"], TARGET, candidate or BOTH), []
    for count in range(TIME + 1):
        s = np.concatenate(branches(params, x[max(0, count - WINDOW) : count]))
        every = np.concatenate([v, s, s @ params["project"]["kernel"] * v])
        expected.append(oracles.perceptron(params["perceptron"], every, np.tanh))
    np.testing.assert_allclose(answers(model, params), expected, rtol=2e-5, atol=2e-5)
    assert np.ptp(expected) > 0.01


def test_a_wider_window_changes_nothing_that_a_narrow_one_holds():
    params = make()[1]
    narrow, wide = (answers(make(window=window)[0], params) for window in (WINDOW, WINDOW + 5))
    np.testing.assert_allclose(narrow[: WINDOW + 1], wide[: WINDOW + 1], rtol=1e-5, atol=1e-5)
    assert np.abs(narrow - wide)[WINDOW + 1 :].max() > 1e-4


def test_values_in_missing_places_never_matter():
    model, params = make()

    @quick
    def graded(vectors, count, params, target):
        def answer(vectors):
            return model.apply({"params": params}, Recent(vectors, count), target, method="read")

        return jax.value_and_grad(answer)(vectors)

    for count in range(WINDOW + 1):
        there = np.arange(WINDOW)[:, None] >= WINDOW - count
        x = np.random.default_rng(count).normal(size=(WINDOW, 6)).astype(np.float32)
        answer, grads = graded(np.where(there, x, np.float32(0.0)), np.int32(count), params, TARGET)
        assert np.isfinite(grads).all() and not grads[: WINDOW - count].any()
        for other in (1e3, np.nan):
            again, same = graded(np.where(there, x, np.float32(other)), np.int32(count), params, TARGET)
            np.testing.assert_array_equal(answer, again)
            np.testing.assert_array_equal(grads, same)


def test_dropout_falls_on_the_lstm_and_on_the_head_apart():
    """Without hidden layers in the head, all that noise can do is to drop some of h, or to double it."""
    model = LSTMFCN(SIZES, width=3, filters=(4,), kernels=(2,), cells=3, window=4, head=())
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)
    state = Recent(random.normal(size=(4, 3)).astype(np.float32), np.int32(3))
    v = oracles.features(params["embed"], TARGET, ("item",))
    mean, h = (np.asarray(part, np.float64) for part in call(model, params, "branches", state))

    def answer(kept):
        s = np.concatenate([mean, h * kept])
        every = np.concatenate([v, s, s @ params["project"]["kernel"] * v])
        return oracles.perceptron(params["perceptron"], every, np.tanh)

    possible = np.array([answer(2.0 * np.array([a, b, c])) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    seen = set()
    for seed in range(20):
        noisy = call(model, params, "read", state, TARGET, Noise(jax.random.key(seed), {"hidden": 0.5}))
        nearest = np.abs(possible - noisy).argmin()
        np.testing.assert_allclose(noisy, possible[nearest], rtol=1e-4, atol=1e-4)
        seen.add(int(nearest))
    assert len(seen) > 4
    still = call(model, params, "read", state, TARGET, Noise(jax.random.key(0), {"hidden": 0.0}))
    np.testing.assert_allclose(still, answer(1.0), rtol=1e-4, atol=1e-4)


def test_default_parameter_count():
    shapes = jax.eval_shape(LSTMFCN((("item", 9),)).init, jax.random.key(0))["params"]
    count = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
    assert count == {
        "embed": 10 * 32,
        "layers_0": 8 * 32 * 128 + 128,
        "layers_1": 5 * 128 * 256 + 256,
        "layers_2": 3 * 256 * 128 + 128,
        "norms_0": 2 * 128,
        "norms_1": 2 * 256,
        "norms_2": 2 * 128,
        "cell": (32 + 8 + 1) * 4 * 8,
        "project": 136 * 32,
        "perceptron": 2 * 200 + (200 + 1) * 64 + 64 + 1,  # of [v, s, project(s) v], 32 + (128 + 8) + 32
    }
    assert sum(count.values()) == 315_761
