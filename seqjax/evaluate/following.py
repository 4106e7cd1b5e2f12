"""What the selected do next, beside those who were not selected."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from seqjax.data.samples import Samples, asked_first
from seqjax.data.split import DAY

FOLLOWED = 15.0
"""Days after the moment in which the selected are followed."""


def followed(score: np.ndarray, samples: Samples) -> dict[str, float]:
    """The share of busy users among the selected tenth, among everybody, and among users of like activity.

    Of like activity is, for every one of the selected, another user who is not selected and whose number of visible
    events is nearest. Nothing where moments or times are not known.
    """
    if samples.moment is None or "time" not in samples.log.columns:
        return {}
    here = np.flatnonzero(asked_first(samples))
    some = samples.take(here)
    busy, order = _busy(some), np.argsort(-score[here], kind="stable")
    selected = order[: max(len(here) // 10, 1)]
    rest = np.flatnonzero(~np.isin(some.sequence, some.sequence[selected]))
    near = _alike(some.cutoff, selected, rest) if len(rest) else rest
    return {
        "followed/selected": float(busy[selected].mean()),
        "followed/everybody": float(busy.mean()),
        "followed/like_activity": float(busy[near].mean()) if len(near) else float("nan"),
    }


def _alike(
    activity: Int[np.ndarray, "sample"], selected: Int[np.ndarray, "chosen"], rest: Int[np.ndarray, "known"]
) -> Int[np.ndarray, "chosen"]:
    """For every selected sample the one of the rest with the nearest activity; neighbours in order where many tie."""
    rank = np.argsort(np.argsort(activity, kind="stable"))
    rest = rest[np.argsort(rank[rest])]
    above = np.searchsorted(rank[rest], rank[selected])
    low, high = rest[np.maximum(above - 1, 0)], rest[np.minimum(above, len(rest) - 1)]
    nearer = np.abs(activity[low] - activity[selected]) < np.abs(activity[high] - activity[selected])
    return np.where(nearer, low, high)


def _busy(samples: Samples, purchases: int = 10, categories: int = 3) -> Bool[np.ndarray, "sample"]:
    """More than 10 purchases in more than 3 categories within `FOLLOWED` days of the moment."""
    log, begin = samples.log, samples.log.offsets[:-1][samples.sequence] + samples.cutoff
    end = log.offsets[1:][samples.sequence]
    owner = np.repeat(np.arange(samples.size), end - begin)
    event = np.arange(len(owner)) - np.repeat(np.cumsum(end - begin) - end, end - begin)
    near = log.columns["time"][event] < (samples.moment + int(FOLLOWED * DAY))[owner]
    owner, item = owner[near], log.columns["item"][event[near]]
    rows = len(log.vocabulary["item"]) + 1
    kinds = np.unique(owner.astype(np.int64) * rows + item) // rows
    bought, differing = (np.bincount(column, minlength=samples.size) for column in (owner, kinds))
    return (bought > purchases) & (differing > categories)
