"""What is known of items: against loops over events, blind to what comes later, useful where it decides."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import optim
from seqjax.data.events import DataError, EventLog
from seqjax.data.item_lives import item_lives
from seqjax.data.samples import ask, shift, target_plan
from seqjax.evaluate.response import predict
from seqjax.lifelong import advance, answer, fresh
from seqjax.metrics import roc_auc
from seqjax.models.hpmn import HPMN
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.augment import shifted, thinned
from seqjax.objectives.response import (
    ResponseHparams,
    drawn_negatives,
    for_model,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.train.step import init_train_state, make_chunk, make_step, per_lane

ITEMS, USERS, RATINGS = 5, 7, 3
SIZES = (("item", ITEMS), ("user", USERS), ("rating", RATINGS))
HPARAMS = ResponseHparams(learning_rate=0.02)
MODEL = HPMN(SIZES, ("item",), ("item", "user"), width=3, hidden=4, hops=1, head=(5,), item_history=("user", "rating"))


def random_samples(seed=0, window=4, longest=9, ties=True, each=3):
    random = np.random.default_rng(seed)
    lengths = random.integers(each, longest, USERS)
    total = lengths.sum()
    time = np.concatenate([np.sort(random.integers(100, 115 if ties else 10**6, n)) for n in lengths])
    columns = {
        "item": random.integers(1, ITEMS + 1, total).astype(np.int32),
        "user": np.repeat(np.arange(1, USERS + 1), lengths).astype(np.int32),
        "rating": random.integers(1, RATINGS + 1, total).astype(np.int32),
        "time": time,
    }
    log = EventLog(
        np.concatenate([[0], np.cumsum(lengths)]), columns, {name: np.arange(size).astype(str) for name, size in SIZES}
    )
    place = np.concatenate([random.permutation(n)[:each] for n in lengths])
    sequence, item = np.repeat(np.arange(USERS), each), random.integers(1, ITEMS + 1, len(place)).astype(np.int32)
    return ask(log, sequence, place, random.random(len(place)) < 0.6, item, items=item_lives(log, window))


def row_of(samples):
    return jax.tree.map(lambda leaf: leaf[0], target_plan(samples, lanes=12, window=9, targets=3))


@partial(jax.jit, static_argnames="count")
def gathered(corpus, row, *, count):
    batch = response_batch(corpus, row)
    return drawn_negatives(jax.random.key(0), batch, HPARAMS, count=count) if count else no_negatives(None, batch, None)


def asked(samples, row, count=0):
    return gathered(response_corpus(samples), row, count=count)


def known(samples, item, second):
    """(user, rating) of the events on an item before a second, by a loop over the log."""
    log = samples.log
    events = [at for at in range(log.events) if log.columns["item"][at] == item and log.columns["time"][at] < second]
    events.sort(key=lambda at: log.columns["time"][at])  # stable: ties in the log's order
    return [(int(log.columns["user"][at]), int(log.columns["rating"][at])) for at in events]


@pytest.mark.parametrize(("window", "count"), [(4, 3), (2, 0), (50, 2)])
def test_every_candidate_comes_with_its_events_before_the_question(window, count):
    """Those of the same second are not among them; what is drawn is told of as of the same second."""
    samples = random_samples(window=window)
    row = row_of(samples)
    batch, skipped = asked(samples, row, count), 0
    live, item = np.asarray(batch.live), np.asarray(batch.ids["item"]["target"])
    user, rating = np.asarray(batch.ids["user"]["history"]), np.asarray(batch.history.events["rating"])
    assert user.shape == (*live.shape, window)
    for place in np.ndindex(live.shape):
        valid = np.asarray(batch.history.valid[place])
        if not live[place]:
            assert not valid.any() and not user[place].any() and not rating[place].any()
            continue
        expected = known(samples, item[place], samples.asked_at[row.sample[place[:2]]])
        assert list(zip(user[place][valid], rating[place][valid], strict=True)) == expected[-window:]
        assert not user[place][~valid].any() and int(batch.history.skipped[place]) == max(len(expected) - window, 0)
        skipped += len(expected) > window
    assert skipped > 5 or window == 50


def test_lists_that_belong_to_samples():
    samples = random_samples()
    lists = samples.items.log._replace(columns={**samples.items.log.columns, "time": np.zeros(samples.events, int)})
    life = np.random.default_rng(1).integers(0, ITEMS + 1, samples.size).astype(np.int32)
    samples = samples._replace(items=samples.items._replace(log=lists, window=50), life=life)
    row = row_of(samples)
    batch = asked(samples, row)
    for lane, moment in np.argwhere(row.live):
        begin, end = lists.offsets[life[row.sample[lane, moment]] :][:2]
        valid = np.asarray(batch.history.valid[lane, moment, 0])
        held = np.asarray(batch.ids["user"]["history"][lane, moment, 0])[valid]
        assert np.array_equal(held, lists.columns["user"][begin:end])
    with pytest.raises(ValueError, match=r"belongs to each sample: set data\.item_history=0 to draw others"):
        asked(samples, row, count=1)


@pytest.mark.parametrize("remover", [shifted, thinned])
def test_events_that_items_still_tell_of_are_not_removed(remover):
    samples = random_samples()
    with pytest.raises(DataError, match="the lives of items tell of every event: set item_history=0"):
        shift(samples, 1)
    assert shift(samples, 0).items is samples.items
    batch = jax.jit(response_batch)(response_corpus(samples), row_of(samples))
    with pytest.raises(ValueError, match=r"still tell of events that are removed: set data\.item_history=0"):
        remover(jax.random.key(0), batch, None)


def params_of(model, seed=0):
    shapes, random = jax.eval_shape(model.init, jax.random.key(0))["params"], np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), shapes)


def test_answers_are_those_of_users_and_items_kept_event_by_event():
    """Training, judging and serving are one: both memories renewed as events come, then asked at each second."""
    samples = random_samples(3, window=50, ties=False)
    params, log = params_of(MODEL), samples.log
    said = predict(MODEL, params, samples)
    for row in range(0, samples.size, 8):
        begin = log.offsets[samples.sequence[row]]
        own = np.arange(begin, begin + samples.cutoff[row])
        before = np.flatnonzero(log.columns["time"] < samples.asked_at[row])
        before = before[np.argsort(log.columns["time"][before])]
        own, other = ({name: log.columns[name][at] for name, _ in SIZES} for at in (own, before))
        users = advance(MODEL, params, fresh(MODEL, 1), np.zeros(len(own["item"]), np.int32), own)
        items = advance(MODEL, params, fresh(MODEL, ITEMS + 1, "init_item"), other["item"], other, method="step_item")
        target = {name: ids[row : row + 1][None] for name, ids in samples.target.items()}
        found = answer(MODEL, params, users, np.zeros(1, np.int32), target, items)
        np.testing.assert_allclose(found[0, 0], said[row], rtol=1e-4, atol=1e-5)


def test_what_happens_at_the_question_or_later_changes_nothing():
    """Neither an answer nor any gradient knows who came at the same second."""
    samples, random = random_samples(4), np.random.default_rng(5)
    params, log, first = params_of(MODEL), samples.log, samples.asked_at.min()
    late = samples.take(np.flatnonzero(samples.asked_at == first))
    after = log.columns["time"] >= first
    assert after.any() and (log.columns["time"] == first).any() and not after.all()

    def changed(name, size):
        return np.where(after, random.integers(1, size + 1, log.events), log.columns[name]).astype(np.int32)

    columns = {**log.columns, "item": changed("item", ITEMS), "rating": changed("rating", RATINGS)}
    other = log._replace(columns=columns)
    moved = late._replace(log=other, items=item_lives(other, 4))
    assert not np.array_equal(moved.items.log.columns["rating"], late.items.log.columns["rating"])
    np.testing.assert_array_equal(predict(MODEL, params, moved), predict(MODEL, params, late))


def test_a_model_without_the_switch_does_not_look():
    samples, model = random_samples(6), SumPooling(SIZES, ("item",), ("item", "user"), width=3, head=(5,))
    params = params_of(model)
    bare = samples._replace(items=None)
    np.testing.assert_array_equal(predict(model, params, samples), predict(model, params, bare))
    assert for_model(model, asked(samples, row_of(samples))).history is None
    with pytest.raises(ValueError, match=r"the data do not tell: set data\.item_history=100"):
        predict(MODEL, params_of(MODEL), bare)


def test_a_step_moves_the_users_of_the_past_and_no_others():
    """Of a table larger than what a step touches, through a view of the touched rows."""
    samples, views, users = random_samples(7), {"item": ("item",), "user": ("user",)}, 2000
    model = MODEL.clone(sizes=(SIZES[0], ("user", users), SIZES[2]), candidate=("item",))
    params, objective = params_of(model), partial(response_objective, model=model)
    carry = per_lane(model.init_state(), 12)
    state = init_train_state(jax.random.key(5), params, optim.adam_decay, HPARAMS, carry, views)
    step = jax.jit(make_step(objective, optim.adam_decay, views, no_negatives))
    after, _ = step(state, response_batch(response_corpus(samples), row_of(samples)), HPARAMS)
    before, rows = (np.asarray(tree["embed"]["user"]["rows"]) for tree in (params, after.params))
    batch = asked(samples, row_of(samples))
    seen = np.unique(np.asarray(batch.ids["user"]["history"])[np.asarray(batch.history.valid)])
    assert np.array_equal(np.flatnonzero(np.any(rows != before, axis=1)), seen) and len(seen) > 4


def followers(seed, users=200, items=40, each=6):
    """A user takes an item if a scout, one of the first five users, had it since the last minute; half of them do."""
    random = np.random.default_rng(seed)
    columns = {name: [] for name in ("item", "user", "time", "label")}
    last = np.zeros(items, bool)
    for minute in range(users * each):
        item = random.integers(items)
        scout = random.random() < 0.5
        user = random.integers(5) if scout else random.integers(5, users)
        for name, value in zip(columns, (item + 1, user + 1, 60 * minute, last[item]), strict=True):
            columns[name].append(value)
        last[item] = scout
    held = {name: np.array(column) for name, column in columns.items()}
    order = np.lexsort((held["time"], held["user"]))
    held = {name: column[order] for name, column in held.items()}
    offsets = np.concatenate([[0], np.cumsum(np.bincount(held["user"] - 1, minlength=users))])
    log = EventLog(
        offsets,
        {"item": held["item"].astype(np.int32), "user": held["user"].astype(np.int32), "time": held["time"]},
        {"item": np.arange(items).astype(str), "user": np.arange(users).astype(str)},
    )
    place = np.arange(log.events) - log.offsets[:-1][log.sequence]
    return ask(log, log.sequence, place, held["label"], items=item_lives(log, 8))


@pytest.mark.parametrize(("history", "low", "high"), [(("user",), 0.95, 1.0), ((), 0.3, 0.7)])
def test_where_the_last_users_decide_they_are_learned_and_nothing_else_tells(history, low, high):
    train, test = followers(0), followers(1)
    sizes = (("item", 40), ("user", 200))
    model = HPMN(sizes, ("item",), width=6, hidden=8, periods=(1,), hops=1, head=(16,),
                 item_history=history, item_periods=(1, 2))  # fmt: skip
    views = {"item": ("item",)} | ({"user": ("user",)} if history else {})
    params = model.init(jax.random.key(0))["params"]
    carry, corpus = per_lane(model.init_state(), 60), response_corpus(train)
    state = init_train_state(jax.random.key(5), params, optim.adam_decay, HPARAMS, carry, views)
    step = make_step(partial(response_objective, model=model), optim.adam_decay, views, no_negatives)
    chunk = make_chunk(step, response_batch)
    for epoch in range(4):
        plan = target_plan(train, lanes=60, window=9, targets=6, epoch=epoch)
        state, _ = chunk(state, plan, jax.device_put(corpus), jax.tree.map(jnp.float32, HPARAMS))
    said = predict(model, state.params, test)
    area = roc_auc(said[test.label], said[~test.label])[0]
    assert low < area <= high, area
