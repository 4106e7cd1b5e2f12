"""How far back a memory reaches: one cue among neutral events, so many events ago, decides the response.

    seqjax run experiments/lifelong_planted_lag.py

HPMN with layers that double their periods against a GRU of the same 32 units, both asked the same way; 256 updates of
64 users each. The horizon of a model is the largest lag that it still reads with a mean AUC of .75 or more. "exact":
half of all events are cues, and only the one exactly so many events ago counts; lives begin at any phase.

Expected (5 seeds): 64 events for the GRU, 512 for HPMN; ten minutes a seed.
"""

from functools import partial

from seqjax import optim
from seqjax.data import worlds
from seqjax.data.samples import target_plan
from seqjax.evaluate.response import response
from seqjax.experiment import Experiment, Study
from seqjax.models.hpmn import HPMN
from seqjax.objectives.response import (
    ResponseHparams,
    no_negatives,
    response_batch,
    response_corpus,
    response_objective,
)
from seqjax.report.lag import lag_sections
from seqjax.report.response import response_sections
from seqjax.train.fit import Stop

LAGS = {
    "gru": (8, 16, 32, 48, 64, 96, 128),
    "exact_gru": (2, 4, 8, 16),
    "exact_hpmn": (2, 4, 8, 16),
    "hpmn": (64, 96, 128, 192, 256, 384, 512),
}


def periods(model: str, lag: int) -> tuple[int, ...]:
    """One layer, or as many as there are powers of two below the lag."""
    return tuple(2**layer for layer in range(lag.bit_length())) if model.endswith("hpmn") else (1,)


def experiment(model: str, lag: int) -> Experiment:
    """The experiment at one lag."""
    return Experiment(
        data=partial(worlds.planted, lag=lag, distractors=model.startswith("exact")),
        corpus=response_corpus,
        plan=partial(target_plan, lanes=64, window=1024),
        gather=response_batch,
        draw=no_negatives,
        model=partial(HPMN, periods=periods(model, lag), hops=1),
        objective=partial(response_objective, block=32),
        views={"item": ("item",)},
        optimizer=optim.adam_decay,
        hparams=ResponseHparams(learning_rate=3e-3),
        evaluate=partial(response, replicates=100),
        stop=Stop(epochs=8),
        headline=("auc", "log_loss"),
        sections=response_sections,
    )


study = Study(
    {f"{model}_{lag}": experiment(model, lag) for model, lags in LAGS.items() for lag in lags},
    seeds=5,
    sections=lag_sections,
)
