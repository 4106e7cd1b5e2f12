"""Response prediction as published with HPMN: Taobao's log, one sample per user, half of them about a random item.

    SEQJAX_DATA=... seqjax run experiments/lifelong_taobao.py                    # the sample of 815 users
    seqjax run experiments/lifelong_taobao.py --set data.path=UserBehavior.csv                   # the whole log
    ... --config configs/hpmn/taobao_release.toml                                                # as released

The sample is too small to compare with what is published for 987,994 users: it shows that everything runs.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import last_item, target_popularity
from seqjax.data.samples import target_plan
from seqjax.data.sources import taobao
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
    data=partial(taobao.read, protocol="hpmn2019"),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=128, window=300, period=12),
    gather=response_batch,
    draw=no_negatives,
    model=partial(HPMN, features=("user", "item", "category", "behaviour"), periods=(1, 2, 4, 12)),
    objective=partial(response_objective, block=60, penalty=memory_penalty),
    views={"item": ("item",), "user": ("user",)},
    optimizer=optim.adam_clipped,
    hparams=ResponseHparams(learning_rate=1e-3, penalty=1.28e-3, dropout_hidden=0.5),
    evaluate=response,
    baselines=(target_popularity, last_item),
    stop=Stop(epochs=2),
    headline=("auc", "log_loss"),
    sections=response_sections,
)
