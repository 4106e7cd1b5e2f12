"""Whole series, event by event: windows of them, with something asked for after every event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, PyTree, Scalar

from seqjax import losses
from seqjax.data.windows import WindowPlan
from seqjax.nn.dropout import Noise
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
    lanes, time = batch.valid.shape
    size = block or time
    blocks = -(-time // size)

    def split(leaf: Array, mode: str = "edge") -> Array:
        padded = jnp.pad(leaf, ((0, 0), (0, blocks * size - time), *[(0, 0)] * (leaf.ndim - 2)), mode)
        return padded.reshape(lanes, blocks, size, *leaf.shape[2:]).swapaxes(0, 1)

    def apply(method: str, *arguments: object) -> PyTree:
        return model.apply({"params": params}, *arguments, method=method)

    def read_lane(state: Carry, events: Event, target: PyTree, valid: Array, key: jax.Array) -> tuple[Carry, Scalar]:
        noise = Noise(key, {"hidden": hparams.dropout_hidden})
        state, states = apply("encode", state, events, valid, noise)
        each = jax.vmap(lambda state, target: loss(apply("read", state), target))(states, target)
        return state, jnp.sum(jnp.where(valid, each, 0.0))

    def read_block(state: Carry, part: tuple) -> tuple[Carry, Scalar]:
        index, events, target, valid = part
        keys = jax.random.split(jax.random.fold_in(key, index), lanes)

        def read(state: Carry) -> tuple[Carry, Scalar]:
            state, each = jax.vmap(read_lane)(state, events, target, valid, keys)
            return state, jnp.sum(each)

        read = read if blocks == 1 else jax.checkpoint(read)  # else skipped blocks fill memory for the way back
        return jax.lax.cond(jnp.any(valid), read, lambda state: (state, jnp.zeros(())), state)

    events = {**batch.events, "fresh": batch.fresh}
    read_and_asked = (jax.tree.map(split, tree) for tree in (events, batch.target))
    parts = (jnp.arange(blocks), *read_and_asked, split(batch.valid, "constant"))
    carry, sums = jax.lax.scan(read_block, carry, parts)
    total, count = jnp.sum(sums), jnp.sum(batch.valid)
    by = batch.divisor if divisor == "constant" else count
    return total / jnp.maximum(by, 1), (carry, {"loss": total, "events": count})
