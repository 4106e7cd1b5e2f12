"""How probable a model finds every symbol of a log, in the order of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.data.events import EventLog
from seqjax.data.windows import asked, spans, symbols
from seqjax.evaluate.intervals import bootstrap
from seqjax.evaluate.reading import WINDOW, read_series

SCORES = 1 << 24  # largest block of scores: lanes x WINDOW x symbols


class Predictions(NamedTuple):
    """What a model said before every symbol that it was asked for: a_1 .. a_L and the end, series after series."""

    log_prob: Float[np.ndarray, "symbol"]  # of the symbol that came, in nats
    leave: Float[np.ndarray, "symbol"]  # probability of the end
    hit: Bool[np.ndarray, "symbol"]  # the likeliest symbol came (of equals, the one with the lowest id)


class Likelihoods(NamedTuple):
    """Sums over the judged symbols of every series: what a paired comparison needs."""

    symbols: Int[np.ndarray, "sequence"]
    log_prob: Float[np.ndarray, "sequence"]
    hits: Int[np.ndarray, "sequence"]

    def numbers(self, replicates: int = 0) -> dict[str, float]:
        """Nats and bits a symbol, perplexity, accuracy of the likeliest symbol; with `replicates` also intervals."""
        nats = -self.log_prob.sum() / self.symbols.sum()
        return _means(self, replicates) | {
            "perplexity": float(np.exp(nats)),
            "log_likelihood": float(-nats),
            "nats_a_series": float(-self.log_prob.mean()),
            "symbols": float(self.symbols.sum()),
            "sequences": float(len(self.symbols)),
        }

    def minus(self, other: Likelihoods, names: Sequence[str] = (), replicates: int = 1000) -> dict[str, float]:
        """Nats, bits and accuracy a symbol less another model's, with 95 % bootstrap intervals over series.

        Raises ValueError where the two judge different symbols.
        """
        del names
        if not np.array_equal(self.symbols, other.symbols):
            raise ValueError("the two models were judged on different series: give both one log")
        less = Likelihoods(self.symbols, self.log_prob - other.log_prob, self.hits - other.hits)
        return _means(less, replicates)


def predict(model: nn.Module, params: PyTree, log: EventLog, *, lanes: int = 256) -> Predictions:
    """Reads every series from its begin and notes what the model expects before each of its symbols.

    Raises ValueError for a log without series.
    """
    if not log.sequences:
        raise ValueError("the log has no series to judge: give one or more")
    row, most = symbols(log), max(1, SCORES // (WINDOW * (len(log.vocabulary["item"]) + 2)))
    target = {"next": row[1:]}
    read = read_series(model, params, {"item": row[:-1]}, spans(log), _expect, target, lanes=min(lanes, most))
    return Predictions(*read)


def likelihoods(predictions: Predictions, log: EventLog, given: int = 0) -> Likelihoods:
    """Sums over every series, without its first `given` symbols: those that it was handed and did not choose."""
    _, owner, place = asked(log)
    judged = place >= given
    owner = owner[judged]
    sums = [
        np.bincount(owner, column[judged].astype(np.float64), minlength=log.sequences)
        for column in (np.ones(len(judged)), predictions.log_prob, predictions.hit)
    ]
    return Likelihoods(sums[0].astype(np.int64), sums[1], sums[2].astype(np.int64))


def _means(held: Likelihoods, replicates: int) -> dict[str, float]:
    """Means over symbols, and intervals over series unless `replicates` is 0."""
    sums = np.column_stack([-held.log_prob, -held.log_prob / np.log(2.0), held.hits])
    names = ("nats", "bits", "accuracy")
    numbers = dict(zip(names, (sums.sum(axis=0) / held.symbols.sum()).tolist(), strict=True))
    if replicates:
        for end, bound in zip(("low", "high"), bootstrap(sums, held.symbols, replicates), strict=True):
            numbers |= {f"{name}/{end}": value for name, value in zip(names, bound.tolist(), strict=True)}
    return numbers


def _expect(scores: Float[Array, "symbol"], target: Mapping[str, Int[Array, ""]]) -> list[Array]:
    """Log probability of the symbol that came and of the end, and whether the likeliest came."""
    law = jax.nn.log_softmax(scores)
    return [law[target["next"]], jnp.exp(law[-1]), jnp.argmax(scores) == target["next"]]
