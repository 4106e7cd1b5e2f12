"""What anybody would say about coming back, without a model: peers of `models.next_visit`.

Each is fitted on a log of visits and gives P(back within d days) after every visit of a log: [event, day].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from seqjax.data.events import EventLog
from seqjax.data.visits import past_returns, returns

Predictor = Callable[[EventLog, tuple[int, ...]], Float[np.ndarray, "event day"]]


def constant_hazard(train: EventLog) -> Predictor:
    """One hazard for every day and user, that of highest likelihood in training: P(within d) = 1 - (1 - h)^d."""
    truth = returns(train)
    came = (truth.interval > 0) & (truth.interval <= truth.seen)
    if not truth.seen.any():
        raise ValueError("no visit was followed for a whole day: give a longer log")
    hazard = came.sum() / np.where(came, truth.interval, truth.seen).sum()

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        return np.broadcast_to(1.0 - (1.0 - hazard) ** np.array(days, np.float64), (log.events, len(days)))

    return predictor


def everybody(train: EventLog) -> Predictor:
    """The share of all training visits that were followed by another within d days (Kaplan and Meier 1958)."""
    within = _survival(train)

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        return np.broadcast_to(_at(within, days), (log.events, len(days)))

    return predictor


def own_rate(train: EventLog, weight: float = 5.0) -> Predictor:
    """The share of this user's own waits so far that were at most d days, shrunk towards everybody's.

    (own waits within d + weight P(everybody within d)) / (own waits + weight). It sees the visits before the judged one
    and no features.
    """
    within = _survival(train)

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        waits, short = past_returns(log, days)
        return (short + weight * _at(within, days)) / (waits + weight)[:, None]

    return predictor


def _survival(train: EventLog) -> Float[np.ndarray, "day"]:
    """P(back within d days) from d = 0 to the longest watch; visits count while they were watched."""
    truth = returns(train)
    came = (truth.interval > 0) & (truth.interval <= truth.seen)
    watched = np.where(came, truth.interval, truth.seen)
    at_risk = np.cumsum(np.bincount(watched)[::-1])[::-1]
    events = np.bincount(watched[came], minlength=len(at_risk))
    return 1.0 - np.cumprod(1.0 - events / np.maximum(at_risk, 1))


def _at(within: Float[np.ndarray, "day"], days: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """The probabilities of some days; beyond the longest watch nothing more is known to come."""
    return within[np.minimum(days, len(within) - 1)]
