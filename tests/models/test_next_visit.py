from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.losses import Return, discrete_hazard, next_symbol
from seqjax.models.next_visit import NextVisit, returned_within
from seqjax.nn.recurrence import GRU

SIZES = {"gap": 4, "weekday": 7, "hour": 8, "size": 3}
INTERVALS, TIME = 5, 9


def make():
    """A model, parameters none of which is zero, and visits."""
    random = np.random.default_rng(0)
    model = NextVisit(*SIZES.values(), INTERVALS, partial(GRU, features=(6, 5)))
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    params = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), shapes)
    visits = {name: jnp.asarray(random.integers(1, size + 1, TIME)) for name, size in SIZES.items()}
    return model, params, visits


def test_folding_step_is_encode():
    model, params, visits = make()
    visits["fresh"] = jnp.arange(TIME) == 5
    valid = jnp.array([True, True, False, True, False, True, True, False, True])
    step = jax.jit(partial(model.apply, {"params": params}, method="step"))
    read = jax.jit(jax.vmap(partial(model.apply, {"params": params}, method="read")))
    state, after = model.init_state(), []
    for time in range(TIME):
        state = step(state, jax.tree.map(lambda leaf, time=time: leaf[time], visits)) if valid[time] else state
        after.append(state)
    folded = jax.tree.map(lambda *leaves: np.stack(leaves), *after)
    encode = jax.jit(partial(model.apply, method="encode"))
    last, states = encode({"params": params}, model.init_state(), visits, valid)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), (last, states), (state, folded))
    assert read(states).shape == (TIME, INTERVALS)
    np.testing.assert_allclose(read(states), read(folded), atol=1e-6)


def test_every_feature_adds_its_row():
    model, params, visits = make()
    rows = sum(params[name][visits[name] - 1] for name in SIZES)
    body, every = GRU((6, 5)), jnp.ones(TIME, bool)
    output = body.apply({"params": params["layers"]}, body.init_memory(), rows, ~every, every)[2]
    _, states = model.apply({"params": params}, model.init_state(), visits, every, method="encode")
    np.testing.assert_allclose(states.output, output, atol=1e-6)
    scores = model.apply({"params": params}, jax.tree.map(lambda leaf: leaf[-1], states), method="read")
    np.testing.assert_allclose(scores, output[-1] @ params["head"]["kernel"] + params["head"]["bias"], atol=1e-6)


def hazards(scores):
    return 1.0 / (1.0 + np.exp(-np.asarray(scores, np.float64)))


def test_returned_within_is_one_less_the_chance_of_staying_away():
    scores = np.random.default_rng(0).normal(0, 3, (20, INTERVALS)).astype(np.float32)
    within = np.asarray(returned_within(jnp.asarray(scores)))
    np.testing.assert_allclose(within, 1.0 - np.cumprod(1.0 - hazards(scores), axis=1), atol=1e-6)
    for given in (scores, np.array([[-200.0, 200.0, 0.0]], np.float32)):
        within = np.asarray(returned_within(jnp.asarray(given)))
        assert ((within >= 0.0) & (within <= 1.0)).all() and (np.diff(within, axis=1) >= 0.0).all()
    np.testing.assert_allclose(returned_within(jnp.zeros(3)), [0.5, 0.75, 0.875], atol=1e-6)  # fair coins


def log_likelihood(scores, interval, seen):
    """Interval after interval: stayed away, came, or was no longer looked at."""
    total = 0.0
    for k, hazard in enumerate(hazards(scores), start=1):
        if k > seen:
            break
        if k == interval:
            return total + np.log(hazard)
        total += np.log(1.0 - hazard)
    return total


@pytest.mark.parametrize("seen", [0, 2, INTERVALS, 99])
@pytest.mark.parametrize("interval", [1, 3, INTERVALS, INTERVALS + 1, np.iinfo(np.int32).max])
def test_hazard_loss_is_the_likelihood_of_what_was_seen(interval, seen):
    scores = np.random.default_rng(1).normal(size=INTERVALS).astype(np.float32)
    target = Return(jnp.int32(interval), jnp.int32(seen))
    loss, grads = jax.value_and_grad(discrete_hazard)(jnp.asarray(scores), target)
    np.testing.assert_allclose(loss, -log_likelihood(scores, interval, seen), atol=1e-6)
    k = np.arange(1, INTERVALS + 1)
    at_risk = (k <= seen) & (k <= interval)
    np.testing.assert_allclose(grads, at_risk * (hazards(scores) - (k == interval)), atol=1e-6)


def test_next_symbol_is_a_log_softmax_in_which_the_padding_has_no_part():
    scores = np.random.default_rng(2).normal(0, 2, 7).astype(np.float32)
    scores[0] = -np.inf
    law = np.exp(scores.astype(np.float64)) / np.exp(scores.astype(np.float64)).sum()
    for target in range(1, 7):
        loss, grads = jax.value_and_grad(next_symbol)(jnp.asarray(scores), jnp.int32(target))
        np.testing.assert_allclose(loss, -np.log(law[target]), rtol=1e-5)
        np.testing.assert_allclose(grads, law - (np.arange(7) == target), atol=1e-6)
        assert grads[0] == 0.0
