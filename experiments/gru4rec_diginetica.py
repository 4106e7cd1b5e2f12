"""GRU4Rec with BPR-max on Diginetica, at the setting whose losses and accuracy the authors' code was measured at.

    SEQJAX_DATA=... seqjax run experiments/gru4rec_diginetica.py

Expected over 3 seeds: epoch losses .4031 .3248 .3069 (the authors' code: .4027 .3249 .3069), recall@20 = .514 +/- .000
(.513), MRR@20 = .166 +/- .001 (.166); three to four minutes on one CPU core.
"""

from functools import partial

from seqjax import losses, optim
from seqjax.baselines.neighbours import sequential_rules
from seqjax.baselines.popularity import popularity
from seqjax.data.plan import session_plan
from seqjax.data.sources import diginetica
from seqjax.evaluate.next_item import next_item
from seqjax.experiment import Experiment
from seqjax.models.gru4rec import GRU4Rec
from seqjax.nn.activation import elu
from seqjax.objectives.session import (
    SessionHparams,
    popularity_negatives,
    session_batch,
    session_corpus,
    session_objective,
)
from seqjax.train.fit import Stop

experiment = Experiment(
    data=diginetica.read,
    corpus=partial(session_corpus, alpha=0.3),
    plan=partial(session_plan, lanes=50),
    gather=session_batch,
    draw=partial(popularity_negatives, count=2048),
    model=partial(GRU4Rec, features=100, reset_after=True),
    objective=partial(session_objective, loss=losses.bpr_max, activation=partial(elu, alpha=1.0)),
    views={"item": ("item", "bias", "input")},
    optimizer=optim.adagrad_momentum,
    hparams=SessionHparams(
        learning_rate=0.05, momentum=0.2, dropout_embedding=0.3, dropout_hidden=0.1, loss={"penalty": 0.9}
    ),
    evaluate=next_item,
    baselines=(popularity, sequential_rules),
    stop=Stop(epochs=3),
)
