"""Any process with a known law as a model: one table of probabilities, one of where each symbol leads."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.data.process import Process
from seqjax.nn.dropout import Noise
from seqjax.types import Event


class Automaton(nn.Module):
    """The next-symbol law of a node; the true process, Markov chains and unigrams are all of this kind.

    The state is the node, 0 at the begin of a series, where the boundary `items` + 1 leads from anywhere. Its tables
    are parameters (`automaton` fills them), so that it is evaluated, sampled and forecast from by the same programs as
    a trained model.
    """

    items: int
    nodes: int

    def setup(self):
        """Declares the tables."""
        shape = self.nodes, self.items + 2
        self.log_prob = self.param("log_prob", nn.initializers.zeros, shape)
        self.following = self.param("following", nn.initializers.zeros, shape, jnp.int32)

    def init_state(self) -> Int[Array, ""]:
        """The node where a series begins."""
        return jnp.int32(0)

    def step(self, state: Int[Array, ""], event: Event, noise: Noise | None = None) -> Int[Array, ""]:
        """One symbol in."""
        del noise
        return self.following[state, event["item"]]

    def encode(
        self, state: Int[Array, ""], events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Int[Array, ""], Int[Array, "time"]]:
        """Folds `step` over the valid events; returns the last node and the node after every event."""
        del noise
        fresh = events.get("fresh", jnp.zeros(valid.shape, bool))

        def body(self: Automaton, node: Array, event: tuple) -> tuple[Array, Array]:
            symbol, fresh, keep = event
            node = jnp.where(keep, self.following[jnp.where(fresh, 0, node), symbol], node)
            return node, node

        return nn.scan(body, variable_broadcast="params")(self, state, (events["item"], fresh, valid))

    def read(self, state: Int[Array, ""], target: Event | None = None) -> Float[Array, ""] | Float[Array, "symbol"]:
        """Log probability of `target`, or of every symbol by id."""
        return self.log_prob[state] if target is None else self.log_prob[state, target["item"]]

    def __call__(self) -> Float[Array, "symbol"]:
        """Touches every parameter; serves `init`."""
        return self.read(self.step(self.init_state(), {"item": jnp.int32(1)}))


def automaton(process: Process) -> tuple[Automaton, PyTree]:
    """A process as (model, params)."""
    with np.errstate(divide="ignore"):
        log_prob = np.log(process.probability).astype(np.float32)
    following = process.following.astype(np.int32)
    following[:, process.end] = 0  # the next series begins where all begin
    return Automaton(process.end - 1, len(following)), {"log_prob": jnp.array(log_prob), "following": following}
