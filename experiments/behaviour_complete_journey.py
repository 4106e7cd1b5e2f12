"""Baskets of groceries, generated: 2,242 product types on The Complete Journey, to train a recommender on.

    seqjax run experiments/behaviour_complete_journey.py
    seqjax generate runs/behaviour_complete_journey-ID --n 112010 --out generated.parquet
    seqjax run experiments/gru4rec_complete_journey.py --set data.train=generated.parquet

The order within a basket is drawn from the seed. The last command trains the recommender on generated baskets and
judges it on real ones; without `data.train` it trains on the real ones.

Expected (seed 0): 6.067 nats an item (unigram 6.231); recall@20 .201 from generated baskets, .234 from real ones, .176
for popularity; six minutes in all.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov, unigram
from seqjax.data.sources import complete_journey
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
    data=partial(complete_journey.baskets, test_days=14, validation_share=0.02),
    corpus=symbols,
    plan=partial(stream_reset, lanes=64, window=32),
    gather=symbol_batch,
    model=partial(NextAction, body=partial(LSTM, features=(100,))),
    objective=sequence_objective,
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.005, clip=1.0),
    evaluate=partial(behaviour, series=10_000, permutations=99),
    baselines=(unigram, partial(markov, order=1)),
    stop=Stop(epochs=3, metric="log_likelihood"),
    headline=("nats", "jsd/length", "jsd/action", "jsd/bigram"),
    sections=behaviour_sections,
    score=score_series,
)
