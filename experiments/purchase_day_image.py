"""Two views of the same purchases: one event after the other, and as an image, days by categories.

    seqjax run experiments/purchase_day_image.py      # needs scikit-learn: pip install -e '.[trees]'

Data of `purchase_complete_journey.py`, targets told the same. CNN and LSTM read either the last 512 events, each with
its gaps, or how often every category was bought on each of 365 days.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import purchase_logistic, purchase_trees
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment, Study
from seqjax.models.cnn_lstm import CNNLSTM
from seqjax.models.day_image import DayImage
from seqjax.objectives.augment import augment
from seqjax.objectives.response import ResponseHparams, response_batch, response_corpus, response_objective
from seqjax.purchasing import score_purchases
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

TOLD = ("gap", "times", "wait")


def experiment(model, window: int, baselines: tuple = ()) -> Experiment:
    """The experiment with one model, which in training sees so many of the last events."""
    return Experiment(
        data=partial(journey_purchases.purchases, categories=journey_purchases.DEFAULT, moments=4, told=(*TOLD, "day")),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=window),
        gather=response_batch,
        draw=augment,
        model=partial(model, candidate=("item", *TOLD), width=16, filters=32, hidden=32),
        objective=partial(response_objective, block=512),
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
        "events": experiment(
            partial(CNNLSTM, features=("item", "gap", "wait"), window=512), 512, (purchase_trees, purchase_logistic)
        ),
        "day_image": experiment(partial(DayImage, days=365), 2048),
    },
    seeds=5,
)
