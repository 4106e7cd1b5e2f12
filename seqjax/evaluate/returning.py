"""The report on returns: is P(back within so many days) sharp, and does it mean what it says?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from seqjax.data.events import EventLog
from seqjax.data.visits import WORDS, returns
from seqjax.data.windows import spans
from seqjax.evaluate.calibration import calibration_error, calibration_floor, reliability
from seqjax.evaluate.evaluation import Evaluation
from seqjax.evaluate.intervals import bootstrap
from seqjax.evaluate.reading import read_series
from seqjax.models.next_visit import returned_within

Predictor = Callable[[EventLog, tuple[int, ...]], Float[np.ndarray, "event day"]]


class ReturnCases(NamedTuple):
    """Sums over the judged visits of every user that has any."""

    visits: Int[np.ndarray, "sequence"]
    squares: Float[np.ndarray, "sequence day"]  # squared errors
    days: Int[np.ndarray, "day"]

    def minus(self, other: ReturnCases, names: Sequence[str] = (), replicates: int = 1000) -> dict[str, float]:
        """Brier scores less another model's, with 95 % bootstrap intervals over users.

        Raises ValueError where the two judge different visits.
        """
        del names
        if not np.array_equal(self.visits, other.visits) or not np.array_equal(self.days, other.days):
            raise ValueError("the two models were judged on different visits: give both one log and the same days")
        return _means(self._replace(squares=self.squares - other.squares), replicates)


def returning(
    model: nn.Module,
    params: PyTree,
    log: EventLog,
    *,
    baselines: Mapping[str, Predictor] | None = None,
    days: tuple[int, ...] = (1, 3, 7, 14),
    replicates: int = 1000,
) -> Evaluation:
    """Brier score and calibration error of P(back within d days) at the judged visits, all beside baselines.

    A log without the column `judged` is judged at every visit that was followed for the longest of `days`. Intervals
    are bootstrapped over users, differences to baselines paired. Without `baselines`, as for validation: the scores
    alone. Raises ValueError where no visit can be judged.
    """
    truth = returns(log)
    judged = log.columns.get("judged", np.ones(log.events, bool)) & (truth.seen >= max(days))
    if not judged.any():
        raise ValueError(f"no visit was followed for {max(days)} days: ask for fewer days, or give a longer log")
    came = (truth.interval[judged][:, None] > 0) & (truth.interval[judged][:, None] <= np.array(days))
    said = predict_returns(model, params, log, days)[judged]
    owner = log.sequence[judged]
    mine = _cases(said, came, owner, days)
    if baselines is None:
        return Evaluation(_means(mine, 0) | {"negative_brier": -float(mine.squares.sum() / mine.visits.sum())}, mine)
    numbers = _means(mine, replicates) | _calibration("", said, came, days)
    for name, predictor in baselines.items():
        theirs = predictor(log, days)[judged]
        held = _cases(theirs, came, owner, days)
        numbers |= {f"{name}/{key}": value for key, value in _means(held, replicates).items()}
        numbers |= _calibration(f"{name}/", theirs, came, days)
        numbers |= {f"minus/{name}/{key}": value for key, value in mine.minus(held, (), replicates).items()}
    numbers |= {f"came@{day}": float(column.mean()) for day, column in zip(days, came.T, strict=True)}
    tables = {
        f"reliability@{day}": {name: c.tolist() for name, c in reliability(*pair)._asdict().items()}
        for day, *pair in zip(days, said.T, came.T, strict=True)
    }
    return Evaluation(numbers | {"targets": float(judged.sum()), "sequences": float(len(mine.visits))}, mine, tables)


def predict_returns(
    model: nn.Module, params: PyTree, log: EventLog, days: tuple[int, ...]
) -> Float[np.ndarray, "event day"]:
    """P(back within d days) after every visit of a log."""
    events = {name: log.columns[name] for name in WORDS}
    (within,) = read_series(model, params, events, spans(log, boundary=False), _within)
    if wrong := [day for day in days if not 1 <= day <= within.shape[1]]:
        raise ValueError(f"days={wrong[0]}: the model tells 1 to {within.shape[1]} days; ask for these")
    return within[:, np.array(days) - 1].astype(np.float64)


def _within(scores: Float[Array, "interval"], target: Mapping[str, Array]) -> list[Array]:
    del target
    return [returned_within(scores)]


def _cases(
    said: Float[np.ndarray, "target day"], came: Bool[np.ndarray, "target day"], owner: np.ndarray, days: Sequence[int]
) -> ReturnCases:
    _, user = np.unique(owner, return_inverse=True)
    squares = np.column_stack([np.bincount(user, column) for column in ((said - came) ** 2).T])
    return ReturnCases(np.bincount(user), squares, np.array(days))


def _means(held: ReturnCases, replicates: int) -> dict[str, float]:
    """Brier scores, and intervals over users unless `replicates` is 0."""
    names = [f"brier@{day}" for day in held.days]
    numbers = dict(zip(names, (held.squares.sum(axis=0) / held.visits.sum()).tolist(), strict=True))
    if replicates:
        for end, bound in zip(("low", "high"), bootstrap(held.squares, held.visits, replicates), strict=True):
            numbers |= {f"{name}/{end}": value for name, value in zip(names, bound.tolist(), strict=True)}
    return numbers


def _calibration(
    before: str, said: Float[np.ndarray, "target day"], came: Bool[np.ndarray, "target day"], days: Sequence[int]
) -> dict[str, float]:
    """Calibration error, beside what true probabilities would have."""
    errors = {f"{before}ece@{day}": calibration_error(*pair) for day, *pair in zip(days, said.T, came.T, strict=True)}
    floors = {f"{before}ece_floor@{day}": calibration_floor(p) for day, p in zip(days, said.T, strict=True)}
    return errors | floors
