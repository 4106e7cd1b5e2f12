"""What a user will do from here: probabilities of leaving and of every action, by conditioned random paths."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped
from scipy import special

from seqjax.data.events import EventLog, padded
from seqjax.decide import segment
from seqjax.generation import draw, last_symbol

BLOCK = 4096  # paths in one device call


class Estimate(NamedTuple):
    """Means over paths with the ends of their confidence intervals."""

    value: Float[np.ndarray, "..."]
    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]


class Forecast(NamedTuple):
    """What comes after each prefix. A draw is one symbol: an action or the end.

    leave: probability that the series is over within 1, 2, .., horizon draws; the first is exact.
    occur: probability of every symbol within the horizon and before the end. count: its expected number.
    """

    leave: Estimate  # [sequence, horizon]
    occur: Estimate  # [sequence, symbol]
    count: Estimate  # [sequence, symbol]

    @property
    def remaining(self) -> Float[np.ndarray, "sequence"]:
        """Expected number of further actions within the horizon."""
        return (1.0 - self.leave.value).sum(axis=1)

    def remaining_quantile(self, level: float) -> Int[np.ndarray, "sequence"]:
        """The smallest number of further actions that is not exceeded with this probability; -1 beyond the horizon."""
        reached = self.leave.value >= level
        return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)


def forecast(
    model: nn.Module,
    params: PyTree,
    key: jax.Array,
    prefixes: Int[np.ndarray, "sequence time"],
    valid: Bool[np.ndarray, "sequence time"] | None = None,
    *,
    horizon: int = 20,
    paths: int = 256,
    level: float = 0.95,
) -> Forecast:
    """Forecasts each series from its actions so far (`valid` marks them; without it all are), with `paths` each.

    A path never leaves: it is drawn from the law of the next action given that one comes, and carries the probability
    of having stayed so far, S_t. P(gone within k) is then 1 - E[S_k], and P(a within k) = E[sum_t S_(t-1) [no a yet]
    p_t(a)]: averages of the model's own probabilities along paths (Rao and Blackwell), which vary less than counts of
    what happened. Intervals are Student's, of those averages; where they do not vary the interval is a point. Every
    prefix and path has a key of its own. Raises ValueError for ids that are no actions.
    """
    prefixes = np.asarray(prefixes, np.int32)
    valid = np.ones(prefixes.shape, bool) if valid is None else np.asarray(valid, bool)
    end = last_symbol(model, params)
    if wrong := [int(action) for action in prefixes[valid] if not 1 <= action < end]:
        raise ValueError(f"action {wrong[0]} of a prefix is none of the model's: ids are 1 to {end - 1}")
    if horizon < 1 or paths < 2:
        raise ValueError(f"horizon={horizon}, paths={paths}: look one draw ahead or more, on two paths or more")
    count = len(prefixes)
    block = max(1, min(count, BLOCK // paths))
    pad = -count % block
    prefixes, valid = (np.pad(column, ((0, pad), (0, 0))) for column in (prefixes, valid))
    parts = []
    for begin in range(0, count, block):
        some = slice(begin, begin + block)
        parts.append(_follow(model, params, key, jnp.int32(begin), prefixes[some], valid[some], horizon, paths))
    moments = jax.tree.map(lambda *pieces: np.concatenate(pieces)[:count].astype(np.float64), *parts)
    quantile = special.stdtrit(paths - 1, (1.0 + level) / 2.0)

    def estimate(mean: np.ndarray, variance: np.ndarray, most: float) -> Estimate:
        reach = quantile * np.sqrt(variance / (paths - 1))
        return Estimate(mean, np.maximum(mean - reach, 0.0), np.minimum(mean + reach, most))

    return Forecast(*(estimate(*pair, most) for pair, most in zip(moments, (1.0, 1.0, np.inf), strict=True)))


@partial(jax.jit, static_argnames=("model", "horizon", "paths"))
def _follow(
    model: nn.Module,
    params: PyTree,
    key: jax.Array,
    first: Int[Array, ""],
    prefixes: Int[Array, "sequence time"],
    valid: Bool[Array, "sequence time"],
    horizon: int,
    paths: int,
) -> tuple[tuple[Array, Array], ...]:
    """Mean and variance over paths of leave [sequence, horizon], occur and count [sequence, symbol]."""
    apply = partial(model.apply, {"params": params})

    def stand(prefix: Array, valid: Array) -> PyTree:
        end = jnp.full(1, last_symbol(model, params), jnp.int32)
        symbols, there = jnp.concatenate([end, prefix]), jnp.concatenate([jnp.ones(1, bool), valid])
        return apply(model.init_state(), {"item": symbols}, there, method="encode")[0]

    def walk(state: PyTree, key: jax.Array) -> tuple[Array, Array, Array]:
        law = jax.nn.softmax(apply(state, method="read"))

        def step(carry: tuple, place: Array) -> tuple[tuple, Array]:
            state, stayed, unseen, occur, count = carry
            law = jax.nn.softmax(apply(state, method="read"))
            occur, count = occur + stayed * jnp.where(unseen, law, 0.0), count + stayed * law
            symbol = draw(jax.random.fold_in(key, place), law.at[-1].set(0.0))
            symbol = jnp.clip(symbol, 1, law.shape[0] - 2)  # where leaving is certain there is nothing to draw
            stayed = stayed * (1.0 - law[-1])
            state = apply(state, {"item": symbol}, method="step")
            return (state, stayed, unseen.at[symbol].set(False), occur, count), stayed

        zeros = jnp.zeros(law.shape)
        begin = state, jnp.float32(1.0), jnp.ones(law.shape, bool), zeros, zeros
        (_, _, _, occur, count), stayed = jax.lax.scan(step, begin, jnp.arange(horizon))
        return 1.0 - stayed, occur, count

    def sequence(index: Array, prefix: Array, valid: Array) -> tuple[tuple[Array, Array], ...]:
        state = stand(prefix, valid)
        keys = jax.vmap(partial(jax.random.fold_in, jax.random.fold_in(key, index)))(jnp.arange(paths))
        values = jax.vmap(walk, (None, 0))(state, keys)
        return tuple((jnp.mean(value, axis=0), jnp.var(value, axis=0)) for value in values)

    return jax.vmap(sequence)(first + jnp.arange(len(prefixes)), prefixes, valid)


def score_series(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    seed: int = 0,
    within: int = 3,
    paths: int = 256,
    leaves: float = 0.2,
) -> dict[str, Shaped[np.ndarray, "sequence"]]:
    """What is expected after each series of a log, taken as not over yet: columns for `seqjax score`.

    `leaves_now` is exact; `leaves_within`, its interval, and `expected_actions` look `within` draws ahead; then the
    likeliest next action, its probability, and the segment: "leaves" from the probability `leaves` on.
    """
    words, order = log.vocabulary["item"], np.argsort(log.lengths, kind="stable")
    parts = []
    for first in range(0, len(order), BLOCK):
        series = padded(log, order[first : first + BLOCK])
        held = forecast(model, params, jax.random.key(seed), *series, horizon=within, paths=paths)
        now = forecast(model, params, jax.random.key(seed), *series, horizon=1, paths=2).occur.value[:, 1:-1]
        parts.append({
            "leaves_now": held.leave.value[:, 0],
            f"leaves_within_{within}": held.leave.value[:, -1],
            f"leaves_within_{within}_low": held.leave.low[:, -1],
            f"leaves_within_{within}_high": held.leave.high[:, -1],
            f"actions_within_{within}": held.remaining,
            "likeliest_action": words[now.argmax(axis=1)],
            "likeliest_probability": now.max(axis=1),
            "segment": segment({"leaves": held.leave.value[:, 0]}, {"leaves": leaves}, otherwise="stays"),
        })  # fmt: skip
    back = np.argsort(order)
    return {name: np.concatenate([part[name] for part in parts])[back] for name in parts[0]}
