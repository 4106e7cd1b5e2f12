"""Gender from the films that a user rated: MovieLens 1M, five times five folds.

    SEQJAX_DATA=... seqjax run experiments/profile_ml1m.py --seeds 25

The baselines need scikit-learn: pip install -e '.[trees]'.

Seed 5 r + f is fold f of repetition r. A film is a feature whatever its rating; the network is linear on the features'
sum over the root of their number, and learns from four fifths of the users for twelve epochs.

Expected (25 seeds): accuracy .812 +- .002, AUC .862; logistic regression .807, .858; ten seconds a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.profile import linear_svc, logistic_regression, majority, naive_bayes
from seqjax.data.profiles import selected
from seqjax.data.samples import target_plan
from seqjax.data.sources import movielens_gender
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(movielens_gender.gender, split=partial(selected, features=4000, validation=0.0)),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=2500),
    gather=response_batch,
    draw=no_negatives,
    model=partial(ProfileNet, hidden=(), pool="root"),
    objective=profile_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ProfileHparams(learning_rate=0.02, decay=0.03),
    evaluate=profile,
    baselines=(
        majority,
        naive_bayes,
        partial(logistic_regression, strength=0.03),
        partial(logistic_regression, strength=3.0, rows=True),
        partial(linear_svc, strength=0.3),
    ),
    stop=Stop(epochs=12),
    headline=("accuracy", "auc", "log_loss"),
    sections=profile_sections,
)
