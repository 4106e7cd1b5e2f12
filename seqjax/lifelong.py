"""States of many users, renewed by batches of events as they come, and asked about many candidates at once."""

from __future__ import annotations

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from seqjax.types import Event


def fresh(model: nn.Module, users: int) -> PyTree:
    """The states of so many users without events."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (users, *jnp.shape(leaf))), model.init_state())


@partial(jax.jit, static_argnames="model", donate_argnames="states")
def advance(model: nn.Module, params: PyTree, states: PyTree, users: Int[Array, "event"], events: Event) -> PyTree:
    """The states after a batch of events, `users[i]` (0, 1, ..) being whose event i is.

    Several events of one user are read one after another, in the order of the batch: round r reads the r-th event of
    every user, all users at once. The states are given away and updated in place.
    """
    order = jnp.argsort(users, stable=True)
    place = jnp.arange(len(users))
    head = jax.lax.cummax(jnp.where(jnp.diff(users[order], prepend=-1) != 0, place, 0))
    rank = jnp.zeros(len(users), jnp.int32).at[order].set((place - head).astype(jnp.int32))
    step = jax.vmap(partial(model.apply, {"params": params}, method="step"))

    def read(carry: tuple[Int[Array, ""], PyTree]) -> tuple[Int[Array, ""], PyTree]:
        number, states = carry
        after = step(jax.tree.map(lambda leaf: leaf[users], states), events)

        def write(leaf: Array, new: Array) -> Array:
            return leaf.at[jnp.where(rank == number, users, len(leaf))].set(new, mode="drop")

        return number + 1, jax.tree.map(write, states, after)

    return jax.lax.while_loop(lambda carry: carry[0] <= jnp.max(rank), read, (jnp.int32(0), states))[1]


@partial(jax.jit, static_argnames="model")
def answer(
    model: nn.Module, params: PyTree, states: PyTree, users: Int[Array, "event"], candidates: Event
) -> Float[Array, "event candidate"]:
    """Log-odds of every candidate ([event, candidate] ids by feature) for each of the asked users."""
    read = jax.vmap(partial(model.apply, {"params": params}, method="read"), (None, 0))
    return jax.vmap(read)(jax.tree.map(lambda leaf: leaf[users], states), candidates)
