"""Which of two products a customer reviews next, from the whole life before: Amazon Beauty.

    SEQJAX_DATA=... seqjax run experiments/lifelong_amazon_beauty.py --seeds 5

The last product of every user against one that the user never had, drawn uniformly, by popularity, or of the same
category; the one before chooses, all earlier ones train, each against four drawn anew in every step. Boosted trees on
four counts stand beside the model (`pip install -e '.[trees]'`). Training sees four times as many negatives as the
test, so log-odds are too low by log 4, which AUC does not see.

Expected (`--seeds 5`): AUC .813 +- .003 (boosted trees .783 +- .002); two minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.counts import boosted_trees
from seqjax.baselines.response import last_item, overlap, target_popularity
from seqjax.data.samples import target_plan
from seqjax.data.sources import amazon_beauty
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams,
    drawn_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.response import response_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(amazon_beauty.read, negatives=("uniform", "popularity", "category")),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=128, window=50, targets=8),
    gather=response_batch,
    draw=partial(drawn_negatives, count=4),
    model=partial(SumPooling, features=("item", "attribute"), pool="root"),
    objective=partial(response_objective, block=10),
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=1e-3),
    evaluate=response,
    baselines=(boosted_trees, overlap, last_item, target_popularity),
    stop=Stop(epochs=20, patience=4, metric="auc"),
    headline=("auc", "auc_popularity", "auc_category"),
    sections=response_sections,
)
