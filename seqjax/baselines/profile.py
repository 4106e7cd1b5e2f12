"""Classes of profiles without a network of ours: log-odds from the features that a profile has."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse, special

from seqjax.baselines.learners import adaptive, linear_machine, sparse_logistic
from seqjax.baselines.response import Predictor, history
from seqjax.data.samples import Samples


def majority(train: Samples) -> Predictor:
    """The log-odds of the classes in training, for everybody."""
    odds = float(special.logit(train.label.mean()))
    return lambda samples: np.full(samples.size, odds)


def naive_bayes(train: Samples, *, smoothing: float = 1.0) -> Predictor:
    """Bernoulli naive Bayes: features present and absent, each on its own, McCallum and Nigam (1998).

    smoothing: added to the profiles with and to those without a feature, in either class.
    """
    present = history(train) > 0
    totals = np.array([(~train.label).sum(), train.label.sum()], np.float64)
    counts = np.stack([present[~train.label].sum(axis=0), present[train.label].sum(axis=0)]).astype(np.float64)
    rate = (counts + smoothing) / (totals[:, None] + 2.0 * smoothing)
    absent = np.log1p(-rate[1]) - np.log1p(-rate[0])
    weight = np.log(rate[1]) - np.log(rate[0]) - absent
    weight[0] = absent[0] = 0.0  # padding
    odds = float(np.log(totals[1] / totals[0]) + absent.sum())
    return lambda samples: (history(samples) > 0).astype(np.float64) @ weight + odds


def logistic_regression(train: Samples, *, strength: float = 1.0, rows: bool = False) -> Predictor:
    """Logistic regression on the features of a profile; `rows`: every profile scaled to length 1.

    strength: the inverse of the penalty's weight (C). Raises ImportError without scikit-learn.
    """
    return _fitted(sparse_logistic(strength), train, rows)


def linear_svc(train: Samples, *, strength: float = 0.1, rows: bool = True) -> Predictor:
    """The margin of a linear support vector machine; no log-odds, so that only its sign and order count."""
    return _fitted(linear_machine(strength), train, rows)


def boosted_logistic(train: Samples, *, rounds: int = 8, strength: float = 0.01, rows: bool = True) -> Predictor:
    """AdaBoost over logistic regressions, Freund and Schapire (1997): each weighs up what those before got wrong.

    Twice the weighted mean of the votes, -2 to 2; no log-odds, so that only its sign and order count. Raises
    ImportError without scikit-learn.
    """
    return _fitted(adaptive(sparse_logistic(strength), rounds), train, rows)


def _fitted(classifier: Any, train: Samples, rows: bool) -> Predictor:
    classifier.fit(_scaled(train, rows), train.label)
    return lambda samples: classifier.decision_function(_scaled(samples, rows))


def _scaled(samples: Samples, rows: bool) -> sparse.csr_array:
    held = history(samples)
    held.indices, held.indptr = held.indices.astype(np.int32), held.indptr.astype(np.int32)  # scikit-learn's own
    if rows:
        entries = np.diff(held.indptr)
        length = np.sqrt(np.bincount(np.repeat(np.arange(samples.size), entries), held.data**2, samples.size))
        held.data /= np.repeat(np.maximum(length, 1.0), entries)
    return held
