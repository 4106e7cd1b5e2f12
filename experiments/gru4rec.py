"""GRU4Rec on your own log.

    seqjax run experiments/gru4rec.py --set data.train=train.tsv data.test=test.tsv
    seqjax run experiments/gru4rec.py --set data.train=PREPARED     (a folder written by `seqjax data prepare`)

Columns are recognised by their usual names; others are named: `--set data.item=sku data.session=visit data.time=at`.
Good first settings for a large catalogue; with little data try BPR-max as in `gru4rec_diginetica.py`.
"""

from functools import partial

from seqjax import losses, optim
from seqjax.baselines.neighbours import sequential_rules
from seqjax.baselines.popularity import popularity
from seqjax.data.files import read_files
from seqjax.data.plan import session_plan
from seqjax.evaluate.next_item import next_item
from seqjax.experiment import Experiment
from seqjax.models.gru4rec import GRU4Rec
from seqjax.objectives.session import (
    SessionHparams,
    popularity_negatives,
    session_batch,
    session_corpus,
    session_objective,
)
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(read_files, validation_share=0.05),
    corpus=partial(session_corpus, alpha=0.5),
    plan=partial(session_plan, lanes=50),
    gather=session_batch,
    draw=partial(popularity_negatives, count=2048),
    model=partial(GRU4Rec, features=100),
    objective=partial(session_objective, loss=losses.cross_entropy),
    views={"item": ("item", "bias", "input")},
    optimizer=optim.adagrad,
    hparams=SessionHparams(learning_rate=0.1, dropout_hidden=0.2, logq=1.0),
    evaluate=next_item,
    baselines=(popularity, sequential_rules),
    stop=Stop(epochs=10, patience=2),
)
