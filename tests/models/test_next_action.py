from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import GRU, LSTM

ITEMS = 10  # eleven symbols with the boundary
SMALL = partial(GRU, features=(6,))


def make(body=SMALL, seed=0, **form):
    """A model and parameters none of which is zero."""
    model, random = NextAction(ITEMS, body, **form), np.random.default_rng(seed)
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    return model, jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), shapes)


def encode(model, params, items, **flags):
    fresh, valid = (jnp.asarray(flags.get(name, [name == "valid"] * len(items))) for name in ("fresh", "valid"))
    run = jax.jit(partial(model.apply, method="encode"))
    return run({"params": params}, model.init_state(), {"item": jnp.asarray(items), "fresh": fresh}, valid)


def read(model, params, state, *target):
    return np.asarray(model.apply({"params": params}, state, *target, method="read"))


@pytest.mark.parametrize(("features", "form", "count"), [
    ((20,), {}, 2_791),
    ((20, 20), {}, 6_071),
    ((20, 20), {"direct": True}, 6_071 + 11 * 11),
    ((20, 20), {"tied": True}, 6_071 - 11 * 80 + 20 * 80),  # no input rows; the first cell multiplies
], ids=str)  # fmt: skip
def test_parameter_counts(features, form, count):
    model = NextAction(ITEMS, partial(LSTM, features=features), **form)
    assert sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0)))) == count


@pytest.mark.parametrize("form", [{}, {"direct": True}, {"tied": True}, {"direct": True, "tied": True}], ids=str)
def test_scores_are_of_actions_and_the_boundary_by_id(form):
    model, params = make(**form)
    last, _ = encode(model, params, [11, 1, 10, 3])
    scores = read(model, params, last)
    assert scores.shape == (12,) and scores[0] == -np.inf and np.isfinite(scores[1:]).all()
    law = np.asarray(jax.nn.softmax(scores))
    assert law[0] == 0.0
    np.testing.assert_allclose(law[1:].sum(), 1.0, atol=1e-6)
    targets = jax.vmap(lambda item: model.apply({"params": params}, last, {"item": item}, method="read"))
    np.testing.assert_array_equal(targets(jnp.arange(12)), scores)


def test_direct_adds_the_score_of_the_last_and_the_next_symbol():
    model, params = make(direct=True)
    plain = NextAction(ITEMS, SMALL)
    without = {**params, "symbols": {name: leaf for name, leaf in params["symbols"].items() if name != "pairs"}}
    _, states = encode(model, params, [11, 4, 7], valid=[False, True, True])
    for time, last in enumerate((0, 4, 7)):
        state = jax.tree.map(lambda leaf, time=time: leaf[time], states)
        assert state.last == last
        added = read(model, params, state)[1:] - read(plain, without, state)[1:]
        np.testing.assert_allclose(added, params["symbols"]["pairs"][last - 1] if last else np.zeros(11), atol=1e-6)


def test_tied_reads_the_output_matrix_as_input():
    model, params = make(tied=True)
    assert set(params["symbols"]) == {"kernel", "bias"}
    items = jnp.array([11, 2, 5])
    body, rows = SMALL(inputs=6), params["symbols"]["kernel"].T[items - 1]
    every, first = jnp.ones(3, bool), jnp.zeros(3, bool)
    expected = body.apply({"params": params["layers"]}, body.init_memory(), rows, first, every)[2]
    last, states = encode(model, params, items)
    np.testing.assert_allclose(states.output, expected, atol=1e-6)
    np.testing.assert_allclose(read(model, params, last)[1:], rows_scores(params, expected[-1]), atol=1e-6)


def rows_scores(params, output):
    return output @ params["symbols"]["kernel"] + params["symbols"]["bias"]


def test_before_any_event_the_bias_alone_speaks():
    model, params = make(direct=True)
    state = model.init_state()
    assert state.last == 0 and not state.output.any()
    np.testing.assert_array_equal(read(model, params, state)[1:], params["symbols"]["bias"])


class Total(nn.Module):
    """A body of a user's own: the sum of what was read in this series."""

    features: int = 3
    inputs: int | None = None

    @property
    def row(self):
        return self.features

    @property
    def width(self):
        return self.features

    def init_memory(self):
        return jnp.zeros(self.features)

    def __call__(self, memory, x, fresh, valid, noise=None):
        def add(total, event):
            x, fresh, there = event
            total = jnp.where(there, jnp.where(fresh, 0.0, total) + x, total)
            return total, total

        last, after = jax.lax.scan(add, memory, (x, fresh, valid))
        return last, after, after


def test_any_body_that_keeps_the_contract_will_do():
    model, params = make(Total)
    flags = {"fresh": [False, False, True, True, False], "valid": [True, True, False, True, True]}
    last, states = encode(model, params, [11, 4, 9, 2, 2], **flags)
    rows = np.asarray(params["symbols"]["input"])
    for time, since in enumerate(([11], [11, 4], [11, 4], [2], [2, 2])):
        total = sum(rows[item - 1] for item in since)
        state = jax.tree.map(lambda leaf, time=time: leaf[time], states)
        np.testing.assert_allclose(read(model, params, state)[1:], rows_scores(params, total), atol=1e-5)
    after = model.apply({"params": params}, last, {"item": jnp.int32(7)}, method="step")
    np.testing.assert_allclose(after.output, total + rows[7 - 1], atol=1e-6)
