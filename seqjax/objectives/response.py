"""Response prediction: what a user's life says of a target, for every lane and every target of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar, Shaped

from seqjax.data.samples import Samples, TargetPlan
from seqjax.nn.dropout import Noise
from seqjax.nn.features import TABLES
from seqjax.objectives.blocks import fold_blocks
from seqjax.objectives.item_side import ItemSide, before, item_side
from seqjax.objectives.negatives import draw_items, popularity
from seqjax.types import Carry, Event, ItemHistory, Metrics, Params, Popularity


class ResponseHparams(struct.PyTreeNode):
    """What a sweep may vary without a new program: every field is traced."""

    learning_rate: Scalar | float = 1e-3
    clip: Scalar | float = 1.0  # largest norm of a gradient
    decay: Scalar | float = 0.0  # weight decay, of tables on the rows that a step touches
    dropout_hidden: Scalar | float = 0.0
    dropout_item: Scalar | float = 0.0  # of whole items of a life, where the model is a sum of events
    penalty: Scalar | float = 0.0  # weight of the memory's penalty
    auxiliary: Scalar | float = 1.0  # weight of the auxiliary loss, where there is one


class ResponseCorpus(NamedTuple):
    """What the device holds of samples; positions count events of the log."""

    events: Mapping[str, Shaped[np.ndarray | Array, "event"]]
    target: Mapping[str, Int[np.ndarray | Array, "sample"]]
    seen: Int[np.ndarray | Array, "sample"]  # position behind the last event that may be seen
    label: Bool[np.ndarray | Array, "sample"]
    side: Mapping[str, Int[np.ndarray | Array, "row ..."]]
    popularity: Popularity
    items: ItemSide | None = None


class ResponseBatch(struct.PyTreeNode):
    """One step: a window of events in every lane, moments within it, and candidates that are asked about at each."""

    ids: Mapping[str, PyTree[Int[Array, "..."]]]  # per table: "event" [time, lane], "target" [lane, moment, candidate],
    # and "history" [lane, moment, candidate, window] where something is known of items
    events: Event  # the other features, [time, lane]
    target: Event  # the other features, [lane, moment, candidate]
    valid: Bool[Array, "time lane"]
    cut: Int[Array, "lane moment"]  # a moment is read behind so many places of the window
    label: Float[Array, "lane moment candidate"]
    live: Bool[Array, "lane moment candidate"]
    divisor: Scalar
    sample: Int[Array, "lane moment"]
    negative: Event | None = None  # features of what is drawn instead of every event, [time, lane]
    history: ItemHistory | None = None  # of every candidate; the ids of tables are among `ids`
    corpus: ResponseCorpus | None = None  # what negatives are drawn from


def response_corpus(samples: Samples, *, alpha: float = 0.0) -> ResponseCorpus:
    """Puts samples on the device: events, targets, where each may look, and the features of items.

    alpha: negatives are drawn with P(item) proportional to count^alpha, 0 uniformly, 1 by popularity.
    """
    ids = {name: samples.log.columns[name] for name in samples.vocabulary if name in samples.log.columns}
    seen = (samples.log.offsets[:-1][samples.sequence] + samples.cutoff).astype(np.int32)
    drawn = popularity(samples.counts()[1:], alpha)
    return ResponseCorpus(ids, dict(samples.target), seen, samples.label, dict(samples.side), drawn, item_side(samples))


def response_batch(corpus: ResponseCorpus, row: TargetPlan) -> ResponseBatch:
    """Gathers one row of a target plan."""
    valid, live = row.place[:, None] < row.length[None], row.live[..., None]
    position = jnp.where(valid, row.begin[None] + row.place[:, None], 0)
    events = {name: jnp.where(valid, column[position], 0) for name, column in corpus.events.items()}
    target = {name: jnp.where(live, column[row.sample][..., None], 0) for name, column in corpus.target.items()}
    batch = ResponseBatch(
        ids={name: {"event": events[name]} | _asked(target, name) for name in TABLES if name in events},
        events={name: column for name, column in events.items() if name not in TABLES},
        target={name: ids for name, ids in target.items() if name not in TABLES},
        valid=valid,
        cut=corpus.seen[row.sample] - row.begin[:, None],
        label=(live & corpus.label[row.sample][..., None]).astype(jnp.float32),
        live=live,
        divisor=row.divisor,
        sample=row.sample,
        corpus=corpus,
    )
    return batch.replace(events=batch.events | {name: of[events["item"]] for name, of in corpus.side.items()})


def _asked(target: Mapping[str, Array], name: str) -> dict[str, Array]:
    """The target's ids of a table; nothing where it is the user that is asked about, and no item."""
    return {"target": target[name]} if name in target else {}


def no_negatives(key: jax.Array | None, batch: ResponseBatch, hparams: PyTree) -> ResponseBatch:
    """Asks what the samples ask, and nothing else."""
    del key, hparams
    side = {name: of[batch.ids["item"]["target"]] for name, of in batch.corpus.side.items()}
    return _with_histories(batch.replace(target={**batch.target, **side}), batch.corpus).replace(corpus=None)


def _with_histories(batch: ResponseBatch, corpus: ResponseCorpus) -> ResponseBatch:
    """The batch with what is known of every candidate from before its moment, where anything is."""
    if (items := corpus.items) is None:
        return batch
    life = batch.ids["item"]["target"] if items.life is None else items.life[batch.sample][..., None]
    asked = jnp.broadcast_to(items.asked[batch.sample][..., None], life.shape)
    history = jax.vmap(jax.vmap(jax.vmap(partial(before, items))))(life, asked, batch.live)
    tables = {name: {**batch.ids[name], "history": of} for name, of in history.events.items() if name in batch.ids}
    others = {name: of for name, of in history.events.items() if name not in tables}
    return batch.replace(ids={**batch.ids, **tables}, history=history._replace(events=others))


def drawn_negatives(key: jax.Array, batch: ResponseBatch, hparams: ResponseHparams, *, count: int = 1) -> ResponseBatch:
    """Asks about `count` further items wherever the user took the target, drawn as the corpus says; anew every time.

    Raises ValueError where targets have features, or lives, of their own, which what is drawn would lack and be told
    by.
    """
    if batch.target:
        raise ValueError(f"targets have features of their own, {sorted(batch.target)}: items drawn have none")
    if batch.corpus.items is not None and batch.corpus.items.life is not None:
        raise ValueError("what is known of an item belongs to each sample: set data.item_history=0 to draw others")
    taken = batch.live[..., :1] & (batch.label[..., :1] > 0.5)
    drawn = draw_items(key, batch.corpus.popularity, (*batch.cut.shape, count))
    drawn = jnp.where(taken, drawn, 0)  # an id that is not asked about would count as touched
    ids = {**batch.ids, "item": {**batch.ids["item"]}}
    ids["item"]["target"] = jnp.concatenate([ids["item"]["target"], drawn], axis=-1)
    if "user" in ids:
        user = ids["user"]["target"]
        ids["user"] = {**ids["user"], "target": jnp.concatenate([user, *[user[..., :1]] * count], axis=-1)}
    live = jnp.concatenate([batch.live, jnp.broadcast_to(taken, drawn.shape)], axis=-1)
    label = jnp.concatenate([batch.label, jnp.zeros(drawn.shape)], axis=-1)
    return no_negatives(key, batch.replace(ids=ids, live=live, label=label), hparams)


def event_negatives(key: jax.Array, batch: ResponseBatch, hparams: ResponseHparams, *, count: int = 0) -> ResponseBatch:
    """`drawn_negatives`, and for every event an item that stands in for it, as DIEN's auxiliary loss needs."""
    key, events_key = jax.random.split(key)
    drawn = jnp.where(batch.valid, draw_items(events_key, batch.corpus.popularity, batch.valid.shape), 0)
    side = {name: of[drawn] for name, of in batch.corpus.side.items()}
    batch = batch.replace(ids={**batch.ids, "item": {**batch.ids["item"], "negative": drawn}}, negative=side)
    return drawn_negatives(key, batch, hparams, count=count) if count else no_negatives(key, batch, hparams)


def response_objective(
    params: Params,
    carry: Carry,
    batch: ResponseBatch,
    hparams: ResponseHparams,
    key: jax.Array,
    *,
    model: nn.Module,
    block: int = 0,
    penalty: Callable[[PyTree], Scalar] | None = None,
) -> tuple[Scalar, tuple[Carry, Metrics]]:
    """Cross-entropy of the labels, summed and divided by the epoch's mean number of samples a step.

    A batch with `event_negatives` adds the model's auxiliary loss (Zhou et al. 2019, eq. 6): the mean over all events
    but the last of each lane of the two cross-entropies, weighed by `hparams.auxiliary`.

    block: see `respond`. penalty: of a state (HPMN's memory), averaged over moments and weighed by `hparams.penalty`.
    Metrics: `loss` sums cross-entropies, `events` counts targets. Raises ValueError for blocks, or several moments in a
    lane, with a model that is `whole` (HPMN's released phase).
    """
    if getattr(model, "whole", False) and (block or batch.cut.shape[1] > 1):
        raise ValueError(
            "this model reads a life in one call and for one moment: set objective.block=0 and plan.targets=1"
        )
    rates = {"hidden": hparams.dropout_hidden, "item": hparams.dropout_item}
    noise, batch = Noise(key, rates), for_model(model, batch)
    logits, states = respond(partial(model.apply, {"params": params}), model.init_state(), batch, noise, block)
    each = jnp.where(batch.live, optax.sigmoid_binary_cross_entropy(logits, batch.label), 0.0)
    total, count = jnp.sum(each), jnp.sum(batch.live)
    loss = total / batch.divisor
    if penalty is not None:
        values, moments = jax.vmap(jax.vmap(penalty))(states), batch.live.any(axis=-1)
        loss = loss + hparams.penalty * jnp.sum(jnp.where(moments, values, 0.0)) / jnp.maximum(jnp.sum(moments), 1)
    if batch.negative is not None:
        loss = loss + hparams.auxiliary * auxiliary_loss(
            partial(model.apply, {"params": params}), model.init_state(), batch
        )
    return loss, (carry, {"loss": total, "events": count})


def for_model(model: nn.Module, batch: ResponseBatch) -> ResponseBatch:
    """The batch, without what is known of items where the model has no `item_history`.

    Raises ValueError where it has one and nothing is known.
    """
    if not getattr(model, "item_history", ()):
        return batch.replace(history=None)
    if batch.history is None:
        raise ValueError("the model reads who had an item before, and the data do not tell: set data.item_history=100")
    return batch


def auxiliary_loss(apply: Callable[..., PyTree], start: PyTree, batch: ResponseBatch) -> Scalar:
    """Mean over events of -log P(the next event follows) - log (1 - P(the drawn one follows))."""

    def lane(events: Event, negative: Event, valid: Array) -> tuple[Scalar, Scalar]:
        _, states = apply(start, events, valid, method="encode")
        taken, drawn, counts = apply(states, events, negative, valid, method="auxiliary")
        each = jax.nn.softplus(-taken) + jax.nn.softplus(drawn)
        return jnp.sum(jnp.where(counts, each, 0.0)), jnp.sum(counts)

    events = {name: ids["event"] for name, ids in batch.ids.items()} | dict(batch.events)
    negative = {"item": batch.ids["item"]["negative"], **batch.negative}
    totals, counts = jax.vmap(lane, in_axes=1)(events, negative, batch.valid)
    return jnp.sum(totals) / jnp.maximum(jnp.sum(counts), 1)


def respond(
    apply: Callable[..., PyTree], start: PyTree, batch: ResponseBatch, noise: Noise | None, block: int = 0
) -> tuple[Float[Array, "lane moment candidate"], PyTree]:
    """Log-odds of every candidate, and the states that they were read from, [lane, moment, ...].

    Every lane reads its window from the state `start`, in blocks of so many events (0: all at once; see `fold_blocks`).
    """
    states = states_at(apply, start, batch, noise, block)
    target = {name: ids["target"] for name, ids in batch.ids.items() if "target" in ids} | dict(batch.target)
    history = batch.history
    if history is not None:
        tables = {name: ids["history"] for name, ids in batch.ids.items() if "history" in ids}
        history = history._replace(events=tables | dict(history.events))

    def read(state: PyTree, target: Event, history: ItemHistory | None, index: Array) -> Scalar:
        item = {} if history is None else {"item": apply(history, method="remember_item")}
        return apply(state, target, noise and noise.at(index), **item, method="read")

    index = -1 - jnp.arange(batch.label.size).reshape(batch.label.shape)  # apart from the places of blocks
    candidates = jax.vmap(read, (None, 0, 0, 0))
    return jax.vmap(jax.vmap(candidates))(states, target, history, index), states


def states_at(
    apply: Callable[..., PyTree], start: PyTree, batch: ResponseBatch, noise: Noise | None, block: int
) -> PyTree:
    """The state of every lane at every moment, [lane, moment, ...]."""
    lanes, moments = batch.cut.shape
    single = moments == 1  # then it is the end of the window: the last state serves
    life = noise and noise.at(len(batch.valid)).key  # apart from the places of blocks

    def spread(*shape: int) -> PyTree:
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*shape, *jnp.shape(leaf))), start)

    def noise_of(at: Array, lane: Array) -> Noise:
        return noise.at(at).at(lane).replace(life=jax.random.fold_in(life, lane))

    def read_lane(carry: tuple, events: Event, valid: Array, cut: Array, at: Array, noise: Noise | None) -> tuple:
        state, picked = carry
        state, states = apply(state, events, valid, noise, method="encode")
        if single:
            return state, picked
        here, place = (cut > at) & (cut <= at + len(valid)), jnp.clip(cut - at - 1, 0, len(valid) - 1)
        return state, jax.tree.map(lambda new, old: pick(here, new[place], old), states, picked)

    def read_block(carry: tuple, number: Array, events: Event, valid: Array) -> tuple:
        at = number * len(valid)
        noises = noise and jax.vmap(noise_of, (None, 0))(at, jnp.arange(lanes))
        # Time comes first, as in the cells' own loops: lanes first would be turned over at every block.
        return jax.vmap(read_lane, (0, 1, 1, 0, None, 0))(carry, events, valid, batch.cut, at, noises)

    events = {name: ids["event"] for name, ids in batch.ids.items()} | dict(batch.events)
    carry = spread(lanes), spread(lanes, 0 if single else moments)
    state, picked = fold_blocks(read_block, carry, events, batch.valid, block)
    return jax.tree.map(lambda leaf: leaf[:, None], state) if single else picked


def pick(here: Bool[Array, "moment"], new: Array, old: Array) -> Array:
    """The new values where they are here, else the old ones."""
    return jnp.where(jnp.expand_dims(here, tuple(range(1, new.ndim))), new, old)
