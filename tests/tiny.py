"""A run of seconds: an experiment file, logs to go with it, and one finished run that tests share."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from seqjax.cli import main
from seqjax.experiment import read_experiment

ITEMS = 12
EXPERIMENT = '''"""A tiny GRU4Rec with everything random: dropout, negatives, order."""
from functools import partial

from seqjax import losses, optim
from seqjax.baselines.popularity import popularity
from seqjax.data.files import read_files
from seqjax.data.plan import session_plan
from seqjax.evaluate.next_item import next_item
from seqjax.experiment import Experiment
from seqjax.models.gru4rec import GRU4Rec
from seqjax.objectives.session import (
    SessionHparams, popularity_negatives, session_batch, session_corpus, session_objective,
)
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(read_files, validation_share=0.25),
    corpus=session_corpus,
    plan=partial(session_plan, lanes=4, shuffle=True),
    gather=session_batch,
    draw=partial(popularity_negatives, count=3),
    model=partial(GRU4Rec, features=6),
    objective=partial(session_objective, loss=losses.cross_entropy),
    views={"item": ("item", "bias")},
    optimizer=optim.adagrad_momentum,
    hparams=SessionHparams(learning_rate=0.1, momentum=0.2, dropout_embedding=0.1, dropout_hidden=0.2, logq=1.0),
    evaluate=partial(next_item, replicates=20),
    baselines=(popularity,),
    stop=Stop(epochs=3),
)
'''


def sessions(seed, count, items=ITEMS, length=4):
    """Sessions that mostly walk the cycle of items."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        steps = np.where(random.random(length) < 0.8, 1, random.integers(items, size=length))
        yield (random.integers(items) + np.cumsum(steps)) % items


def write_log(path, seed, count, items=ITEMS, start=1_500_000_000):
    """A log with the columns SessionId, ItemId and Time."""
    lines = ["SessionId\tItemId\tTime"]
    for number, walk in enumerate(sessions(seed, count, items)):
        lines += [f"s{number}\ti{item}\t{start + 60 * number + k}" for k, item in enumerate(walk)]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_all(folder):
    """Writes the experiment file and both logs; returns the words of the command that trains on them."""
    (folder / "tiny.py").write_text(EXPERIMENT)
    train, test = write_log(folder / "train.tsv", 1, 48), write_log(folder / "test.tsv", 2, 12, start=1_500_090_000)
    return ["run", str(folder / "tiny.py"), "--set", f"data.train={train}", f"data.test={test}"]


def experiment(folder):
    """The experiment of the file."""
    (folder / "tiny.py").write_text(EXPERIMENT)
    return read_experiment(folder / "tiny.py")


@cache
def finished():
    """The folder of the logs and, in `run`, of a finished run: read it, or copy it before changing anything."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert main([*write_all(folder), "--out", str(folder / "run")]) == 0
    return folder
