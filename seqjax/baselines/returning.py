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
LONGEST = 365  # days within which waits are counted


def constant_hazard(train: EventLog) -> Predictor:
    """One hazard for every day and user, that of highest likelihood in training: P(within d) = 1 - (1 - h)^d."""
    truth = returns(train)
    came = (truth.interval > 0) & (truth.interval <= truth.seen)
    hazard = came.sum() / np.where(came, truth.interval, truth.seen).sum()

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        return np.broadcast_to(1.0 - (1.0 - hazard) ** np.array(days, np.float64), (log.events, len(days)))

    return predictor


def everybody(train: EventLog) -> Predictor:
    """The share of all training visits that were followed by another within d days (Kaplan and Meier 1958)."""
    within = _survival(train)

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        return np.broadcast_to(within[np.array(days)], (log.events, len(days)))

    return predictor


def own_rate(train: EventLog, weight: float = 5.0) -> Predictor:
    """The share of this user's own waits so far that were at most d days, shrunk towards everybody's.

    (own waits within d + weight P(everybody within d)) / (own waits + weight). It sees the visits before the judged one
    and no features.
    """
    within = _survival(train)

    def predictor(log: EventLog, days: tuple[int, ...]) -> Float[np.ndarray, "event day"]:
        waits, short = past_returns(log, days)
        return (short + weight * within[np.array(days)]) / (waits + weight)[:, None]

    return predictor


def _survival(train: EventLog) -> Float[np.ndarray, "..."]:
    """P(back within d days) for d = 0 .. LONGEST, visits that one stopped watching counted while they were watched."""
    truth = returns(train)
    came = (truth.interval > 0) & (truth.interval <= truth.seen)
    watched = np.minimum(np.where(came, truth.interval, truth.seen), LONGEST)
    at_risk = np.cumsum(np.bincount(watched, minlength=LONGEST + 1)[::-1])[::-1]
    events = np.bincount(watched[came & (truth.interval <= LONGEST)], minlength=LONGEST + 1)
    return 1.0 - np.cumprod(1.0 - events / np.maximum(at_risk, 1))
