"""Whether probabilities mean what they say: Brier score, calibration error, reliability; and scores made to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy import special

Score = Num[np.ndarray, "target"]
Label = Bool[np.ndarray, "target"]
Calibrated = Callable[[Num[np.ndarray, "..."]], Float[np.ndarray, "..."]]

STEPS, HALVES = 100, 34  # of Newton's method, and down to 1e-10 of each: Lin, Lin and Weng (2007), pseudo code
TINY = 1e-12  # added to the curvature, as they do; and the decrease for which no further step is taken


class Reliability(NamedTuple):
    """Predictions in groups of like probability: what was said, what came, and the ends of its interval."""

    count: Int[np.ndarray, "group"]
    said: Float[np.ndarray, "group"]  # mean probability
    came: Float[np.ndarray, "group"]  # share of events
    low: Float[np.ndarray, "group"]
    high: Float[np.ndarray, "group"]


def brier(probability: Float[np.ndarray, "target"], event: Bool[np.ndarray, "target"]) -> float:
    """Mean squared difference of probability and what came (1 or 0), Brier (1950).

    >>> round(brier(np.array([0.8, 0.2]), np.array([True, False])), 3)
    0.04
    """
    return float(np.mean((probability - event) ** 2))


def reliability(
    probability: Float[np.ndarray, "target"], event: Bool[np.ndarray, "target"], groups: int = 20
) -> Reliability:
    """Groups of about equally many predictions by rising probability, equal ones never apart.

    Intervals are Wilson's at 95 %, for targets that do not depend on each other.
    """
    group = _groups(probability, groups)
    size = np.bincount(group)
    said, came = (np.bincount(group, column) / size for column in (probability, event))
    return Reliability(size, said, came, *wilson(came * size, size))


def calibration_error(
    probability: Float[np.ndarray, "target"], event: Bool[np.ndarray, "target"], groups: int = 20
) -> float:
    """Expected calibration error: |said - came| of each group of `reliability`, averaged over targets (Naeini 2015).

    Even true probabilities have some: see `calibration_floor`.
    """
    gap = np.bincount(_groups(probability, groups), probability - event)
    return float(np.abs(gap).sum() / len(probability))


def calibration_floor(
    probability: Float[np.ndarray, "target"], groups: int = 20, replicates: int = 20, seed: int = 0
) -> float:
    """The calibration error that these probabilities would have if they were true: the mean over drawn events."""
    random = np.random.default_rng(seed)
    drawn = (random.random(len(probability)) < probability for _ in range(replicates))
    return float(np.mean([calibration_error(probability, event, groups) for event in drawn]))


def _groups(probability: Float[np.ndarray, "target"], groups: int) -> Int[np.ndarray, "target"]:
    """The group of every prediction, numbered without gaps: by the middle rank of its equals."""
    _, value, count = np.unique(probability, return_inverse=True, return_counts=True)
    middle = (np.cumsum(count) - 0.5 * count) / len(probability)
    return np.unique((groups * middle).astype(np.int64), return_inverse=True)[1][value]


def wilson(
    successes: Num[np.ndarray, "group"], trials: Int[np.ndarray, "group"], level: float = 0.95
) -> tuple[Float[np.ndarray, "group"], Float[np.ndarray, "group"]]:
    """Interval of a proportion, Wilson (1927), eq. 6; (0, 1) without a trial.

    >>> [round(float(end[0]), 3) for end in wilson(np.array([1]), np.array([10]))]
    [0.018, 0.404]
    """
    z = special.ndtri((1.0 + level) / 2.0)
    trials = np.asarray(trials, np.float64)
    share = np.where(trials > 0, successes / np.maximum(trials, 1.0), 0.5)
    weight = np.where(trials > 0, z**2 / np.maximum(trials, 1.0), np.inf)
    with np.errstate(invalid="ignore"):
        centre = (share + weight / 2.0) / (1.0 + weight)
        reach = np.sqrt(weight * share * (1.0 - share) + weight**2 / 4.0) / (1.0 + weight)
    known = trials > 0
    return np.where(known, centre - reach, 0.0), np.where(known, centre + reach, 1.0)


def isotonic(score: Score, label: Label) -> Calibrated:
    """The rising steps that fit the labels best, as a function from scores to probabilities.

    Pool adjacent violators, Zadrozny and Elkan (2002). A score has the step of the next one below it that was fitted;
    probabilities stay within 1 / 2n and 1 - 1 / 2n, n users, since no n users can show more.

    >>> isotonic(np.array([1.0, 2.0, 3.0]), np.array([False, True, False]))(np.array([0.0, 1.0, 2.5])).round(3).tolist()
    [0.167, 0.167, 0.5]
    """
    from scipy.optimize import isotonic_regression

    value, place, count = distinct(score)
    share = isotonic_regression(np.bincount(place, label) / count, weights=count).x
    return partial(_stairs, edge=value, height=np.clip(share, 0.5 / len(score), 1.0 - 0.5 / len(score)))


def platt(score: Score, label: Label) -> Calibrated:
    """Sigmoid of a scaled and shifted score that fits the labels best, as a function from scores to probabilities.

    Platt (1999): the target of n positives is (n + 1) / (n + 2), of n negatives 1 / (n + 2), so that a
    perfect score does not make probabilities 0 and 1. By Newton's method with halved steps, Lin, Lin and Weng (2007).
    The scale is negative, and the order reversed, where positives score lower. Raises ValueError for a score that is
    not finite.

    >>> platt(np.array([-1.0, 1.0]), np.array([False, True]))(np.array([-1.0, 0.0, 1.0])).round(3).tolist()
    [0.333, 0.5, 0.667]
    """
    if not np.isfinite(score).all() or not len(score):
        raise ValueError(
            f"{(~np.isfinite(score)).sum()} of {len(score)} scores are not finite: give one or more, all finite"
        )
    score = score.astype(np.float64)
    positive, negative = int(label.sum()), int((~label).sum())
    aim = np.where(label, (positive + 1) / (positive + 2), 1 / (negative + 2))
    centre, spread = float(score.mean()), float(score.std()) or 1.0
    design = np.column_stack([(score - centre) / spread, np.ones(len(score))])

    def loss(weight: np.ndarray) -> float:
        logit = design @ weight
        return float(np.mean(np.logaddexp(0.0, logit) - aim * logit))

    weight = np.array([0.0, np.log((positive + 1) / (negative + 1))])
    for _ in range(STEPS):
        said = special.expit(design @ weight)
        slope = (said - aim) @ design / len(score)
        curvature = (design.T * (said * (1.0 - said))) @ design / len(score) + TINY * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        if slope @ step < TINY:
            break
        before = loss(weight)
        enough = (half for half in 0.5 ** np.arange(HALVES) if loss(weight - half * step) <= before)
        weight = weight - next(enough, 0.0) * step
    return partial(_sigmoid, scale=weight[0] / spread, shift=weight[1] - weight[0] * centre / spread)


def _stairs(
    score: Num[np.ndarray, "..."], edge: Num[np.ndarray, "group"], height: Float[np.ndarray, "group"]
) -> Float[np.ndarray, "..."]:
    """Height of the last edge that is not above the score, of the first one below all; nan for nan."""
    return np.where(np.isnan(score), np.nan, height[np.maximum(np.searchsorted(edge, score, "right") - 1, 0)])


def _sigmoid(score: Num[np.ndarray, "..."], scale: float, shift: float) -> Float[np.ndarray, "..."]:
    """Sigmoid of scale x score + shift."""
    return special.expit(scale * score + shift)


def distinct(score: Score) -> tuple[Num[np.ndarray, "group"], Int[np.ndarray, "target"], Int[np.ndarray, "group"]]:
    """Rising scores without repeats, each user's place among them, and how many users have each."""
    if np.isnan(score).any() or not len(score):
        raise ValueError(f"{np.isnan(score).sum()} of {len(score)} scores are nan: give one number or more, none nan")
    return np.unique(score, return_inverse=True, return_counts=True)
