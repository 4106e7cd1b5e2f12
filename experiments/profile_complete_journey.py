"""Whether a household has children, from the types of product that it buys: a year of groceries, five folds.

    seqjax run experiments/profile_complete_journey.py --seeds 5      # needs scikit-learn: pip install -e '.[trees]'

Seed 5 r + f is fold f of repetition r (CC0 data, 801 households whose composition is known). With
`--set data.split.validation=0.1` some are set aside, by which probabilities and the share of an audience are corrected.

Expected (25 seeds): accuracy .685 +- .012, logistic regression .673, majority .641; ten seconds a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.profile import linear_svc, logistic_regression, majority, naive_bayes
from seqjax.data.profiles import selected
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_households
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(journey_households.households, split=partial(selected, features=200, least=5, validation=0.0)),
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
        partial(logistic_regression, strength=1.0, rows=True),
        partial(linear_svc, strength=0.1),
    ),
    stop=Stop(epochs=13),
    headline=("accuracy", "auc", "log_loss"),
    sections=profile_sections,
)
