"""Series of seconds: logs from lists, a behaviour experiment, and one finished run of it that tests share."""

import atexit
import shutil
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from seqjax.cli import main
from seqjax.data.events import EventLog
from seqjax.data.process import echo, sample
from seqjax.data.write import write_log

EXPERIMENT = '''"""A tiny model of the next action, beside two Markov chains."""
from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov, unigram
from seqjax.data.files import read_series
from seqjax.data.windows import stream_reset, symbols
from seqjax.evaluate.behaviour import behaviour
from seqjax.experiment import Experiment
from seqjax.forecasting import score_series
from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import LSTM
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.report.behaviour import behaviour_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(read_series, test_share=0.25, validation_share=0.1),
    corpus=symbols,
    plan=partial(stream_reset, lanes=4, window=8),
    gather=symbol_batch,
    model=partial(NextAction, body=partial(LSTM, features=(5,))),
    objective=sequence_objective,
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.03, dropout_hidden=0.1),
    evaluate=partial(behaviour, series=40, permutations=9, replicates=20),
    baselines=(unigram, partial(markov, order=1)),
    stop=Stop(epochs=2, metric="log_likelihood"),
    headline=("nats", "jsd/length", "jsd/bigram"),
    sections=behaviour_sections,
    score=score_series,
)
'''
WORDS = np.array(["look", "ask", "buy", "pay", "rate"])


def log_of(series, words=WORDS):
    """A log of lists of ids."""
    offsets = np.concatenate([[0], np.cumsum([len(actions) for actions in series])]).astype(int)
    item = np.array([action for actions in series for action in actions], np.int32)
    return EventLog(offsets, {"item": item}, {"item": np.asarray(words)})


def lists(log):
    """The ids of every series of a log."""
    return [log.columns["item"][a:b].tolist() for a, b in pairwise(log.offsets)]


def random_log(seed, count=40, words=WORDS, longest=9):
    """Series of any length from 0 on, their actions in favour of the first ones."""
    random = np.random.default_rng(seed)
    chance = 1.0 / np.arange(1, len(words) + 1)
    chance /= chance.sum()
    lengths = random.integers(0, longest + 1, count)
    return log_of([1 + random.choice(len(words), length, p=chance) for length in lengths], words)


def write_series(path, seed, count):
    """Writes series of a law of order five, as a file without times."""
    log = sample(echo(5), count, seed)
    write_log(path, log._replace(vocabulary={"item": WORDS}))
    return path


def write_all(folder):
    """Writes the experiment file and a log; returns the words of the command that trains on it."""
    (folder / "tiny_series.py").write_text(EXPERIMENT)
    series = write_series(folder / "series.csv", 1, 80)
    return ["run", str(folder / "tiny_series.py"), "--set", f"data.train={series}"]


@cache
def finished():
    """The folder of the log `series.csv` and, in `run`, of a finished run: read it, or copy it before changes."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    assert main([*write_all(folder), "--out", str(folder / "run")]) == 0
    return folder
