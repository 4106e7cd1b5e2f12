"""How series are laid out for training, and what that changes in generated ones.

    seqjax run experiments/behaviour_layouts.py

The story of the LSTM write-up in numbers: one stream folded into lanes (the PTB way), padding to multiples, forgetting
at the begin of a series, and rows in which no series is cut. One network, one optimizer, about as many updates for all.

Expected (3 seeds): excess .004 to .005 nats and the right lengths for all but the stream in a fixed order (up to .018);
dividing the loss by the batch's own number shortens series by 2 %; half a minute a run.
"""

from functools import partial

from seqjax import optim
from seqjax.baselines.markov import truth
from seqjax.data.process import echo, sampled
from seqjax.data.windows import pad_to_multiple, per_series, row_packed, stream, stream_reset, symbols
from seqjax.evaluate.behaviour import behaviour
from seqjax.experiment import Experiment, Study
from seqjax.models.next_action import NextAction
from seqjax.nn.recurrence import LSTM
from seqjax.objectives.sequence import SequenceHparams, sequence_objective, symbol_batch
from seqjax.report.behaviour import behaviour_sections, layout_sections
from seqjax.train.fit import Stop

UPDATES = 5_000


def experiment(plan, steps: int, divisor: str = "constant", block: int = 0) -> Experiment:
    """The experiment with one layout, which takes `steps` updates an epoch."""
    return Experiment(
        data=partial(sampled, process=echo, series=10_000, test=10_000),
        corpus=symbols,
        plan=plan,
        gather=symbol_batch,
        model=partial(NextAction, body=partial(LSTM, features=(20, 20))),
        objective=partial(sequence_objective, divisor=divisor, block=block),
        views={},
        optimizer=optim.adam_cosine,
        hparams=SequenceHparams(learning_rate=0.03, clip=1.0),
        evaluate=partial(behaviour, series=10_000, given=1, permutations=99),
        baselines=(truth,),
        sees_more=("truth",),
        stop=Stop(epochs=round(UPDATES / steps)),
        headline=("nats", "jsd/length", "jsd/bigram", "jsd/6-gram"),
        sections=behaviour_sections,
    )


study = Study(
    {
        "row_packed": experiment(partial(row_packed, lanes=4), 259),
        "per_series": experiment(partial(per_series, lanes=40), 250, block=16),
        "per_series_divided_by_batch": experiment(partial(per_series, lanes=40), 250, "batch", block=16),
        "stream_reset": experiment(partial(stream_reset, lanes=40, window=20), 139),
        "stream_reshuffled": experiment(partial(stream, lanes=40, window=20), 139),
        "stream_in_fixed_order": experiment(partial(stream, lanes=40, window=20, shuffle=False), 139),
        "padded_to_multiple": experiment(partial(pad_to_multiple, lanes=40, window=20), 290),
        "padded_and_reset": experiment(partial(pad_to_multiple, lanes=40, window=20, reset=True), 290),
    },
    seeds=5,
    headline=("excess", "mean_length/synthetic", "leave/said", "jsd/length", "jsd/bigram"),
    sections=layout_sections,
)
