"""Recommendations against sorting all scores, and against reading the session event by event."""

import importlib

import jax
import numpy as np
import pytest

from seqjax.models.gru4rec import GRU4Rec
from seqjax.recommender import recommend, recommend_many

module = importlib.import_module("seqjax.recommender")  # the package has a function of this name
ITEMS = 12
MODEL = GRU4Rec(ITEMS, features=5)


@pytest.fixture(scope="module")
def params():
    params = jax.jit(MODEL.init)(jax.random.key(0))["params"]
    return {**params, "bias": {"rows": np.random.default_rng(0).normal(size=ITEMS + 1).astype(np.float32)}}


def scores_after(params, session):
    """Scores after folding `step` over the session."""
    state = MODEL.init_state()
    for item in session:
        state = step(params, state, item)
    return np.asarray(read(params, state))


@jax.jit
def step(params, state, item):
    return MODEL.apply({"params": params}, state, {"item": item}, method="step")


@jax.jit
def read(params, state):
    return MODEL.apply({"params": params}, state, method="read")


def sorted_items(scores, without=()):
    order = np.argsort(-scores, kind="stable")
    return [int(item) for item in order if item != 0 and item not in without]


@pytest.mark.parametrize("session", [[], [3], [3, 7, 7, 1], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_one_session_equals_steps_and_a_sort(params, session, exclude_seen):
    expected = scores_after(params, session)
    without = {5, *(session if exclude_seen else ())}
    items, scores = recommend(MODEL, params, session, 2, exclude_seen=exclude_seen, exclude=[5])
    assert items.tolist() == sorted_items(expected, without)[:2]
    np.testing.assert_allclose(scores, expected[items], rtol=1e-5)


@pytest.mark.parametrize("block", [1, 2, 64])
def test_many_equal_one_by_one_wherever_padding_stands(params, block):
    rng = np.random.default_rng(1)
    sessions = rng.integers(1, ITEMS + 1, (5, 6)).astype(np.int32)
    valid = rng.random((5, 6)) < 0.6
    items, scores = recommend_many(MODEL, params, sessions, valid, 4, exclude_seen=True, block=block)
    noise = np.where(valid, sessions, 99)  # what stands in padding does not matter, not even an id that does not exist
    again, _ = recommend_many(MODEL, params, noise, valid, 4, exclude_seen=True, block=block)
    np.testing.assert_array_equal(items, again)
    for row in range(5):
        one, values = recommend(MODEL, params, sessions[row][valid[row]], 4, exclude_seen=True)
        np.testing.assert_array_equal(items[row], one)
        np.testing.assert_allclose(scores[row], values, rtol=1e-5)


def test_no_sessions(params):
    items, scores = recommend_many(MODEL, params, np.zeros((0, 3), np.int32), np.zeros((0, 3), bool), 4)
    assert items.shape == scores.shape == (0, 4)


def test_padding_is_never_recommended(params):
    high = {**params, "bias": {"rows": np.full(ITEMS + 1, 0.0, np.float32)}}
    high["bias"]["rows"][0] = 100.0
    assert sorted(recommend(MODEL, high, [1], ITEMS)[0].tolist()) == list(range(1, ITEMS + 1))


def test_few_programs(params):
    before = module._best._cache_size()
    for length in range(1, 9):
        recommend(MODEL, params, list(range(1, length + 1)), 3, exclude=[12][: length % 2])
    assert module._best._cache_size() <= before + 1


def test_errors_name_the_bound(params):
    with pytest.raises(ValueError, match="k=13: choose 1 to 12"):
        recommend(MODEL, params, [1], 13)
    with pytest.raises(ValueError, match="k=10, but only 9 items"):
        recommend(MODEL, params, [1, 2, 2], 10, exclude_seen=True, exclude=[2, 3])
    for wrong in (0, 13, -1):
        with pytest.raises(ValueError, match=f"item {wrong} is none"):
            recommend(MODEL, params, [1, wrong], 3)
    with pytest.raises(ValueError, match="item 13 is none"):
        recommend(MODEL, params, [1], 3, exclude=[13])
    broken = {**params, "bias": {"rows": np.full(ITEMS + 1, np.nan, np.float32)}}
    with pytest.raises(ValueError, match="only 0 items are left with a score"):
        recommend(MODEL, broken, [1], 3)
