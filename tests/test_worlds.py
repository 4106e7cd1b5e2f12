"""Every model in every world: it comes near what can be known, and does not know what cannot."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import losses, optim
from seqjax.baselines.purchase import bag_trees
from seqjax.data import stages
from seqjax.data.day_image import dated
from seqjax.data.plan import session_plan
from seqjax.data.process import echo, sample
from seqjax.data.profiles import reduced
from seqjax.data.samples import target_plan
from seqjax.data.split import DAY
from seqjax.data.windows import stream_reset, symbols
from seqjax.data.worlds import cycle, order2, planted, popularity_only
from seqjax.data.zipf import zipf_profiles
from seqjax.evaluate.likelihood import likelihoods, predict
from seqjax.evaluate.ranking import rank_sessions, summary
from seqjax.evaluate.response import predict as predict_responses
from seqjax.metrics import roc_auc
from seqjax.models.automaton import automaton
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.day_image import DayImage
from seqjax.models.dien import DIEN
from seqjax.models.din import DIN
from seqjax.models.gru4rec import GRU4Rec
from seqjax.models.gru_response import GRUResponse
from seqjax.models.hpmn import HPMN
from seqjax.models.next_action import NextAction
from seqjax.models.profile_net import ProfileNet
from seqjax.models.sum_pooling import SumPooling
from seqjax.nn.activation import elu
from seqjax.nn.attention import Transformer
from seqjax.nn.convolution import TCN
from seqjax.nn.linear_recurrence import LRU
from seqjax.nn.recurrence import GRU, LSTM
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.objectives.session import (
    SessionHparams,
    popularity_negatives,
    session_batch,
    session_corpus,
    session_objective,
)
from seqjax.train.step import init_train_state, make_chunk, make_step, no_draw, per_lane

ITEMS, LANES, SAMPLES = 12, 20, 100
VIEWS = {"item": ("item", "bias")}
DRAW = partial(popularity_negatives, count=SAMPLES)

MODELS = {  # name: (model, objective without its model, hyper-parameters)
    "GRU4Rec, cross-entropy": (
        GRU4Rec(ITEMS, 32),
        partial(session_objective, loss=losses.cross_entropy),
        SessionHparams(learning_rate=0.1, logq=1.0),
    ),
    "GRU4Rec, BPR-max": (
        GRU4Rec(ITEMS, 32),
        partial(session_objective, loss=losses.bpr_max, activation=elu),
        SessionHparams(learning_rate=0.05, loss={"penalty": 1.0}),
    ),
}
WORLDS = {  # name: (world, epochs, how far below the ceiling a sound model may stay)
    "cycle": (cycle, 5, 0.02),
    "order2": (order2, 30, 0.06),
    "popularity": (popularity_only, 5, 0.03),
}


@cache
def compiled(name):
    """One program per model serves all worlds: they differ in their data only."""
    model, objective, _ = MODELS[name]
    return make_chunk(make_step(partial(objective, model=model), optim.adagrad, VIEWS, DRAW), session_batch)


def train(name, log, epochs):
    model, _, hparams = MODELS[name]
    hparams = jax.tree.map(jnp.float32, hparams)
    init_key, key = jax.random.split(jax.random.key(0))
    carry = per_lane(model.init_state(), LANES)
    params = jax.jit(model.init)(init_key)["params"]
    state = init_train_state(key, params, optim.adagrad, hparams, carry, VIEWS)
    corpus = jax.device_put(session_corpus(log, alpha=0.0))
    for epoch in range(epochs):
        rows = session_plan(log, seed=0, epoch=epoch, lanes=LANES, shuffle=True)
        state, _ = compiled(name)(state, rows, corpus, hparams)
    assert state.healthy
    return model, state.params


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", MODELS)
def test_reaches_the_ceiling_and_stays_below_it(name, world):
    make, epochs, slack = WORLDS[world]
    truth = make(seed=1, items=ITEMS, sessions=600, length=5)
    model, params = train(name, truth.split.train, epochs)
    ranks = rank_sessions(model, params, truth.split.test)
    numbers = summary(ranks, (1, 5), replicates=0)
    assert (ranks.rank >= 1).all()
    for metric, ceiling in truth.ceiling.items():
        noise = 4.0 * np.sqrt(ceiling * (1.0 - ceiling) / len(ranks.rank))  # a bound for values in [0, 1]
        assert ceiling - slack - noise <= numbers[metric] <= ceiling + noise + 1e-9, (metric, numbers[metric], ceiling)


def trained(objective, optimizer, views, draw, gather, model, hparams, corpus, rows, lanes):
    """The parameters after the rows of every epoch."""
    hparams = jax.tree.map(jnp.float32, hparams)
    params = jax.jit(model.init)(jax.random.key(0))["params"]
    carry = per_lane(model.init_state(), lanes)
    state = init_train_state(jax.random.key(1), params, optimizer, hparams, carry, views)
    chunk = make_chunk(make_step(partial(objective, model=model), optimizer, views, draw), gather)
    for epoch in rows:
        state, _ = chunk(state, epoch, corpus, hparams)
    assert state.healthy
    return state.params


LAW = echo(5)
BODIES = {  # name: (body, learning rate)
    "LSTM": (partial(LSTM, features=(16,)), 0.05),
    "GRU": (partial(GRU, features=(16,)), 0.05),
    "Transformer": (partial(Transformer, features=16, layers=1), 0.01),
    "TCN": (TCN, 0.01),
    "LRU": (partial(LRU, layers=1), 0.01),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_body_learns_the_law_of_actions_and_none_beats_it(name):
    (body, rate), (train_log, test_log) = BODIES[name], (sample(LAW, 1000, seed) for seed in (1, 2))
    model, rows = NextAction(5, body), [stream_reset(train_log, epoch=e, lanes=10, window=20) for e in range(6)]
    optimizer = partial(optim.adam_cosine, steps=6 * rows[0].steps)
    parts = ({}, no_draw, symbol_batch, model, SequenceHparams(rate), jnp.array(symbols(train_log)), rows, 10)
    params = trained(sequence_objective, optimizer, *parts)
    said, truth = (likelihoods(predict(*pair, test_log), test_log, 0) for pair in ((model, params), automaton(LAW)))
    excess = said.minus(truth, ())
    assert 0.0 < excess["nats"] < 0.06 and excess["nats/high"] > 0.0, excess


SIZES = (("item", 12),)
RESPONSES = {  # name: (model, whether it can tell where in a life an event stands)
    "HPMN": (HPMN(SIZES, hidden=16, hops=1), True),
    "GRU": (GRUResponse(SIZES, hidden=16), True),
    "DIEN": (DIEN(SIZES, hidden=16, window=24), True),
    "DIN": (DIN(SIZES, window=24), False),
    "sum pooling": (SumPooling(SIZES), False),
}


def known_from_counts(samples):
    """AUC, with its error, of P(response | how often either cue stands in the life): any of them may be the one."""
    cues = [np.add.reduceat(samples.log.columns["item"] == cue, samples.log.offsets[:-1]) for cue in (1, 2)]
    share = cues[0] / (cues[0] + cues[1])
    return roc_auc(share[samples.label], share[~samples.label])


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_that_an_exact_lag_decides_among_distractors(name):
    """Models of order find the cue; those of sums come to what counts tell, and no further."""
    model, ordered = RESPONSES[name]
    world = planted(3, lag=3, users=2048, tests=1024, distractors=True)
    rows = [target_plan(world.train, epoch=epoch, lanes=64, window=24) for epoch in range(12)]
    parts = {"item": ("item",)}, no_negatives, response_batch, model, ResponseHparams(5e-3)
    corpus = jax.device_put(response_corpus(world.train))
    params = trained(response_objective, optim.adam_decay, *parts, corpus, rows, 64)
    score, label = predict_responses(model, params, world.test, block=24), world.test.label
    area, error = roc_auc(score[label], score[~label])
    counts, _ = known_from_counts(world.test)
    if ordered:
        assert area > 0.9 > counts + 0.1
    else:
        assert counts - 0.08 < area < counts + 4.0 * error


KINDS = (("item", 7),)  # six categories and the target
BUYERS = {
    "GRU": GRUResponse(KINDS, hidden=16),
    "CNN and LSTM": CNNLSTM(KINDS, width=16, filters=16, kernel=3, blocks=1, pool=1, hidden=16, window=54, head=(32,)),
}


@pytest.mark.parametrize("name", BUYERS)
def test_models_of_sequences_know_who_will_buy_where_order_is_all(name):
    made, model = stages.order_only(1), BUYERS[name]
    train, _, test, _ = made.world.split
    rows = [
        target_plan(train, epoch=epoch, lanes=64, window=54) for epoch in range(4)
    ]  # 54 events are the longest life
    parts = {"item": ("item",)}, no_negatives, response_batch, model, ResponseHparams(5e-3)
    corpus = jax.device_put(response_corpus(train))
    params = trained(response_objective, optim.adam_decay, *parts, corpus, rows, 64)
    score = predict_responses(model, params, test)
    area, error = roc_auc(score[test.label], score[~test.label])
    assert made.share(area) > 0.95 and area < made.world.ceiling["auc"] + 4.0 * error


STAGES = (("item", 13),)  # twelve categories and the target
STAGED = {
    "day image": DayImage(STAGES, width=16, filters=16, kernel=5, blocks=1, pool=2, hidden=16, days=60, head=(32,)),
    "day image, mean": DayImage(STAGES, width=16, filters=16, kernel=5, pool=3, days=60, head=(32,), form="mean"),
}


@pytest.mark.parametrize("name", STAGED)
def test_images_of_days_know_who_will_buy_where_how_often_matters(name):
    """Who is interested buys more often and other things; the best that can be known is the stage's probability."""
    made, model = stages.life_stage(1), STAGED[name]
    train, _, test, _ = made.world.split
    train, test = (dated(part._replace(moment=np.full(part.size, 60 * DAY))) for part in (train, test))
    rows = [target_plan(train, epoch=epoch, lanes=64, window=64) for epoch in range(4)]
    parts = {"item": ("item",)}, no_negatives, response_batch, model, ResponseHparams(5e-3)
    params = trained(response_objective, optim.adam_decay, *parts, jax.device_put(response_corpus(train)), rows, 64)
    score = predict_responses(model, params, test)
    area, error = roc_auc(score[test.label], score[~test.label])
    assert made.share(area) > 0.9 and area < made.world.ceiling["auc"] + 4.0 * error


def test_trees_on_counts_know_who_will_buy_where_order_is_nothing_and_only_there():
    pytest.importorskip("sklearn")

    def area(made):
        train, _, test, _ = made.world.split
        score = bag_trees(train)(test)
        return roc_auc(score[test.label], score[~test.label])[0]

    assert area(stages.order_only(1)) == pytest.approx(0.5, abs=0.02)
    counts = stages.counts_only(1)
    assert 0.93 < counts.share(area(counts)) < 1.0


CLASSIFIERS = {  # name: (model, learning rate)
    "linear": (partial(ProfileNet, pool="root"), 0.03),
    "hidden, two outputs": (partial(ProfileNet, hidden=(10,), outputs=2), 0.01),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_small_networks_tell_classes_of_profiles_nearly_as_well_as_bayes(name):
    """No network decides better than Bayes' rule but by chance, nor is it surer of what came."""
    build, rate = CLASSIFIERS[name]
    world = zipf_profiles(1, profiles=3000, tests=4000, words=40, tokens=10.0, informative=1.0, effect=0.6)
    train, _, test = reduced(world.split)[:3]  # which words: how often each is said would tell more
    model = build((("item", 40),))
    rows = [target_plan(train, epoch=epoch, lanes=50, window=30) for epoch in range(8)]
    parts = {"item": ("item",)}, no_negatives, response_batch, model, ProfileHparams(rate)
    corpus = jax.device_put(response_corpus(train))
    params = trained(profile_objective, optim.adam_decay, *parts, corpus, rows, 50)
    score, ceiling = predict_responses(model, params, test), world.ceiling["accuracy"]
    right, noise = ((score > 0.0) == test.label).mean(), np.sqrt(0.1 / test.size)  # fewer than a tenth differ
    assert max(ceiling - 0.025, 0.65) < right < ceiling + 3.0 * noise, (right, ceiling)
    z = np.where(test.label, -score, score).astype(np.float64)
    excess = np.logaddexp(0.0, z).mean() - world.entropy
    assert -0.005 < excess < 0.03, excess
