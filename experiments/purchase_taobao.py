"""Who buys anything in the next three days: a GRU over categories and behaviours, Taobao.

    SEQJAX_DATA=... seqjax run experiments/purchase_taobao.py                    # the sample of 815 users
    seqjax run experiments/purchase_taobao.py --set data.path=UserBehavior.csv                   # the whole log

Users by what they viewed, put into the cart, marked and bought before 2017-12-01; label: whether they buy, whatever the
category, in the three days after. Training is 1:1; beside the 1:1 test stand all other users. Boosted trees on recency,
frequency and counts (needs scikit-learn: pip install -e '.[trees]') learn from the same samples, but do not see what
was done with a category. The sample is too small to tell models apart: it shows that everything runs.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.purchase import purchase_trees
from seqjax.data.samples import target_plan
from seqjax.data.sources import taobao_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment
from seqjax.models.gru_response import GRUResponse
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=taobao_purchases.purchases,
    corpus=response_corpus,
    plan=partial(target_plan, lanes=32, window=256),
    gather=response_batch,
    draw=no_negatives,
    model=partial(GRUResponse, features=("item", "behaviour"), candidate=("item",)),
    objective=response_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=1e-3),
    evaluate=purchase,
    baselines=(purchase_trees,),
    stop=Stop(epochs=10, patience=3, metric="auc"),
    headline=("auc", "average_precision", "natural/auc"),
    sections=purchase_sections,
)
