"""How probable a model finds every symbol of a log, in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.data.events import EventLog
from seqjax.data.windows import starts, symbols
from seqjax.evaluate.intervals import bootstrap

WINDOW = 32  # symbols of every lane that are read at once
SCORE_NUMBERS = 1 << 24  # largest block of scores: lanes x WINDOW x symbols


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

    `lanes` series are read side by side, like lengths together; it changes the speed and not the result.
    """
    lanes = max(1, min(lanes, SCORE_NUMBERS // (WINDOW * (len(log.vocabulary["item"]) + 2)), log.sequences))
    corpus, count = symbols(log), log.lengths + 1
    out = [np.zeros(len(corpus) - 1, kind) for kind in (np.float32, np.float32, bool)]
    order = np.argsort(-count, kind="stable")
    for begin in range(0, log.sequences, lanes):
        group = order[begin : begin + lanes]
        group = np.append(group, np.full(lanes - len(group), -1))
        length = np.where(group < 0, 0, count[group])
        state = None
        for at in range(0, int(length.max()), WINDOW):
            place = at + np.arange(WINDOW)
            valid = place < length[:, None]
            position = np.where(valid, starts(log)[group][:, None] + place, 0)
            state, said = _read(model, params, state, corpus[position], corpus[position + 1], valid)
            for column, values in zip(out, said, strict=True):
                column[position[valid]] = np.asarray(values)[valid]
    return Predictions(*out)


def likelihoods(predictions: Predictions, log: EventLog, given: int = 0) -> Likelihoods:
    """Sums over every series, without its first `given` symbols: those that it was handed and did not choose."""
    judged = _places(log) >= given
    owner = np.repeat(np.arange(log.sequences), log.lengths + 1)[judged]
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


def _places(log: EventLog) -> Int[np.ndarray, "symbol"]:
    """The place of every asked symbol in its series, from 0."""
    return np.arange(log.events + log.sequences) - np.repeat(starts(log)[:-1], log.lengths + 1)


@partial(jax.jit, static_argnames="model")
def _read(
    model: nn.Module,
    params: PyTree,
    state: PyTree | None,
    symbol: Int[Array, "lane time"],
    target: Int[Array, "lane time"],
    valid: Bool[Array, "lane time"],
) -> tuple[PyTree, tuple[Array, Array, Array]]:
    """Reads a window in every lane: log probability of each target, of the end, and whether the likeliest came."""
    start = model.init_state()
    if state is None:
        state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(symbol), *jnp.shape(leaf))), start)

    def lane(state: PyTree, symbol: Array, target: Array, valid: Array) -> tuple[PyTree, tuple[Array, Array, Array]]:
        state, states = model.apply({"params": params}, state, {"item": symbol}, valid, method="encode")
        scores = jax.vmap(lambda state: model.apply({"params": params}, state, method="read"))(states)
        law = jax.nn.log_softmax(scores)
        own = jnp.take_along_axis(law, target[:, None], axis=1)[:, 0]
        return state, (own, jnp.exp(law[:, -1]), jnp.argmax(scores, axis=1) == target)

    return jax.vmap(lane)(state, symbol, target, valid)
