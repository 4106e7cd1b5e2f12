"""The response objective against loops over users, events and targets, and what must change nothing."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from seqjax import optim
from seqjax.data.events import EventLog
from seqjax.data.samples import ask, target_plan
from seqjax.models.hpmn import HPMN
from seqjax.models.sum_pooling import SumPooling
from seqjax.nn.memory import covariance_penalty
from seqjax.objectives.response import (
    ResponseHparams,
    drawn_negatives,
    no_negatives,
    respond,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.train.step import init_train_state, make_step, per_lane

ITEMS, ATTRIBUTES, USERS = 9, 5, 6
SIZES = (("item", ITEMS), ("attribute", ATTRIBUTES), ("user", USERS))
FEATURES = ("item", "attribute")
ASKED = ("item", "attribute", "user")
MODELS = {
    "pool": SumPooling(SIZES, FEATURES, ASKED, width=4, head=(6,)),
    "hpmn": HPMN(SIZES, FEATURES, ASKED, width=4, hidden=4, periods=(1, 3), hops=1, head=(6,)),
}
HPARAMS = ResponseHparams(learning_rate=0.1)
VIEWS = {"item": ("item",), "user": ("user",)}


def random_samples(seed, lengths=(14, 3, 0, 20, 6, 1), each=4, share=0.5):
    """Questions from the first place on, up to `each` of every user; the user's id belongs to the target."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(USERS), lengths).astype(np.int32) + 1
    words = {name: np.array([f"{name}{n}" for n in range(size)]) for name, size in SIZES}
    items = random.integers(1, ITEMS + 1, sum(lengths)).astype(np.int32)
    log = EventLog(np.concatenate([[0], np.cumsum(lengths)]), {"item": items, "user": user}, words)
    sequence = np.concatenate([np.full(min(each, n), row) for row, n in enumerate(lengths)])
    place = np.concatenate([random.permutation(n)[:each] for n in lengths]).astype(int)
    side = random.integers(0, ATTRIBUTES + 1, (ITEMS + 1, 2)).astype(np.int32)
    side[0] = 0
    item = random.integers(1, ITEMS + 1, len(place)).astype(np.int32)
    return ask(log, sequence, place, random.random(len(place)) < share, item, side={"attribute": side})


def row_of(samples, step=0, **settings):
    """A row of the plan, as wide as the window whatever is in it: one shape, one program."""
    settings = {"lanes": 12, "window": 12, "targets": 3, "period": 3} | settings
    row = jax.tree.map(lambda leaf: leaf[step], target_plan(samples, **settings))
    return row._replace(place=np.arange(settings["window"], dtype=np.int32))


@partial(jax.jit, static_argnames="count")
def gathered(corpus, row, key, *, count):
    batch = response_batch(corpus, row)
    return drawn_negatives(key, batch, HPARAMS, count=count) if count else no_negatives(None, batch, None)


def plain(samples, row):
    """A step that asks what the samples ask."""
    return gathered(response_corpus(samples), row, jax.random.key(0), count=0)


def drawn(samples, row, key=0, count=2, **settings):
    """A step that also asks about drawn items."""
    return gathered(response_corpus(samples, **settings), row, jax.random.key(key), count=count)


def params_of(model, seed=0):
    shapes = jax.eval_shape(model.init, jax.random.key(0))["params"]
    random = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(0, 0.5, leaf.shape), jnp.float32), shapes)


def covariance_of(state):
    return covariance_penalty(state[0].slots)


PENALTIES = {MODELS["pool"]: None, MODELS["hpmn"]: covariance_of}


@partial(jax.jit, static_argnames=("model", "block"))
def loss_and_gradient(params, batch, hparams, *, model, block):  # no default: it would be another program
    def objective(params):
        return response_objective(
            params, (), batch, hparams, jax.random.key(0), model=model, block=block, penalty=PENALTIES[model]
        )

    (loss, (_, metrics)), grads = jax.value_and_grad(objective, has_aux=True)(params)
    return loss, metrics, grads


@partial(jax.jit, static_argnames="model")
def loss_alone(params, batch, *, model):
    loss, (_, metrics) = response_objective(params, (), batch, HPARAMS, jax.random.key(0), model=model)
    return loss, metrics


@partial(jax.jit, static_argnames=("model", "method"))
def one(model, params, method, *given):
    return model.apply({"params": params}, *given, method=method)


def by_hand(model, params, samples, row, batch):
    """Cross-entropy of every live candidate, and the states that moments are read from, all event by event.

    Only what is asked about is taken from the batch; events and cutoffs come from the samples.
    """
    log, losses, states = samples.log, [], []

    def event(item, user):
        ids = {"item": jnp.int32(item), "user": jnp.int32(user)}
        return ids | {name: jnp.asarray(column[item]) for name, column in samples.side.items()}

    live, label, asked = map(np.asarray, (batch.live, batch.label, batch.ids["item"]["target"]))
    for lane, moment in np.argwhere(row.live):
        state, sample = model.init_state(), row.sample[lane, moment]
        end = log.offsets[samples.sequence[sample]] + samples.cutoff[sample]
        for position in range(row.begin[lane], end):
            state = one(
                model, params, "step", state, event(log.columns["item"][position], samples.sequence[sample] + 1)
            )
        states.append(state)
        for candidate in np.flatnonzero(live[lane, moment]):
            target = event(asked[lane, moment, candidate], samples.target["user"][sample])
            z = float(one(model, params, "read", state, target))
            losses.append(math.log1p(math.exp(-z if label[lane, moment, candidate] else z)))
    return losses, states


@pytest.mark.parametrize(("name", "targets"), [("pool", 3), ("hpmn", 1), ("hpmn", 3)])
def test_loss_is_the_sum_over_candidates_read_one_by_one(name, targets):
    """Lanes whose oldest events fell out of the window, lanes without events, lanes and moments that are not used."""
    model, samples = MODELS[name], random_samples(0)
    params = params_of(model)
    row = row_of(samples, targets=targets, lanes=24 if targets == 1 else 12)
    assert (row.length == 0).any() and not row.live.any(axis=-1).all()
    assert (row.begin > samples.log.offsets[:-1][samples.sequence[row.sample[:, 0]]]).any()
    batch = drawn(samples, row)
    losses, _ = by_hand(model, params, samples, row, batch)
    loss, metrics = loss_alone(params, batch, model=model)
    assert int(metrics["events"]) == len(losses) > row.live.sum() == samples.size
    np.testing.assert_allclose(metrics["loss"], sum(losses), rtol=1e-5)
    np.testing.assert_allclose(loss, sum(losses) / row.divisor, rtol=1e-5)


def test_every_sample_is_asked_about_once_in_an_epoch():
    """The loss is divided by the mean number of samples a step: its mean over steps is the mean over samples."""
    samples, model = random_samples(1), MODELS["pool"]
    params, losses, found = params_of(model), [], []
    plan = target_plan(samples, lanes=2, window=12, targets=2)
    for step in range(plan.steps):
        row = jax.tree.map(lambda leaf, step=step: leaf[step], plan)
        batch = plain(samples, row)
        losses += by_hand(model, params, samples, row, batch)[0]
        found.append(float(loss_alone(params, batch, model=model)[0]))
    assert plan.steps > 3 and len(losses) == samples.size
    assert np.mean(found) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize(("name", "targets"), [("pool", 1), ("hpmn", 3)])
def test_blocks_change_neither_loss_nor_gradient(name, targets):
    """Blocks that neither divide the window nor fit the periods of the memory."""
    model, samples = MODELS[name], random_samples(2)
    params, hparams = params_of(model), HPARAMS.replace(penalty=0.3)
    batch = drawn(samples, row_of(samples, targets=targets, lanes=24 if targets == 1 else 12))
    expected = loss_and_gradient(params, batch, hparams, model=model, block=0)
    assert np.abs(expected[2]["embed"]["item"]["rows"]).max() > 1e-3
    found = loss_and_gradient(params, batch, hparams, model=model, block=5)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6), found, expected)


@pytest.mark.parametrize("targets", [1, 3])
def test_a_life_loses_the_same_items_in_every_block(targets):
    samples, model = random_samples(4), MODELS["pool"]
    batch, params = plain(samples, row_of(samples, targets=targets)), params_of(MODELS["pool"])
    hparams = HPARAMS.replace(dropout_item=0.5)
    expected = loss_and_gradient(params, batch, hparams, model=model, block=0)
    kept = loss_and_gradient(params, batch, HPARAMS, model=model, block=0)
    assert abs(expected[0] - kept[0]) > 1e-3
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=2e-4, atol=1e-6),
        loss_and_gradient(params, batch, hparams, model=model, block=5),
        expected,
    )


@pytest.mark.parametrize(("block", "targets"), [(4, 1), (0, 3)])
def test_a_model_that_is_whole_is_given_no_pieces(block, targets):
    model = MODELS["hpmn"].clone(phase="right")
    held = random_samples(0)
    batch = response_batch(response_corpus(held), row_of(held, targets=targets))
    with pytest.raises(ValueError, match=r"set objective\.block=0 and plan\.targets=1"):
        response_objective({}, None, batch, HPARAMS, jax.random.key(0), model=model, block=block)


def test_penalty_is_the_mean_over_moments():
    """However many candidates a moment has."""
    model, samples = MODELS["hpmn"], random_samples(3)
    params, row = params_of(model), row_of(samples)
    batch = drawn(samples, row)
    free, _, _ = loss_and_gradient(params, batch, HPARAMS, model=model, block=5)
    paid, metrics, _ = loss_and_gradient(params, batch, HPARAMS.replace(penalty=2.0), model=model, block=5)
    _, states = by_hand(model, params, samples, row, batch)
    expected = np.mean([float(covariance_of(state)) for state in states])
    assert expected > 1e-3 and len(states) < int(metrics["events"])
    np.testing.assert_allclose(paid - free, 2.0 * expected, rtol=1e-4)


@pytest.mark.parametrize("targets", [1, 3])
def test_blocks_without_events_are_skipped(targets):
    samples, model = random_samples(4, lengths=(7, 3, 0, 5, 6, 1)), MODELS["pool"]
    row = row_of(samples, targets=targets)._replace(place=np.arange(20, dtype=np.int32))
    batch = plain(samples, row)
    params, read = params_of(model), []

    def apply(*given, method):
        if method == "encode":
            jax.debug.callback(lambda valid: read.append(bool(valid.any())), given[2])
        return model.apply({"params": params}, *given, method=method)

    logits, _ = respond(apply, model.init_state(), batch, None, block=2)
    jax.block_until_ready(logits)
    lanes = len(row.length)
    assert 0 < row.length.max() <= 7
    assert len(read) == lanes * -(-int(row.length.max()) // 2)  # every lane, as long as one has an event; not 10 times
    assert sum(read) == sum(-(-row.length // 2))


@pytest.mark.parametrize("block", [0, 5])
def test_padding_changes_nothing(block):
    """What stands behind the end of a window, and at moments and candidates that nobody asks about."""
    model, samples, random = MODELS["hpmn"], random_samples(5), np.random.default_rng(6)
    params, row = params_of(model), row_of(samples)
    batch = drawn(samples, row)
    run = partial(loss_and_gradient, params, model=model, block=block)
    expected = run(batch, HPARAMS)

    def filled(name, column, mask):
        other = random.integers(0, dict(SIZES)[name] + 1, column.shape, np.int32)
        return np.where(np.expand_dims(mask, tuple(range(mask.ndim, column.ndim))), column, other)

    other = batch.replace(
        ids={name: {"event": filled(name, ids["event"], batch.valid), "target": filled(name, ids["target"], batch.live)}
             for name, ids in batch.ids.items()},
        events={name: filled(name, column, batch.valid) for name, column in batch.events.items()},
        target={name: filled(name, column, batch.live) for name, column in batch.target.items()},
        label=np.where(batch.live, batch.label, random.random(batch.label.shape, np.float32)),
        cut=np.where(batch.live.any(axis=-1), batch.cut, random.integers(0, 9, batch.cut.shape, np.int32)),
    )  # fmt: skip
    assert not batch.valid.all() and not batch.live.all()
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), run(other, HPARAMS), expected)


def test_what_is_asked_about_without_negatives():
    samples = random_samples(7)
    row = row_of(samples, targets=2, lanes=20)
    batch = plain(samples, row)
    live = row.live[..., None]
    assert np.array_equal(batch.live, live) and batch.corpus is None
    for name in ("item", "user"):
        expected = np.where(live, samples.target[name][row.sample][..., None], 0)
        assert np.array_equal(batch.ids[name]["target"], expected)
    assert np.array_equal(batch.target["attribute"], samples.side["attribute"][batch.ids["item"]["target"]])
    assert np.array_equal(batch.label, live * samples.label[row.sample][..., None])
    seen = samples.log.offsets[samples.sequence[row.sample]] + samples.cutoff[row.sample] - row.begin[:, None]
    assert np.array_equal(np.asarray(batch.cut)[row.live], seen[row.live])


def test_negatives_stand_beside_what_was_taken_and_nowhere_else():
    samples = random_samples(8)
    row = row_of(samples, targets=3, lanes=20)
    batch = drawn(samples, row, key=2, count=4)
    bare = plain(samples, row)
    taken = row.live & samples.label[row.sample]
    assert taken.any() and (row.live & ~taken).any() and not row.live.all()
    assert np.array_equal(batch.live[..., 1:], np.broadcast_to(taken[..., None], (*taken.shape, 4)))
    item, user = (np.asarray(batch.ids[name]["target"]) for name in ("item", "user"))
    assert (item[batch.live] >= 1).all() and item.max() <= ITEMS
    assert not item[~np.asarray(batch.live)].any()  # else rows that nobody asks about would be touched
    assert np.array_equal(user, np.broadcast_to(user[..., :1], user.shape))
    assert np.array_equal(batch.target["attribute"], samples.side["attribute"][item])
    assert not np.asarray(batch.label)[..., 1:].any()
    for name in ("live", "label"):
        assert np.array_equal(getattr(batch, name)[..., :1], getattr(bare, name))
    assert np.array_equal(item[..., :1], bare.ids["item"]["target"])
    again, other = (drawn(samples, row, key, count=4).ids["item"]["target"] for key in (2, 3))
    assert np.array_equal(again, item) and not np.array_equal(other, item)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_negatives_follow_popularity(alpha):
    """Counts are those of the events that some sample may see."""
    samples = random_samples(9, share=1.1)
    batch = drawn(samples, row_of(samples), key=4, count=3000, alpha=alpha)
    items = np.asarray(batch.ids["item"]["target"])[..., 1:]
    items = items[items > 0]
    counts = samples.counts()[1:]
    assert counts.min() >= 0 and len(set(counts.tolist())) > 3 and len(items) > 10_000
    law = counts.astype(float) ** alpha
    found, expected = np.bincount(items, minlength=ITEMS + 1)[1:], len(items) * law / law.sum()
    assert found[expected == 0].sum() == 0
    assert stats.chisquare(found[expected > 0], expected[expected > 0]).pvalue > 1e-3


OBJECTIVE = partial(response_objective, model=MODELS["pool"], block=5)
STEP = jax.jit(make_step(OBJECTIVE, optim.adam_decay, VIEWS, partial(drawn_negatives, count=2)))


def trained(samples, rows):
    """The states before and after some steps of Adam."""
    params, carry = params_of(MODELS["pool"]), per_lane(MODELS["pool"].init_state(), len(rows[0].length))
    states = [init_train_state(jax.random.key(5), params, optim.adam_decay, HPARAMS, carry, VIEWS)]
    for row in rows:
        states.append(STEP(states[-1], response_batch(response_corpus(samples), row), HPARAMS)[0])
    return states


def test_a_silent_batch_changes_nothing():
    samples = random_samples(10)
    row = row_of(samples)
    silent = row._replace(live=np.zeros_like(row.live), length=np.zeros_like(row.length))
    first, same, moved = trained(samples, [silent, row])
    jax.tree.map(np.testing.assert_array_equal, same.replace(key=0, slot={}), first.replace(key=0, slot={}))
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), moved.params, same.params)
    assert all(jax.tree.leaves(changed)) and moved.healthy and int(moved.step) == 1


def test_rows_that_nobody_reads_or_asks_about_stay():
    """Adam moves every row that occurs, by momentum even where the gradient is 0: dead places must not occur."""
    samples = random_samples(11)
    row = row_of(samples)
    lane = np.arange(len(row.length)) == np.argmin(np.where(row.length > 1, row.length, 99))
    alone = row._replace(live=row.live & lane[:, None], length=row.length * lane)
    untaken = samples._replace(label=np.zeros(samples.size, bool))  # nothing is drawn
    _, before, after = trained(untaken, [row, alone])
    begin, end = (int(column[lane][0]) for column in (row.begin, row.begin + row.length))
    asked = samples.target["item"][row.sample[lane][row.live[lane]]]
    touched = {*samples.log.columns["item"][begin:end].tolist(), *asked.tolist()}
    tables = [np.asarray(state.params["embed"]["item"]["rows"]) for state in (before, after)]
    moved = set(np.flatnonzero((tables[0] != tables[1]).any(axis=1)).tolist()) - {0}
    assert moved == touched and len(touched) < ITEMS
