"""Objectives: a model and a loss joined into the function that a training step differentiates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Scalar

from seqjax import losses
from seqjax.data.events import EventLog
from seqjax.data.plan import LanePlan
from seqjax.nn.activation import linear
from seqjax.nn.dropout import Noise
from seqjax.objectives.negatives import draw_items, popularity
from seqjax.types import Carry, Corpus, Metrics, Params, SessionBatch


class SessionHparams(struct.PyTreeNode):
    """What a sweep may vary without a new program: every field is traced.

    loss: further keywords of the loss, such as {"penalty": 0.9} for BPR-max.
    """

    learning_rate: Scalar | float = 0.1
    momentum: Scalar | float = 0.0
    dropout_embedding: Scalar | float = 0.0
    dropout_hidden: Scalar | float = 0.0
    logq: Scalar | float = 0.0
    loss: Mapping[str, Scalar | float] = struct.field(default_factory=dict)


def session_corpus(log: EventLog, *, alpha: float = 0.75) -> Corpus:
    """What session-parallel training needs of a log: its items, and negatives with P(item) proportional to count^alpha.

    alpha: 0 draws uniformly over the vocabulary, 1 by popularity. It is data and not a hyper-parameter of the step.
    """
    return Corpus(log.columns["item"], popularity(log.counts("item")[1:], alpha))


def session_batch(corpus: Corpus, row: LanePlan) -> SessionBatch:
    """Gathers one row of a lane plan: the current item of every lane and the next one; 0 where a lane is silent."""
    item = corpus.item
    current, following = jnp.where(row.live, item[row.position], 0), jnp.where(row.live, item[row.position + 1], 0)
    return SessionBatch(
        ids={"item": {"input": current, "target": following}},
        fresh=row.fresh,
        live=row.live,
        popularity=corpus.popularity,
    )


def popularity_negatives(
    key: jax.Array, batch: SessionBatch, hparams: SessionHparams, *, count: int = 2048
) -> SessionBatch:
    """Adds `count` negatives drawn with P(item) proportional to its training count^alpha, shared by all lanes.

    Accidental hits are kept and repeats count twice, as in GRU4Rec. Also notes the proposal weight of every column for
    the logq correction: log count for targets, alpha log count for samples (raw counts; the constant between the two
    families is part of the published model).
    """
    items, table = batch.ids["item"], batch.popularity
    sample, log_count = draw_items(key, table, (count,)), table.log_count
    log_q = {"target": log_count[items["target"] - 1], "sample": table.alpha * log_count[sample - 1]}
    return batch.replace(ids={"item": {**items, "sample": sample}}, log_q=log_q, popularity=None)


def batch_negatives(key: jax.Array, batch: SessionBatch, hparams: SessionHparams) -> SessionBatch:
    """No further negatives than the other lanes' targets (n_sample = 0). Plan with `least=2`."""
    del key, hparams
    log_q = {"target": batch.popularity.log_count[batch.ids["item"]["target"] - 1]}
    return batch.replace(log_q=log_q, popularity=None)


def session_objective(
    params: Params,
    carry: Carry,
    batch: SessionBatch,
    hparams: SessionHparams,
    key: jax.Array,
    *,
    model: nn.Module,
    loss: Callable[..., Scalar],
    activation: Callable = linear,
) -> tuple[Scalar, tuple[Carry, Metrics]]:
    """Ranking loss of the next item of every live lane, summed and divided by the number of lanes.

    The carry that comes in is a constant: no gradient flows to earlier steps (Hidasi et al. 2016). Candidates are all
    rows that this batch touches; `Columns` weighs them. Metrics: `loss` sums lane losses, `events` counts live lanes,
    so that their totals over an epoch divide to a mean per event.

    Differs: the authors weigh a step's loss (divided by the configured batch size) by its live lanes when they report
    an epoch; that is the same number but for the last steps, where lanes fall silent.
    """
    lanes = batch.live.shape[0]
    ids = batch.ids["item"]

    def apply(method: str, *arguments: object) -> object:
        return model.apply({"params": params}, *arguments, method=method)

    def advance(state: Carry, fresh: Array, item: Array, key: jax.Array) -> Carry:
        state = jax.tree.map(lambda start, now: jnp.where(fresh, start, now), model.init_state(), state)
        rates = {"embedding": hparams.dropout_embedding, "hidden": hparams.dropout_hidden}
        return apply("step", state, {"item": item}, Noise(key, rates))

    carry = jax.vmap(advance)(carry, batch.fresh, ids["input"], jax.random.split(key, lanes))
    scores = activation(jax.vmap(lambda state: apply("read", state))(carry))
    # The one line where lanes meet: every live lane's target is a column for all the others.
    columns = session_columns(batch, hparams.logq, rows=scores.shape[1])
    values = jax.vmap(partial(loss, **hparams.loss), (0, 0, None))(scores, ids["target"], columns)
    total = jnp.sum(jnp.where(batch.live, values, 0.0))
    return total / lanes, (carry, {"loss": total, "events": jnp.sum(batch.live)})


def session_columns(batch: SessionBatch, logq: Scalar | float, rows: int) -> losses.Columns:
    """Folds the columns of a step (live targets, then samples) onto the `rows` candidates that are scored."""
    ids = batch.ids["item"]
    target, sample = ids["target"], ids.get("sample", jnp.zeros(0, jnp.int32))
    live = batch.live.astype(jnp.float32)
    shift_target = -logq * jnp.where(batch.live, batch.log_q["target"], 0.0)
    shift_sample = -logq * batch.log_q.get("sample", jnp.zeros(0))

    def fold(targets: Array, samples: Array) -> Float[Array, "row"]:
        return jnp.zeros(rows).at[target].add(targets).at[sample].add(samples)

    return losses.Columns(
        count=fold(live, jnp.ones(sample.shape)),
        weight=fold(live * jnp.exp(shift_target), jnp.exp(shift_sample)),
        shift=fold(shift_target, shift_sample),
        own=jnp.zeros(rows).at[target].set(shift_target),
        total=jnp.sum(live) + sample.shape[0],
    )
