from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.models.cnn_lstm import CNNLSTM, pooled
from seqjax.nn.recent import Recent

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
TIME, WINDOW = 14, 11
RANDOM = np.random.default_rng(0)
EVENTS = {name: RANDOM.integers(1, size + 1, TIME).astype(np.int32) for name, size in SIZES[:2]}
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}
FORMS = {  # convolutions, blocks, pool
    "default": {},
    "not pooled": {"pool": 1},
    "by three, twice two": {"pool": 3, "convolutions": 2},
    "one block, wide": {"pool": 4, "blocks": 1, "kernel": 5},
    "no convolution": {"convolutions": 0},
}
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
two_forms = pytest.mark.parametrize("form", ["default", "by three, twice two"])


@cache
def make(form="default", candidate=(), window=WINDOW):
    """A model, and parameters none of which is zero."""
    sizes = {"width": 3, "filters": 4, "kernel": 3, "hidden": 4, "head": (5, 2)} | FORMS[form]
    model = CNNLSTM(SIZES, BOTH, candidate, window=window, **sizes)
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape), shapes)


@partial(quick, static_argnums=(0, 2))
def call(model, params, method, *arguments):
    return model.apply({"params": params}, *arguments, method=method)


@partial(quick, static_argnums=0)
def told(model, params, events, target):
    """After the first 0, 1, 2, ... events, each life told with other gaps."""

    def answer(count):
        order = jax.random.permutation(jax.random.fold_in(jax.random.key(0), count), 2 * TIME) < TIME + count
        place = jnp.cumsum(order) - 1
        valid = order & (place < count)
        life = {name: ids[jnp.clip(place, 0, TIME - 1)] for name, ids in events.items()}
        state, _ = model.apply({"params": params}, model.init_state(), life, valid, method="encode")
        return model.apply({"params": params}, state, target, method="read")

    return jax.vmap(answer)(jnp.arange(TIME + 1))


def answers(model, params):
    return np.asarray(told(model, params, EVENTS, TARGET))


def summary(model, params, x):
    """h from the vectors of the events alone: there is no padding."""
    for block in range(model.blocks if len(x) else 0):
        for layer in range(block * model.convolutions, (block + 1) * model.convolutions):
            x = oracles.relu(oracles.convolution(params[f"layers_{layer}"], x, model.kernel))
        x = oracles.pooled(x, model.pool)
    memory = np.zeros(4), np.zeros(4)
    for vector in x:
        memory = oracles.lstm(params["cell"], memory, vector)
    return memory[1]


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_equations_at_every_length(form):
    """So at every phase of the groups, and with every number of empty places in the window."""
    candidate = ("user", "item") if form == "not pooled" else ()
    model, params = make(form, candidate)
    x = np.array([oracles.features(params["embed"], {name: EVENTS[name][at] for name in EVENTS}, BOTH)
                  for at in range(TIME)])  # fmt: skip
    v, expected = oracles.features(params["embed"], TARGET, candidate or BOTH), []
    for count in range(TIME + 1):
        h = summary(model, params, x[max(0, count - WINDOW) : count])
        both = np.concatenate([v, h, h @ params["project"]["kernel"] * v])
        expected.append(oracles.perceptron(params["perceptron"], both, np.tanh))
    np.testing.assert_allclose(answers(model, params), expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 1e-3


@two_forms
def test_a_wider_window_changes_nothing_that_a_narrow_one_holds(form):
    params = make(form)[1]
    narrow, wide = (answers(make(form, window=window)[0], params) for window in (WINDOW, WINDOW + 6))
    np.testing.assert_allclose(narrow[: WINDOW + 1], wide[: WINDOW + 1], rtol=1e-5, atol=1e-5)
    assert np.abs(narrow - wide)[WINDOW + 1 :].max() > 1e-4


@two_forms
def test_values_in_missing_places_never_matter(form):
    model, params = make(form)

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


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_the_mask_is_pooled_with_the_data(size):
    """Any places may be missing, any numbers may be negative."""
    random = np.random.default_rng(size)
    for window in (1, 6, 7):
        x, there = random.normal(size=(window, 2)) - 1.0, random.random(window) < 0.5
        y, groups = pooled(jnp.float32(x), jnp.asarray(there), size)
        ends = range(window, 0, -size)
        members = [[at for at in range(max(0, end - size), end) if there[at]] for end in ends][::-1]
        assert groups.tolist() == [bool(group) for group in members]
        expected = [x[group].max(axis=0) if group else np.zeros(2) for group in members]
        np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_what_is_before_the_window_is_forgotten_and_order_counts():
    model, params = make()
    one, two = (np.random.default_rng(seed).normal(size=(WINDOW, 6)).astype(np.float32) for seed in (0, 1))
    state = Recent(one, np.int32(WINDOW))
    assert call(model, params, "read", state, TARGET) != call(model, params, "read", Recent(two, state.count), TARGET)
    turned = Recent(one[::-1], state.count)
    assert np.abs(call(model, params, "read", state, TARGET) - call(model, params, "read", turned, TARGET)) > 1e-4


def test_default_parameter_count():
    shapes = jax.eval_shape(CNNLSTM((("item", 9),)).init, jax.random.key(0))["params"]
    count = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
    assert count == {
        "embed": 10 * 32,
        "layers_0": 5 * 32 * 64 + 64,
        "layers_1": 5 * 64 * 64 + 64,
        "cell": (64 + 64 + 1) * 4 * 64,
        "project": 64 * 32,
        "perceptron": 2 * 128 + (128 + 1) * 64 + 64 + 1,  # of [v, h, project(h) v], 32 + 64 + 32
    }
    assert sum(count.values()) == 74_817
