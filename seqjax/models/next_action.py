"""Models of the next action: what a user does next, from all that the user did in this series."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from seqjax.nn.dropout import Noise
from seqjax.nn.recurrence import LSTM
from seqjax.nn.symbols import SeriesState, Symbols
from seqjax.nn.window import held
from seqjax.types import Event


class NextAction(nn.Module):
    """P(next action | series so far): an action is a word, a series a sentence; any body, one series, one step.

    A series begins with the boundary, the symbol `items` + 1, and its end is the same symbol as output. An event may
    carry `fresh`: then what came before is forgotten first. `body` makes the layers: `nn.recurrence.LSTM` (default: two
    layers of 20, one-hot input) or `GRU`, `nn.attention.Transformer`, `nn.convolution.TCN`,
    `nn.linear_recurrence.LRU`. `direct` and `tied` are those of `nn.symbols.Symbols`.
    """

    items: int
    body: Callable[..., nn.Module] = LSTM
    direct: bool = False
    tied: bool = False

    def setup(self):
        """Makes the alphabet and the layers."""
        made = self.body(parent=None)
        self.layers = self.body(inputs=made.width) if self.tied else made
        inputs = made.width if self.tied else made.row
        self.symbols = Symbols(self.items, inputs, made.width, self.direct, self.tied, inputs // made.width)

    def init_state(self) -> SeriesState:
        """The state before any event."""
        body = self.body(parent=None)
        return SeriesState(body.init_memory(), jnp.zeros(body.width), jnp.int32(0))

    def step(self, state: SeriesState, event: Event, noise: Noise | None = None) -> SeriesState:
        """One event in."""
        return self.encode(state, jax.tree.map(lambda leaf: leaf[None], event), jnp.ones(1, bool), noise)[0]

    def encode(
        self, state: SeriesState, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[SeriesState, SeriesState]:
        """Reads the valid events; returns the last state and the state after every event."""
        ids = events["item"]
        fresh = events.get("fresh", jnp.zeros(ids.shape, bool))
        last, memory, output = self.layers(state.memory, self.symbols.embed(ids), fresh, valid, noise)
        output, ids = held((output, ids), valid, (state.output, state.last))
        return SeriesState(last, output[-1], ids[-1]), SeriesState(memory, output, ids)

    def read(self, state: SeriesState, target: Event | None = None) -> Float[Array, ""] | Float[Array, "symbol"]:
        """Score of `target`, or of every symbol by id (0, the padding, has minus infinity)."""
        scores = self.symbols.scores(state.output, state.last)
        return scores if target is None else scores[target["item"]]

    def __call__(self) -> Float[Array, "symbol"]:
        """Touches every parameter; serves `init`."""
        return self.read(self.step(self.init_state(), {"item": jnp.int32(1)}))
