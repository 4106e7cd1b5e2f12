"""Initial weights."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float


def block_uniform(blocks: int = 1, skip: int = 0) -> Callable[..., Float[Array, "..."]]:
    """Uniform on (-x, x) with x = sqrt(6 / (rows + columns)) of *one* of `blocks` matrices that stand side by side.

    GRU4Rec (Hidasi et al. 2016) draws each gate's matrix apart and stacks them, so x follows H and not 3 H.
    The first `skip` rows (padding) are zero and do not count as rows.

    >>> bound = (6 / (4 + 2)) ** 0.5
    >>> weights = block_uniform(blocks=3)(jax.random.key(0), (4, 6))
    >>> bool((abs(weights) <= bound).all())
    True
    """

    def init(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, "..."]:
        rows, columns = shape
        bound = (6.0 / (rows - skip + columns / blocks)) ** 0.5
        weights = jax.random.uniform(key, shape, dtype, -bound, bound)
        return weights.at[:skip].set(0.0)

    return init
