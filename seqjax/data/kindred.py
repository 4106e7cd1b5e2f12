"""Which other categories tell who will buy in one, and how often users had bought in those."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Shaped

from seqjax.data.samples import Samples
from seqjax.data.seen import item_counts, moments, visible
from seqjax.data.vocabulary import lookup

KINDRED = np.array(["0", "1", "2", "3-4", "5-8", "9-16", "17-32", "33-64", "65+"])
"""How often the user had had the kindred items before, all together, as the words of the column `kindred`."""
MOST = 5
"""Kindred items of an item."""
TOP = 255
"""Counts from here on are alike where kin is found."""


def kindred(train: Samples, support: int = 60) -> Int[np.ndarray, "row k"]:
    """For every item asked about, the `MOST` others of which counts rank its takers best, best first; 0 where none is.

    Ranked by the ROC-AUC of how often the user had had the other item, over the samples about the one; among items that
    the users of so many of these samples had had at all, and that do better than chance. Labels are those of training.
    """
    where, each = moments(train)
    count = np.minimum(item_counts(each, *visible(each)), TOP).astype(np.int64)
    words = count.shape[1]
    found = np.zeros((words + 1, MOST), np.int32)
    for item in np.unique(train.target["item"]):
        here = train.target["item"] == item
        place = count[where[here]] + (TOP + 1) * np.arange(words)  # a histogram of every column
        taken, left = (
            np.bincount(place[chosen].ravel(), minlength=words * (TOP + 1)).reshape(words, -1)
            for chosen in (train.label[here], ~train.label[here])
        )
        below = np.cumsum(left, axis=1) - left / 2
        area = (taken * below).sum(axis=1) / np.maximum(taken.sum(axis=1) * left.sum(axis=1), 1)
        held = (taken + left)[:, 1:].sum(axis=1)
        area[(held < support) | (np.arange(words) == item - 1)] = 0.0
        best = np.argsort(-area, kind="stable")[:MOST]
        found[item, : len(best)] = np.where(area[best] > 0.5, best + 1, 0)
    return found


def kin_words(found: Int[np.ndarray, "row k"], items: Shaped[np.ndarray, "item"]) -> Shaped[np.ndarray, "word"]:
    """The kindred items by name, `MOST` for each item one after the other, "" for none: what a run keeps of them."""
    return np.append("", items)[found[1:]].ravel()


def kin_of(names: Shaped[np.ndarray, "word"], items: Shaped[np.ndarray, "item"]) -> Int[np.ndarray, "row k"]:
    """`kindred` again, from its `kin_words` and the same items."""
    return np.concatenate([np.zeros((1, MOST), np.int32), lookup(items, names).reshape(-1, MOST)])


def kindred_count(samples: Samples, kin: Int[np.ndarray, "row k"]) -> Int[np.ndarray, "sample"]:
    """The column `kindred` of every sample's target: how often its user had had the target's kindred items."""
    where, each = moments(samples)
    count = np.pad(item_counts(each, *visible(each)), ((0, 0), (1, 0)))
    total = count[where[:, None], kin[samples.target["item"]]].sum(axis=1)
    return (1 + np.searchsorted([1, 2, 3, 5, 9, 17, 33, 65], total, side="right")).astype(np.int32)


def with_kindred(train: Samples, *others: Samples) -> tuple[Samples, ...]:
    """All samples, whose targets also tell how often kindred items were had; which these are, training tells.

    The vocabulary gets `kindred`, the column's words, and `kin`, see `kin_words`.
    """
    kin = kindred(train)
    words = {"kindred": KINDRED, "kin": kin_words(kin, train.vocabulary["item"])}

    def with_words(samples: Samples) -> Samples:
        log = samples.log._replace(vocabulary={**samples.vocabulary, **words})
        return samples._replace(log=log, target={**samples.target, "kindred": kindred_count(samples, kin)})

    return tuple(map(with_words, (train, *others)))
