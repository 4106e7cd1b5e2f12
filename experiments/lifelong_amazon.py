"""Response prediction as published with HPMN: Amazon reviews (Electronics, 5-core), one sample per user.

    seqjax run experiments/lifelong_amazon.py --set data.reviews=reviews_Electronics_5.json.gz \
        data.metadata=meta_Electronics.json.gz
    ... --config configs/hpmn/amazon_release.toml                                                # as released

The files are J. McAuley's, of 2014. Half of the samples ask about a random item: popularity alone is a strong answer.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.response import last_item, target_popularity
from seqjax.data.samples import target_plan
from seqjax.data.sources import amazon_reviews
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
    data=partial(amazon_reviews.read, reviews="reviews_Electronics_5.json.gz", protocol="hpmn2019"),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=128, window=100, period=4),
    gather=response_batch,
    draw=no_negatives,
    model=partial(HPMN, features=("user", "item", "category"), periods=(1, 2, 4)),
    objective=partial(response_objective, block=20, penalty=memory_penalty),
    views={"item": ("item",), "user": ("user",)},
    optimizer=optim.adam_clipped,
    hparams=ResponseHparams(learning_rate=3e-3, penalty=1.28e-3, dropout_hidden=0.5),
    evaluate=response,
    baselines=(target_popularity, last_item),
    stop=Stop(epochs=2),
    headline=("auc", "log_loss"),
    sections=response_sections,
)
