"""The share of a class in a group of scored profiles, corrected for the bias of the classifier (quantification).

Profiles are a sample of their group, and a class has the same scores in the group as among the labelled profiles:
only the share differs (prior shift). Labelled profiles are held aside: the classifier was not trained on them. Where
a group is scored whole, intervals are too wide rather than too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Num
from scipy import special

from seqjax.evaluate.calibration import Label, Score, platt, wilson
from seqjax.evaluate.intervals import t_interval
from seqjax.evaluate.selection import at_threshold

Z = special.ndtri(0.975)  # 95 %
CERTAIN = 1e-12  # probabilities nearer to 0 or 1 count as that far away

Probability = Float[np.ndarray, "target"]
Held = Num[np.ndarray, "sample"]  # of the labelled profiles, where others are judged beside them
HeldLabel = Bool[np.ndarray, "sample"]


class Share(NamedTuple):
    """The share of a class in a group, 0 to 1, the ends of its 95 % interval, and how many profiles it is from."""

    share: float
    low: float
    high: float
    count: int


class Rates(NamedTuple):
    """What labelled profiles say of a classifier at a threshold: how many of each class it calls positive."""

    true_positive: int
    false_positive: int
    positives: int
    negatives: int

    @property
    def true_positive_rate(self) -> float:
        """Share of the positives that are called so."""
        return self.true_positive / self.positives

    @property
    def false_positive_rate(self) -> float:
        """Share of the negatives that are called positive."""
        return self.false_positive / self.negatives


def rates(probability: Probability, label: Label, threshold: float = 0.5) -> Rates:
    """Counts of a classifier that calls positive what has at least the threshold, on labelled profiles held aside.

    Raises ValueError for labels of one class only and for probabilities outside 0 to 1.

    >>> rates(np.array([0.9, 0.4, 0.6, 0.1]), np.array([True, True, False, False]))
    Rates(true_positive=1, false_positive=1, positives=2, negatives=2)
    """
    _refuse_scores(probability, 1)
    _refuse_one_class(label)
    held = at_threshold(probability, label, threshold)
    return Rates(held.true_positive, held.false_positive, int(label.sum()), int((~label).sum()))


def counted_share(probability: Probability, threshold: float = 0.5) -> Share:
    """Share of the profiles that have at least the threshold, uncorrected, with Wilson's interval; for comparison.

    Biased towards the middle: where nobody is positive it counts the false positives. Raises ValueError for no profile
    and for probabilities outside 0 to 1.

    >>> counted_share(np.array([0.9, 0.5, 0.2, 0.1])).share
    0.5
    """
    _refuse_scores(probability, 1)
    called, count = int((probability >= threshold).sum()), len(probability)
    low, high = wilson(np.array([called]), np.array([count]))
    return Share(called / count, float(low[0]), float(high[0]), count)


def adjusted_count(probability: Probability, rates: Rates, threshold: float = 0.5) -> Share:
    """Counted share less the false positive rate, over true less false positive rate, within 0 to 1.

    Gart and Buck (1966), Rogan and Gladen (1978); the adjusted count of Forman (2008). The threshold is that of the
    rates. The interval is that of Lang and Reiczigel (2014), which counts in how few labelled profiles the rates are
    from; the delta method's falls to 90 % coverage with few of them and a good classifier, theirs keeps 95 % or more.
    It is (0, 1) where the rates are too few to tell the classes apart. Raises ValueError for no profile, for
    probabilities outside 0 to 1, and where the true positive rate is no higher than the false one.

    >>> adjusted_count(np.array([0.9, 0.8, 0.7, 0.1, 0.1]), Rates(80, 20, 100, 100)).share.__round__(3)
    0.667
    """
    counted = counted_share(probability, threshold)
    true, false = rates.true_positive_rate, rates.false_positive_rate
    if not true > false:
        raise ValueError(
            f"true positive rate {true} <= false positive rate {false}: no better than chance, nothing to correct with;"
            " choose another threshold or classifier"
        )
    share = float(np.clip((counted.share - false) / (true - false), 0.0, 1.0))
    return Share(share, *_lang_reiczigel(counted, rates), counted.count)


def probability_sum(probability: Probability) -> Share:
    """Mean probability of being positive, with Student's t interval; for comparison.

    Right where the probabilities are calibrated and the group has the share that they were calibrated at; towards that
    share otherwise. Raises ValueError for less than two profiles and for probabilities outside 0 to 1.

    >>> probability_sum(np.array([0.9, 0.6, 0.3])).share.__round__(3)
    0.6
    """
    _refuse_scores(probability, 2)
    return Share(*np.clip(t_interval(probability), 0.0, 1.0).tolist(), len(probability))


def calibrated_sum(log_odds: Score, held_log_odds: Held, held_label: HeldLabel) -> Share:
    """Mean calibrated probability, the prior in it being the share itself: what the EM of the paper converges to.

    Saerens, Latinne and Decaestecker (2002), eq. 9, after Platt's scaling on the labelled profiles. The fixed point is
    the share of highest likelihood, and the only one; it is found as the zero of the slope. The interval is that of the
    likelihood ratio, scaled by the part of the variance that comes from the calibration, as Kent (1982) scales it.
    Log-odds may be of any scale and prior, but linear in the true ones. Raises ValueError for no profile, log-odds that
    are not finite, labels of one class only, and labelled profiles that all have the same log-odds.

    >>> held, label = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]), np.array([False, False, True, False, True, True])
    >>> round(calibrated_sum(np.array([-1.0, 1.0]), held, label).share, 3)
    0.5
    """
    _refuse_scores(log_odds, 1, -np.inf, np.inf)
    _refuse_one_class(held_label)
    if np.ptp(held_log_odds) == 0:
        raise ValueError(f"all labelled profiles have log-odds {held_log_odds[0]}: give ones that tell classes apart")
    calibrated = platt(held_log_odds, held_label)
    held, said = calibrated(held_log_odds), np.clip(calibrated(log_odds), CERTAIN, 1.0 - CERTAIN)
    ratio = np.exp(special.logit(said) - special.logit(held.mean()))
    share = _crossing(partial(_slope, ratio=ratio), 0.0, 1.0)
    most = Z**2 * (1.0 + _calibration_part(share, ratio, log_odds, held, held_log_odds, held_label))
    room = partial(_room, best=share, ratio=ratio, most=most)
    return Share(share, _crossing(room, share, 0.0), _crossing(room, share, 1.0), len(log_odds))


def _slope(share: float, ratio: Probability) -> float:
    """Derivative of the mean log-likelihood of a share, where positives are `ratio` times as likely as negatives."""
    return float(np.mean((ratio - 1.0) / (1.0 + share * (ratio - 1.0))))


def _room(share: float, best: float, ratio: Probability, most: float) -> float:
    """What is left of `most` after twice the log-likelihood that a share loses against the best one."""
    lost = np.log1p(best * (ratio - 1.0)) - np.log1p(share * (ratio - 1.0))
    return most - 2.0 * float(lost.sum())


def _crossing(function: Callable[[float], float], begin: float, end: float) -> float:
    """Where a function that falls from begin to end, rising or not, becomes 0; the nearer of both where it does not."""
    from scipy.optimize import brentq

    if function(begin) <= 0.0:
        return begin
    return end if function(end) >= 0.0 else float(brentq(function, begin, end, xtol=CERTAIN))


def _calibration_part(
    share: float, ratio: Probability, log_odds: Score, held: Held, held_log_odds: Held, held_label: HeldLabel
) -> float:
    """Variance of the slope that the labelled profiles bring, over that which the scored ones bring.

    Each labelled profile moves scale, shift and prior of the calibration by its influence (Huber 1967), and these the
    slope by the derivative.
    """
    middle, spread, prior = held_log_odds.mean(), held_log_odds.std(), held.mean()
    ours, theirs = (
        np.column_stack([(odds - middle) / spread, np.ones(len(odds))]) for odds in (log_odds, held_log_odds)
    )
    moved = ratio / (1.0 + share * (ratio - 1.0)) ** 2
    curvature = (theirs.T * (held * (1.0 - held))) @ theirs / len(held)
    weight = np.linalg.solve(curvature, moved @ ours / len(ours))
    influence = (theirs @ weight) * (held_label - held) - moved.mean() * (held_label - prior) / (prior * (1.0 - prior))
    information = np.mean(((ratio - 1.0) / (1.0 + share * (ratio - 1.0))) ** 2)
    return float(influence.var() / len(held) * len(ratio) / max(information, CERTAIN))


def _lang_reiczigel(counted: Share, rates: Rates) -> tuple[float, float]:
    """Ends of the 95 % interval of a corrected count: Agresti-Coull counts, and one more of each kind in the rates."""
    weight = counted.count + Z**2
    called = (counted.share * counted.count + Z**2 / 2.0) / weight
    true = (rates.true_positive + 1.0) / (rates.positives + 2.0)
    false = (rates.false_positive + 1.0) / (rates.negatives + 2.0)
    if true <= false:
        return 0.0, 1.0
    gain = true - false
    share = (called - false) / gain
    true_variance = true * (1.0 - true) / (rates.positives + 2.0)
    false_variance = false * (1.0 - false) / (rates.negatives + 2.0)
    centre = share + 2.0 * Z**2 * (share * true_variance - (1.0 - share) * false_variance)
    variance = called * (1.0 - called) / weight + share**2 * true_variance + (1.0 - share) ** 2 * false_variance
    low, high = np.clip(centre + np.array([-Z, Z]) * np.sqrt(variance) / gain, 0.0, 1.0)
    return float(low), float(high)


def _refuse_one_class(label: Label) -> None:
    """Raises ValueError unless there are labels of both classes."""
    if label.all() or not label.any():
        raise ValueError(f"{label.sum()} positives among {len(label)} labelled profiles: give some of both classes")


def _refuse_scores(score: Score, least: int, low: float = 0.0, high: float = 1.0) -> None:
    """Raises ValueError for too few profiles, and for scores outside low to high or not finite."""
    outside = int((~(np.isfinite(score) & (score >= low) & (score <= high))).sum())
    if len(score) < least or outside:
        raise ValueError(f"{outside} of {len(score)} scores are not {low} to {high}: give {least} or more, all within")
