"""Does it help to know who had the item before: MovieLens 1M, a memory of users with and without one of films.

    SEQJAX_DATA=... seqjax run experiments/lifelong_item_history.py

Two models on the same samples: HPMN, whose memory reads the user's ratings one by one, and HPMN with a second memory
that reads the film's newest ratings, whose and how many stars, all from before the second of the question.

Expected (3 seeds): AUC .804 +- .004 without, .802 +- .002 with films' lives, paired -.0026 +- .0013; means of film and
user .780. Four minutes a seed without, ten with.
"""

import dataclasses
from functools import partial

from seqjax import optim
from seqjax.baselines.response import both_means, item_mean, user_mean
from seqjax.data.samples import target_plan
from seqjax.data.sources import movielens
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment, Study
from seqjax.models.hpmn import HPMN
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.response import response_sections
from seqjax.train.fit import Stop

users = Experiment(
    data=partial(movielens.responses, item_history=20),  # a model without the switch does not read it
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=2400, targets=64),
    gather=response_batch,
    draw=no_negatives,
    model=partial(
        HPMN,
        features=("item", "rating", "genre"),
        candidate=("item", "genre"),
        hidden=24,
        periods=(1, 4, 16),
        hops=1,
        head=(80, 40),
    ),
    objective=partial(response_objective, block=128),
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=2e-3, dropout_hidden=0.2),
    evaluate=response,
    baselines=(both_means, item_mean, user_mean),
    stop=Stop(epochs=4, patience=2, metric="auc"),
    headline=("auc", "log_loss", "gauc"),
    sections=response_sections,
)
both = dataclasses.replace(
    users,
    model=partial(users.model, item_history=("user", "rating"), item_periods=(1, 4)),
    views={"item": ("item",), "user": ("user",)},
)
study = Study({"users": users, "users and items": both}, seeds=3)
