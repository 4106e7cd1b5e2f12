"""From probabilities to what is done: groups of users, and the measure that is worth most for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Measure(NamedTuple):
    """Something that can be done for a user, such as a coupon."""

    name: str
    cost: float  # of doing it for one user
    effect: float  # share of those who would leave that it keeps, 0 to 1


def segment(
    probability: Mapping[str, Float[np.ndarray, "sequence"]], threshold: Mapping[str, float], otherwise: str = "neither"
) -> Shaped[np.ndarray, "sequence"]:
    """Names, for every user, the events that are at least as probable as their threshold, joined by " and ".

    `otherwise` names users of none.
    Raises ValueError for an event without a probability or a threshold outside 0 to 1.

    >>> segment({"leaves": np.array([0.25, 0.1]), "returns": np.array([0.4, 0.1])}, {"leaves": 0.2, "returns": 0.3})
    array(['leaves and returns', 'neither'], dtype='<U18')
    """
    for name, bound in threshold.items():
        if name not in probability:
            raise ValueError(f"{name!r} has a threshold and no probability; there are {sorted(probability)}")
        if not 0.0 <= bound <= 1.0:
            raise ValueError(f"the threshold of {name!r} is {bound}: choose a probability, 0 to 1")
    everybody = np.full(len(next(iter(probability.values()), ())), "")  # users without any threshold, too
    marks = [everybody, *(np.where(probability[name] >= bound, name, "") for name, bound in threshold.items())]
    return np.array([" and ".join(filter(None, held)) or otherwise for held in zip(*marks, strict=True)], np.str_)


def choose(
    leave: Float[np.ndarray, "sequence"], worth: float, measures: Sequence[Measure]
) -> tuple[Int[np.ndarray, "sequence"], Float[np.ndarray, "sequence"]]:
    """The measure of highest expected gain for every user, and that gain over doing nothing.

    gain = P(leaves) effect worth - cost, with `worth` what a user who stays is worth; -1 where no measure gains.

    >>> coupon, call = Measure("coupon", cost=1.0, effect=0.2), Measure("call", cost=4.0, effect=0.5)
    >>> chosen, gain = choose(np.array([0.05, 0.3, 0.9]), worth=20.0, measures=[coupon, call])
    >>> chosen.tolist(), gain.round(2).tolist()
    ([-1, 0, 1], [0.0, 0.2, 5.0])
    """
    effect, cost = (np.array([getattr(m, field) for m in measures]) for field in ("effect", "cost"))
    gain = np.concatenate([np.zeros((len(leave), 1)), leave[:, None] * effect * worth - cost], axis=1)
    best = gain.argmax(axis=1)
    return best - 1, gain[np.arange(len(leave)), best]
