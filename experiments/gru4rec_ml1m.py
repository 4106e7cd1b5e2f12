"""GRU4Rec on MovieLens-1M: which film a user rates next, leave-one-out, ranked against all 3,706 films.

    SEQJAX_DATA=... seqjax run experiments/gru4rec_ml1m.py

Films a user has rated already are excluded. Expected: recall@10 = .281 +/- .004 over 3 seeds (published for a like
protocol: .28); four minutes on one CPU core.
"""

from functools import partial

from seqjax import losses, optim
from seqjax.baselines.neighbours import item_knn
from seqjax.baselines.popularity import popularity
from seqjax.data.plan import session_plan
from seqjax.data.sources import movielens
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
    data=movielens.read,
    corpus=partial(session_corpus, alpha=0.0),
    plan=partial(session_plan, lanes=100, shuffle=True),
    gather=session_batch,
    draw=partial(popularity_negatives, count=1024),
    model=partial(GRU4Rec, features=100),
    objective=partial(session_objective, loss=losses.cross_entropy),
    views={"item": ("item", "bias", "input")},
    optimizer=optim.adagrad,
    hparams=SessionHparams(learning_rate=0.05, dropout_hidden=0.2),
    evaluate=partial(next_item, exclude_seen=True),
    baselines=(popularity, item_knn),
    stop=Stop(epochs=8, patience=2, metric="ndcg@10"),
)
