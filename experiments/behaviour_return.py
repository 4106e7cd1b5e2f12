"""When a household comes back: P(next visit within 1, 3, 7, 14 days) on The Complete Journey.

    seqjax run experiments/behaviour_return.py

155,848 visits of 2,469 households in a year (CC0). The visits of four weeks are judged, each followed for two more;
training ends before them. A visit shows the days since the last one, weekday, hour and how much was bought.

Expected (`--seeds 5`): Brier score within 7 days .1255 (own rate .1305); a quarter of a minute a seed.
"""

from functools import partial

from seqjax import losses, optim
from seqjax.baselines.returning import constant_hazard, everybody, own_rate
from seqjax.data.sources import complete_journey
from seqjax.data.windows import stream_reset
from seqjax.evaluate.returning import returning
from seqjax.experiment import Experiment
from seqjax.models.next_visit import NextVisit
from seqjax.nn.recurrence import GRU
from seqjax.objectives.sequence import SequenceHparams, sequence_objective
from seqjax.objectives.visits import visit_batch, visit_corpus
from seqjax.report.returning import returning_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(complete_journey.visits, days=28, follow=14),
    corpus=visit_corpus,
    plan=partial(stream_reset, lanes=64, window=32, boundary=False),
    gather=visit_batch,
    model=partial(NextVisit, intervals=14, body=partial(GRU, features=(32,))),
    objective=partial(sequence_objective, loss=losses.discrete_hazard),
    views={},
    optimizer=optim.adam_cosine,
    hparams=SequenceHparams(learning_rate=0.01, clip=1.0),
    evaluate=partial(returning, days=(1, 3, 7, 14)),
    baselines=(own_rate, everybody, constant_hazard),
    stop=Stop(epochs=20),
    headline=("brier@7", "brier@1", "brier@3", "brier@14"),
    sections=returning_sections,
)
