"""Whole series, event by event: windows of them, with something asked for after every event."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, PyTree, Scalar

from seqjax import losses
from seqjax.data.windows import WindowPlan
from seqjax.nn.dropout import Noise
from seqjax.objectives.blocks import fold_blocks
from seqjax.types import Carry, Event, Metrics, Params, WindowBatch


class SequenceHparams(struct.PyTreeNode):
    """What a sweep may vary without a new program: every field is traced."""

    learning_rate: Scalar | float = 0.05
    clip: Scalar | float = 1.0  # largest norm of a gradient
    dropout_hidden: Scalar | float = 0.0


def symbol_batch(corpus: Int[Array, "symbol"], row: WindowPlan) -> WindowBatch:
    """Gathers one row of a window plan from `data.windows.symbols`: what every lane reads, and is asked for next."""
    return WindowBatch(
        ids={},
        events={"item": jnp.where(row.valid, corpus[row.position], 0)},
        target=jnp.where(row.valid, corpus[row.position + 1], 1),
        fresh=row.fresh,
        valid=row.valid,
        divisor=row.divisor,
    )


def sequence_objective(
    params: Params,
    carry: Carry,
    batch: WindowBatch,
    hparams: SequenceHparams,
    key: jax.Array,
    *,
    model: nn.Module,
    loss: Callable[[Array, PyTree], Scalar] = losses.next_symbol,
    block: int = 0,
    divisor: Literal["constant", "batch"] = "constant",
) -> tuple[Scalar, tuple[Carry, Metrics]]:
    """Sum over a batch of windows of the loss after every event, divided by a constant.

    Lanes go on from the carry of the step before, through which no gradient flows (truncated back-propagation through
    time). `block` (0: all at once) cuts a window into so many events at a time; blocks in which no lane has anything
    are skipped, so that a batch of short series costs what it holds. Metrics: `loss` sums over events, `events` counts
    them.

    divisor: "constant" divides by the epoch's mean number of events a step. "batch" divides by the batch's own number
    and weighs short series too much: P(end) then drifts to the mean of series per symbol over batches, .1022 instead
    of .1 for 40 series of ten symbols, however much data there is.
    """
    lanes = len(batch.valid)
    apply = partial(model.apply, {"params": params})

    def read_lane(state: Carry, events: Event, target: PyTree, valid: Array, key: jax.Array) -> tuple[Carry, Scalar]:
        noise = Noise(key, {"hidden": hparams.dropout_hidden})
        state, states = apply(state, events, valid, noise, method="encode")
        each = jax.vmap(lambda state, target: loss(apply(state, method="read"), target))(states, target)
        return state, jnp.sum(jnp.where(valid, each, 0.0))

    def read_block(carry: tuple[Carry, Scalar], number: Array, part: tuple, valid: Array) -> tuple[Carry, Scalar]:
        keys = jax.random.split(jax.random.fold_in(key, number), lanes)
        state, each = jax.vmap(read_lane, (0, 1, 1, 1, 0))(carry[0], *part, valid, keys)
        return state, carry[1] + jnp.sum(each)

    values = {**batch.events, "fresh": batch.fresh}, batch.target
    values, valid = jax.tree.map(lambda leaf: jnp.swapaxes(leaf, 0, 1), (values, batch.valid))
    carry, total = fold_blocks(read_block, (carry, jnp.zeros(())), values, valid, block)
    count = jnp.sum(valid)
    by = batch.divisor if divisor == "constant" else count
    return total / jnp.maximum(by, 1), (carry, {"loss": total, "events": count})
