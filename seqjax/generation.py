"""New series from a model of the next action: many at once, each drawn with a key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar, Shaped

from seqjax.data.events import EventLog

CHUNK = 32  # steps of all lanes in one device call


class Generated(NamedTuple):
    """New series, as flat columns."""

    offsets: Int[np.ndarray, "offset"]  # series s holds item[offsets[s]:offsets[s + 1]]
    item: Int[np.ndarray, "event"]
    cut: Bool[np.ndarray, "sequence"]  # reached `max_len` before its end

    def log(self, words: Shaped[np.ndarray, "word"]) -> EventLog:
        """The series as a log, `words[id - 1]` standing for every id."""
        return EventLog(self.offsets, {"item": self.item}, {"item": words})


class Chooser(struct.PyTreeNode):
    """How the next symbol is drawn from its scores."""

    temperature: Scalar | float = 1.0  # scores are divided by it: below 1 the likely becomes likelier
    top_p: Scalar | float | None = None  # only the fewest likeliest symbols that reach this probability together
    top_k: int | None = struct.field(default=None, pytree_node=False)  # only the k likeliest symbols

    def law(self, scores: Float[Array, "symbol"]) -> Float[Array, "symbol"]:
        """Probability of every symbol; what is left out has 0. Symbols that tie with the k-th stay in."""
        scores = scores / self.temperature
        if self.top_k is not None:
            least = jax.lax.top_k(scores, min(self.top_k, scores.shape[0]))[0][-1]
            scores = jnp.where(scores >= least, scores, -jnp.inf)
        law = jax.nn.softmax(scores)
        if self.top_p is not None:
            down = jnp.sort(law, descending=True)
            before = jnp.cumsum(down) - down
            least = jnp.min(jnp.where(before < self.top_p, down, jnp.inf))
            law = jnp.where(law >= least, law, 0.0)
            law = law / jnp.sum(law)
        return law


class Lanes(NamedTuple):
    """Where every lane stands."""

    state: PyTree
    series: Int[Array, "lane"]  # the number of the series that it draws
    place: Int[Array, "lane"]  # the actions that this series has so far
    live: Bool[Array, "lane"]
    waiting: Int[Array, ""]  # the next series to begin


def generate(
    model: nn.Module,
    params: PyTree,
    key: jax.Array,
    n: int,
    *,
    prefix: Sequence[int] | Int[np.ndarray, "time"] = (),
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    max_len: int = 1000,
    lanes: int = 256,
) -> Generated:
    """Draws `n` series, each beginning with the action ids of `prefix`, until their end or `max_len` actions.

    A lane that has finished a series takes the next one, so that no lane waits for the longest (the session-parallel
    order of Hidasi et al. 2016, run backwards). Series s draws its a-th action with fold_in(fold_in(key, s), a): it is
    the same series whatever `lanes` and `n` are. Raises ValueError for settings and prefixes that cannot be used.
    """
    prefix = np.asarray(prefix, np.int32)
    chooser = check_choice(temperature, top_k, top_p)
    if n < 0 or lanes < 1:
        raise ValueError(f"n={n}, lanes={lanes}: draw 0 series or more on one lane or more")
    if len(prefix) >= max_len:
        raise ValueError(f"max_len={max_len}: the prefix alone has {len(prefix)} actions; choose more")
    start = state_after(model, params, prefix)
    lanes = min(lanes, max(n, 1))
    standing = Lanes(
        state=jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *leaf.shape)), start),
        series=jnp.arange(lanes, dtype=jnp.int32),
        place=jnp.full(lanes, len(prefix), jnp.int32),
        live=jnp.arange(lanes) < n,
        waiting=jnp.int32(lanes),
    )
    drawn = []
    limits = jnp.array([n, len(prefix), max_len], jnp.int32)
    while bool(jnp.any(standing.live)):
        standing, out = _advance(model, params, standing, start, key, chooser, limits)
        drawn.append(jax.tree.map(np.asarray, out))
    return _assemble(drawn, prefix, n, last_symbol(model, params))


def check_choice(temperature: float, top_k: int | None, top_p: float | None) -> Chooser:
    """The settings of drawing; raises ValueError where they make no law."""
    if not temperature > 0.0:
        raise ValueError(f"temperature={temperature}: choose a number above 0 (for the likeliest series, top_k=1)")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k={top_k}: choose 1 or more")
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p={top_p}: choose a probability above 0, at most 1")
    return Chooser(temperature, top_p, top_k)


def state_after(model: nn.Module, params: PyTree, prefix: Int[np.ndarray, "time"]) -> PyTree:
    """The state of one series after its begin and these actions; raises ValueError for ids that are no actions."""
    end = last_symbol(model, params)
    if wrong := [int(action) for action in prefix if not 1 <= action < end]:
        raise ValueError(f"action {wrong[0]} of the prefix is none of the model's: ids are 1 to {end - 1}")
    return _encode(model, params, jnp.array([end, *prefix], jnp.int32))


def draw(key: jax.Array, law: Float[Array, "symbol"]) -> Int[Array, ""]:
    """One symbol by inversion: the first whose cumulative probability exceeds a uniform number (of 24 bits)."""
    below = jnp.cumsum(law)
    point = jnp.minimum(jax.random.uniform(key) * below[-1], jnp.nextafter(below[-1], 0.0))
    return jnp.sum(below <= point, dtype=jnp.int32)


def last_symbol(model: nn.Module, params: PyTree) -> int:
    """The id of the end: the last of the symbols that the model scores."""
    read = partial(model.apply, method="read")
    return jax.eval_shape(lambda params: read({"params": params}, model.init_state()), params).shape[0] - 1


@partial(jax.jit, static_argnames="model")
def _encode(model: nn.Module, params: PyTree, symbols: Int[Array, "time"]) -> PyTree:
    valid = jnp.ones(symbols.shape, bool)
    return model.apply({"params": params}, model.init_state(), {"item": symbols}, valid, method="encode")[0]


@partial(jax.jit, static_argnames="model")
def _advance(
    model: nn.Module,
    params: PyTree,
    lanes: Lanes,
    start: PyTree,
    key: jax.Array,
    chooser: Chooser,
    limits: Int[Array, "3"],
) -> tuple[Lanes, tuple[Int[Array, "step lane"], Int[Array, "step lane"]]]:
    """Runs every lane for a chunk of steps; gives the series and the symbol of every step and lane, 0 for none."""
    n, first, longest = limits

    def choose(state: PyTree, series: Array, place: Array) -> Int[Array, ""]:
        law = chooser.law(model.apply({"params": params}, state, method="read"))
        return draw(jax.random.fold_in(jax.random.fold_in(key, series), place), law)

    def read_on(state: PyTree, symbol: Array) -> PyTree:
        return model.apply({"params": params}, state, {"item": symbol}, method="step")

    def begin_anew(finished: Array, state: PyTree) -> PyTree:
        return jax.tree.map(lambda new, old: jnp.where(finished, new, old), start, state)

    def step(lanes: Lanes, _: None) -> tuple[Lanes, tuple[Array, Array]]:
        symbol = jax.vmap(choose)(lanes.state, lanes.series, lanes.place)
        ended = symbol == last_symbol(model, params)
        finished = lanes.live & (ended | (lanes.place + 1 >= longest))
        state = jax.vmap(read_on)(lanes.state, jnp.where(ended, 1, symbol))
        out = lanes.series, jnp.where(lanes.live, symbol, 0)
        begun = lanes.waiting + jnp.cumsum(finished, dtype=jnp.int32) - 1
        lanes = Lanes(
            state=jax.vmap(begin_anew)(finished, state),
            series=jnp.where(finished, begun, lanes.series),
            place=jnp.where(finished, first, lanes.place + 1),
            live=lanes.live & ~(finished & (begun >= n)),
            waiting=lanes.waiting + jnp.sum(finished, dtype=jnp.int32),
        )
        return lanes, out

    return jax.lax.scan(step, lanes, length=CHUNK)


def _assemble(drawn: list, prefix: Int[np.ndarray, "time"], n: int, end: int) -> Generated:
    """Puts the symbols of all steps and lanes together, series by series."""
    series, symbol = (
        (np.concatenate([part.ravel() for part in parts]) for parts in zip(*drawn, strict=True))
        if drawn
        else (np.zeros(0, np.int32), np.zeros(0, np.int32))
    )
    ended = np.zeros(n, bool)
    ended[series[symbol == end]] = True
    action = (symbol > 0) & (symbol < end)
    series, symbol = series[action], symbol[action]
    owner = np.concatenate([np.repeat(np.arange(n, dtype=np.int32), len(prefix)), series])
    item = np.concatenate([np.tile(prefix, n), symbol])[np.argsort(owner, kind="stable")]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))])
    return Generated(offsets, item.astype(np.int32), ~ended)
