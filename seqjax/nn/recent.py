"""The last events of a user as vectors: taking in more of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from seqjax.nn.dropout import Noise
from seqjax.nn.window import front
from seqjax.types import Event


class Recent(NamedTuple):
    """The vectors of the last events, the most recent last, and how many of the places hold one."""

    vectors: Float[Array, "*time window features"]
    count: Int[Array, "*time"]


def empty(window: int, features: int) -> Recent:
    """A window without events: zeros."""
    return Recent(jnp.zeros((window, features)), jnp.int32(0))


def pushed(recent: Recent, x: Float[Array, "features"]) -> Recent:
    """The window after one more event; the oldest leaves it.

    >>> pushed(Recent(jnp.array([[0.0], [3.0]]), jnp.int32(1)), jnp.array([7.0])).vectors.tolist()
    [[3.0], [7.0]]
    """
    window = len(recent.vectors)
    return Recent(jnp.concatenate([recent.vectors[1:], x[None]]), jnp.minimum(recent.count + 1, window))


def extended(
    recent: Recent, embed: Callable[[Event], Float[Array, "*time features"]], events: Event, count: Int[Array, "time"]
) -> tuple[Recent, Recent]:
    """The last window and the window after every one of many more events, of which `embed` gives the vectors.

    events: the valid ones in front; count: how many are valid up to and including each time (see `window.front`). The
    last window is made apart, of the ids that belong there: all windows cost time x window, and the gradient of moving
    vectors, a scatter, many times that of looking them up.
    """
    window, time = len(recent.vectors), len(count)
    place = count[-1] - window + jnp.arange(window)  # among the new events; below 0, in the window before
    new = embed(jax.tree.map(lambda leaf: leaf[jnp.clip(place, 0, time - 1)], events))
    old = recent.vectors[jnp.clip(window + place, 0, window - 1)]
    last = Recent(jnp.where(place[:, None] >= 0, new, old), jnp.minimum(recent.count + count[-1], window))

    joint = jnp.concatenate([recent.vectors, embed(events)])

    def after(count: Int[Array, ""]) -> Recent:
        vectors = jax.lax.dynamic_slice_in_dim(joint, count, window)
        return Recent(vectors, jnp.minimum(recent.count + count, window))

    return last, jax.vmap(after)(count)


def present(recent: Recent) -> Bool[Array, "window"]:
    """Which places of one window hold an event: the last `count`."""
    window = len(recent.vectors)
    return jnp.arange(window) >= window - recent.count


class Windowed(nn.Module):
    """A model of the last `window` events: its state is `Recent`, and only `read` computes anything.

    A subclass has the fields `window`, `width` and `features`, and makes `embed` (`nn.features`) in its `setup`.
    """

    def init_state(self) -> Recent:
        """An empty window."""
        return empty(self.window, self.width * len(self.features))

    def step(self, state: Recent, event: Event, noise: Noise | None = None) -> Recent:
        """One event in."""
        del noise
        return pushed(state, self.embed(event, self.features))

    def encode(
        self, state: Recent, events: Event, valid: Bool[Array, "time"], noise: Noise | None = None
    ) -> tuple[Recent, Recent]:
        """Reads the valid events; returns the last state and the state after every event."""
        del noise
        events, count = front(events, valid)
        return extended(state, lambda events: self.embed(events, self.features), events, count)
