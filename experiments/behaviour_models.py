"""The same 10,000 series, learned by five kinds of networks of like size.

    seqjax run experiments/behaviour_models.py

Layers of LSTM and GRU cells, a causal Transformer, a temporal convolution and linear recurrent units, each at a rate
that suits it, beside Markov chains and the law itself.

Expected (3 seeds): excess .0024 (Transformer) to .0054 (one LSTM layer) nats; half a minute a run.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov, truth
from seqjax.data.process import echo, sampled
from seqjax.data.windows import stream_reset, symbols
from seqjax.evaluate.behaviour import behaviour
from seqjax.experiment import Experiment, Study
from seqjax.models.next_action import NextAction
from seqjax.nn.attention import Transformer
from seqjax.nn.convolution import TCN
from seqjax.nn.linear_recurrence import LRU
from seqjax.nn.recurrence import GRU, LSTM
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.report.behaviour import behaviour_sections
from seqjax.train.fit import Stop


def experiment(body, learning_rate: float, epochs: int) -> Experiment:
    """The experiment with one body."""
    return Experiment(
        data=partial(sampled, process=echo, series=10_000, test=10_000),
        corpus=symbols,
        plan=partial(stream_reset, lanes=20, window=20),
        gather=symbol_batch,
        model=partial(NextAction, body=body, direct=True),
        objective=sequence_objective,
        views={},
        optimizer=optim.adam_cosine,
        hparams=SequenceHparams(learning_rate=learning_rate, clip=1.0),
        evaluate=partial(behaviour, series=10_000, given=1, permutations=99),
        baselines=(partial(markov, order=1), partial(markov, order=3), partial(markov, order=5), truth),
        sees_more=("truth",),
        stop=Stop(epochs=epochs),
        headline=("nats", "jsd/length", "jsd/bigram", "jsd/6-gram"),
        sections=behaviour_sections,
    )


study = Study(
    {
        "LSTM_20_20": experiment(partial(LSTM, features=(20, 20)), 0.05, 30),
        "LSTM_20": experiment(partial(LSTM, features=(20,)), 0.05, 30),
        "GRU_20_20": experiment(partial(GRU, features=(20, 20)), 0.02, 30),
        "Transformer_20": experiment(partial(Transformer, features=20, window=16), 0.006, 20),
        "TCN_20": experiment(partial(TCN, features=20), 0.01, 20),
        "LRU_20": experiment(partial(LRU, features=20, units=20), 0.01, 20),
    },
    seeds=5,
    headline=("excess", "jsd/length", "jsd/bigram", "jsd/trigram", "jsd/6-gram"),
)
