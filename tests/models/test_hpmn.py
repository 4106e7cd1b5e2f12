from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from seqjax.models.hpmn import HPMN
from seqjax.types import ItemHistory

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


def query(params, slots, asked, hops=2):
    """The query after every hop, and the attention of each."""
    q, attention = oracles.dense(params["ask"], asked), []
    for hop in range(hops):
        a = oracles.softmax(oracles.relevance(params[f"relevance_{hop}"], q, slots))
        q = q @ params["hop"]["kernel"] + a @ slots
        attention.append(a)
    return q, attention


def read(params, slots, v, asked=None, hops=2):
    """Log-odds, and the attention of every hop."""
    q, attention = query(params, slots, v if asked is None else asked, hops)
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


SIDE = {"item_history": ("user", "category"), "item_periods": (1, 2)}
CAME = {"user": np.array([2, 1, 1, 2, 1]), "category": np.array([1, 3, 2, 2, 3])}


@pytest.mark.parametrize(("there", "skipped"), [((1, 1, 1, 1, 1), 0), ((0, 1, 1, 0, 1), 0), ((1, 1, 1, 0, 0), 3)])
def test_the_memory_of_an_item_is_read_beside_the_users(there, skipped):
    """Of events that are skipped only the number counts: the second layer goes by all."""
    model, params = make(**SIDE)
    came = ItemHistory(CAME, np.array(there, bool), np.int32(skipped))
    item = call(model, params, "remember_item", came)
    slots = np.zeros((2, 4))
    for number, at in enumerate(np.flatnonzero(there), skipped + 1):
        below = oracles.features(params["embed"], {name: ids[at] for name, ids in CAME.items()}, SIDE["item_history"])
        for layer, period in enumerate(SIDE["item_periods"]):
            if number % period == 0:
                below = slots[layer] = oracles.keep_gru(params["item_memory"][f"cells_{layer}"], slots[layer], below)
    np.testing.assert_allclose(item.slots, slots, rtol=2e-5, atol=1e-5)
    assert int(item.count) == skipped + sum(there)
    v, of_user = oracles.features(params["embed"], TARGET, BOTH), remember(params, history())
    own = {name.removeprefix("item_"): tree for name, tree in params.items() if name.startswith("item_")}
    q, p = (query(held, memory, v)[0] for held, memory in ((params, of_user), (own, slots)))
    expected = oracles.perceptron(params["perceptron"], np.concatenate([q, v, p]), oracles.elu)
    np.testing.assert_allclose(answer(model, params, item=item), expected, rtol=2e-5, atol=1e-5)


def test_items_are_remembered_event_by_event_and_nobodys_is_empty():
    model, params = make(**SIDE)
    memory = model.init_item()
    for at in range(5):
        memory = call(model, params, "step_item", memory, {name: ids[at] for name, ids in CAME.items()})
    came = ItemHistory(CAME, np.ones(5, bool), np.int32(0))
    at_once = call(model, params, "remember_item", came)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), memory, at_once)
    nobody = call(model, params, "remember_item", came._replace(valid=np.zeros(5, bool)))
    jax.tree.map(np.testing.assert_array_equal, nobody, model.init_item())
    assert answer(model, params) == answer(model, params, item=nobody) != answer(model, params, item=memory)


def test_every_weight_of_an_items_side_is_reached_and_padding_is_not():
    model, params = make(**SIDE)
    state, target = model.init_state(), jax.tree.map(jnp.asarray, TARGET)

    def total(params, came):
        item = model.apply({"params": params}, came, method="remember_item")
        return model.apply({"params": params}, state, target, item=item, method="read")

    gradient = jax.jit(jax.grad(total))
    there = ItemHistory(CAME, np.array([1, 1, 0, 1, 1], bool), np.int32(0))
    grads = gradient(params, there)
    for path, leaf in jax.tree_util.tree_leaves_with_path({k: v for k, v in grads.items() if k.startswith("item_")}):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        assert np.abs(leaf).max() > 1e-7 or ("relevance" in name and name.endswith("last/bias")), name
    other = there._replace(events={name: np.where(there.valid, ids, 1 + ids % 2) for name, ids in CAME.items()})
    jax.tree.map(np.testing.assert_array_equal, gradient(params, other), grads)
    for leaf in jax.tree.leaves(gradient(params, there._replace(valid=np.zeros(5, bool)))):
        assert np.isfinite(leaf).all()


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
