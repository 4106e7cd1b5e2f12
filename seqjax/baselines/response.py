"""Responses without a model: what everybody takes, what goes with the history, and what a user takes again.

Each is fitted on training samples and gives one score per sample: peers of every response model. A fitted baseline
knows the events that training may see and those that it asks about; of a judged user it sees what lies before the
cutoff, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse, special

from seqjax.data.samples import Samples
from seqjax.data.seen import visible

Predictor = Callable[[Samples], Float[np.ndarray, "sample"]]


def target_popularity(train: Samples) -> Predictor:
    """How often the target occurs among all events that training knows."""
    counts = _counts(train).astype(np.float64)
    return lambda samples: counts[samples.target["item"]]


def last_item(train: Samples) -> Predictor:
    """How often the target came right after the user's last visible item in training lives; ties by popularity.

    A user without history gets popularity, scaled into [0, 1) like that of the ties.
    """
    item, rows, known = train.log.columns["item"].astype(np.int64), _rows(train), learned(train)
    follows = np.flatnonzero(known[1:] & known[:-1] & (train.log.sequence[1:] == train.log.sequence[:-1]))
    pairs, times = np.unique(item[follows] * rows + item[follows + 1], return_counts=True)
    counts = _counts(train)
    share = counts / (1.0 + counts.max())

    def predictor(samples: Samples) -> Float[np.ndarray, "sample"]:
        target = samples.target["item"]
        last = samples.log.offsets[:-1][samples.sequence] + samples.cutoff - 1
        before = np.where(samples.cutoff > 0, samples.log.columns["item"][last], 0)
        return looked_up(pairs, times, before.astype(np.int64) * rows + target) + share[target]

    return predictor


def overlap(train: Samples) -> Predictor:
    """The share of the attributes of all visible events, each as often as it occurs, that the target has too.

    Attributes are the values of all side features. Raises ValueError where the samples have none.
    """
    del train
    return attribute_overlap


def attribute_overlap(samples: Samples) -> Float[np.ndarray, "sample"]:
    """See `overlap`; 0 for a user without history."""
    if not samples.side:
        raise ValueError("the samples have no side features, so that nothing can overlap: leave this baseline out")
    held = sparse.hstack([_marked(column) for column in samples.side.values()], format="csr")
    occurs = history(samples) @ held
    common = np.asarray(occurs.multiply(held[samples.target["item"]]).sum(axis=1))
    return common / np.maximum(np.asarray(occurs.sum(axis=1)), 1.0)


def item_mean(train: Samples, *, weight: float = 5.0) -> Predictor:
    """Log-odds of the target's mean label in training, shrunk towards the mean of all as if by `weight` more labels.

    Raises ValueError where all training labels are the same.
    """
    item, rows, mean = train.target["item"], _rows(train), _mean(train)
    odds = _odds(np.bincount(item, train.label, rows), np.bincount(item, minlength=rows), mean, weight)
    return lambda samples: odds[samples.target["item"]]


def user_mean(train: Samples, *, weight: float = 5.0, liked: float = 4.0) -> Predictor:
    """Log-odds of the share of visible events that the user liked, shrunk towards the training labels' mean.

    An event is liked if its `rating` is at least `liked`. Raises ValueError where all training labels are the same,
    and for a log without ratings.
    """
    mean = _mean(train)

    def predictor(samples: Samples) -> Float[np.ndarray, "sample"]:
        total = np.concatenate([[0], np.cumsum(_ratings(samples) >= liked)])
        begin = samples.log.offsets[:-1][samples.sequence]
        return _odds(total[begin + samples.cutoff] - total[begin], samples.cutoff, mean, weight)

    return predictor


def both_means(train: Samples, *, weight: float = 5.0, liked: float = 4.0) -> Predictor:
    """The log-odds of `item_mean` and `user_mean` together, less those of the mean that both are shrunk to."""
    parts = item_mean(train, weight=weight), user_mean(train, weight=weight, liked=liked)
    prior = special.logit(_mean(train))
    return lambda samples: parts[0](samples) + parts[1](samples) - prior


def frequency(train: Samples) -> Predictor:
    """The share of the visible events that are the target; 0 without history."""
    del train
    return lambda samples: earlier(samples)[0] / np.maximum(samples.cutoff, 1)


def recency(train: Samples) -> Predictor:
    """1 / n where the user's n-th visible event from the end was the last one that was the target; 0 if none was."""
    del train

    def predictor(samples: Samples) -> Float[np.ndarray, "sample"]:
        times, last = earlier(samples)
        return np.where(times > 0, 1.0 / np.maximum(samples.cutoff - last, 1), 0.0)

    return predictor


def earlier(samples: Samples) -> tuple[Int[np.ndarray, "sample"], Int[np.ndarray, "sample"]]:
    """How many visible events are the target, and which of the user's events is the last of them (-1: none is)."""
    log, size, rows = samples.log, samples.events + 1, np.int64(_rows(samples))
    words, rank = np.unique(log.sequence * rows + log.columns["item"], return_inverse=True)
    held = np.sort(rank * np.int64(size) + np.arange(samples.events))  # word by word, each by position
    asked, begin = samples.sequence * rows + samples.target["item"], log.offsets[:-1][samples.sequence]
    head = np.searchsorted(words, asked) * np.int64(size)
    bounds = np.searchsorted(held, head + begin), np.searchsorted(held, head + begin + samples.cutoff)
    times = np.where(np.append(words, -1)[head // size] == asked, bounds[1] - bounds[0], 0)
    last = np.append(held, 0)[bounds[1] - 1] - head - begin
    return times, np.where(times > 0, last, -1)


def history(samples: Samples) -> sparse.csr_array:
    """How often each item occurs among the events that a sample may see: [sample, row]."""
    owner, event = visible(samples)
    held = np.ones(len(event)), (owner, samples.log.columns["item"][event])
    return sparse.csr_array(held, shape=(samples.size, _rows(samples)))


def learned(train: Samples) -> Bool[np.ndarray, "event"]:
    """Marks the events that training knows: those that some sample may see, and those that one asks about as they are.

    The place of a sample about another item tells nothing.
    """
    log = train.log
    last = np.zeros(log.sequences, np.int64)
    np.maximum.at(last, train.sequence, train.cutoff)
    known = np.arange(log.events) - log.offsets[:-1][log.sequence] < last[log.sequence]
    there = train.place < log.lengths[train.sequence]
    at = (log.offsets[:-1][train.sequence] + train.place)[there]
    known[at[log.columns["item"][at] == train.target["item"][there]]] = True
    return known


def looked_up(
    codes: Int[np.ndarray, "known"], values: Int[np.ndarray, "known"], asked: Int[np.ndarray, "target"]
) -> Int[np.ndarray, "target"]:
    """The value of each code that is asked for, 0 where there is none; codes rise.

    >>> looked_up(np.array([2, 5]), np.array([7, 8]), np.array([5, 6, 2])).tolist()
    [8, 0, 7]
    """
    at = np.searchsorted(codes, asked)
    return np.where(np.append(codes, -1)[at] == asked, np.append(values, 0)[at], 0)


def _counts(train: Samples) -> Int[np.ndarray, "row"]:
    return np.bincount(train.log.columns["item"][learned(train)], minlength=_rows(train))


def _rows(samples: Samples) -> int:
    return len(samples.vocabulary["item"]) + 1


def _marked(column: Int[np.ndarray, "row ..."]) -> sparse.csr_array:
    """Which values every item has: [row, value]."""
    column = column.reshape(len(column), -1)
    row, place = np.nonzero(column)
    shape = len(column), int(column.max(initial=0)) + 1
    marks = sparse.csr_array((np.ones(len(row)), (row, column[row, place])), shape=shape)  # sums repeats
    marks.data[:] = 1.0
    return marks


def _mean(train: Samples) -> float:
    if train.label.all() or not train.label.any():
        raise ValueError("all training labels are the same, so that their means tell nothing: leave this baseline out")
    return float(train.label.mean())


def _odds(liked: np.ndarray, count: np.ndarray, mean: float, weight: float) -> Float[np.ndarray, "..."]:
    return special.logit((liked + weight * mean) / (count + weight))


def _ratings(samples: Samples) -> Float[np.ndarray, "event"]:
    """The rating of every event, as a number also where the log keeps it as a word."""
    if "rating" not in samples.log.columns:
        raise ValueError(f"the log has no column 'rating', only {sorted(samples.log.columns)}: leave this baseline out")
    ratings = samples.log.columns["rating"]
    words = samples.vocabulary.get("rating")
    return (ratings if words is None else np.append(np.nan, words.astype(np.float64))[ratings]).astype(np.float64)
