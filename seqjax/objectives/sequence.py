"""Likelihood of whole series: windows of symbols, every one of them asked for."""

from __future__ import annotations

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, PyTree, Scalar

from seqjax.data.windows import WindowPlan
from seqjax.nn.dropout import Noise
from seqjax.types import Carry, Metrics, Params, WindowBatch


class SequenceHparams(struct.PyTreeNode):
    """What a sweep may vary without a new program: every field is traced."""

    learning_rate: Scalar | float = 0.05
    clip: Scalar | float = 1.0  # largest norm of a gradient
    dropout_hidden: Scalar | float = 0.0


def window_batch(corpus: Int[Array, "symbol"], row: WindowPlan) -> WindowBatch:
    """Gathers one row of a window plan from `data.windows.symbols`: what every lane reads, and is asked for next."""
    return WindowBatch(
        ids={},
        symbol=jnp.where(row.valid, corpus[row.position], 0),
        target=jnp.where(row.valid, corpus[row.position + 1], 0),
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
    block: int = 0,
    divisor: Literal["constant", "batch"] = "constant",
) -> tuple[Scalar, tuple[Carry, Metrics]]:
    """Sum of -log P(symbol | before it in its series) over a batch of windows, divided by a constant.

    Lanes go on from the carry of the step before, through which no gradient flows (truncated back-propagation through
    time). `block` (0: all at once) cuts a window into so many symbols at a time; blocks in which no lane has anything
    are skipped, so that a batch of short series costs what it holds. Metrics: `loss` sums over symbols, `events` counts
    them.

    divisor: "constant" divides by the epoch's mean number of symbols a step. "batch" divides by the batch's own number
    and weighs short series too much: P(end) then drifts to the mean of series per symbol over batches, .1022 instead
    of .1 for 40 series of ten symbols, however much data there is.
    """
    lanes, time = batch.valid.shape
    size = block or time
    blocks = -(-time // size)

    def split(leaf: Array) -> Array:
        padded = jnp.pad(leaf, ((0, 0), (0, blocks * size - time)))
        return padded.reshape(lanes, blocks, size).swapaxes(0, 1)

    def apply(method: str, *arguments: object) -> PyTree:
        return model.apply({"params": params}, *arguments, method=method)

    def lane_loss(state: Carry, symbol: Array, target: Array, fresh: Array, valid: Array, key: jax.Array):
        noise = Noise(key, {"hidden": hparams.dropout_hidden})
        state, states = apply("encode", state, {"item": symbol, "fresh": fresh}, valid, noise)
        scores = jax.nn.log_softmax(jax.vmap(lambda state: apply("read", state))(states))
        own = jnp.take_along_axis(scores, jnp.where(valid, target, 1)[:, None], axis=1)[:, 0]
        return state, -jnp.sum(jnp.where(valid, own, 0.0))

    def read_block(state: Carry, part: tuple) -> tuple[Carry, Scalar]:
        index, symbol, target, fresh, valid = part
        keys = jax.random.split(jax.random.fold_in(key, index), lanes)

        def read(state: Carry) -> tuple[Carry, Scalar]:
            state, losses = jax.vmap(lane_loss)(state, symbol, target, fresh, valid, keys)
            return state, jnp.sum(losses)

        read = read if blocks == 1 else jax.checkpoint(read)  # else skipped blocks fill memory for the way back
        return jax.lax.cond(jnp.any(valid), read, lambda state: (state, jnp.zeros(())), state)

    parts = (jnp.arange(blocks), *map(split, (batch.symbol, batch.target, batch.fresh, batch.valid)))
    carry, losses = jax.lax.scan(read_block, carry, parts)
    total, events = jnp.sum(losses), jnp.sum(batch.valid)
    by = batch.divisor if divisor == "constant" else events
    return total / jnp.maximum(by, 1), (carry, {"loss": total, "events": events})
