"""Decisions of one, two or several networks, and what they gain by not deciding about every profile.

Responses and probabilities are 0 to 1; `positive` is the response of a network trained with the positive class as 1,
`negative` that of another one, trained with the negative class as 1.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import special

from seqjax.evaluate.calibration import distinct, wilson

Response = Float[np.ndarray, "..."]  # one number a profile
Decision = Bool[np.ndarray, "..."]


def stronger(positive: Response, negative: Response) -> Decision:
    """Whether the network of the positive class responds more strongly; equal responses are negative.

    The same decisions as `averaged` above 0.5, but for responses less than 1e-16 apart. Raises ValueError for unequal
    lengths and for responses outside 0 to 1.

    >>> stronger(np.array([0.6, 0.2]), np.array([0.5, 0.7])).tolist()
    [True, False]
    """
    return _difference(positive, negative) > 0.0


def averaged(positive: Response, negative: Response) -> Response:
    """Mean of the positive response and of 1 less the negative one: two networks bagged, Breiman (1996).

    Raises ValueError for unequal lengths and for responses outside 0 to 1.

    >>> averaged(np.array([0.6, 0.2]), np.array([0.5, 0.6])).round(3).tolist()
    [0.55, 0.3]
    """
    return 0.5 + _difference(positive, negative) / 2.0


def ensemble(probability: Float[np.ndarray, "run target"]) -> Response:
    """Mean probability over networks. Raises ValueError for no network and for probabilities outside 0 to 1.

    >>> ensemble(np.array([[0.9, 0.2], [0.6, 0.4]])).round(3).tolist()
    [0.75, 0.3]
    """
    _refuse_none(probability)
    return _within(probability).mean(axis=0)


def ensemble_logit(probability: Float[np.ndarray, "run target"]) -> Response:
    """Mean log-odds over networks; probabilities of 0 and 1 count as one rounding error of their type away from it.

    Its sigmoid is the normalised geometric mean of the networks, Hinton (2002): a sure network weighs more than in
    `ensemble`. Raises ValueError for no network and for probabilities outside 0 to 1.

    >>> ensemble_logit(np.array([[0.9, 0.5], [0.1, 0.5]])).round(3).tolist()
    [0.0, 0.0]
    """
    _refuse_none(probability)
    least = np.finfo(probability.dtype).eps
    return special.logit(np.clip(_within(probability), least, 1.0 - least)).mean(axis=0)


def abstains(positive: Response, negative: Response, *, least: float = 0.0, margin: float = 0.0) -> Decision:
    """Whether a profile is left undecided: both responses below `least`, or less than `margin` apart.

    With both at 0 every profile is decided. Raises ValueError for unequal lengths and for responses outside 0 to 1.

    >>> abstains(np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.6, 0.3]), least=0.3, margin=0.2).tolist()
    [True, True, False]
    """
    apart = np.abs(_difference(positive, negative))
    return (np.maximum(positive, negative) < least) | (apart < margin)


def accuracy_coverage(probability: Response, label: Decision, points: int = 20) -> dict[str, list[float]]:
    """Accuracy among the profiles farthest from 0.5, for shares decided that grow to 1, with Wilson's 95 % intervals.

    `threshold` is the least |probability - 0.5| that is decided, positive above 0.5. Thresholds are chosen for about
    k / points of the profiles, k = 1 .. points; equal ones are never apart, so that coverage may be more than that and
    there may be fewer points: one where all are equal. Raises ValueError for unequal lengths, no profile, no point, and
    probabilities outside 0 to 1.

    >>> accuracy_coverage(np.array([0.9, 0.2, 0.6, 0.45]), np.array([True, False, False, False]), 2)["accuracy"]
    [1.0, 0.75]
    """
    if probability.shape != label.shape or not len(label) or points < 1:
        raise ValueError(
            f"{len(probability)} probabilities, {len(label)} labels, points={points}: give 1 or more, a label of each"
        )
    probability = _within(probability)
    margin, place, count = distinct(np.abs(probability - 0.5))
    right = np.bincount(place, (probability > 0.5) == label)
    decided, right = np.cumsum(count[::-1]), np.cumsum(right[::-1])
    least = np.ceil(np.arange(1, points + 1) * len(label) / points)
    at = np.unique(np.searchsorted(decided, least))
    low, high = wilson(right[at], decided[at])
    columns = {
        "coverage": decided[at] / len(label),
        "accuracy": right[at] / decided[at],
        "low": low,
        "high": high,
        "threshold": margin[::-1][at],
    }
    return {name: column.tolist() for name, column in columns.items()}


def _difference(positive: Response, negative: Response) -> Response:
    """Positive less negative response, in double precision."""
    if positive.shape != negative.shape:
        raise ValueError(f"{len(positive)} positive and {len(negative)} negative responses: give both of every profile")
    return _within(positive) - _within(negative)


def _within(probability: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The same in double precision; raises ValueError for what is not 0 to 1."""
    outside = ~((probability >= 0.0) & (probability <= 1.0))
    if outside.any():
        raise ValueError(f"{outside.sum()} of {outside.size} are not 0 to 1, such as {probability[outside][0]}")
    return probability.astype(np.float64)


def _refuse_none(probability: Float[np.ndarray, "run target"]) -> None:
    """Raises ValueError without a network."""
    if not len(probability):
        raise ValueError("0 networks: give the probabilities of one or more")
