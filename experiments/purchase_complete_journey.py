"""Who will buy cigarettes, cat food, baby food, candy or wine: CNN and LSTM on a year of groceries.

    seqjax run experiments/purchase_complete_journey.py --seeds 5      # needs pip install -e '.[trees]'

Households by what they bought before 2017-10-02 (CC0 data); label: whether they buy in the category in the 91 days
after. Training, validation and test are 1:1 in every category, other households in each; beside the test stand all
households, and the same question 60 days later. Boosted trees and logistic regression on recency, frequency, money and
counts learn from the same samples.

Expected (5 seeds): AUC .821 +- .017, trees .837 +- .013; two and a half minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import (
    bag_of_categories,
    count_trees,
    purchase_logistic,
    purchase_trees,
    purchase_xgboost,
)
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.objectives.augment import augment
from seqjax.objectives.response import ResponseHparams, response_batch, response_corpus, response_objective
from seqjax.purchasing import score_purchases
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(
        journey_purchases.purchases, categories=journey_purchases.DEFAULT, moments=4, told=("gap", "times", "wait")
    ),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=512, targets=1),
    gather=response_batch,
    draw=augment,
    model=partial(
        CNNLSTM,
        features=("item", "gap", "wait"),
        candidate=("item", "gap", "times", "wait"),
        width=16,
        filters=32,
        hidden=32,
        window=512,
    ),
    objective=response_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=1e-3, dropout_hidden=0.3),
    evaluate=purchase,
    baselines=(purchase_trees, purchase_xgboost, count_trees, purchase_logistic, bag_of_categories),
    stop=Stop(epochs=12, patience=4, metric="auc"),
    headline=("auc", "precision", "recall", "f1"),
    sections=purchase_sections,
    score=partial(score_purchases, category="CIGARETTES"),
)
