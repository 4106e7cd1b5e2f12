"""Users side by side: batches of events renew them as single events would, whoever comes how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.lifelong import advance, answer, fresh
from seqjax.models.dien import DIEN
from seqjax.models.hpmn import HPMN
from seqjax.models.sum_pooling import SumPooling

SIZES = (("item", 9),)
MODELS = {
    "HPMN": HPMN(SIZES, width=4, hidden=3, hops=1),
    "DIEN": DIEN(SIZES, width=4, hidden=3, window=3),
    "SumPooling": SumPooling(SIZES, width=4),
}
USERS = np.array([2, 0, 2, 2, 4, 0, 2])  # one comes four times, two never
ITEMS = np.array([1, 2, 3, 4, 5, 6, 7])


@pytest.fixture(params=MODELS)
def model(request):
    model = MODELS[request.param]
    return model, jax.jit(model.init)(jax.random.key(0))["params"]


def alone(model, params, items):
    """One user's state after a life."""
    state = model.init_state()
    for item in items:
        state = model.apply({"params": params}, state, {"item": jnp.int32(item)}, method="step")
    return state


def test_a_user_who_comes_often_is_read_event_after_event(model):
    states = advance(*model, fresh(model[0], 5), jnp.array(USERS), {"item": jnp.array(ITEMS)})
    for user in range(5):
        expected = alone(*model, ITEMS[USERS == user])
        jax.tree.map(lambda s, e, u=user: np.testing.assert_allclose(s[u], e, rtol=1e-5, atol=1e-6), states, expected)


def test_two_batches_are_one(model):
    whole = advance(*model, fresh(model[0], 5), jnp.array(USERS), {"item": jnp.array(ITEMS)})
    states = fresh(model[0], 5)
    for part in (slice(0, 3), slice(3, 7)):
        states = advance(*model, states, jnp.array(USERS[part]), {"item": jnp.array(ITEMS[part])})
    jax.tree.map(lambda one, two: np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6), whole, states)


def test_many_candidates_are_answered_as_one_by_one(model):
    states = advance(*model, fresh(model[0], 5), jnp.array(USERS), {"item": jnp.array(ITEMS)})
    asked, candidates = np.array([4, 1]), np.array([[1, 5, 9], [2, 2, 8]])
    said = answer(*model, states, jnp.array(asked), {"item": jnp.array(candidates)})
    for row, user in enumerate(asked):
        state = alone(*model, ITEMS[USERS == user])
        for column, item in enumerate(candidates[row]):
            expected = model[0].apply({"params": model[1]}, state, {"item": jnp.int32(item)}, method="read")
            np.testing.assert_allclose(said[row, column], expected, rtol=1e-4, atol=1e-5)


def test_no_events_change_nothing(model):
    states = advance(*model, fresh(model[0], 5), jnp.array(USERS), {"item": jnp.array(ITEMS)})
    kept = jax.tree.map(np.asarray, states)
    after = advance(*model, states, jnp.zeros(0, jnp.int32), {"item": jnp.zeros(0, jnp.int32)})
    jax.tree.map(np.testing.assert_array_equal, after, kept)
