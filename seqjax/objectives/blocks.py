"""Long windows in pieces, so that memory does not grow with their length and empty ends cost nothing."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

Read = Callable[[PyTree, Int[Array, ""], PyTree, Bool[Array, "time lane"]], PyTree]


def fold_blocks(read: Read, carry: PyTree, values: PyTree, valid: Bool[Array, "time lane"], block: int) -> PyTree:
    """Folds (carry, number of the block, its values, its valid places) -> carry over a window of [time, lane, ...].

    block: times in a block, 0 for all at once; the last block is filled up with places that are not valid. With more
    than one, what `read` computes inside is computed again on the way back instead of kept, and blocks in which no lane
    has anything are skipped.
    """
    time = len(valid)
    size = min(block or time, time)
    blocks = -(-time // size)

    def split(leaf: Array, mode: str = "edge") -> Array:
        padded = jnp.pad(leaf, ((0, blocks * size - time), *[(0, 0)] * (leaf.ndim - 1)), mode)
        return padded.reshape(blocks, size, *leaf.shape[1:])

    def advance(carry: PyTree, part: tuple) -> tuple[PyTree, None]:
        def go_on(carry: PyTree) -> PyTree:
            return read(carry, *part)

        go_on = go_on if blocks == 1 else jax.checkpoint(go_on)
        return jax.lax.cond(jnp.any(part[-1]), go_on, lambda carry: carry, carry), None

    parts = (jnp.arange(blocks), jax.tree.map(split, values), split(valid, "constant"))
    return jax.lax.scan(advance, carry, parts)[0]
