"""A generator of user behaviour: 10,000 series of actions in, 10,000 new ones out.

    seqjax run experiments/behaviour_lstm.py

The pseudo-users of the process `echo` (their law is known exactly). The three plots that decide: length of a series,
frequency of every action, frequency of every pair of actions in a row; then all that those three cannot see.

Expected (`--seeds 5`): excess .0044 +- .0008 nats over the true law, distances 1.3 to 2.1 times their floors; half a
minute a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov, truth, unigram
from seqjax.data.process import echo, sampled
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
    data=partial(sampled, process=echo, series=10_000, test=10_000),
    corpus=symbols,
    plan=partial(stream_reset, lanes=20, window=20),
    gather=symbol_batch,
    model=partial(NextAction, body=partial(LSTM, features=(20, 20)), direct=True),
    objective=sequence_objective,
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.05, clip=1.0),
    evaluate=partial(behaviour, series=10_000, given=1),
    baselines=(unigram, partial(markov, order=1), partial(markov, order=3), partial(markov, order=5), truth),
    sees_more=("truth",),
    stop=Stop(epochs=30),
    headline=("nats", "jsd/length", "jsd/bigram", "jsd/6-gram"),
    sections=behaviour_sections,
    score=score_series,
)
