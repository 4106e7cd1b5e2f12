"""Whether probabilities mean what they say: Brier score, calibration error, reliability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Num
from scipy import special


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
