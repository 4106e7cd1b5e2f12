"""Six models of a whole life on the same samples: which of two products a customer reviews next, Amazon Beauty.

    SEQJAX_DATA=... seqjax run experiments/lifelong_models.py

Data, negatives and optimizer of `lifelong_amazon_beauty.py`; every model with vectors of 16 numbers and 32 units at its
published form. Differences are paired by seed.

Thirty runs of about ten minutes each on a core: not part of the recorded benchmarks.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import overlap, target_popularity
from seqjax.data.samples import target_plan
from seqjax.data.sources import amazon_beauty
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment, Study
from seqjax.models.dien import DIEN
from seqjax.models.din import DIN
from seqjax.models.gru_response import GRUResponse
from seqjax.models.hpmn import HPMN
from seqjax.models.lstm_response import LSTMResponse
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams,
    drawn_negatives,
    event_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.response import response_sections
from seqjax.train.fit import Stop


def experiment(model, draw=drawn_negatives) -> Experiment:
    """The experiment with one model."""
    return Experiment(
        data=partial(amazon_beauty.read, negatives=("uniform", "popularity", "category")),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=128, window=50, targets=8),
        gather=response_batch,
        draw=partial(draw, count=4),
        model=partial(model, features=("item", "attribute")),
        objective=partial(response_objective, block=10),
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ResponseHparams(learning_rate=1e-3),
        evaluate=response,
        baselines=(overlap, target_popularity),
        stop=Stop(epochs=20, patience=4, metric="auc"),
        headline=("auc", "auc_popularity", "auc_category"),
        sections=response_sections,
    )


study = Study(
    {
        "HPMN": experiment(HPMN),
        "sum_pooling": experiment(partial(SumPooling, pool="root")),
        "GRU": experiment(GRUResponse),
        "LSTM": experiment(LSTMResponse),
        "DIN": experiment(DIN),
        "DIEN": experiment(DIEN, event_negatives),
    },
    seeds=5,
)
