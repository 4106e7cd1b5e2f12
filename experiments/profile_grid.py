"""The grid of small networks of an article of 2014, on profiles whose best decision is known: three seeds.

    seqjax run experiments/profile_grid.py

Per-sample gradient descent with momentum until the mean squared error of an epoch, each profile's before its update, is
the target, or for `EPOCHS` epochs. The article trained on private hashtags, words and n-grams; here the words of
`data.zipf` take their place, more of them in a profile for n-grams, which makes each tell less. Features are chosen as
there: by the floored formula, on occurrences. Fifteen minutes.
"""

from functools import partial

from seqjax import optim
from seqjax.data import association, zipf
from seqjax.data.samples import target_plan
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment, Study
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective, squared_error
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.report.profile_studies import grid_sections
from seqjax.train.fit import Stop

EPOCHS = 60
TOKENS = {"hashtags": 120.0, "words": 80.0, "ngrams": 300.0}  # in a profile
GRID = (  # type, features, hidden units, outputs, target error, profiles, published accuracy
    ("hashtags", 1000, (10,), 2, 0.05, 2000, 0.73),
    ("hashtags", 1000, (), 2, 0.05, 2000, 0.73),
    ("hashtags", 1000, (50,), 2, 0.05, 10_000, 0.75),
    ("hashtags", 2000, (50,), 2, 0.03, 10_000, 0.78),
    ("hashtags", 1000, (50,), 2, 0.03, 10_000, 0.76),
    ("hashtags", 4000, (), 2, 0.05, 10_000, 0.78),
    ("words", 4000, (), 2, 0.03, 4000, 0.75),
    ("words", 2000, (50,), 2, 0.03, 10_000, 0.75),
    ("hashtags", 2000, (50,), 1, 0.05, 10_000, 0.78),
    ("hashtags", 4000, (50,), 1, 0.05, 10_000, 0.78),
    ("words", 2000, (50,), 1, 0.05, 10_000, 0.74),
    ("words", 4000, (50,), 1, 0.05, 10_000, 0.78),
    ("ngrams", 2000, (50,), 1, 0.05, 10_000, 0.74),
    ("ngrams", 4000, (50,), 1, 0.05, 10_000, 0.77),
    ("hashtags", 2000, (50,), 1, 0.1, 100_000, 0.76),
    ("ngrams", 2000, (50,), 1, 0.1, 100_000, 0.76),
    ("hashtags", 10_000, (50,), 1, 0.05, 100_000, 0.82),
    ("hashtags", 10_000, (), 1, 0.05, 10_000, 0.75),
    ("ngrams", 10_000, (), 1, 0.05, 10_000, 0.76),
)


def experiment(kind: str, features: int, hidden: tuple, outputs: int, target: float, profiles: int) -> Experiment:
    """The experiment of one row."""
    return Experiment(
        data=partial(
            zipf.zipf,
            profiles=profiles,
            tests=max(profiles // 10, 2000),
            tokens=TOKENS[kind],
            effect=0.58 * (60.0 / TOKENS[kind]) ** 0.5,
            features=features,
            method=association.article,
            occurrences=True,
            validation=False,
        ),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=1, window=512, pool=1),
        gather=response_batch,
        draw=no_negatives,
        model=partial(ProfileNet, hidden=hidden, outputs=outputs),
        objective=partial(profile_objective, loss=squared_error),
        views={"item": ("item",)},
        optimizer=optim.sgd_momentum,
        hparams=ProfileHparams(learning_rate=0.1, momentum=0.1),
        evaluate=partial(profile, replicates=1),
        stop=Stop(epochs=max(EPOCHS * 10_000 // max(profiles, 10_000), 6), target=target),
        chunk_steps=2000,
        headline=("accuracy", "auc"),
        sections=profile_sections,
    )


def name(row: tuple) -> str:
    """Type, layers, target error in percent and size of a row."""
    kind, features, hidden, outputs, target, profiles, _ = row
    layers = "_".join(map(str, (features, *hidden, outputs)))
    return f"{kind}_{layers}_err{round(100 * target)}_of{profiles}"


study = Study(
    {name(row): experiment(*row[:-1]) for row in GRID},
    seeds=3,
    sections=partial(grid_sections, published={name(row): row[-1] for row in GRID}),
)
