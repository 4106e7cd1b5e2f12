"""Which of two classes your own profiles belong to, from their texts.

    seqjax run experiments/profile.py --set data.file=profiles.csv data.columns="('bio', 'posts')" data.label=gender

A row a profile; words and hashtags of the named columns. `data.classes="('no', 'yes')"` names the positive class last.
Then `seqjax score RUN --data others.csv --out scored.csv`. Beside it stand majority and naive Bayes.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.profile import majority, naive_bayes
from seqjax.data.profiles import selected
from seqjax.data.samples import target_plan
from seqjax.data.sources.texts import texts
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.report.profile import profile_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(texts, file="", split=partial(selected, features=10_000, least=2)),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=64, window=2000),
    gather=response_batch,
    draw=no_negatives,
    model=partial(ProfileNet, hidden=(), pool="root"),
    objective=profile_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ProfileHparams(learning_rate=0.02, decay=0.1),
    evaluate=profile,
    baselines=(majority, naive_bayes),
    stop=Stop(epochs=20, patience=4, metric="auc"),
    headline=("accuracy", "auc", "log_loss"),
    sections=profile_sections,
)
