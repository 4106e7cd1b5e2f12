"""Whom a contact moves, where a log tells who was contacted: uplift instead of propensity."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import numpy as np
from jaxtyping import Bool, Float, PyTree
from scipy import special

from seqjax.data.samples import Samples
from seqjax.evaluate.response import predict


class Qini(NamedTuple):
    """What contacting users in the order of a score gains over contacting as many at random."""

    curve: Float[np.ndarray, "offset"]  # responses gained per contact of everybody, by users contacted (0, 1, ..)
    area: float  # mean of the curve less the straight line to its end
    low: float  # ends of a 95 % bootstrap interval of the area, over users
    high: float


def uplift(model: nn.Module, params: PyTree, samples: Samples, feature: str = "treated") -> Float[np.ndarray, "sample"]:
    """P(response | contacted) - P(response | not) of every sample.

    One model is asked twice: the S-learner of Künzel et al. (2019), sec. 2.

    feature: of the model's targets; id 1 says not contacted, 2 contacted, in training as it was. What the log itself
    tells of the contact is not changed. Raises ValueError where targets do not have it.
    """
    if feature not in samples.target:
        raise ValueError(
            f"targets have {sorted(samples.target)} and no {feature!r}: tell who was contacted (1 no, 2 yes)"
        )
    said = []
    for contacted in (1, 2):
        target = {**samples.target, feature: np.full(samples.size, contacted, np.int32)}
        said.append(special.expit(predict(model, params, samples._replace(target=target)).astype(np.float64)))
    return said[1] - said[0]


def qini(
    score: Float[np.ndarray, "sample"],
    treated: Bool[np.ndarray, "sample"],
    label: Bool[np.ndarray, "sample"],
    *,
    replicates: int = 500,
    seed: int = 0,
) -> Qini:
    """The Qini curve of a score on users who were contacted at random, or not, Radcliffe (2007); one sample, one user.

    Of the first k users by score, responses of the contacted less those of the others, scaled to as many, over all who
    were contacted. A score that says nothing has the straight line and area 0, whatever contacting does on average;
    ties are in the order given. Raises ValueError where nobody, or everybody, was contacted.

    >>> found = qini(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False] * 2), np.array([True, False, False, False]))
    >>> found.curve.tolist(), found.area
    ([0.0, 0.5, 0.5, 0.5, 0.5], 0.15)
    """
    if treated.all() or not treated.any():
        raise ValueError(f"{int(treated.sum())} of {len(treated)} users were contacted: there is nothing to compare")
    order = np.argsort(-score, kind="stable")
    contacted, took = treated[order], label[order]
    curve, random = _curve(contacted, took, np.ones(len(order))), np.random.default_rng(seed)
    drawn = (np.bincount(random.integers(len(order), size=len(order)), minlength=len(order)) for _ in range(replicates))
    areas = [_area(_curve(contacted, took, weight)) for weight in drawn]
    return Qini(curve, _area(curve), *(float(end) for end in np.nanquantile(areas, (0.025, 0.975))))


def _curve(
    contacted: Bool[np.ndarray, "sample"], took: Bool[np.ndarray, "sample"], weight: np.ndarray
) -> Float[np.ndarray, "offset"]:
    """The curve of users in order, each counted so many times; nan where a resample has nobody contacted."""
    there, won, other, lost = (
        np.append(0.0, np.cumsum(weight * part))
        for part in (contacted, contacted & took, ~contacted, ~contacted & took)
    )
    with np.errstate(invalid="ignore"):
        return (won - np.where(other > 0, lost * there / np.maximum(other, 1.0), 0.0)) / there[-1]


def _area(curve: Float[np.ndarray, "offset"]) -> float:
    """The mean of a curve less the straight line to its end."""
    return float(np.mean(curve - curve[-1] * np.linspace(0.0, 1.0, len(curve))))
