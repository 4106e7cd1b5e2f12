"""Whom a contact moves: the curve against loops, and a world in which half are moved and the others buy anyway."""

from functools import partial

import jax
import numpy as np
import pytest

from seqjax import optim
from seqjax.data.events import EventLog
from seqjax.data.samples import ask, target_plan
from seqjax.evaluate.response import predict
from seqjax.evaluate.uplift import qini, uplift
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.train.step import init_train_state, make_step, per_lane

HPARAMS = ResponseHparams(learning_rate=0.02)
SIZES = (("item", 3), ("treated", 2))


def by_hand(score, treated, label):
    """Responses gained by contacting the first k, counted user by user."""
    order, found = np.argsort(-score, kind="stable"), []
    for k in range(len(order) + 1):
        some = order[:k]
        there, other = some[treated[some]], some[~treated[some]]
        lost = label[other].mean() * len(there) if len(other) else 0.0
        found.append((label[there].sum() - lost) / treated.sum())
    return found


def test_the_curve_counts_users_one_by_one():
    random = np.random.default_rng(0)
    score, treated, label = random.normal(size=60), random.random(60) < 0.4, random.random(60) < 0.3
    found = qini(score, treated, label, replicates=50)
    np.testing.assert_allclose(found.curve, by_hand(score, treated, label), atol=1e-12)
    line = found.curve[-1] * np.arange(61) / 60
    assert found.area == pytest.approx(np.mean(found.curve - line)) and found.low < found.area < found.high


def test_the_interval_covers_what_a_score_without_meaning_gains():
    """Contacting helps everybody alike, so that no order is better than another: the area is 0."""
    inside = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        treated = random.random(200) < 0.5
        label = random.random(200) < np.where(treated, 0.6, 0.3)
        found = qini(random.normal(size=200), treated, label, replicates=100, seed=seed)
        inside.append(found.low <= 0.0 <= found.high)
    assert 0.85 <= np.mean(inside) <= 1.0


@pytest.mark.parametrize("treated", [np.ones(4, bool), np.zeros(4, bool)])
def test_somebody_must_be_contacted_and_somebody_not(treated):
    with pytest.raises(ValueError, match=rf"{treated.sum()} of 4 users were contacted: there is nothing to compare"):
        qini(np.zeros(4), treated, np.array([True, False, True, False]))


def contacts(seed, users=3000):
    """Item 1 before: buys anyway (.8); item 2: buys if contacted (.7, else .1). Contacts are drawn by a coin."""
    random = np.random.default_rng(seed)
    kind, treated = random.integers(1, 3, users), random.random(users) < 0.5
    label = random.random(users) < np.where(kind == 1, 0.8, np.where(treated, 0.7, 0.1))
    log = EventLog(
        np.arange(users + 1), {"item": kind.astype(np.int32)},
        {"item": np.array(["a", "b", "c"]), "treated": np.array(["no", "yes"])},
    )  # fmt: skip
    samples = ask(log, np.arange(users), np.ones(users, int), label, np.full(users, 3))
    return samples._replace(target={**samples.target, "treated": 1 + treated.astype(np.int32)}), treated


def test_uplift_finds_those_who_are_moved_and_propensity_those_who_buy_anyway():
    train, _ = contacts(0)
    test, treated = contacts(1)
    model = SumPooling(SIZES, ("item",), ("item", "treated"), width=4, head=(8,))
    state = init_train_state(
        jax.random.key(0), model.init(jax.random.key(0))["params"], optim.adam_decay, HPARAMS,
        per_lane(model.init_state(), 100), {"item": ("item",)},
    )  # fmt: skip
    objective = partial(response_objective, model=model)
    step = jax.jit(make_step(objective, optim.adam_decay, {"item": ("item",)}, no_negatives))
    corpus = response_corpus(train)
    for epoch in range(5):
        plan = target_plan(train, lanes=100, window=1, epoch=epoch)
        for at in range(plan.steps):
            state, _ = step(state, response_batch(corpus, jax.tree.map(lambda leaf, at=at: leaf[at], plan)), HPARAMS)
    said = uplift(model, state.params, test)
    moved = test.log.columns["item"] == 2
    assert said[moved].mean() == pytest.approx(0.6, abs=0.06) and abs(said[~moved].mean()) < 0.06
    found = qini(said, treated, test.label, replicates=100)
    best = qini(moved.astype(float), treated, test.label, replicates=2)
    assert found.low > 0.0 and found.area == pytest.approx(best.area, abs=0.01)
    propensity = predict(model, state.params, test).astype(float)
    assert qini(propensity, treated, test.label, replicates=2).area < 0.5 * best.area
    with pytest.raises(ValueError, match=r"targets have \['item'\] and no 'treated': tell who was contacted \(1 no, 2"):
        uplift(model, state.params, test._replace(target={"item": test.target["item"]}))
