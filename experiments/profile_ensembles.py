"""Two networks against one at the same data, on profiles whose best decision is known: five seeds.

    seqjax run experiments/profile_ensembles.py      # needs scikit-learn: pip install -e '.[trees]'

An article of 2014 lets the stronger of two networks decide, one trained with either class as 1, on disjoint halves of
400,000 profiles, and compares them with one network on one half. Here one network on all of 20,000 profiles stands
beside one without a hidden layer, and beside two, four and eight on disjoint parts, averaged or by the stronger
response, and AdaBoost.

Expected: two networks on halves are as good as one on all (-.000 +- .002); fifteen minutes.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.profile import boosted_logistic, logistic_regression
from seqjax.data import zipf
from seqjax.data.samples import target_plan
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment, Study
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.report.profile_studies import ensemble_sections
from seqjax.train.fit import Stop


def experiment(
    part: int = 0, parts: int = 1, flipped: bool = False, hidden: tuple = (50,), baselines: tuple = ()
) -> Experiment:
    """The experiment of one network on its part of the profiles."""
    return Experiment(
        data=partial(zipf.zipf, profiles=20_000, features=4000, part=part, parts=parts, flipped=flipped),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=512),
        gather=response_batch,
        draw=no_negatives,
        model=partial(ProfileNet, hidden=hidden),
        objective=profile_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ProfileHparams(learning_rate=0.003, decay=0.1, dropout_hidden=0.3),
        evaluate=partial(profile, replicates=1),
        baselines=baselines,
        stop=Stop(epochs=30, patience=4, metric="auc"),
        headline=("accuracy", "auc"),
        sections=profile_sections,
    )


PEERS = (partial(logistic_regression, strength=0.03), partial(boosted_logistic, strength=0.03, rows=False))
PARTS = {f"of{count}_{part}": experiment(part, count) for count in (2, 4, 8) for part in range(count)}

study = Study(
    {
        "one": experiment(baselines=PEERS),
        "linear": experiment(hidden=()),
        "flipped": experiment(1, 2, flipped=True),
        **PARTS,
    },
    seeds=5,
    sections=ensemble_sections,
)
