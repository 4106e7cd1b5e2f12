"""Who will buy what: one encoder for fifty-four categories at once, on a year of groceries.

    seqjax run experiments/purchase_multitask.py --seeds 15     # needs scikit-learn: pip install -e '.[trees]'

As `purchase_complete_journey.py`, but every household is asked about the fifty most bought categories and the five of
that file, at four moments in training: a small log becomes a large one. The encoder is the sum of all events over the
root of their number; a target says how long ago and how often the household bought the category and its kindred, which
boosted trees and logistic regression, one for each category, see too, beside recency, frequency, money, windows and all
counts. AUC is the mean over categories.

Expected (15 seeds): AUC .821 +- .003 over the fifty largest; trees .817, on counts alone .812; a minute and a half a
seed, and as much for the trees.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import count_trees, purchase_logistic, purchase_trees
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.purchasing import score_purchases
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(
        journey_purchases.purchases,
        largest=50,
        categories=journey_purchases.DEFAULT,
        moments=4,
        natural=True,
        told=("gap", "times", "lately", "wait", "kindred"),
    ),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=32, window=4200, targets=50),
    gather=response_batch,
    draw=no_negatives,
    model=partial(
        SumPooling,
        features=("item", "gap"),
        candidate=("item", "gap", "times", "lately", "wait", "kindred"),
        width=32,
        pool="root",
    ),
    objective=partial(response_objective, block=128),
    views={"item": ("item",)},
    optimizer=optim.adam_cosine,
    hparams=ResponseHparams(learning_rate=2e-3, dropout_hidden=0.2, dropout_item=0.5),
    evaluate=purchase,
    baselines=(purchase_trees, count_trees, purchase_logistic),
    stop=Stop(epochs=4, metric="auc"),
    headline=("auc", "natural/auc", "later/auc", "average_precision"),
    sections=purchase_sections,
    score=partial(score_purchases, category="FLUID MILK PRODUCTS"),
)
