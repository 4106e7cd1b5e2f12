from functools import cache, partial

import jax
import numpy as np
import oracles
import pytest

from seqjax.models.hpmn import HPMN

SIZES = (("item", 6), ("category", 3), ("user", 2))
BOTH = ("item", "category")
PERIODS = (1, 2, 4)
EVENTS = {
    "item": np.array([4, 3, 1, 6, 2, 2, 5, 3]),
    "category": np.array([2, 1, 2, 3, 3, 1, 1, 2]),
}
VALID = np.arange(8) % 3 != 1  # five of eight
TARGET = {"item": np.int32(5), "category": np.int32(2), "user": np.int32(1)}


@cache
def make(**form):
    """A model, and parameters none of which is zero."""
    model = HPMN(SIZES, BOTH, width=3, hidden=4, head=(5, 2), **{"hops": 2, **form})
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


def history(valid=VALID):
    return [{name: ids[time] for name, ids in EVENTS.items()} for time in np.flatnonzero(valid)]


def remember(params, events, ahead=0):
    """Every layer at every event; the first is number `ahead` + 1."""
    slots = np.zeros((len(PERIODS), 4))
    for count, event in enumerate(events, ahead + 1):
        below = oracles.features(params["embed"], event, BOTH)
        for layer, period in enumerate(PERIODS):
            if count % period == 0:
                below = slots[layer] = oracles.keep_gru(params["memory"][f"cells_{layer}"], slots[layer], below)
    return slots


def read(params, slots, v, asked=None, hops=2):
    """Log-odds, and the attention of every hop."""
    q, attention = oracles.dense(params["ask"], v if asked is None else asked), []
    for hop in range(hops):
        a = oracles.softmax(oracles.relevance(params[f"relevance_{hop}"], q, slots))
        q = q @ params["hop"]["kernel"] + a @ slots
        attention.append(a)
    return oracles.perceptron(params["perceptron"], np.concatenate([q, v]), oracles.elu), attention


def check(form, slots, asked=None, **reading):
    """The model's answer and attention against the equations."""
    model, params = make(**form)
    v = oracles.features(params["embed"], TARGET, form.get("candidate", BOTH))
    score, attention = read(params, slots(params), v, asked and asked(params), **reading)
    np.testing.assert_allclose(answer(model, params), score, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(answer(model, params, weights=True), attention, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(("form", "hops"), [
    ({}, 2),
    ({"hops": 3, "candidate": ("user", "item")}, 3),
    ({"normalise": "affine", "candidate": ("item",)}, 2),
    ({"hops": 1, "normalise": "none"}, 1),
], ids=str)  # fmt: skip
def test_reading_equals_the_equations(form, hops):
    check(form, lambda params: remember(params, history()), hops=hops)


def test_the_target_may_be_the_last_event():
    check({"target": "event"}, lambda params: remember(params, [*history(), TARGET]))


@pytest.mark.parametrize(("target", "ahead"), [("query", 3), ("event", 2)])  # up to a multiple of four
def test_the_phase_may_go_by_the_end(target, ahead):
    """Then all layers are renewed at the last event: the candidate, if it is one."""
    events = [*history(), TARGET] if target == "event" else history()
    assert (len(events) + ahead) % 4 == 0
    check({"phase": "right", "target": target}, lambda params: remember(params, events, ahead))


def test_the_last_event_may_ask():
    check(
        {"query": "last"},
        lambda params: remember(params, history()),
        lambda params: oracles.features(params["embed"], history()[-1], BOTH),
    )


def test_without_events_all_slots_are_alike():
    model, params = make()
    attention = answer(model, params, np.zeros(8, bool), weights=True)
    np.testing.assert_allclose(attention, 1 / 3, atol=1e-6)


def count(params, *parts):
    return sum(leaf.size for name, tree in params.items() if name.startswith(parts) for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("features", "periods", "memory", "asking", "head"), [
    (3, (1, 2, 4), 20_256, 2_592, 32_521),  # Amazon
    (4, (1, 2, 4, 12), 28_032, 3_104, 35_753),  # Taobao
    (2, (1, 2, 4, 8, 16), 31_200, 2_080, 29_289),  # XLong
], ids=["Amazon", "Taobao", "XLong"])  # fmt: skip
def test_published_parameter_counts(features, periods, memory, asking, head):
    names = ("item", "user", "category", "action")[:features]
    model = HPMN(tuple((name, 5) for name in names), names, periods=periods, normalise="affine")
    params = jax.eval_shape(model.init, jax.random.key(0))["params"]
    assert count(params, "memory") == memory
    assert count(params, "ask", "hop") == asking
    assert count(params, "relevance") == 40_803
    assert count(params, "perceptron") == head
    assert count(params, "") - count(params, "embed") == memory + asking + 40_803 + head
