"""Items drawn by popularity, on the device."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from seqjax.data.negatives import alias_table
from seqjax.types import Popularity


def popularity(counts: Int[np.ndarray, "item"], alpha: float) -> Popularity:
    """The sampling table of P(item) proportional to count^alpha: 0 draws uniformly, 1 by popularity.

    Raises ValueError for an alpha outside 0 to 1.
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"alpha={alpha}: choose 0 (uniform) to 1 (popularity)")
    table = alias_table(counts.astype(np.float64) ** alpha)
    return Popularity(table.accept, table.alias, np.log(np.maximum(counts, 1)).astype(np.float32), np.float32(alpha))


def draw_items(key: jax.Array, table: Popularity, shape: tuple[int, ...]) -> Int[Array, "..."]:
    """Item ids of a shape, drawn with replacement."""
    bits = jax.random.bits(key, (2, *shape))
    entry = (bits[0] % len(table.alias)).astype(jnp.int32)  # a float32 in [0, 1) is too coarse for a million items
    keep = (bits[1] >> 8).astype(jnp.float32) * (2.0**-24) < table.accept[entry]
    return jnp.where(keep, entry, table.alias[entry]) + 1
