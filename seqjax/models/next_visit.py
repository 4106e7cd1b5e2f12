"""When a user comes back: a discrete-time hazard read from all visits so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from seqjax.nn.dropout import Noise
from seqjax.nn.init import block_uniform
from seqjax.nn.recurrence import GRU
from seqjax.nn.window import held
from seqjax.types import Event


class VisitState(NamedTuple):
    """What is remembered of a user's visits."""

    memory: PyTree
    output: Float[Array, "*time hidden"]


class NextVisit(nn.Module):
    """Log-odds of the hazard of every interval (a day) after a visit; one user, one visit.

    h_k = P(the next visit comes in interval k | not before), Singer and Willett (1993): a discrete-time survival model,
    whose covariates are the output of `body` over the visits so far. A visit is a struct of ids (days since the last
    one, weekday, time of the day, size); each picks a row, and their sum is what the body reads.
    """

    gaps: int
    weekdays: int
    hours: int
    sizes: int
    intervals: int = 14
    body: Callable[..., nn.Module] = GRU

    def setup(self):
        """Makes the rows of every feature, the body and the head."""
        self.layers = self.body()
        sizes = {"gap": self.gaps, "weekday": self.weekdays, "hour": self.hours, "size": self.sizes}
        width = self.body(parent=None).row
        self.rows = {name: self.param(name, block_uniform(), (size, width)) for name, size in sizes.items()}
        self.head = nn.Dense(self.intervals)

    def init_state(self) -> VisitState:
        """The state before any visit."""
        body = self.body(parent=None)
        return VisitState(body.init_memory(), jnp.zeros(body.width))

    def step(self, state: VisitState, event: Event, noise: Noise | None = None) -> VisitState:
        """One visit in."""
        return self.encode(state, jax.tree.map(lambda leaf: leaf[None], event), jnp.ones(1, bool), noise)[0]

    def encode(
        self, state: VisitState, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[VisitState, VisitState]:
        """Reads the valid visits; returns the last state and the state after every visit."""
        x = sum(rows[jnp.maximum(events[name], 1) - 1] for name, rows in self.rows.items())
        fresh = events.get("fresh", jnp.zeros(valid.shape, bool))
        last, memory, output = self.layers(state.memory, x, fresh, valid, noise)
        output = held(output, valid, state.output)
        return VisitState(last, output[-1]), VisitState(memory, output)

    def read(self, state: VisitState, target: Event | None = None) -> Float[Array, "interval"]:
        """Log-odds of the hazard of every interval."""
        del target
        return self.head(state.output)

    def __call__(self) -> Float[Array, "interval"]:
        """Touches every parameter; serves `init`."""
        return self.read(self.step(self.init_state(), {name: jnp.int32(1) for name in self.rows}))


def returned_within(scores: Float[Array, "*event interval"]) -> Float[Array, "*event interval"]:
    """P(back within k intervals) = 1 - prod over j <= k of (1 - h_j), from the log-odds of the hazards."""
    return -jnp.expm1(jnp.cumsum(-jax.nn.softplus(scores), axis=-1))
