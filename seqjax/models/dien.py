"""DIEN: interests drawn from the events by one GRU, and followed towards the candidate by another."""

from __future__ import annotations

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqjax.nn.activation import elu, tanh
from seqjax.nn.dropout import Noise
from seqjax.nn.features import embedded
from seqjax.nn.gru import GRUCell
from seqjax.nn.perceptron import Perceptron, Relevance
from seqjax.nn.recurrence import recur
from seqjax.nn.window import front
from seqjax.types import Event

KEEP = {"release": lambda a, z: (1.0 - a) * z, "agru": lambda a, z: 1.0 - a}
"""How much an evolving interest keeps, from attention and keep gate, where it is no part of the cell's own step."""


class Interests(NamedTuple):
    """Interests after the last events, the most recent last, how many places hold one, and the sum of all events."""

    hidden: Float[Array, "*time hidden"]  # the most recent again: taken alone it costs no windows
    recent: Float[Array, "*time window hidden"]
    count: Int[Array, "*time"]
    total: Float[Array, "*time features"]


class DIEN(nn.Module):
    """Deep interest evolution network, Zhou et al. (2019); one user, one event.

        h_i = GRU(x_i, h_(i-1))        a = softmax_i MLP([q, h_i, q - h_i, q * h_i])        q = PReLU(v W + b)
        z_i, c_i = keep gate and candidate of a GRU at (h_i, e_(i-1))        e_i = k_i e_(i-1) + (1 - k_i) c_i

    over the last `window` events, with k = 1 - a (1 - z) by the paper's AUGRU, whose u is 1 - z. `augru` also gives the
    release's k = (1 - a) z, the paper's AGRU, k = 1 - a, and AIGRU, k = z with inputs a_i h_i. Score: a perceptron of
    [v, s, s * v, e], s the sum of all events. `candidate` names the features of a target (default: `features`); if its
    vector is of another width than an event's, s W * v stands for s * v.

    Differs: the attention is the release's, a bilinear form in the paper, with ReLU for the release's sigmoids; ELU
    stands for Dice in the head, which needs the statistics of a batch. HPMN's released DIEN is form "release" with
    augru "release": the target is read as the last event, and the head, with tanh, sees e alone.
    """

    sizes: tuple[tuple[str, int], ...]
    features: tuple[str, ...] = ("item",)
    candidate: tuple[str, ...] = ()
    width: int = 16
    hidden: int = 32
    window: int = 50
    augru: Literal["paper", "release", "agru", "aigru"] = "paper"
    form: Literal["product", "release"] = "product"
    head: tuple[int, ...] = (200, 80)
    normalise: Literal["layer", "affine", "none"] = "layer"

    def setup(self):
        """Makes the vectors, both cells, the attention, the head and the judge of what comes next."""
        candidate = self.candidate or self.features
        self.embed, inputs, asked = embedded(self.sizes, self.features, candidate, self.width)
        self.extract = GRUCell(self.hidden, inputs, keep=True)
        self.evolve = GRUCell(self.hidden, self.hidden, keep=True)
        self.ask, self.relevance = nn.Dense(self.hidden), Relevance(self.hidden)
        self.slope = self.param("slope", lambda key: jnp.float32(0.25))  # of PReLU, as He et al. (2015) begin
        self.project = nn.Dense(asked, use_bias=False) if asked != inputs else None
        plain = self.form == "release"
        seen = self.hidden + (0 if plain else 2 * asked + inputs)
        self.perceptron = Perceptron(seen, self.head, tanh if plain else elu, self.normalise)
        if not plain:
            self.follows = Perceptron(self.hidden + inputs, (100, 50), jax.nn.sigmoid, self.normalise)

    def init_state(self) -> Interests:
        """A user without events: zeros."""
        hidden, recent = jnp.zeros(self.hidden), jnp.zeros((self.window, self.hidden))
        return Interests(hidden, recent, jnp.int32(0), jnp.zeros(self.width * len(self.features)))

    def step(self, state: Interests, event: Event, noise: Noise | None = None) -> Interests:
        """One event in."""
        del noise
        x = self.embed(event, self.features)
        h = self.extract(state.hidden, x)
        recent = jnp.concatenate([state.recent[1:], h[None]])
        return Interests(h, recent, jnp.minimum(state.count + 1, self.window), state.total + x)

    def encode(
        self, state: Interests, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Interests, Interests]:
        """Reads the valid events; returns the last state and the state after every event."""
        del noise
        x = jnp.where(valid[:, None], self.embed(events, self.features), 0.0)
        (end,), (hidden,), _ = recur([self.extract], (state.hidden,), x, jnp.zeros_like(valid), valid, None)
        closed, count = front(hidden, valid)
        joint = jnp.concatenate([state.recent, closed])

        def after(hidden: Float[Array, "hidden"], count: Int[Array, ""], total: Float[Array, "features"]) -> Interests:
            recent = jax.lax.dynamic_slice_in_dim(joint, count, self.window)
            return Interests(hidden, recent, jnp.minimum(state.count + count, self.window), state.total + total)

        # The last state apart: the windows after all times cost time x window.
        return after(end, count[-1], jnp.sum(x, axis=0)), jax.vmap(after)(hidden, count, jnp.cumsum(x, axis=0))

    def read(
        self, state: Interests, target: Event, noise: Noise | None = None, weights: bool = False
    ) -> Float[Array, ""] | Float[Array, "window"]:
        """Log-odds of a response to the target; or, with `weights`, the attention on every event of the window."""
        v = self.embed(target, self.candidate or self.features)
        if self.form == "release":
            state = self.step(state, target)
        there = jnp.arange(self.window) >= self.window - state.count
        q = self.ask(v)
        scores = self.relevance(jnp.where(q > 0.0, q, self.slope * q), state.recent)
        a = jax.nn.softmax(jnp.where(there, scores, -1e30))  # finite: a window without events has no largest score
        a = jnp.where(there, a, 0.0)
        if weights:
            return a
        evolved = self.evolved(state.recent, a, there)
        if self.form == "release":
            return self.perceptron(evolved, noise)
        s = state.total
        product = (s if self.project is None else self.project(s)) * v
        return self.perceptron(jnp.concatenate([v, s, product, evolved]), noise)

    def evolved(
        self, interests: Float[Array, "window hidden"], a: Float[Array, "window"], there: Bool[Array, "window"]
    ) -> Float[Array, "hidden"]:
        """The interest as it has evolved towards a target with so much attention on every place that is there."""
        start = self.evolve.init_memory()
        if self.augru == "aigru":
            return self.evolve.unroll(start, interests * a[:, None], there)[-1]
        if self.augru == "paper":
            return self.evolve.unroll(start, interests, jnp.where(there, a, 0.0))[-1]

        def update(cell: GRUCell, e: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
            projected, a, there = now
            z, c = cell.gate(e, projected)
            keep = jnp.where(there, KEEP[self.augru](a, z), 1.0)
            return keep * e + (1.0 - keep) * c, None

        scan = nn.scan(update, variable_broadcast="params")
        return scan(self.evolve, start, (self.evolve.project(interests), a, there))[0]

    def auxiliary(
        self, states: Interests, events: Event, negative: Event, valid: Bool[Array, "time"]
    ) -> tuple[Float[Array, "time"], Float[Array, "time"], Bool[Array, "time"]]:
        """Log-odds that an event follows the interest before it, of the events that did and of drawn ones.

        states: after every one of the events, from `encode`. negative: at every time, what is drawn instead of the
        event (`{"item": ..}` and what goes with an item); other features are the event's own. Returned are the log-odds
        of the next event after each valid one, valid ones first, those of what was drawn for it, and which of the
        places count: all valid events but the last. The loss is the mean over these of the cross-entropies with 1 and
        with 0.

        Differs: a perceptron judges, as in the release; the paper has an inner product. The release averages over
        padding as well. Raises ValueError for form "release", HPMN's, which has no auxiliary loss.
        """
        if self.form == "release":
            raise ValueError('form="release" has no auxiliary loss: draw no event_negatives, or take form="product"')
        (hidden, true, drawn), count = front((states.hidden, dict(events), {**events, **negative}), valid)
        follows = jax.vmap(lambda h, x: self.follows(jnp.concatenate([h, x])))
        after = (follows(hidden, jnp.roll(self.embed(event, self.features), -1, axis=0)) for event in (true, drawn))
        return *after, jnp.arange(len(valid)) < count[-1] - 1

    def __call__(self) -> Float[Array, ""]:
        """Touches every parameter; serves `init`."""
        event = {name: jnp.int32(1) for name, _ in self.sizes}
        states = self.step(self.init_state(), event)
        if self.form == "product":
            events = jax.tree.map(lambda leaf: leaf[None], event)
            self.auxiliary(jax.tree.map(lambda leaf: leaf[None], states), events, events, jnp.ones(1, bool))
        return self.read(states, event)
