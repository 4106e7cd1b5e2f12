"""Recency, frequency, money and counts of categories: classifiers of a table, one for every category asked about.

A row describes what one user had done at one moment. About the user: days since the last purchase and since the first,
numbers of baskets and events, money, the mean days between baskets, events in the last 1, 3, 7, 14, 30, 90 days, and
how often each category was bought. About the category asked about: days since it was last bought, and how often in each
of these windows and at all. Without purchases all of a user's numbers are 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seqjax.baselines.learners import boosted, extreme, scaled_logistic
from seqjax.baselines.response import Predictor
from seqjax.data.samples import Samples
from seqjax.data.seen import item_counts, moments, visible
from seqjax.data.split import DAY

WINDOWS = (1, 3, 7, 14, 30, 90)
"""Days before the moment."""
NEVER = 999.0
"""Days since a category was bought that never was."""


def purchase_trees(train: Samples, *, windows: tuple[int, ...] = WINDOWS, seed: int = 0) -> Predictor:
    """Log-odds of gradient-boosted trees; raises ImportError without scikit-learn."""
    return _by_category(train, partial(boosted, seed), lambda samples: table(samples, windows))


def purchase_xgboost(train: Samples, *, windows: tuple[int, ...] = WINDOWS, seed: int = 0) -> Predictor:
    """Log-odds of XGBoost, Chen and Guestrin (2016), on all columns; raises ImportError without xgboost."""
    return _by_category(train, partial(extreme, seed), lambda samples: table(samples, windows))


def count_trees(train: Samples, *, seed: int = 0) -> Predictor:
    """`purchase_trees` of counts of categories, days since the last purchase, baskets, events and money alone."""

    def bare(samples: Samples) -> Table:
        where, row, _ = table(samples, ())
        return Table(where, np.delete(row, (1, 5), axis=1))

    return _by_category(train, partial(boosted, seed), bare)


def purchase_logistic(train: Samples, *, windows: tuple[int, ...] = WINDOWS, strength: float = 0.01) -> Predictor:
    """Log-odds of logistic regression on the logarithms of 1 + all columns, each scaled to variance 1.

    strength: the inverse of the penalty's weight (C). Raises ImportError without scikit-learn.
    """
    return _by_category(train, partial(scaled_logistic, strength), lambda samples: _log(table(samples, windows)))


def bag_of_categories(train: Samples, *, strength: float = 0.01) -> Predictor:
    """Log-odds of logistic regression on how often each category was bought, and on nothing else."""
    return _by_category(train, partial(scaled_logistic, strength), lambda samples: _log(bag(samples)))


def bag_trees(train: Samples, *, seed: int = 0) -> Predictor:
    """Log-odds of gradient-boosted trees on how often each category was bought, and on nothing else."""
    return _by_category(train, partial(boosted, seed), bag)


def _log(held: Table) -> Table:
    return held._replace(row=np.log1p(held.row), own=None if held.own is None else np.log1p(held.own))


def _by_category(train: Samples, make: Callable[[], Any], described: Callable[[Samples], Table]) -> Predictor:
    """One classifier a category, each trained on the samples about it; 0 for a category that it has no answer for."""
    known, fitted = described(train), {}
    for item in np.unique(train.target["item"]):
        here = np.flatnonzero(train.target["item"] == item)
        if 0 < np.count_nonzero(train.label[here]) < len(here):
            fitted[item] = make().fit(known.of(here), train.label[here])

    def predictor(samples: Samples) -> Float[np.ndarray, "sample"]:
        held, said = described(samples), np.zeros(samples.size)
        for item, classifier in fitted.items():
            if len(here := np.flatnonzero(samples.target["item"] == item)):
                said[here] = classifier.decision_function(held.of(here))
        return said

    return predictor


class Table(NamedTuple):
    """What users had done at moments, a row for each; and what of it is about the category asked about."""

    where: Int[np.ndarray, "sample"]  # the row of every sample
    row: Float[np.ndarray, "row column"]
    own: Float[np.ndarray, "sample features"] | None = None

    def of(self, here: Int[np.ndarray, "chosen"]) -> Float[np.ndarray, "chosen features"]:
        """All columns of the chosen samples."""
        row = self.row[self.where[here]]
        return row if self.own is None else np.concatenate([row, self.own[here]], axis=1)


def bag(samples: Samples) -> Table:
    """How often each user had bought each category at each moment."""
    where, each = moments(samples)
    return Table(where, item_counts(each, *visible(each)))


def table(samples: Samples, windows: tuple[int, ...] = WINDOWS) -> Table:
    """All columns: see the module. Raises ValueError for a log without times."""
    if "time" not in samples.log.columns:
        raise ValueError("the log has no times, so that nothing is recent: take `bag_of_categories`, which needs none")
    where, each = moments(samples)
    owner, event = visible(each)
    time, moment, size = samples.log.columns["time"][event], _moment(each), each.size
    age = (moment[owner] - time) / DAY
    ends, some = np.cumsum(each.cutoff) - 1, each.cutoff > 0
    last, first = (np.where(some, np.append(age, 0.0)[at], 0.0) for at in (ends, ends - np.maximum(each.cutoff, 1) + 1))
    fresh = np.append(True, (np.diff(owner) != 0) | (np.diff(time) != 0))[: len(owner)]
    baskets = np.bincount(owner, fresh, size)
    money = np.bincount(owner, samples.log.columns.get("value", np.zeros(samples.events))[event], size)
    recent = [np.bincount(owner, age <= days, size) for days in windows]
    user = [last, first, baskets, each.cutoff, money, (first - last) / np.maximum(baskets - 1, 1), *recent]
    row = np.concatenate([np.stack(user, axis=1).astype(np.float32), item_counts(each, owner, event)], axis=1)

    words = len(samples.vocabulary["item"])
    asked, cells = where * words + samples.target["item"] - 1, size * words
    place, since = owner * words + samples.log.columns["item"][event] - 1, np.full(size * words, NEVER)
    np.minimum.at(since, place, age)
    own = [since[asked], *(np.bincount(place, age <= days, cells)[asked] for days in (*windows, np.inf))]
    return Table(where, row, np.stack(own, axis=1).astype(np.float32))


def _moment(samples: Samples) -> Int[np.ndarray, "sample"]:
    """The second at which each sample is asked; without one, just after the last visible event."""
    if samples.moment is not None:
        return samples.moment
    last = samples.log.offsets[:-1][samples.sequence] + samples.cutoff - 1
    return np.where(samples.cutoff > 0, samples.log.columns["time"][np.maximum(last, 0)] + 1, 0)
