"""Four counts of a history and a target, and classifiers of them: what a response model must beat.

The counts: the logarithm of the number of training lives that hold the target; the overlap of its attributes with
those of the history (0 without attributes); how many training lives hold it together with an event of the history, and
its Jaccard similarity to the event's item, |both| / |either|, each the mean over the visible events.

A training life that holds the target only because it is asked about betrays the label. A training sample is therefore
counted as if its own user had not had the target, unless the history holds it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from seqjax.baselines.learners import boosted, scaled_logistic
from seqjax.baselines.response import Predictor, attribute_overlap, earlier, learned, looked_up
from seqjax.data.events import keep
from seqjax.data.protocols import beside
from seqjax.data.samples import Samples
from seqjax.data.seen import visible

ROOM = 2**22  # events of histories that are looked at together, and entries of a dense block


def boosted_trees(train: Samples, *, limit: int = 50_000, seed: int = 0) -> Predictor:
    """Log-odds of gradient-boosted trees on the four counts, trained on at most `limit` training samples.

    Of every user the newest come first: they are the most like what is judged. Where all labels are 1, beside each
    sample stands one about an item, drawn uniformly, that its user did not have. Raises ImportError without
    scikit-learn.
    """
    return _trained(boosted(seed), train, limit, seed)


def logistic(train: Samples, *, limit: int = 50_000, seed: int = 0) -> Predictor:
    """Log-odds of logistic regression on the four counts, each scaled to variance 1; trained as `boosted_trees` is."""
    return _trained(scaled_logistic(), train, limit, seed)


def _trained(classifier: Any, train: Samples, limit: int, seed: int) -> Predictor:
    random, count = np.random.default_rng(seed), counter(train)
    order = np.lexsort((random.random(train.size), -train.place, train.sequence))
    user = train.sequence[order]
    newest = np.lexsort((random.random(train.size), np.arange(train.size) - np.searchsorted(user, user)))
    asked = train.take(np.sort(order[newest[:limit]]))
    if asked.label.all():  # only what training knows of a life counts as had
        known = asked._replace(log=keep(train.log, learned(train)))
        asked = beside(known, ("uniform",), train.counts(), random)._replace(log=train.log)
    classifier.fit(count(asked, own=True), asked.label)
    return lambda samples: classifier.decision_function(count(samples))


def counter(train: Samples) -> Callable[..., Float[np.ndarray, "sample features"]]:
    """The four counts of samples; with `own`, of samples about the users of training: see above."""
    known = learned(train)
    life, item = train.log.sequence[known].astype(np.int64), train.log.columns["item"][known]
    rows = len(train.vocabulary["item"]) + 1
    codes = np.unique(life * rows + item)
    taken = sparse.csc_array((np.ones(len(codes), np.float32), divmod(codes, rows)), (train.sequences, rows))
    lives = np.asarray(taken.sum(axis=0))

    def betrayed(samples: Samples) -> Float[np.ndarray, "sample"]:
        held = looked_up(codes, np.ones_like(codes), samples.sequence * np.int64(rows) + samples.target["item"])
        return np.where(earlier(samples)[0] > 0, 0.0, held)

    def count(samples: Samples, own: bool = False) -> Float[np.ndarray, "sample features"]:
        found, own_of = np.zeros((samples.size, 4)), betrayed(samples) if own else np.zeros(samples.size)
        order = np.argsort(samples.target["item"], kind="stable")  # each item's column is then computed about once
        parts = np.cumsum(samples.cutoff[order]) // ROOM
        for chosen in np.split(order, np.flatnonzero(np.diff(parts)) + 1):
            part = samples.take(chosen)
            less, (owner, event) = own_of[chosen], visible(part)
            history, column = part.log.columns["item"][event], part.target["item"]
            both = together(taken, history, column[owner]) - less[owner]
            holders = lives[column] - less
            similar = both / np.maximum(lives[history] + holders[owner] - both, 1.0)
            found[chosen, 0] = np.log1p(holders)
            found[chosen, 1] = attribute_overlap(part) if part.side else 0.0
            for place, values in ((2, both), (3, similar)):
                found[chosen, place] = np.bincount(owner, values, part.size) / np.maximum(part.cutoff, 1)
        found[:, 2] = np.log1p(found[:, 2])
        return found

    return count


def together(
    taken: sparse.csc_array, these: Int[np.ndarray, "event"], those: Int[np.ndarray, "event"]
) -> Float[np.ndarray, "event"]:
    """How many lives hold both items of each pair; `taken` marks the items of every life, [sequence, row].

    >>> taken = sparse.csc_array(np.array([[0, 1, 1], [0, 1, 1], [0, 0, 1]]))
    >>> together(taken, np.array([1, 2, 2]), np.array([2, 1, 2])).tolist()
    [2.0, 2.0, 3.0]
    """
    found, (asked, column) = np.zeros(len(these)), np.unique(those, return_inverse=True)
    size = max(1, ROOM // taken.shape[1])
    order = np.argsort(column, kind="stable")
    bounds = np.searchsorted(column[order], np.arange(size, len(asked), size))
    for number, here in enumerate(np.split(order, bounds)):
        first = number * size
        block = (taken.T @ taken[:, asked[first : first + size]]).toarray()
        found[here] = block[these[here], column[here] - first]
    return found
