"""How fast CNN and LSTM together learn who will buy, beside an LSTM alone with as many weights, on a year of groceries.

    seqjax run experiments/purchase_learning_speed.py

Data of `purchase_complete_journey.py`, training asked at two moments, without augmentation. Of either model the page
shows the validation loss after every epoch, and the epochs, updates and seconds until it is .65; differences are
paired by seed. The LSTM has 44 units, which makes the numbers of weights differ by .7 %: 31,185 and 30,961.
"""

from functools import partial

from seqjax import optim
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment, Study
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.lstm_response import LSTMResponse
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.learning import learning_sections
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop


def experiment(model) -> Experiment:
    """The experiment with one model."""
    return Experiment(
        data=partial(journey_purchases.purchases, categories=journey_purchases.DEFAULT, moments=2),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=512),
        gather=response_batch,
        draw=no_negatives,
        model=partial(model, features=("item", "gap", "wait"), candidate=("item",), width=16, head=(64,)),
        objective=response_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ResponseHparams(learning_rate=1e-3),
        evaluate=purchase,
        baselines=(),
        stop=Stop(epochs=10, metric="auc"),
        headline=("auc", "log_loss", "natural/auc"),
        sections=purchase_sections,
    )


study = Study(
    {
        "CNN_LSTM": experiment(partial(CNNLSTM, filters=32, hidden=32, window=512)),
        "LSTM": experiment(partial(LSTMResponse, hidden=44)),
    },
    seeds=5,
    sections=partial(learning_sections, target=0.65),
)
