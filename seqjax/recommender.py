"""The best next items of a session, or of many."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

SHORTEST = 8  # sessions are padded to this length, or the next power of two: few programs serve all lengths


def recommend(
    model: nn.Module,
    params: PyTree,
    session: Int[np.ndarray, "time"] | Sequence[int],
    k: int = 20,
    *,
    exclude_seen: bool = False,
    exclude: Sequence[int] | Int[np.ndarray, "column"] = (),
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"]]:
    """The k items of highest score after a session (item ids, oldest first; it may be empty), best first, and scores.

    `exclude_seen` leaves out the session's own items, `exclude` any others. Raises ValueError where fewer than k items
    remain. Equal scores come by id.
    """
    session = np.asarray(session, np.int32)
    items, scores = recommend_many(
        model,
        params,
        session[None],
        np.ones((1, len(session)), bool),
        k,
        exclude_seen=exclude_seen,
        exclude=exclude,
        block=1,
    )
    return items[0], scores[0]


def recommend_many(
    model: nn.Module,
    params: PyTree,
    sessions: Int[np.ndarray, "sequence time"],
    valid: Bool[np.ndarray, "sequence time"],
    k: int = 20,
    *,
    exclude_seen: bool = False,
    exclude: Sequence[int] | Int[np.ndarray, "column"] = (),
    block: int = 64,
) -> tuple[Int[np.ndarray, "sequence k"], Float[np.ndarray, "sequence k"]]:
    """`recommend` for many sessions; events that are not `valid` do not count, wherever they stand.

    `block` sessions are scored at once: scores need block x items x 4 bytes on the device.
    """
    rows = _rows(model, params)
    if not 1 <= k < rows:
        raise ValueError(f"k={k}: choose 1 to {rows - 1}, the number of items")
    exclude = np.asarray(exclude, np.int64)
    wrong = [item for item in (*sessions[valid], *exclude) if not 1 <= item < rows]
    if wrong:
        raise ValueError(f"item {wrong[0]} is none of the model's: ids are 1 to {rows - 1}")
    count, time = sessions.shape
    blocks, length = max(1, -(-count // block)), max(SHORTEST, 1 << max(0, time - 1).bit_length())
    pad = ((0, blocks * block - count), (0, length - time))
    valid = np.pad(valid, pad)
    sessions = np.where(valid, np.pad(sessions, pad), 0).astype(np.int32)
    allowed = np.ones(rows, bool)
    allowed[0] = allowed[exclude] = False
    found = []
    for begin in range(0, len(sessions), block):
        part = slice(begin, begin + block)
        found.append(_best(model, params, sessions[part], valid[part], allowed, k, exclude_seen))
    items, scores, left = (np.concatenate(column)[:count] for column in zip(*found, strict=True))
    if left.min(initial=k) < k:
        raise ValueError(f"k={k}, but only {left.min()} items are left with a score: ask for fewer or exclude less")
    return items, scores


def _rows(model: nn.Module, params: PyTree) -> int:
    """Rows that the model scores, padding included."""
    read = partial(model.apply, method="read")
    return jax.eval_shape(lambda params: read({"params": params}, model.init_state()), params).shape[0]


@partial(jax.jit, static_argnames=("model", "k", "exclude_seen"))
def _best(
    model: nn.Module,
    params: PyTree,
    sessions: Int[Array, "sequence time"],
    valid: Bool[Array, "sequence time"],
    allowed: Bool[Array, "row"],
    k: int,
    exclude_seen: bool,
) -> tuple[Int[Array, "sequence k"], Float[Array, "sequence k"], Int[Array, "sequence"]]:
    """The best items, their scores, and how many items were left to choose from; never NaN or -inf."""

    def best(session, valid):
        state, _ = model.apply({"params": params}, model.init_state(), {"item": session}, valid, method="encode")
        scores = model.apply({"params": params}, state, method="read").astype(jnp.float32)
        left = allowed & (scores > -jnp.inf)
        left = left.at[session].set(False) if exclude_seen else left
        scores, items = jax.lax.top_k(jnp.where(left, scores, -jnp.inf), k)
        return items, scores, jnp.sum(left)

    return jax.vmap(best)(sessions, valid)
