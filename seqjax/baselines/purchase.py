"""Recency, frequency, money and counts of categories: classifiers of a table, one for every category asked about.

A row describes what one user had done at one moment. About the user: days since the last purchase and since the first,
numbers of baskets and events, money, the mean days between baskets, events in the last 1, 3, 7, 14, 30, 90 days, and
how often each category was bought. About the category asked about: days since it was last bought, and how often in each
of these windows.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from seqjax.baselines.response import Predictor, visible
from seqjax.data.samples import Samples
from seqjax.data.split import DAY

WINDOWS = (1, 3, 7, 14, 30, 90)
"""Days before the moment."""


def purchase_trees(train: Samples, *, windows: tuple[int, ...] = WINDOWS, seed: int = 0) -> Predictor:
    """Log-odds of gradient-boosted trees; raises ImportError without scikit-learn."""
    ensemble = _sklearn("ensemble")

    def make() -> Any:
        return ensemble.HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=100, max_leaf_nodes=15, early_stopping=False, random_state=seed
        )

    return _by_category(train, make, lambda samples: table(samples, windows))


def purchase_logistic(train: Samples, *, windows: tuple[int, ...] = WINDOWS, strength: float = 0.01) -> Predictor:
    """Log-odds of logistic regression on the logarithms of 1 + all columns, each scaled to variance 1.

    strength: the inverse of the penalty's weight (C). Raises ImportError without scikit-learn.
    """
    return _by_category(train, lambda: _scaled(strength), lambda samples: _log(*table(samples, windows)))


def bag_of_categories(train: Samples, *, strength: float = 0.01) -> Predictor:
    """Log-odds of logistic regression on how often each category was bought, and on nothing else."""
    return _by_category(train, lambda: _scaled(strength), lambda samples: _log(counts(samples), None))


def _log(row: np.ndarray, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    return np.log1p(row), None if own is None else np.log1p(own)


def _scaled(strength: float) -> Any:
    scale = _sklearn("preprocessing").StandardScaler()
    return _sklearn("pipeline").make_pipeline(
        scale, _sklearn("linear_model").LogisticRegression(C=strength, max_iter=500)
    )


def _sklearn(room: str) -> Any:
    try:
        return import_module(f"sklearn.{room}")
    except ImportError as error:
        raise ImportError("this baseline needs scikit-learn: install the extra `trees`, seqjax[trees]") from error


def _by_category(train: Samples, make: Callable[[], Any], described: Callable[[Samples], tuple]) -> Predictor:
    """One classifier a category, each trained on the samples about it."""
    row, own, where = (*described(train), moments(train)[0])
    fitted = {}
    for item in np.unique(train.target["item"]):
        here = train.target["item"] == item
        if train.label[here].all() or not train.label[here].any():
            continue
        fitted[item] = make().fit(_beside(row[where[here]], own, here), train.label[here])

    def predictor(samples: Samples) -> Float[np.ndarray, "sample"]:
        row, own, where = (*described(samples), moments(samples)[0])
        said = np.zeros(samples.size)
        for item, classifier in fitted.items():
            if (here := samples.target["item"] == item).any():
                said[here] = classifier.decision_function(_beside(row[where[here]], own, here))
        return said

    return predictor


def _beside(row: np.ndarray, own: np.ndarray | None, here: np.ndarray) -> np.ndarray:
    return row if own is None else np.concatenate([row, own[here]], axis=1)


def moments(samples: Samples) -> tuple[Int[np.ndarray, "sample"], Samples]:
    """Which user at which moment each sample is about, numbered; and one sample for each of these."""
    pairs = np.stack([samples.sequence, samples.cutoff, _moment(samples)])
    _, first, where = np.unique(pairs, axis=1, return_index=True, return_inverse=True)
    return where.ravel(), samples.take(first)


def counts(samples: Samples) -> Float[np.ndarray, "row word"]:
    """How often each user had bought each category at each moment of `moments`."""
    each = moments(samples)[1]
    owner, event = visible(each)
    words = len(samples.vocabulary["item"])
    place = owner * words + samples.log.columns["item"][event] - 1
    return np.bincount(place, minlength=each.size * words).reshape(each.size, words).astype(np.float32)


def table(
    samples: Samples, windows: tuple[int, ...] = WINDOWS
) -> tuple[Float[np.ndarray, "row column"], Float[np.ndarray, "sample column"]]:
    """The columns about users at moments, for each of `moments`; and those about the category, for each sample."""
    where, each = moments(samples)
    owner, event = visible(each)
    time, item = samples.log.columns["time"][event], samples.log.columns["item"][event]
    moment = _moment(each)
    age = (moment[owner] - time) / DAY
    size = np.maximum(each.cutoff, 1)
    ends = np.cumsum(each.cutoff) - 1
    last, first = (np.where(each.cutoff > 0, np.append(age, 0.0)[at], 0.0) for at in (ends, ends - size + 1))
    fresh = np.append(True, (np.diff(owner) != 0) | (np.diff(time) != 0))[: len(owner)]
    baskets = np.bincount(owner, fresh, each.size)
    money = np.bincount(owner, samples.log.columns.get("value", np.zeros(samples.events))[event], each.size)
    recent = [np.bincount(owner, age <= days, each.size) for days in windows]
    user = [last, first, baskets, each.cutoff, money, (first - last) / np.maximum(baskets - 1, 1), *recent]
    row = np.concatenate([np.stack(user, axis=1).astype(np.float32), counts(samples)], axis=1)
    words = len(samples.vocabulary["item"])
    asked = where * words + samples.target["item"] - 1
    place, cells = owner * words + item - 1, each.size * words
    since = np.full(cells, np.inf)
    np.minimum.at(since, place, age)
    own = [np.minimum(since[asked], 999.0)]
    own += [np.bincount(place, age <= days, cells)[asked] for days in (*windows, np.inf)]
    return row, np.stack(own, axis=1).astype(np.float32)


def _moment(samples: Samples) -> Int[np.ndarray, "sample"]:
    """The second at which each sample is asked; without one, just after the last visible event."""
    if samples.moment is not None:
        return samples.moment
    last = samples.log.offsets[:-1][samples.sequence] + samples.cutoff - 1
    return np.where(samples.cutoff > 0, samples.log.columns["time"][np.maximum(last, 0)] + 1, 0)
