"""Four networks on the same purchases: CNN + LSTM, LSTM, GRU and LSTM-FCN.

    seqjax run experiments/purchase_models.py      # needs scikit-learn: pip install -e '.[trees]'

Data of `purchase_complete_journey.py`, targets told the same; each network in about the same width.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import purchase_logistic, purchase_trees
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment, Study
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.gru_response import GRUResponse
from seqjax.models.lstm_fcn import LSTMFCN
from seqjax.models.lstm_response import LSTMResponse
from seqjax.objectives.augment import augment
from seqjax.objectives.response import ResponseHparams, response_batch, response_corpus, response_objective
from seqjax.purchasing import score_purchases
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

TOLD = ("gap", "times", "wait")


def experiment(model, baselines: tuple = ()) -> Experiment:
    """The experiment with one model."""
    return Experiment(
        data=partial(journey_purchases.purchases, categories=journey_purchases.DEFAULT, moments=4, told=TOLD),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=512, targets=1),
        gather=response_batch,
        draw=augment,
        model=partial(model, features=("item", "gap", "wait"), candidate=("item", *TOLD), width=16),
        objective=response_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ResponseHparams(learning_rate=1e-3, dropout_hidden=0.3),
        evaluate=purchase,
        baselines=baselines,
        stop=Stop(epochs=12, patience=4, metric="auc"),
        headline=("auc", "precision", "recall", "f1"),
        sections=purchase_sections,
        score=score_purchases,
    )


study = Study(
    {
        "CNN_LSTM": experiment(
            partial(CNNLSTM, filters=32, hidden=32, window=512), (purchase_trees, purchase_logistic)
        ),
        "LSTM": experiment(partial(LSTMResponse, hidden=32)),
        "GRU": experiment(partial(GRUResponse, hidden=32)),
        "LSTM_FCN": experiment(partial(LSTMFCN, filters=(32, 64, 32), window=512)),
    },
    seeds=5,
)
