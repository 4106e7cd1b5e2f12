"""Whether a user likes the next film, from all ratings before: MovieLens 1M, the mean of the whole life.

    SEQJAX_DATA=... seqjax run experiments/lifelong_ml1m.py

The last rating of every user is judged (4 or 5 stars: liked, 59 %), the one before chooses, all earlier ones train,
each from the life before it. 77 % of ratings share their second with another one: "last" is partly the file's order.

Expected (`--seeds 5`): AUC .807 +- .002; the means of film and user reach .780; four minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import both_means, item_mean, user_mean
from seqjax.baselines.stacked import stacked
from seqjax.data.samples import target_plan
from seqjax.data.sources import movielens
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.response import response_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=movielens.responses,
    corpus=response_corpus,
    plan=partial(target_plan, lanes=32, window=2400, targets=256),
    gather=response_batch,
    draw=no_negatives,
    model=partial(SumPooling, features=("item", "rating", "genre"), candidate=("item", "genre"), pool="mean"),
    objective=partial(response_objective, block=64),
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=2e-3, dropout_hidden=0.2),
    evaluate=response,
    baselines=(both_means, partial(stacked, of=(item_mean, user_mean)), item_mean, user_mean),
    stop=Stop(epochs=12, patience=3, metric="auc"),
    headline=("auc", "log_loss", "gauc"),
    sections=response_sections,
)
