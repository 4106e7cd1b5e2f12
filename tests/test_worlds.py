"""Every model in every world: it comes near what can be known, and does not know what cannot."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from seqjax import losses, optim
from seqjax.data.plan import session_plan
from seqjax.data.worlds import cycle, order2, popularity_only
from seqjax.evaluate.ranking import rank_sessions, summary
from seqjax.models.gru4rec import GRU4Rec
from seqjax.nn.activation import elu
from seqjax.objectives.session import (
    SessionHparams,
    popularity_negatives,
    session_batch,
    session_corpus,
    session_objective,
)
from seqjax.train.step import init_train_state, make_chunk, make_step, per_lane

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
