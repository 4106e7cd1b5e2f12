"""Profiles whose words follow Zipf's law, some of them more common in one class, with the Bayes-optimal decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqjax.data.association import exact
from seqjax.data.events import EventLog, Split
from seqjax.data.profiles import profiled, reduced
from seqjax.data.samples import Samples
from seqjax.data.worlds import World


def zipf_profiles(
    seed: int,
    *,
    profiles: int = 10_000,
    tests: int = 4000,
    words: int = 20_000,
    tokens: float = 60.0,
    informative: float = 0.25,
    effect: float = 0.58,
) -> World:
    """Profiles of two equally common classes, who use words as Zipf's law says, some words more in one class.

    A profile uses word v a Poisson number of times with the mean tokens v^-1 / (sum over u of u^-1) exp(+- e_v / 2),
    where e_v is 0, or for the share `informative` of words normal with the deviation `effect`. Words are independent
    given the class, so that the log-odds of a profile by which words it has are a sum, by which the ceiling and the
    entropy judge the very test profiles. Validation has half as many profiles as the test.
    """
    random = np.random.default_rng((seed, 0))
    law = 1.0 / np.arange(1, words + 1)
    tilt = np.where(random.random(words) < informative, random.normal(0.0, effect, words), 0.0)
    rate = tokens * law / law.sum() * np.exp(np.array([[-0.5], [0.5]]) * tilt)
    names = np.array([f"word {rank}" for rank in range(1, words + 1)])
    total = np.cumsum(rate, axis=1) / rate.sum(axis=1, keepdims=True)

    def draw(part: int, count: int) -> Samples:
        random = np.random.default_rng((seed, part))
        label = random.random(count) < 0.5
        lengths = random.poisson(rate.sum(axis=1)[label.astype(int)])
        owner, place = np.repeat(label, lengths), random.random(lengths.sum())
        item = np.zeros(len(owner), np.int32)
        for own in (False, True):
            item[owner == own] = np.minimum(np.searchsorted(total[int(own)], place[owner == own]) + 1, words)
        log = EventLog(np.concatenate([[0], np.cumsum(lengths)]), {"item": item}, {"item": names})
        return profiled(log, label, ("0", "1"))

    train, chosen, test = draw(1, profiles), draw(2, max(tests // 2, 2)), draw(3, tests)
    present = -np.expm1(-rate)
    weight, absent = np.log(present[1] / present[0]) + rate[1] - rate[0], (rate[0] - rate[1]).sum()
    has = np.unique(test.log.sequence.astype(np.int64) * words + test.log.columns["item"] - 1)
    odds = np.bincount(has // words, weight[has % words], test.size) + absent
    entropy = float(np.logaddexp(0.0, np.where(test.label, -odds, odds)).mean())
    return World(Split(train, chosen, test), {"accuracy": float(((odds > 0) == test.label).mean())}, entropy)


def zipf(
    seed: int = 0,
    *,
    profiles: int = 10_000,
    tests: int = 4000,
    tokens: float = 60.0,
    effect: float = 0.58,
    features: int = 4000,
    method: Callable = exact,
    presence: bool = True,
    occurrences: bool = False,
    part: int = 0,
    parts: int = 1,
    flipped: bool = False,
    validation: bool = True,
) -> Split:
    """`zipf_profiles` in the features that are best in training; the accuracy of Bayes' rule on presence is noted.

    part, parts: learn from one of so many disjoint parts of the training profiles, features still chosen by all.
    flipped: the other class is the positive one. validation: whether there is a set to choose by.
    """
    world = zipf_profiles(seed, profiles=profiles, tests=tests, tokens=tokens, effect=effect)
    settings = {"method": method, "presence": presence, "occurrences": occurrences, "part": part, "parts": parts}
    split = reduced(world.split, features=features, **settings)
    if flipped:
        split = Split(*(held and held._replace(label=~held.label) for held in split[:3]), split.notes)
    return split._replace(
        validation=split.validation if validation else None,
        notes={**split.notes, "bayes_accuracy": world.ceiling["accuracy"]},
    )
