"""What models of purchases get of all that can be known, where Bayes' rule can be computed.

    seqjax run experiments/purchase_worlds.py      # needs scikit-learn: pip install -e '.[trees]'

Three worlds of users whose stage of life is hidden: in "order" only the order of two categories tells the stage, in
"counts" only how often categories were bought, in "life" the stage changes from day to day, and with it how much is
bought and what. Told is the AUC above chance as a share of that of Bayes' rule, on the same test samples; each network
sees the categories in order and nothing else, the baselines their counts.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import bag_of_categories, bag_trees
from seqjax.data import stages
from seqjax.data.samples import target_plan
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment, Study
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.gru_response import GRUResponse
from seqjax.models.lstm_fcn import LSTMFCN
from seqjax.models.lstm_response import LSTMResponse
from seqjax.models.sum_pooling import SumPooling
from seqjax.models.transformer_response import TransformerResponse
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.response import response_sections
from seqjax.report.share import share_sections
from seqjax.train.fit import Stop

WORLDS = {"order": stages.order_only, "counts": stages.counts_only, "life": stages.life_stage}
WINDOW = 80  # the longest life has some events less
MODELS = {
    "GRU": partial(GRUResponse, hidden=16),
    "LSTM": partial(LSTMResponse, hidden=16),
    "CNN_LSTM": partial(CNNLSTM, filters=16, kernel=3, blocks=1, pool=1, hidden=16, window=WINDOW),
    "LSTM_FCN": partial(LSTMFCN, cells=16, filters=(16, 32, 16), window=WINDOW),
    "Transformer": partial(TransformerResponse, hidden=32, layers=3, heads=4, window=WINDOW, alibi=True),
    "sum_pooling": SumPooling,
}


def experiment(world: str, model: str) -> Experiment:
    """The experiment with one model in one world."""
    patient = model == "Transformer"  # it needs more steps than the others, and smaller ones
    return Experiment(
        data=partial(stages.known_best, draw=WORLDS[world]),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=16 if patient else 64, window=WINDOW),
        gather=response_batch,
        draw=no_negatives,
        model=partial(MODELS[model], width=16),
        objective=response_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_cosine,
        hparams=ResponseHparams(learning_rate=2e-3 if patient else 5e-3),
        evaluate=partial(response, replicates=100),
        baselines=(bag_trees, bag_of_categories) if model == "GRU" else (),
        stop=Stop(epochs=6),
        headline=("auc", "log_loss"),
        sections=response_sections,
    )


study = Study(
    {f"{world}_{model}": experiment(world, model) for world in WORLDS for model in MODELS},
    seeds=5,
    sections=share_sections,
)
