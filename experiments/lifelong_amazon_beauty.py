"""Which of two products a customer will review next, from the whole life before: Amazon Beauty, five models."""

from functools import partial

from seqjax import optim
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
    stop=Stop(epochs=20, patience=4, metric="auc"),
    headline=("auc", "auc_popularity", "auc_category", "log_loss"),
    sections=response_sections,
)
