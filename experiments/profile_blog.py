"""Gender of those who wrote blog posts, from their words: Mukherjee and Liu's set, five folds.

    SEQJAX_DATA=... seqjax run experiments/profile_blog.py --seeds 5

The baselines need scikit-learn: pip install -e '.[trees]'.

Seed 5 r + f is fold f of repetition r. Texts that occur twice are taken once; features are selected inside the fold.

Expected (25 seeds): accuracy .716 +- .001, logistic regression .695; twenty seconds a seed.
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
    data=partial(gender_texts.blog, split=partial(selected, features=20_000, least=2, validation=0.0)),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=4000),
    gather=response_batch,
    draw=no_negatives,
    model=partial(ProfileNet, hidden=(), pool="root"),
    objective=profile_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ProfileHparams(learning_rate=0.02, decay=0.3),
    evaluate=profile,
    baselines=(
        majority,
        naive_bayes,
        partial(logistic_regression, strength=0.01),
        partial(logistic_regression, strength=1.0, rows=True),
        partial(linear_svc, strength=0.1),
    ),
    stop=Stop(epochs=9),
    headline=("accuracy", "auc", "log_loss"),
    sections=profile_sections,
)
