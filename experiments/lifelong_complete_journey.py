"""Whether a household buys a product type again, in the basket that begins now: The Complete Journey.

    seqjax run experiments/lifelong_complete_journey.py

Product types bought before, half of them in this basket (CC0 data). The last four weeks are judged, the two weeks
before choose. A life has up to four thousand events. What is asked about has, like every event, the time since the
household last bought it, and how often it did, ever and in eight weeks.

Expected (`--seeds 5`): AUC .798 +- .001; boosted trees .790, the household's own frequency .745; four minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import frequency, item_mean, recency
from seqjax.baselines.stacked import stacked
from seqjax.data.samples import target_plan
from seqjax.data.sources import complete_journey
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
    data=complete_journey.again,
    corpus=response_corpus,
    plan=partial(target_plan, lanes=32, window=4200, targets=256),
    gather=response_batch,
    draw=no_negatives,
    model=partial(
        SumPooling,
        features=("item", "gap"),
        candidate=("item", "gap", "times", "lately", "wait"),
        width=32,
        pool="root",
    ),
    objective=partial(response_objective, block=128),
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=2e-3),
    evaluate=response,
    baselines=(partial(stacked, of=(frequency, recency, item_mean)), frequency, recency, item_mean),
    stop=Stop(epochs=10, patience=2, metric="auc"),
    headline=("auc", "log_loss", "gauc"),
    sections=response_sections,
)
