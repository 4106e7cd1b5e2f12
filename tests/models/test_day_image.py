"""The image that is never made, against the counts of a log; and what of the days before, between and after is seen."""

from functools import cache, partial

import ibis
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pyarrow as pa
import pytest

from seqjax.data.day_image import day_image
from seqjax.data.split import DAY
from seqjax.models.day_image import DayImage, added, image, moved

ITEMS, TIME, DAYS = 6, 40, 12
SMALL = {"width": 3, "filters": 4, "kernel": 3, "hidden": 4, "head": (5, 2), "days": DAYS}
FORMS = {
    "default": {},
    "not pooled": {"pool": 1, "blocks": 1},
    "by three, twice two": {"pool": 3, "convolutions": 2},
    "mean": {"form": "mean", "pool": 5},
    "no convolution": {"convolutions": 0},
}
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@cache
def make(form="default"):
    """A model, and parameters none of which is zero."""
    model = DayImage((("item", ITEMS), ("day", 99)), **SMALL | FORMS[form])
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(0)
    return model, jax.tree.map(lambda leaf: random.normal(0, 0.7, leaf.shape).astype(np.float32), shapes)


def asked(model, params, events, count, day):
    """The log-odds after the first `count` events, the first layer's input, and the mask."""
    valid = jnp.arange(len(events["item"])) < count
    state, _ = model.apply({"params": params}, model.init_state(), events, valid, method="encode")
    answer = model.apply({"params": params}, state, {"item": jnp.int32(2), "day": day}, method="read")
    return answer, *image(state, day)


call = quick(asked, static_argnums=0)


def life(seed, last=30):
    """Events of days 3 to `last`, several on some days and none on others."""
    random = np.random.default_rng(seed)
    day = np.sort(random.choice(np.arange(3, last + 1), TIME)).astype(np.int32)
    return {"item": random.integers(1, ITEMS + 1, TIME).astype(np.int32), "day": day}


def counted(events, count, day):
    """The dense image that `day_image` counts of the same events, their seconds anywhere on their days."""
    items, days = events["item"][:count], events["day"][:count].astype(np.int64)
    time = days * DAY + np.random.default_rng(0).integers(0, DAY, count)
    words = np.char.add("c", np.arange(1, ITEMS + 1).astype(str))
    others = {"user": ["nobody"] * ITEMS, "item": words.tolist(), "time": [-DAY * 10**4] * ITEMS}
    columns = {"user": ["somebody"] * count, "item": words[items - 1].tolist(), "time": time.tolist()}
    rows = pa.table({name: others[name] + columns[name] for name in others})
    found = day_image(ibis.memtable(rows), float(day * DAY), days=DAYS, categories=words.tolist())
    return found.counts[-1] if count else np.zeros((DAYS, ITEMS), np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_the_first_layer_sees_the_counts_times_the_matrix(seed):
    model, params = make()
    events = life(seed)
    for count, day in ((TIME, 31), (TIME, 35), (TIME, 30), (25, 24), (1, 5), (0, 9), (TIME, 80)):
        day = max(day, int(events["day"][:count].max(initial=0)))
        _, x, mask = call(model, params, events, count, day)
        dense = counted(events, count, day)
        np.testing.assert_allclose(x, dense @ params["embed"]["item"]["rows"][1:], atol=1e-5, rtol=1e-5)
        first = events["day"][0] if count else day
        assert mask.tolist() == [at >= first for at in range(day - DAYS, day)]


def summary(model, params, x):
    """h from the days that are there alone."""
    for block in range(model.blocks if len(x) else 0):
        for layer in range(block * model.convolutions, (block + 1) * model.convolutions):
            x = oracles.relu(oracles.convolution(params[f"layers_{layer}"], x, model.kernel))
        x = oracles.pooled(x, model.pool)
    if model.form == "mean":
        return np.sum(x, axis=0) / max(len(x), 1) if len(x) else np.zeros(4)
    memory = np.zeros(4), np.zeros(4)
    for vector in x:
        memory = oracles.lstm(params["cell"], memory, vector)
    return memory[1]


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_equations(form):
    """At every phase of the groups, with gaps longer than the window, and with no event at all."""
    model, params = make(form)
    events, said, expected = life(7), [], []
    v = params["embed"]["item"]["rows"][2].astype(float)
    for count, day in ((0, 5), (1, 4), (5, 10), (12, 14), (20, 22), (TIME, 31), (TIME, 36), (TIME, 70)):
        day = max(day, int(events["day"][:count].max(initial=0)))
        dense, begin = counted(events, count, day), max(0, events["day"][0] - (day - DAYS)) if count else DAYS
        h = summary(model, params, dense[begin:].astype(float) @ params["embed"]["item"]["rows"][1:])
        both = np.concatenate([v, h, h @ params["project"]["kernel"] * v])
        expected.append(oracles.perceptron(params["perceptron"], both, np.tanh))
        said.append(call(model, params, events, count, day)[0])
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 1e-3


def test_nothing_of_the_targets_day_is_seen():
    """Purchases of that very day change nothing, and the oldest day stays."""
    model, params = make()
    events = life(1, last=20)
    early = events["day"] < 20
    assert 0 < (~early).sum() < TIME and (events["day"] == 20 - DAYS).any()
    other = {"item": np.where(early, events["item"], events["item"] % ITEMS + 1), "day": events["day"]}
    answers = [call(model, params, given, count, 20) for given, count in ((events, TIME), (other, TIME))]
    without = call(model, params, events, early.sum(), 20)
    for answer in answers:
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6, rtol=1e-6), answer, without)
    assert np.abs(call(model, params, events, TIME, 21)[1] - call(model, params, other, TIME, 21)[1]).max() > 0.1


def test_order_within_a_day_is_nothing_and_the_day_is_something():
    model, params = make()
    events = life(3)
    turned = {"item": events["item"].copy(), "day": events["day"]}
    for day in np.unique(events["day"]):
        turned["item"][events["day"] == day] = events["item"][events["day"] == day][::-1]
    assert (turned["item"] != events["item"]).any()
    one, two = (call(model, params, given, TIME, 31)[0] for given in (events, turned))
    np.testing.assert_allclose(one, two, rtol=1e-5)
    answers = [float(call(model, params, events, TIME, 31 + days)[0]) for days in range(3)]
    assert np.ptp(answers) > 1e-3  # days without a purchase tell something


@pytest.mark.parametrize("form", ["default", "mean"])
@pytest.mark.parametrize("count", [0, 1])
def test_gradients_are_finite_without_events_and_with_one(form, count):
    model, params = make(form)
    events = jax.tree.map(jnp.asarray, life(0))
    day = events["day"][0] + 2
    answer, grads = quick(jax.value_and_grad(lambda params: asked(model, params, events, count, day)[0]))(params)
    assert np.isfinite(answer) and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_states_that_nobody_uses_are_not_made():
    """The last state costs no more than some vectors an event; all states cost time x days."""
    model, params = make()
    days = DayImage(model.sizes, **SMALL | {"days": 365})

    def temporary(time, part):
        def run(params, events, valid):
            return days.apply({"params": params}, days.init_state(), events, valid, method="encode")[part]

        ids = jnp.ones(time, jnp.int32)
        memory = jax.jit(run).lower(params, {"item": ids, "day": ids}, ids > 0).compile().memory_analysis()
        return memory.temp_size_in_bytes + memory.output_size_in_bytes

    assert temporary(512, 0) < 4 * 366 * 3 * 4 + 512 * 20 * 4
    assert temporary(512, 1) > 512 * 366 * 3 * 4


def test_rows_move_up_and_down():
    sums = jnp.arange(1.0, 5.0)[:, None]
    expected = {0: [1, 2, 3, 4], 1: [2, 3, 4, 0], 4: [0] * 4, 2**30: [0] * 4, -1: [0, 1, 2, 3], -9: [0] * 4}
    for by, rows in expected.items():
        assert moved(sums, jnp.int32(by)).ravel().tolist() == rows


def test_late_news_of_an_early_day_is_added_to_it():
    """`added` takes events in any order of days."""
    model, _ = make()
    random = np.random.default_rng(0)
    x, day = jnp.float32(random.normal(size=(9, 3))), jnp.int32(random.integers(1, 30, 9))
    order, valid = jnp.argsort(day), jnp.ones(9, bool)
    start = model.init_state()
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6),
        added(start, x, day, valid),
        added(start, x[order], day[order], valid),
    )


def test_default_parameter_count():
    shapes = jax.eval_shape(DayImage((("item", 9),)).init, jax.random.key(0))["params"]
    count = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in shapes.items()}
    assert count == {
        "embed": 10 * 32,
        "layers_0": 7 * 32 * 64 + 64,
        "layers_1": 7 * 64 * 64 + 64,
        "cell": (64 + 64 + 1) * 4 * 64,
        "project": 64 * 32,
        "perceptron": 2 * 128 + (128 + 1) * 64 + 64 + 1,  # of [v, h, project(h) v], 32 + 64 + 32
    }
