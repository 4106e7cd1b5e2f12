"""What happens next in a case, and when it is over: Helpdesk and BPI'12 W, two public event logs.

    SEQJAX_DATA=... seqjax run experiments/behaviour_eventlogs.py

Cases in the order of the file, the first two thirds for training, as in Tax et al. (2017). Symbols are judged from the
third on (prefixes of two activities or more), the end of a case among them.

Expected (5 seeds): Helpdesk .543 nats, accuracy .815; BPI'12 W .776, .690 (order 2: .551, .813 and .791, .690); ten
seconds a run.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import markov
from seqjax.data.sources import event_logs
from seqjax.data.windows import stream_reset, symbols
from seqjax.evaluate.behaviour import behaviour
from seqjax.experiment import Experiment, Study
from seqjax.forecasting import score_series
from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import LSTM
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.report.behaviour import behaviour_sections
from seqjax.train.fit import Stop


def experiment(name: str) -> Experiment:
    """The experiment on one of the logs."""
    return Experiment(
        data=partial(event_logs.read, name=name, validation_share=0.1),
        corpus=symbols,
        plan=partial(stream_reset, lanes=20, window=20),
        gather=symbol_batch,
        model=partial(NextAction, body=partial(LSTM, features=(32,)), direct=True),
        objective=sequence_objective,
        views={},
        optimizer=optim.adam_cosine,
        hparams=SequenceHparams(learning_rate=0.01, clip=1.0, dropout_hidden=0.3),
        evaluate=partial(behaviour, series=10_000, given=2),
        baselines=(partial(markov, order=1), partial(markov, order=2), partial(markov, order=3)),
        stop=Stop(epochs=20, metric="log_likelihood"),
        headline=("nats", "accuracy", "jsd/length", "jsd/bigram"),
        sections=behaviour_sections,
        score=score_series,
    )


study = Study({"helpdesk": experiment("helpdesk"), "bpi_12_w": experiment("bpi_12_w")}, seeds=5)
