"""A day of page visits on MSNBC.com: generate users whose visits are distributed like those of users never seen.

    SEQJAX_DATA=... seqjax run experiments/behaviour_msnbc.py

Half of the published users; 100,000 of them, drawn from the seed, are judged by. Markov chains get pairs of pages
right already: what counts is how long users stay, in bursts of one category many times over.

Expected (`--seeds 5`): 1.517 +- .022 nats (order 3: 1.564), length JSD .0005 (.0026); two minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov, unigram
from seqjax.data.sources import msnbc
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
    data=partial(msnbc.read, test=100_000),
    corpus=symbols,
    plan=partial(stream_reset, lanes=128, window=32),
    gather=symbol_batch,
    model=partial(NextAction, body=partial(LSTM, features=(64,)), direct=True),
    objective=sequence_objective,
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.01, clip=1.0),
    evaluate=partial(behaviour, series=500_000, permutations=99),
    baselines=(unigram, *(partial(markov, order=order) for order in (1, 2, 3, 4))),
    stop=Stop(epochs=4),
    headline=("nats", "jsd/length", "jsd/bigram", "jsd/6-gram"),
    sections=behaviour_sections,
    score=score_series,
)
