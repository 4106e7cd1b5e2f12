"""States of many users, renewed by batches of events as they come, and asked about many candidates at once."""

from __future__ import annotations

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from seqjax.types import Event


def fresh(model: nn.Module, users: int, method: str = "init_state") -> PyTree:
    """The states of so many users without events; by `method="init_item"` those of as many items."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (users, *jnp.shape(leaf))), getattr(model, method)())


@partial(jax.jit, static_argnames=("model", "method"), donate_argnames="states")
def advance(
    model: nn.Module,
    params: PyTree,
    states: PyTree,
    users: Int[Array, "event"],
    events: Event,
    method: str = "step",
) -> PyTree:
    """The states after a batch of events, `users[i]` (0, 1, ..) being whose event i is.

    Several events of one user are read one after another, in the order of the batch: round r reads the r-th event of
    every user, all users at once. The states are given away and updated in place. By `method="step_item"` the states
    are those of items, and `users` says on which item each event is.
    """
    order = jnp.argsort(users, stable=True)
    place = jnp.arange(len(users))
    head = jax.lax.cummax(jnp.where(jnp.diff(users[order], prepend=-1) != 0, place, 0))
    rank = jnp.zeros(len(users), jnp.int32).at[order].set((place - head).astype(jnp.int32))
    step = jax.vmap(partial(model.apply, {"params": params}, method=method))

    def read(carry: tuple[Int[Array, ""], PyTree]) -> tuple[Int[Array, ""], PyTree]:
        number, states = carry
        after = step(jax.tree.map(lambda leaf: leaf[users], states), events)

        def write(leaf: Array, new: Array) -> Array:
            return leaf.at[jnp.where(rank == number, users, len(leaf))].set(new, mode="drop")

        return number + 1, jax.tree.map(write, states, after)

    return jax.lax.while_loop(lambda carry: carry[0] <= jnp.max(rank, initial=-1), read, (jnp.int32(0), states))[1]


@partial(jax.jit, static_argnames="model")
def answer(
    model: nn.Module,
    params: PyTree,
    states: PyTree,
    users: Int[Array, "event"],
    candidates: Event,
    items: PyTree | None = None,
) -> Float[Array, "event candidate"]:
    """Log-odds of every candidate ([event, candidate] ids by feature) for each of the asked users.

    items: the states of all items by id (0: none), for a model that reads them.
    """

    def read(state: PyTree, candidate: Event) -> Float[Array, ""]:
        of = {} if items is None else {"item": jax.tree.map(lambda leaf: leaf[candidate["item"]], items)}
        return model.apply({"params": params}, state, candidate, **of, method="read")

    return jax.vmap(jax.vmap(read, (None, 0)))(jax.tree.map(lambda leaf: leaf[users], states), candidates)
