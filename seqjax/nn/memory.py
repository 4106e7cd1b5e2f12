"""A memory of several layers, each of which is renewed less often than the one below."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from seqjax.nn.gru import GRUCell


class Slots(NamedTuple):
    """One vector per layer, and how many events the memory has seen."""

    slots: Float[Array, "*time slot hidden"]
    count: Int[Array, "*time"]


class PeriodicMemory(nn.Module):
    """Hierarchical periodic memory, Ren et al. (2019): layer j is renewed at every `periods[j]`-th event of a life.

        m_j(i) = GRU_j(z_j, m_j(i - 1)) if i mod t_j = 0, else m_j(i - 1)         z_0 = x_i,  z_j = m_(j-1)(i)

    Each period divides the next, so that a layer reads a vector that was renewed at the same event. `count` is the
    number of events since the user's first: a life read in pieces is renewed at the same events as one read at once.

    A layer runs over the events at which it fires and no others: T (1 / t_0 + 1 / t_1 + ..) cell updates, fewer than
    2 T where periods double.
    """

    inputs: int
    features: int = 32
    periods: tuple[int, ...] = (1, 2, 4)

    def setup(self):
        """Makes a cell for every layer."""
        steps = (1, *self.periods)
        if not self.periods or any(t < 1 or t % s for s, t in zip(steps, self.periods, strict=False)):
            raise ValueError(f"periods={self.periods}: each must be a multiple of the one before, from 1 on")
        widths = (self.inputs, *[self.features] * (len(self.periods) - 1))
        self.cells = [GRUCell(self.features, width, keep=True) for width in widths]

    def init_memory(self) -> Slots:
        """The memory before any event: zeros."""
        return Slots(jnp.zeros((len(self.periods), self.features)), jnp.int32(0))

    def __call__(self, memory: Slots, x: Float[Array, "time features"], valid: Int[Array, ""]) -> tuple[Slots, Slots]:
        """Reads the first `valid` of the events; returns the last memory and the memory after every time."""
        count, end = memory.count + jnp.minimum(jnp.arange(1, len(x) + 1), valid), memory.count + valid
        below, last, after = 1, [], []
        for cell, start, period in zip(self.cells, memory.slots, self.periods, strict=True):
            x = due(x, memory.count // below, period // below)
            fired = cell.unroll(start, x)
            values = jnp.concatenate([start[None], fired])  # where it has not fired yet, the slot as it was
            before = memory.count // period
            last.append(picked(values, end // period - before))
            after.append(values[count // period - before])
            x, below = fired, period
        return Slots(jnp.stack(last), end), Slots(jnp.stack(after, axis=1), count)


def due(x: Float[Array, "time features"], before: Int[Array, ""], period: int) -> Float[Array, "row features"]:
    """Every `period`-th of the vectors that come, counted on from `before` of them; the last may lie beyond the end.

    >>> due(jnp.arange(1.0, 6.0)[:, None], jnp.int32(1), 2)[:, 0].tolist()  # the 2nd, 4th and 6th; 1 was there before
    [1.0, 3.0, 5.0]
    """
    if period == 1:
        return x
    groups = -(-len(x) // period)
    by_phase = jnp.pad(x, ((0, groups * period - len(x)), (0, 0)), mode="edge").reshape(groups, period, -1)
    return picked(by_phase.swapaxes(0, 1), period - 1 - before % period)


def picked(values: Float[Array, "row ..."], index: Int[Array, ""]) -> Float[Array, "..."]:
    """One of the values, by a sum over all, of which only that one is not masked.

    Over many lanes with an index each this is faster than to gather, and its gradient much faster than to scatter.
    """
    here = jnp.expand_dims(jnp.arange(len(values)) == index, tuple(range(1, values.ndim)))
    return jnp.sum(jnp.where(here, values, 0.0), axis=0)


def covariance_penalty(slots: Float[Array, "slot hidden"]) -> Float[Array, ""]:
    """(||C||^2 - ||diag C||^2) / 2 with the covariance C of the slots over their coordinates: slots shall differ.

    The penalty of Cogswell et al. (2016), eq. 3, on HPMN's memory.

    >>> round(float(covariance_penalty(jnp.array([[1.0, 2.0], [3.0, 5.0], [-1.0, 1.0]]))), 6)
    1.5
    """
    off = _off_diagonal(slots)
    return 0.5 * jnp.sum(off**2)


def covariance_norm(slots: Float[Array, "slot hidden"]) -> Float[Array, ""]:
    """||C - diag C||, the root of twice `covariance_penalty`: what HPMN's released code adds up over a batch.

    Its gradient where it is 0 (one slot, an empty memory) is 0.

    >>> round(float(covariance_norm(jnp.array([[1.0, 2.0], [3.0, 5.0], [-1.0, 1.0]]))), 7)
    1.7320508
    """
    square = jnp.sum(_off_diagonal(slots) ** 2)
    return jnp.where(square > 0.0, jnp.sqrt(jnp.where(square > 0.0, square, 1.0)), 0.0)


def _off_diagonal(slots: Float[Array, "slot hidden"]) -> Float[Array, "slot slot"]:
    centred = slots - jnp.mean(slots, axis=1, keepdims=True)
    covariance = jnp.dot(centred, centred.T) / slots.shape[1]
    return covariance - jnp.diag(jnp.diag(covariance))
