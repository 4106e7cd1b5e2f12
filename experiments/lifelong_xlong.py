"""Response prediction as published with HPMN: XLong, 20,000 users of 1,000 events each, two samples per user.

    seqjax run experiments/lifelong_xlong.py --set data.train=train_corpus_total_dual.txt \
        data.test=test_corpus_total_dual.txt
    ... --config configs/hpmn/xlong_release.toml                                                 # as released

The files are Tianchi's data set 22482.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import last_item, target_popularity
from seqjax.data.samples import target_plan
from seqjax.data.sources import xlong
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment
from seqjax.models.hpmn import HPMN, memory_penalty
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
    data=partial(xlong.read, train="train_corpus_total_dual.txt", test="test_corpus_total_dual.txt"),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=250, window=1000, targets=2, period=16),
    gather=response_batch,
    draw=no_negatives,
    model=partial(HPMN, features=("user", "item"), periods=(1, 2, 4, 8, 16)),
    objective=partial(response_objective, block=40, penalty=memory_penalty),
    views={"item": ("item",), "user": ("user",)},
    optimizer=optim.adam_clipped,
    hparams=ResponseHparams(learning_rate=1e-3, penalty=2.5e-2, dropout_hidden=0.5),
    evaluate=response,
    baselines=(target_popularity, last_item),
    stop=Stop(epochs=3),
    headline=("auc", "log_loss"),
    sections=response_sections,
)
