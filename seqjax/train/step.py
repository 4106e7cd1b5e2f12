"""The training step: pure, the same for every model, lifted over runs, time and devices from outside."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Int, PyTree

from seqjax.train.view import Slots, Views, cut, table_sizes
from seqjax.types import Carry, Metrics, Objective, Params


class TrainState(struct.PyTreeNode):
    """All that a run remembers. `step` and `key` fix every draw; `slot` is scratch that no result depends on."""

    step: Int[Array, ""]
    key: jax.Array
    params: Params
    opt_state: PyTree
    carry: Carry
    slot: Slots
    healthy: Bool[Array, ""]  # False from the first loss or gradient that is not finite: nothing moves any more


Optimizer = Callable[[PyTree], optax.GradientTransformation]
Step = Callable[[TrainState, PyTree, PyTree], tuple[TrainState, Metrics]]
Draw = Callable[[jax.Array, PyTree, PyTree], PyTree]


def no_draw(key: jax.Array, batch: PyTree, hparams: PyTree) -> PyTree:
    """Adds nothing to the batch."""
    del key, hparams
    return batch


def make_step(objective: Objective, optimizer: Optimizer, views: Views, draw: Draw = no_draw) -> Step:
    """Builds the pure step (state, batch, hparams) -> (state, metrics).

    views: names the modules whose `rows` each table of ids indexes. draw: adds random ids (negatives) to a batch.
    A silent batch (no live lane: `metrics["events"]` is 0) changes nothing, so that every chunk can have one length.
    The state stops changing at the first loss or gradient that is not finite, with `healthy` False.
    """

    def step(state: TrainState, batch: PyTree, hparams: PyTree) -> tuple[TrainState, Metrics]:
        draw_key, key = jax.random.split(jax.random.fold_in(state.key, state.step))
        batch = draw(draw_key, batch, hparams)
        view = cut(batch.ids, views, state.slot, table_sizes(state.params, views))
        rows, opt_rows = view.rows(state.params), view.rows(state.opt_state)
        grad = jax.value_and_grad(objective, has_aux=True)
        (loss, (carry, metrics)), grads = grad(rows, state.carry, batch.replace(ids=view.ids), hparams, key)
        updates, opt_rows = optimizer(hparams).update(grads, opt_rows, rows)
        silent = metrics["events"] == 0
        healthy = state.healthy & (silent | all_finite((loss, grads)))
        moves = healthy & ~silent
        state = state.replace(
            step=state.step + moves,
            params=view.paste(state.params, optax.apply_updates(rows, updates), moves),
            opt_state=view.paste(state.opt_state, opt_rows, moves),
            carry=jax.tree.map(partial(jnp.where, moves), carry, state.carry),
            slot=view.slot,
            healthy=healthy,
        )
        return state, metrics

    return step


def all_finite(tree: PyTree) -> Bool[Array, ""]:
    """Whether every number of the tree is finite (infinities of both signs cannot cancel: their sum is nan)."""
    return jnp.isfinite(sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree)))


def init_train_state(
    key: jax.Array, params: Params, optimizer: Optimizer, hparams: PyTree, carry: Carry, views: Views
) -> TrainState:
    """The state before the first step. `carry` is the model's state, lane by lane (see `per_lane`)."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        key=key,
        params=params,
        opt_state=optimizer(hparams).init(params),
        carry=carry,
        slot={name: jnp.zeros(size, jnp.int32) for name, size in table_sizes(params, views).items()},
        healthy=jnp.array(True),
    )


def per_lane(state: Carry, lanes: int) -> Carry:
    """One user's state, once for every lane."""
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (lanes, *leaf.shape)), state)


def make_chunk(step: Step, gather: Callable[[PyTree, PyTree], PyTree]) -> Callable:
    """Compiles a run of steps into one device call: (state, rows of the plan, corpus, hparams) -> (state, metrics).

    The state is donated: its tables are updated in place. Metrics keep a leading step axis.
    """

    @partial(jax.jit, donate_argnums=0)
    def chunk(state: TrainState, rows: PyTree, corpus: PyTree, hparams: PyTree) -> tuple[TrainState, Metrics]:
        return jax.lax.scan(lambda state, row: step(state, gather(corpus, row), hparams), state, rows)

    return chunk
