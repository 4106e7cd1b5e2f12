"""Who buys what next: one encoder for the fifty most bought categories at once, The Complete Journey."""

from functools import partial

from seqjax import optim
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
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
    data=partial(journey_purchases.purchases, largest=50, moments=4, natural=True),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=32, window=4200, targets=256),
    gather=response_batch,
    draw=no_negatives,
    model=partial(SumPooling, features=("item", "gap"), candidate=("item", "gap"), width=32, pool="root"),
    objective=partial(response_objective, block=128),
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=2e-3),
    evaluate=response,
    stop=Stop(epochs=10, patience=3, metric="auc"),
    headline=("auc", "log_loss"),
    sections=response_sections,
)
