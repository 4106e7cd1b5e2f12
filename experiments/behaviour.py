"""A behaviour generator for your own log: what users do next, when they leave, and new series like theirs.

    seqjax run experiments/behaviour.py --set data.train=clicks.csv
    seqjax run experiments/behaviour.py --set data.train=clicks.csv data.item=page data.session=visit data.time=at

A tenth of the series, drawn from the seed, is judged by; another twentieth decides when to stop.
"""

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
    data=partial(read_series, test_share=0.1, validation_share=0.05),
    corpus=symbols,
    plan=partial(stream_reset, lanes=32, window=32),
    gather=symbol_batch,
    model=partial(NextAction, body=partial(LSTM, features=(64,))),
    objective=sequence_objective,
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.01, clip=1.0, dropout_hidden=0.1),
    evaluate=partial(behaviour, series=10_000, permutations=199),
    baselines=(unigram, partial(markov, order=1)),
    stop=Stop(epochs=20, patience=3, metric="log_likelihood"),
    headline=("nats", "jsd/length", "jsd/bigram", "jsd/6-gram"),
    sections=behaviour_sections,
    score=score_series,
)
