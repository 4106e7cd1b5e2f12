"""Ways to select features, on profiles whose best decision is known: five seeds.

    seqjax run experiments/profile_selection.py

Exact mutual information of presence, the floored formula of an article of 2014 (on profiles and on occurrences, as
there), and plain frequency, 1,000 to 10,000 features, and the same linear network on each.
"""

from functools import partial

from seqjax import optim
from seqjax.data import association, zipf
from seqjax.data.samples import target_plan
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment, Study
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.report.profile_studies import selection_sections
from seqjax.train.fit import Stop

WAYS = {
    "exact": (association.exact, False),
    "article": (association.article, False),
    "article_on_occurrences": (association.article, True),
    "frequency": (association.frequency, False),
}
SIZES = (1000, 2000, 4000, 10_000)


def experiment(method, occurrences: bool, features: int) -> Experiment:
    """The experiment of one way and number of features."""
    return Experiment(
        data=partial(zipf.zipf, profiles=20_000, features=features, method=method, occurrences=occurrences),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=512),
        gather=response_batch,
        draw=no_negatives,
        model=ProfileNet,
        objective=profile_objective,
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ProfileHparams(learning_rate=0.003, decay=0.3),
        evaluate=partial(profile, replicates=1),
        stop=Stop(epochs=20, patience=3, metric="auc"),
        headline=("accuracy", "auc"),
        sections=profile_sections,
    )


study = Study(
    {f"{name}_{size}": experiment(*way, size) for name, way in WAYS.items() for size in SIZES},
    seeds=5,
    sections=selection_sections,
)
