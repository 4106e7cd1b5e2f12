"""Judging whom a score selects: thresholds, gain and lift, and the same at another prevalence.

One row is one user: a score, higher for likelier, and a label, True for a positive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Num
from scipy import special

from seqjax.evaluate.calibration import Label, Score, distinct

Rate = float | Float[np.ndarray, "..."]  # 0 to 1; rates of one call broadcast


class Confusion(NamedTuple):
    """How many users were selected or not, rightly or not. Every rate is 0 where its denominator is 0."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def precision(self) -> float:
        """Share of positives among the selected; 0 where nobody is selected."""
        return float(_ratio(self.true_positive, self.true_positive + self.false_positive))

    @property
    def recall(self) -> float:
        """Share of the positives that are selected; 0 without positives."""
        return float(_ratio(self.true_positive, self.true_positive + self.false_negative))

    @property
    def false_positive_rate(self) -> float:
        """Share of the negatives that are selected; 0 without negatives."""
        return float(_ratio(self.false_positive, self.false_positive + self.true_negative))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where nobody is positive or nobody rightly selected."""
        wrong = self.false_positive + self.false_negative
        return float(_ratio(2 * self.true_positive, 2 * self.true_positive + wrong))


def average_precision(score: Score, label: Label) -> float:
    """Area under the precision-recall curve as a sum of steps, equal scores taken together; nan without positives.

    Sum over thresholds of the gain in recall times precision, as scikit-learn's `average_precision_score`.

    >>> average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])).__round__(3)
    0.833
    """
    _, taken, found = _thresholds(score, label)
    return float(np.sum(np.diff(found, prepend=0) * found / taken) / label.sum()) if label.any() else float("nan")


def at_threshold(score: Score, label: Label, threshold: float) -> Confusion:
    """What comes of selecting every user who scores at least the threshold.

    >>> at_threshold(np.array([0.9, 0.8, 0.3]), np.array([True, False, True]), 0.8)
    Confusion(true_positive=1, false_positive=1, false_negative=1, true_negative=0)
    """
    taken = score >= threshold
    parts = (taken & label, taken & ~label, ~taken & label, ~taken & ~label)
    return Confusion(*(int(part.sum()) for part in parts))


def best_threshold(score: Score, label: Label) -> float:
    """The score from which on selecting has the highest F1; of several the highest. To be chosen on validation.

    Raises ValueError without positives.

    >>> best_threshold(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    0.7
    """
    if not label.any():
        raise ValueError(f"0 positives among {len(label)} users: F1 chooses no threshold; give some of both labels")
    value, taken, found = _thresholds(score, label)
    return float(value[np.argmax(2 * found / (taken + found[-1]))])


def cumulative_gain(score: Score, label: Label, parts: int = 20) -> Float[np.ndarray, "..."]:
    """Share of all positives among the k / parts users who score highest, for k = 0 .. parts; nan without positives.

    Where a part ends among equal scores, or within a user, it has its share of them: the mean over their orders.

    >>> cumulative_gain(np.array([3.0, 2.0, 1.0, 1.0]), np.array([True, False, True, False]), parts=4).tolist()
    [0.0, 0.5, 0.5, 0.75, 1.0]
    """
    _, taken, found = _thresholds(score, label)
    most = np.arange(parts + 1) * len(score) / parts
    held = np.interp(most, np.append(0, taken), np.append(0, found))
    return held / (label.sum() if label.any() else np.nan)


def lift(score: Score, label: Label, parts: int = 10) -> Float[np.ndarray, "group"]:
    """Precision within each of `parts` equal groups of falling score, over the prevalence; nan without positives.

    1 is what random groups have, and the mean over groups; equal scores as in `cumulative_gain`.

    >>> lift(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, False, False]), parts=2).tolist()
    [2.0, 0.0]
    """
    return parts * np.diff(cumulative_gain(score, label, parts))


def deciles(score: Score) -> Int[np.ndarray, "target"]:
    """The tenth of every user, 1 (scores highest) to 10; equal scores are never apart, but in that of their middle.

    >>> deciles(np.array([5.0, 1.0, 1.0, 1.0])).tolist()
    [2, 7, 7, 7]
    """
    _, place, count = distinct(score)
    middle = 2 * np.cumsum(count[::-1])[::-1] - count  # twice the rank, from the highest score
    return (10 * middle // (2 * len(score)) + 1)[place]


def precision_at_prevalence(recall: Rate, false_positive_rate: Rate, prevalence: Rate) -> Rate:
    """Precision where a share `prevalence` of the users is positive and both rates stay; 0 where nobody is selected.

    >>> float(precision_at_prevalence(0.8, 0.2, 0.05).round(3))
    0.174
    """
    right = recall * prevalence
    return _ratio(right, right + false_positive_rate * (1.0 - prevalence))


def f1_at_prevalence(recall: Rate, false_positive_rate: Rate, prevalence: Rate) -> Rate:
    """F1 where a share `prevalence` of the users is positive and both rates stay; 0 where it is undefined.

    >>> float(f1_at_prevalence(0.8, 0.2, 0.05).round(3))
    0.286
    """
    right = recall * prevalence
    return _ratio(2.0 * right, right + false_positive_rate * (1.0 - prevalence) + prevalence)


def shift_logit(logit: Num[np.ndarray, "..."], sampled: float, true: float) -> Float[np.ndarray, "..."]:
    """Log-odds of a model trained at prevalence `sampled`, moved to prevalence `true`, Elkan (2001), theorem 2.

    Exact where the negatives were drawn at random among all negatives; matched or hard ones need calibration on users
    of the true prevalence instead. Raises ValueError for a prevalence outside 0 to 1, ends excluded.

    >>> special.expit(shift_logit(np.array([0.0, 1.0]), sampled=0.5, true=0.1)).round(3).tolist()
    [0.1, 0.232]
    """
    for name, prevalence in (("sampled", sampled), ("true", true)):
        if not 0.0 < prevalence < 1.0:
            raise ValueError(f"prevalence {name}={prevalence}: give a share of positives between 0 and 1")
    return logit - special.logit(sampled) + special.logit(true)


def among_unlabelled(
    probability: Float[np.ndarray, "..."], positives: Float[np.ndarray, "target"]
) -> Float[np.ndarray, "..."]:
    """P(positive) from P(labelled), where only some positives are labelled and others count as negatives.

    Elkan and Noto (2008), eq. 1: p / c, at most 1, with c the mean of what the same model says of labelled users that
    it has not seen (`positives`, their e1). Exact where the labelled are a random part of the positives and it is
    certain who is positive; where it is not, c is too small, and what is said an upper bound. Raises ValueError without
    labelled users.

    >>> among_unlabelled(np.array([0.1, 0.4]), np.array([0.4, 0.6])).tolist()
    [0.2, 0.8]
    """
    share = float(np.mean(positives)) if len(positives) else 0.0
    if not share > 0.0:
        raise ValueError(f"{len(positives)} labelled users, {share:.3g} on the mean: give some that the model knows")
    return np.minimum(probability / share, 1.0)


def cost_threshold(gain: float, cost: float) -> float:
    """The probability above which contacting pays: cost of a contact over what a positive brings, in one currency.

    Raises ValueError unless 0 < cost < gain: otherwise everybody or nobody is worth it.

    >>> cost_threshold(gain=20.0, cost=0.5)
    0.025
    """
    if not 0.0 < cost < gain:
        raise ValueError(f"cost={cost}, gain={gain}: a threshold needs 0 < cost < gain")
    return cost / gain


def _ratio(part: Rate, whole: Rate) -> Rate:
    """part / whole, and 0 where both are."""
    return part / np.where(whole == 0, 1.0, whole)


def _thresholds(
    score: Score, label: Label
) -> tuple[Num[np.ndarray, "group"], Int[np.ndarray, "group"], Float[np.ndarray, "group"]]:
    """Falling scores without repeats; how many users score at least that much, and how many of them are positive."""
    value, place, count = distinct(score)
    return value[::-1], np.cumsum(count[::-1]), np.cumsum(np.bincount(place, label)[::-1])
