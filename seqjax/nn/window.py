"""Sequences with gaps: holding values over them, closing them, and windows of the last events."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree


def held(values: PyTree, valid: Bool[Array, "time"], before: PyTree) -> PyTree:
    """At every time the value of the last valid time so far, or `before` where there is none yet.

    >>> held(jnp.array([1, 2, 3]), jnp.array([False, True, False]), jnp.array(7)).tolist()
    [7, 2, 2]
    """
    last = jax.lax.cummax(jnp.where(valid, jnp.arange(len(valid)), -1))

    def hold(values: Array, before: Array) -> Array:
        kept = values[jnp.maximum(last, 0)]
        return jnp.where(jnp.expand_dims(last >= 0, tuple(range(1, kept.ndim))), kept, before)

    return jax.tree.map(hold, values, before)


def front(events: PyTree, valid: Bool[Array, "time"]) -> tuple[PyTree, Int[Array, "time"]]:
    """The events with the valid ones in front, and how many of these there are up to and including each time.

    >>> events, count = front(jnp.array([7, 8, 9]), jnp.array([False, True, True]))
    >>> events[:2].tolist(), count.tolist()
    ([8, 9], [0, 1, 2])
    """
    count, size = jnp.cumsum(valid), len(valid)
    # Each valid event writes its own place into the order: many times faster than a sort. The rest is arbitrary.
    order = jnp.zeros(size, jnp.int32).at[jnp.where(valid, count - 1, size)].set(jnp.arange(size), mode="drop")
    return jax.tree.map(lambda leaf: leaf[order], events), count


class Window(NamedTuple):
    """New events, gaps closed, behind a window of the events before them.

    Along the joint axis stand the window (most recent last), the valid new events, and places without an event.
    """

    order: Int[Array, "time"]  # the new events, valid ones first
    count: Int[Array, "time"]  # valid events up to and including each time
    segment: Int[Array, "joint"]  # events of one series share it; -1 where there is no event

    def joint(self, before: Array, new: Array) -> Array:
        """Values of the window and of the new events along the joint axis."""
        return jnp.concatenate([before, new[self.order]])

    def at(self, joint: Array, time: int | Int[Array, ""]) -> Array:
        """The window after a time."""
        size = self.segment.shape[0] - self.order.shape[0]
        return jax.lax.dynamic_slice_in_dim(joint, self.count[time], size)

    def present(self, time: int | Int[Array, ""]) -> Bool[Array, "window"]:
        """Which places of the window after a time hold an event of the series that goes on there."""
        size = self.segment.shape[0] - self.order.shape[0]
        here = jnp.where(self.count[time] > 0, self.segment[size + jnp.maximum(self.count[time], 1) - 1], 0)
        return self.at(self.segment, time) == here


def close(present: Bool[Array, "window"], fresh: Bool[Array, "time"], valid: Bool[Array, "time"]) -> Window:
    """Closes the gaps between valid events; a `fresh` one begins a series and does not look back."""
    order = jnp.argsort(~valid, stable=True)
    segment = jnp.where(valid, jnp.cumsum(fresh & valid), -1)[order]
    return Window(order, jnp.cumsum(valid), jnp.concatenate([jnp.where(present, 0, -1), segment]))
