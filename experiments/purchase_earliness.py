"""How early a purchase can be foretold, with and without forgetting the last purchases in training.

    seqjax run experiments/purchase_earliness.py      # needs scikit-learn: pip install -e '.[trees]'

Data of `purchase_complete_journey.py`, from the history alone: nothing that was bought may be told by the target. AUC
without the last 0, 1, 2, 5, 10 purchases of every household, for six models, each with and without shift augmentation
(training forgets up to ten), and for trees, XGBoost and logistic regression. The two slow models see the last 128
events, the others 512.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import purchase_logistic, purchase_trees, purchase_xgboost
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment, Study
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.gru_response import GRUResponse
from seqjax.models.lstm_fcn import LSTMFCN
from seqjax.models.lstm_response import LSTMResponse
from seqjax.models.sum_pooling import SumPooling
from seqjax.models.transformer_response import TransformerResponse
from seqjax.objectives.augment import augment
from seqjax.objectives.response import ResponseHparams, response_batch, response_corpus, response_objective
from seqjax.report.earliness import earliness_sections
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

MODELS = {
    "sum_pooling": partial(SumPooling, width=32, pool="root"),
    "CNN_LSTM": partial(CNNLSTM, width=16, filters=32, hidden=32, window=512),
    "GRU": partial(GRUResponse, width=16, hidden=32),
    "LSTM": partial(LSTMResponse, width=16, hidden=32),
    "LSTM_FCN": partial(LSTMFCN, width=16, filters=(32, 64, 32), window=128),
    "Transformer": partial(TransformerResponse, width=16, hidden=32, layers=1, window=128),
}
SLOW = ("LSTM_FCN", "Transformer")
BASELINES = (purchase_trees, purchase_xgboost, purchase_logistic)


def experiment(model, shift: int, window: int = 512, baselines: tuple = ()) -> Experiment:
    """The experiment with one model, which sees so many events, training with up to `shift` purchases forgotten."""
    return Experiment(
        data=partial(journey_purchases.purchases, categories=journey_purchases.DEFAULT, moments=4),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=window),
        gather=response_batch,
        draw=partial(augment, shift=shift),
        model=partial(model, features=("item", "gap", "wait"), candidate=("item",)),
        objective=response_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ResponseHparams(learning_rate=1e-3, dropout_hidden=0.3),
        evaluate=purchase,
        baselines=baselines,
        stop=Stop(epochs=12, patience=4, metric="auc"),
        headline=("auc", "later/auc"),
        sections=purchase_sections,
    )


study = Study(
    {
        f"{name}_shifted" if shift else name: experiment(
            model, shift, 128 if name in SLOW else 512, BASELINES if (name, shift) == ("sum_pooling", 0) else ()
        )
        for name, model in MODELS.items()
        for shift in (0, 10)
    },
    seeds=5,
    sections=earliness_sections,
)
