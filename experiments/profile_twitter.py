"""Gender of those who wrote a tweet and a biography, from words and hashtags: a small set, five folds.

    SEQJAX_DATA=... seqjax run experiments/profile_twitter.py --seeds 5

The baselines need scikit-learn: pip install -e '.[trees]'.

Seed 5 r + f is fold f of repetition r. One tweet of a user says little; the set shows fields, hashtags and n-grams.

Expected (25 seeds): accuracy .612 +- .008, logistic regression .608; ten seconds a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.profile import linear_svc, logistic_regression, majority, naive_bayes
from seqjax.data.profiles import selected
from seqjax.data.samples import target_plan
from seqjax.data.sources import gender_texts
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(gender_texts.twitter, split=partial(selected, features=4000, least=2, validation=0.0)),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=512),
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
        partial(linear_svc, strength=0.1),
    ),
    stop=Stop(epochs=6),
    headline=("accuracy", "auc", "log_loss"),
    sections=profile_sections,
)
