"""Sampling tables for negatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class AliasTable(NamedTuple):
    """Walker's alias method: draw an entry uniformly, keep it with probability `accept`, else take its `alias`."""

    accept: Float[np.ndarray, "item"]
    alias: Int[np.ndarray, "item"]


def alias_table(weights: Float[np.ndarray, "item"]) -> AliasTable:
    """Sampling table for P(entry) proportional to `weights` (>= 0, not all 0), without a loop over entries.

    Entries below the mean ("light") are filled up from entries above it ("heavy"), both in order: light entry i takes
    from the first heavy entry whose cumulative surplus exceeds the deficits before i; a heavy entry that has given
    more than its surplus is filled up by the next heavy one.

    >>> table = alias_table(np.array([1.0, 2.0, 5.0]))
    >>> [round(float(p), 3) for p in probabilities(table)]
    [0.125, 0.25, 0.625]
    """
    weights = np.asarray(weights, np.float64)
    if weights.size == 0 or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
        raise ValueError("negatives need finite weights >= 0 of which one is positive: count the training items first")
    scaled = weights * (weights.size / weights.sum())
    light, heavy = np.flatnonzero(scaled < 1), np.flatnonzero(scaled >= 1)
    deficit = np.concatenate([[0.0], np.cumsum(1 - scaled[light])])
    surplus = np.cumsum(scaled[heavy] - 1)
    last = len(heavy) - 1
    accept, alias = scaled.copy(), np.arange(weights.size)
    alias[light] = heavy[np.minimum(np.searchsorted(surplus, deficit[:-1], side="right"), last)]
    served = deficit[np.searchsorted(deficit[:-1], surplus, side="left")]
    accept[heavy] = np.clip(1 + surplus - served, 0, 1)
    accept[heavy[-1]] = 1.0  # what rounding leaves over
    alias[heavy] = heavy[np.minimum(np.arange(len(heavy)) + 1, last)]
    return AliasTable(accept.astype(np.float32), alias.astype(np.int32))


def probabilities(table: AliasTable) -> Float[np.ndarray, "item"]:
    """The distribution that a table samples from."""
    accept = table.accept.astype(np.float64)
    return (accept + np.bincount(table.alias, 1 - accept, len(accept))) / len(accept)
