"""The item's side of a question: who had the target before, and nobody who came at that second or later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from seqjax.data.samples import Samples
from seqjax.types import ItemHistory


class ItemSide(NamedTuple):
    """What the device holds of `data.item_lives`; times count seconds from the first event on."""

    events: Mapping[str, Int[np.ndarray | Array, "event"]]
    time: Int[np.ndarray | Array, "event"]
    offsets: Int[np.ndarray | Array, "offset"]
    asked: Int[np.ndarray | Array, "sample"]
    life: Int[np.ndarray | Array, "sample"] | None
    place: Int[np.ndarray | Array, "window"]  # 0, 1, .. window - 1


def item_side(samples: Samples) -> ItemSide | None:
    """Puts the lives of items on the device; None where the samples have none."""
    if samples.items is None:
        return None
    log, window = samples.items
    first = log.columns["time"].min(initial=np.iinfo(np.int64).max)
    asked = np.ones(samples.size) if samples.life is not None else samples.asked_at - first  # lists hold the past
    return ItemSide(
        events={name: log.columns[name] for name in log.vocabulary},
        time=(log.columns["time"] - first).astype(np.int32),
        offsets=log.offsets.astype(np.int32),
        asked=np.clip(asked, 0, np.iinfo(np.int32).max).astype(np.int32),
        life=samples.life,
        place=np.arange(window, dtype=np.int32),
    )


def before(side: ItemSide, life: Int[Array, ""], asked: Int[Array, ""], live: Bool[Array, ""]) -> ItemHistory:
    """The newest events of a life that came before a second; none where nothing is asked."""
    first, end = side.offsets[life], _first_from(side, life, asked)
    start = jnp.maximum(first, end - len(side.place))
    position = start + side.place
    valid = (position < end) & live
    at = jnp.where(valid, position, 0)
    events = {name: jnp.where(valid, column[at], 0) for name, column in side.events.items()}
    return ItemHistory(events, valid, start - first)


def _first_from(side: ItemSide, life: Int[Array, ""], asked: Int[Array, ""]) -> Int[Array, ""]:
    """The place of the first event of a life at that second or later, by halving what is in question."""

    def halve(_: Int[Array, ""], bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) // 2
        earlier = (low < high) & (side.time[jnp.minimum(middle, len(side.time) - 1)] < asked)
        return jnp.where(earlier, middle + 1, low), jnp.where(earlier | (low >= high), high, middle)

    bounds = side.offsets[life], side.offsets[life + 1]
    return jax.lax.fori_loop(0, len(side.time).bit_length() + 1, halve, bounds)[0]
