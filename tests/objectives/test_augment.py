"""Augmented batches against logs from which the events are really gone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from seqjax import optim
from seqjax.data.events import EventLog
from seqjax.data.samples import ask, shift, target_plan
from seqjax.models.din import DIN
from seqjax.models.gru_response import GRUResponse
from seqjax.objectives.augment import augment, cropped, jittered, shifted, thinned
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
    states_at,
)
from seqjax.train.step import init_train_state, make_step, per_lane

WINDOW = 16
SIZES = (("item", 9), ("gap", 6), ("attribute", 5))
MODELS = {
    "gru": GRUResponse(SIZES, ("item", "gap", "attribute"), ("item",), width=3, hidden=4, head=(5,)),
    "din": DIN(SIZES, ("item", "gap", "attribute"), ("item",), width=3, window=5, attention=(4,), head=(5,)),
}


def in_another_order(key, batch, hparams):
    """Gaps first."""
    keys = jax.random.split(key, 3)
    batch = shifted(keys[1], thinned(keys[0], batch, hparams, rate=0.4), hparams, most=3)
    return cropped(keys[2], batch, hparams, least=0.4)


REMOVERS = {
    "shifted": partial(shifted, most=6),
    "cropped": partial(cropped, least=0.2),
    "thinned": partial(thinned, rate=0.7),  # so much that blocks of the window are empty in every lane
    "in another order": in_another_order,
}


def random_samples(seed=0, lengths=(14, 3, 0, 16, 6, 1, 9), each=6):
    """Questions at random places of every life, the end included."""
    random, total = np.random.default_rng(seed), sum(lengths)
    words = {name: np.array([f"{name}{n}" for n in range(size)]) for name, size in SIZES}
    columns = {name: random.integers(1, size + 1, total).astype(np.int32) for name, size in SIZES[:2]}
    log = EventLog(np.cumsum([0, *lengths]), columns, words)
    place = [np.sort(random.permutation(n + 1)[:each]) for n in lengths]
    sequence, place = np.repeat(np.arange(len(lengths)), [len(at) for at in place]), np.concatenate(place)
    side = random.integers(0, 6, (10, 2)).astype(np.int32)
    side[0] = 0
    item = random.integers(1, 10, len(place)).astype(np.int32)
    return ask(log, sequence, place, np.arange(len(place)) % 2 == 0, item, side={"attribute": side})


def batch_of(samples, targets=1, lanes=None):
    """The whole epoch in one step, lives whole."""
    lanes = lanes or (samples.size if targets == 1 else 16)
    row = jax.tree.map(lambda leaf: leaf[0], target_plan(samples, lanes=lanes, window=WINDOW, targets=targets))
    row = row._replace(place=np.arange(WINDOW, dtype=np.int32))
    return response_batch(response_corpus(samples), row)


def alike(lanes, length, moments=1, seed=0):
    """Equally long lives, once a lane; the last moment is the end."""
    random = np.random.default_rng(seed)
    log = EventLog(
        np.arange(lanes + 1) * length,
        {name: random.integers(1, size + 1, lanes * length).astype(np.int32) for name, size in SIZES[:2]},
        {name: np.array([f"{name}{n}" for n in range(size)]) for name, size in SIZES[:2]},
    )
    place = np.tile(np.linspace(0, length, moments + 1).astype(int)[1:], lanes)
    sequence = np.repeat(np.arange(lanes), moments)
    item = np.ones(len(place), np.int32)
    return batch_of(ask(log, sequence, place, np.arange(len(place)) % 2 == 0, item), moments, lanes)


@partial(jax.jit, static_argnames="draw")
def run(draw, key, batch):
    return draw(key, batch, None)


def drawn(draw, batch, seed=0):
    return run(draw, jax.random.key(seed), batch)


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def visible(batch):
    """Places of the events that every live moment sees."""
    valid, cut, live = (np.asarray(leaf) for leaf in (batch.valid, batch.cut, batch.live.any(axis=-1)))
    return {
        (lane, moment): np.flatnonzero(valid[: max(cut[lane, moment], 0), lane])
        for lane, moment in np.argwhere(live).tolist()
    }


def really_removed(before, after):
    """The batch with the events that are left moved together, as a log without the others would have it."""
    valid, cut = np.asarray(after.valid), np.zeros(after.cut.shape, np.int32)
    order = np.argsort(~valid, axis=0, kind="stable")
    for at, places in visible(after).items():
        cut[at] = len(places)

    def moved(ids):
        whole = np.where(valid.reshape(*valid.shape, *[1] * (ids.ndim - 2)), ids, 0)
        return np.stack([whole[order[:, lane], lane] for lane in range(valid.shape[1])], axis=1)

    ids = {name: {**parts, "event": moved(parts["event"])} for name, parts in before.ids.items()}
    events = {name: moved(ids) for name, ids in before.events.items()}
    there = np.arange(len(valid))[:, None] < valid.sum(axis=0)
    return before.replace(ids=ids, events=events, valid=there, cut=cut)


def params_of(model, seed=0):
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), jnp.float32), shapes)


@partial(jax.jit, static_argnames=("model", "block"))
def states_of(params, batch, *, model, block):
    return states_at(partial(model.apply, {"params": params}), model.init_state(), batch, None, block)


# What is removed


@pytest.mark.parametrize("targets", [1, 4])
@pytest.mark.parametrize("remover", REMOVERS)
@pytest.mark.parametrize("name", MODELS)
def test_states_are_those_of_a_log_without_the_events(name, remover, targets):
    model, before = MODELS[name], batch_of(random_samples(), targets)
    params, after = params_of(model), drawn(REMOVERS[remover], before, seed=1)
    assert 0 < after.valid.sum() < before.valid.sum()
    live, expected = np.asarray(before.live.any(axis=-1)), really_removed(before, after)
    expected = states_of(params, expected, model=model, block=0)
    for block in (0, 2):
        found = states_of(params, after, model=model, block=block)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[live], b[live], rtol=1e-5, atol=1e-6), found, expected)


@pytest.mark.parametrize("remover", [REMOVERS["cropped"], REMOVERS["thinned"]])
@pytest.mark.parametrize("targets", [1, 4])
def test_moments_see_what_is_left_of_what_they_saw(remover, targets):
    before = batch_of(random_samples(2), targets)
    after = drawn(remover, before)
    there = np.asarray(after.valid)
    assert not (there & ~before.valid).any()
    for (lane, moment), places in visible(before).items():
        assert np.array_equal(visible(after)[lane, moment], places[there[places, lane]])


def test_a_moment_is_read_though_no_lane_has_an_event_in_its_block():
    """The only lane sees two events, loses the second, and is asked in a block that is then empty."""
    model, before = MODELS["gru"], alike(1, 8, moments=4)
    params = params_of(model)
    for seed in range(50):
        after = drawn(REMOVERS["thinned"], before, seed)
        valid = np.asarray(after.valid)[:8, 0].reshape(4, 2).any(axis=1)
        if valid[0] and not valid[1]:
            break
    assert valid[0] and not valid[1]
    state = states_of(params, after, model=model, block=2)
    assert np.abs(state[0, 1]).max() > 1e-3
    np.testing.assert_array_equal(state[0, 1], state[0, 0])


@pytest.mark.parametrize("remover", REMOVERS.values())
def test_ids_that_are_gone_touch_no_row(remover):
    before = batch_of(random_samples(3), 4)
    before = before.replace(
        ids={**before.ids, "item": {**before.ids["item"], "negative": jnp.ones_like(before.ids["item"]["event"])}},
        negative={"attribute": jnp.ones_like(before.events["attribute"])},
    )
    after = drawn(remover, before)
    gone = ~np.asarray(after.valid)
    for part in ("event", "negative"):
        ids = np.asarray(after.ids["item"][part])
        assert not ids[gone].any() and np.array_equal(ids[~gone], before.ids["item"][part][~gone])
    for name in ("events", "negative"):
        for feature, ids in getattr(after, name).items():
            assert not ids[gone].any()
            assert np.array_equal(ids[~gone], getattr(before, name)[feature][~gone])
    assert_same(after.replace(ids={}, events={}, valid=0, cut=0, negative=None),
                before.replace(ids={}, events={}, valid=0, cut=0, negative=None))  # fmt: skip
    assert_same(after.ids["item"]["target"], before.ids["item"]["target"])


# How much


def test_lanes_forget_a_number_drawn_uniformly():
    """From 0 to `most`; where fewer may go, from 0 to as many."""
    ten, three, many = partial(shifted), partial(shifted, most=3, least=0), partial(shifted, least=5)
    for length, draw, top in ((16, ten, 10), (6, ten, 5), (1, ten, 0), (3, three, 3), (6, many, 1), (3, many, 0)):
        after = drawn(draw, alike(4000, length))
        n = length - np.asarray(after.valid.sum(axis=0))
        assert n.min() == 0 and n.max() == top
        if top:
            assert stats.chisquare(np.bincount(n, minlength=top + 1)).pvalue > 1e-3
        assert not np.diff(np.asarray(after.valid).astype(int), axis=0).max() > 0  # the last go, not others
        assert np.array_equal(after.cut[:, 0], length - n)


@pytest.mark.parametrize("least", [0, 1, 3])
def test_moments_of_a_lane_move_together(least):
    """Each by the number of its lane, as `shift` moves the samples, and none below `least`."""
    samples = random_samples(4)
    row = jax.tree.map(lambda leaf: leaf[0], target_plan(samples, lanes=16, window=WINDOW, targets=4))
    before = response_batch(response_corpus(samples), row)
    after = drawn(partial(shifted, most=8, least=least), before)
    n = np.asarray(before.valid.sum(axis=0) - after.valid.sum(axis=0))
    assert n.max() > 3
    earlier = np.stack([shift(samples, count, least).cutoff for count in range(9)])
    expected = earlier[n[:, None], row.sample]
    assert np.array_equal(np.asarray(after.cut)[row.live], expected[row.live])
    for lane, length in enumerate(after.valid.sum(axis=0).tolist()):
        assert length == max(expected[lane][row.live[lane]], default=0)


def test_a_share_of_the_newest_is_kept():
    after = drawn(partial(cropped, least=0.25), alike(8000, 16))
    stay = np.asarray(after.valid.sum(axis=0))
    assert np.asarray(after.valid)[15].all() and np.diff(np.asarray(after.valid).astype(int), axis=0).min() == 0
    assert stay.min() == 5 and stay.max() == 16  # shares above 1/4, rounded up
    assert stats.chisquare(np.bincount(stay - 5, minlength=12)).pvalue > 1e-3
    assert drawn(partial(cropped, least=0.0), alike(500, 1)).valid.sum() == 500
    assert drawn(partial(cropped, least=1.0), alike(50, 7)).valid.sum() == 350


def test_every_event_is_missing_as_often():
    after = drawn(partial(thinned, rate=0.3), alike(4000, 16))
    there = np.asarray(after.valid).sum(axis=1)
    assert stats.binomtest(int(there.sum()), 64000, 0.7).pvalue > 1e-3
    assert stats.chisquare(there).pvalue > 1e-3
    assert drawn(partial(thinned, rate=0.0), alike(50, 7)).valid.sum() == 350
    assert drawn(partial(thinned, rate=1.0), alike(50, 7)).valid.sum() == 0


# What is moved


def test_ids_move_to_neighbours_and_stay_within_the_vocabulary():
    batch = alike(2000, 9)
    after = drawn(partial(jittered, rate=0.4), batch)
    before, found = np.asarray(batch.events["gap"]), np.asarray(after.events["gap"])
    step = (found - before)[batch.valid]
    assert set(np.unique(step)) == {-1, 0, 1}
    assert stats.binomtest(int(np.count_nonzero(step)), step.size, 0.4).pvalue > 1e-3
    assert np.array_equal(found > 0, before > 0) and found.max() == 6
    inner = (before[batch.valid] > 1) & (before[batch.valid] < 6)
    assert stats.binomtest(int((step[inner] == 1).sum()), int((step[inner] != 0).sum())).pvalue > 1e-3
    assert_same(after.replace(events={}), batch.replace(events={}))


def test_jitter_of_features_with_several_values_and_of_two_at_once():
    batch = batch_of(random_samples(5), 4)
    after = drawn(partial(jittered, features=("gap", "attribute"), rate=1.0), batch)
    for name in ("gap", "attribute"):
        before, found = np.asarray(batch.events[name]), np.asarray(after.events[name])
        assert (np.abs(found - before) == (before > 0)).all() and (found > 0).sum() == (before > 0).sum() > 0


def test_jitter_sees_no_padding():
    """What stands at places without an event decides nothing."""
    batch = batch_of(random_samples(6), 4)
    filled = batch.replace(events={**batch.events, "gap": jnp.where(batch.valid, batch.events["gap"], 99)})
    draw = partial(jittered, rate=1.0)
    found, expected = (drawn(draw, one).events["gap"] for one in (filled, batch))
    assert np.array_equal(found[batch.valid], expected[batch.valid])


def test_a_feature_with_one_id_stays():
    batch = alike(20, 5)
    batch = batch.replace(events={"gap": jnp.minimum(batch.events["gap"], 1)})
    assert_same(drawn(partial(jittered, rate=1.0), batch), batch)
    empty = batch.replace(valid=jnp.zeros_like(batch.valid), events={"gap": jnp.zeros_like(batch.events["gap"])})
    assert_same(drawn(partial(jittered, rate=1.0), empty), empty)


# All together

ALL = partial(augment, shift=5, crop=0.5, thin=0.2, jitter=0.3, features=("gap",))


def test_off_is_no_negatives():
    for targets in (1, 4):
        batch = batch_of(random_samples(), targets)
        assert_same(drawn(augment, batch), run(no_negatives, jax.random.key(0), batch))
    told = batch.replace(target={"gap": jnp.ones_like(batch.cut)[..., None]})
    assert_same(drawn(augment, told), run(no_negatives, jax.random.key(0), told))


def test_all_is_one_after_the_other_and_no_negatives():
    batch, keys = batch_of(random_samples(), 4), jax.random.split(jax.random.key(3), 4)
    parts = (
        partial(shifted, most=5),
        partial(cropped, least=0.5),
        partial(thinned, rate=0.2),
        partial(jittered, rate=0.3),
    )
    expected = batch
    for key, part in zip(keys, parts, strict=True):
        expected = run(part, key, expected)
    assert_same(drawn(ALL, batch, 3), no_negatives(None, expected, None))


def test_same_key_same_batch():
    batch = batch_of(random_samples(), 4)
    once, again, other = (drawn(ALL, batch, seed) for seed in (3, 3, 4))
    assert_same(once, again)
    assert not np.array_equal(once.valid, other.valid)


@pytest.mark.parametrize("remover", [shifted, cropped, thinned, partial(augment, shift=1), partial(augment, thin=0.1)])
def test_targets_that_tell_of_the_events_are_refused(remover):
    batch = batch_of(random_samples())
    told = batch.replace(target={"gap": jnp.ones_like(batch.cut)[..., None]})
    for late in (told, no_negatives(None, batch, None)):
        with pytest.raises(ValueError, match="features of their own"):
            remover(jax.random.key(0), late, None)
    drawn(jittered, told)


@pytest.mark.parametrize("draw, message", [
    (partial(shifted, most=-1), "most=-1"), (partial(shifted, least=-2), "least=-2"),
    (partial(cropped, least=1.5), "least=1.5"), (partial(thinned, rate=2.0), "rate=2.0"),
    (partial(jittered, rate=-0.1), "rate=-0.1"), (partial(augment, crop=10.0), "least=10.0"),
    (partial(jittered, features=("size",)), r"name some of \['attribute', 'gap'\]"),
    (partial(augment, jitter=0.1), r"features=\(\): name some"), (partial(jittered, features=("item",)), "name some"),
])  # fmt: skip
def test_settings_that_mean_nothing_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw(jax.random.key(0), batch_of(random_samples()), None)


def test_a_step_trains_on_an_augmented_batch():
    model, batch, hparams = MODELS["gru"], batch_of(random_samples()), ResponseHparams()
    views, carry = {"item": ("item",)}, per_lane(model.init_state(), len(batch.cut))
    state = init_train_state(jax.random.key(1), params_of(model), optim.adam_decay, hparams, carry, views)
    draw, objective = partial(augment, shift=5), partial(response_objective, model=model)
    step, losses = jax.jit(make_step(objective, optim.adam_decay, views, draw)), []
    for _ in range(3):
        state, metrics = step(state, batch, hparams)
        losses.append(float(metrics["loss"]))
    assert bool(state.healthy) and int(metrics["events"]) == int(batch.live.sum())
    assert len(set(losses)) == 3 and step._cache_size() == 1
