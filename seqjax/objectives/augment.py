"""Augmentation of training batches: users as if asked earlier, known for less long, or seen with faults.

Every function is a draw, (key, batch, hparams) -> batch (see `train.step.make_step`), on the device and of unchanged
shapes. They come before `no_negatives` or `drawn_negatives`, which give targets the features of their items: an
experiment's `draw` is `augment`, which is all of them and `no_negatives`.

Copies stay in the fold of their user: they exist only within a step of training, drawn anew at every step, and nothing
that is judged is ever drawn from. Each sample is still asked about once an epoch, with weight 1.

An event that is removed is gone from the window and no older one takes its place. Its ids become 0, so that a step does
not touch their rows.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from seqjax.objectives.response import ResponseBatch, ResponseHparams, no_negatives


def augment(
    key: jax.Array,
    batch: ResponseBatch,
    hparams: ResponseHparams | None,
    *,
    shift: int = 0,
    crop: float = 1.0,
    thin: float = 0.0,
    jitter: float = 0.0,
    features: tuple[str, ...] = (),
) -> ResponseBatch:
    """`shifted` by at most `shift`, `cropped` to at least `crop`, `thinned`, `jittered`; then `no_negatives`.

    A setting of 0 (`crop`: 1) leaves its part out; with all of them it is `no_negatives`.
    """
    keys = jax.random.split(key, 4)
    if shift:
        batch = shifted(keys[0], batch, hparams, most=shift)
    if crop != 1.0:
        batch = cropped(keys[1], batch, hparams, least=crop)
    if thin:
        batch = thinned(keys[2], batch, hparams, rate=thin)
    if jitter:
        batch = jittered(keys[3], batch, hparams, features=features, rate=jitter)
    return no_negatives(None, batch, hparams)


def shifted(
    key: jax.Array, batch: ResponseBatch, hparams: ResponseHparams | None, *, most: int = 10, least: int = 1
) -> ResponseBatch:
    """Every lane forgets its last n events, as if it were asked earlier: `data.samples.shift` with an n of its own.

    n is uniform on 0..most, or on 0..(events - least) where that is less. All moments of a lane move by its n events;
    one that has seen fewer than n + least keeps `least`, or the fewer that it had.
    Raises ValueError for settings below 0, and where targets have features of their own.
    """
    del hparams
    refuse_features(batch)
    if min(most, least) < 0:
        raise ValueError(f"most={most}, least={least}: use 0 or more")
    count = counts(batch.valid)
    room = jnp.clip(count[-1] - least, 0, most)
    n = jax.random.randint(key, room.shape, 0, room + 1)
    seen = seen_at(count, batch.cut)
    seen = jnp.maximum(seen - n[:, None], jnp.minimum(seen, least))
    return kept(batch, batch.valid & (count[1:] <= (count[-1] - n)[None]), seen)


def cropped(
    key: jax.Array, batch: ResponseBatch, hparams: ResponseHparams | None, *, least: float = 0.5
) -> ResponseBatch:
    """Every lane keeps the newest of its events only, rounded up: a share uniform on [least, 1].

    They are the newest of the window, which ends at the lane's last moment: an earlier moment keeps what it has seen of
    them, which may be nothing.
    Raises ValueError for a share outside 0 to 1, and where targets have features of their own.
    """
    del hparams
    refuse_features(batch)
    if not 0.0 <= least <= 1.0:
        raise ValueError(f"least={least}: use a share from 0 to 1")
    count = counts(batch.valid)
    share = jax.random.uniform(key, count[-1].shape, minval=least, maxval=1.0)
    stay = jnp.ceil(share * count[-1]).astype(jnp.int32)
    return kept(batch, batch.valid & (count[1:] > (count[-1] - stay)[None]))


def thinned(
    key: jax.Array, batch: ResponseBatch, hparams: ResponseHparams | None, *, rate: float = 0.1
) -> ResponseBatch:
    """Every event is missing with probability `rate`, at all moments of its lane; there may be none left.

    Features that tell of the event before (a gap) still tell of one that may be missing.
    Raises ValueError for a rate outside 0 to 1, and where targets have features of their own.
    """
    del hparams
    refuse_features(batch)
    refuse_rate(rate)
    return kept(batch, batch.valid & jax.random.bernoulli(key, 1.0 - rate, batch.valid.shape))


def jittered(
    key: jax.Array,
    batch: ResponseBatch,
    hparams: ResponseHparams | None,
    *,
    features: tuple[str, ...] = ("gap",),
    rate: float = 0.1,
) -> ResponseBatch:
    """Ids of the named ordinal features of events move by one with probability `rate`, up or down alike.

    They stay within 1 and the largest id of the feature in the batch, which is in every vocabulary that holds the
    batch: from either end an id can only move inwards. Id 0 stays, and nothing becomes 0. Targets are left as they are.
    Raises ValueError for a rate outside 0 to 1, and for features that are not among those of events, or none.
    """
    del hparams
    refuse_rate(rate)
    if not features or not set(features) <= set(batch.events):
        raise ValueError(f"features={tuple(features)}: name some of {sorted(batch.events)}")

    def moved(key: jax.Array, ids: Int[Array, "time lane ..."]) -> Int[Array, "time lane ..."]:
        whether, where = jax.random.split(key)
        top = jnp.max(cleared(ids, batch.valid), initial=0)
        up = (jax.random.bernoulli(where, shape=ids.shape) | (ids == 1)) & (ids < top)
        near = jnp.clip(ids + jnp.where(up, 1, -1), 1, top)
        return jnp.where(jax.random.bernoulli(whether, rate, ids.shape) & (ids > 0), near, ids)

    keys = jax.random.split(key, len(features))
    events = {name: moved(keys[place], batch.events[name]) for place, name in enumerate(features)}
    return batch.replace(events={**batch.events, **events})


def kept(
    batch: ResponseBatch, valid: Bool[Array, "time lane"], seen: Int[Array, "lane moment"] | None = None
) -> ResponseBatch:
    """The batch with the `valid` ones of its events.

    seen: how many of them each moment sees; by default those that it saw before.
    `cut` names a place: a moment is read from the state behind the first `cut` places, valid or not. It becomes the
    place behind the last event that is seen. Any place up to the next event has the same state, but may lie in a block
    without events, of which `fold_blocks` reads nothing.
    """
    count = counts(valid)
    seen = seen_at(count, batch.cut) if seen is None else seen
    cut = jax.vmap(jnp.searchsorted, (1, 0))(count, seen).astype(jnp.int32)  # the first place behind so many
    ids = {
        name: {part: leaf if part == "target" else cleared(leaf, valid) for part, leaf in parts.items()}
        for name, parts in batch.ids.items()
    }
    events, negative = jax.tree.map(lambda leaf: cleared(leaf, valid), (batch.events, batch.negative))
    return batch.replace(ids=ids, events=events, negative=negative, valid=valid, cut=cut)


def counts(valid: Bool[Array, "time lane"]) -> Int[Array, "... lane"]:
    """Valid events among the first 0, 1, .. places, [time + 1, lane].

    >>> counts(jnp.array([[True], [False], [True]])).ravel().tolist()
    [0, 1, 1, 2]
    """
    return jnp.cumsum(jnp.pad(valid, ((1, 0), (0, 0))), axis=0)


def seen_at(count: Int[Array, "... lane"], cut: Int[Array, "lane moment"]) -> Int[Array, "lane moment"]:
    """Valid events that each moment sees; `cut` may lie outside the window where nobody asks."""
    return jnp.take_along_axis(count.T, jnp.clip(cut, 0, len(count) - 1), axis=1)


def cleared(ids: Array, valid: Bool[Array, "time lane"]) -> Array:
    """The ids of valid events, 0 elsewhere."""
    return jnp.where(jnp.expand_dims(valid, tuple(range(2, ids.ndim))), ids, 0)


def refuse_features(batch: ResponseBatch) -> None:
    """Raises ValueError where targets have features of their own, or lives of items are known."""
    if batch.corpus is not None and batch.corpus.items is not None:
        raise ValueError("the lives of items still tell of events that are removed: set data.item_history=0")
    if batch.target:
        raise ValueError(
            f"targets have features of their own, {sorted(batch.target)}, which would still tell of events that are "
            "removed: leave them out of the samples, and augment before `no_negatives`"
        )


def refuse_rate(rate: float) -> None:
    """Raises ValueError for what is no probability."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate={rate}: use a probability, 0 to 1")
