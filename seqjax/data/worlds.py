"""Synthetic processes with a known law: what the best model can reach, and none can beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from seqjax.data.events import EventLog, Split
from seqjax.data.samples import Samples, ask, checked


class World(NamedTuple):
    """A process, sampled for training and for judging.

    ceiling: the expectation of each metric under the true law; a figure above it is sampling noise or a fault.
    entropy: the lowest expected loss per target that any model can have, in nats.
    """

    split: Split
    ceiling: Mapping[str, float]
    entropy: float


def cycle(seed: int, *, items: int = 12, sessions: int = 600, length: int = 5) -> World:
    """Every session starts anywhere and goes round: the next item is the one after, and nothing is left to chance.

    >>> cycle(0, items=4, sessions=1, length=4).split.train.columns["item"].tolist()
    [3, 4, 1, 2]
    """

    def sample(random: np.random.Generator) -> Int[np.ndarray, "sequence step"]:
        return (random.integers(items, size=(sessions, 1)) + np.arange(length)) % items

    return World(_split(sample, seed, items), {"recall@1": 1.0, "recall@5": 1.0, "mrr@5": 1.0}, 0.0)


def order2(seed: int, *, items: int = 12, sessions: int = 600, length: int = 5, surprise: float = 0.1) -> World:
    """The last *two* items decide the next one, but for a share `surprise` of draws from all items alike.

    After a, b comes order[a + b modulo items], with a random `order`. Pairs stay uniformly distributed, so that the
    last item alone tells nothing; neither can the second item of a session be foretold.

    >>> world = order2(0, items=4, surprise=0.0, length=5)
    >>> world.ceiling["recall@1"]  # of four targets, one with chance 1/4 and three for sure
    0.8125
    """

    def sample(random: np.random.Generator) -> Int[np.ndarray, "sequence step"]:
        walk = random.integers(items, size=(sessions, length))
        surprised = random.random((sessions, length)) < surprise
        for step in range(2, length):
            known = order[(walk[:, step - 2] + walk[:, step - 1]) % items]
            walk[:, step] = np.where(surprised[:, step], walk[:, step], known)
        return walk

    order = np.random.default_rng((seed, 0)).permutation(items)
    law = np.full(items, surprise / items)
    law[0] += 1.0 - surprise
    first, later = _ceiling(np.full(items, 1.0 / items)), _ceiling(law)
    share = 1.0 / (length - 1)
    ceiling = {name: share * first[name] + (1.0 - share) * later[name] for name in first}
    return World(_split(sample, seed, items), ceiling, share * np.log(items) + (1.0 - share) * _entropy(law))


def popularity_only(
    seed: int, *, items: int = 12, sessions: int = 600, length: int = 5, exponent: float = 1.0
) -> World:
    """Every event is drawn alone, P(i-th item) proportional to i^-exponent: nobody may beat the popularity baseline.

    >>> round(popularity_only(0, items=4).ceiling["recall@1"], 2)  # 1 / (1 + 1/2 + 1/3 + 1/4)
    0.48
    """

    def sample(random: np.random.Generator) -> Int[np.ndarray, "sequence step"]:
        return random.choice(items, size=(sessions, length), p=law)

    law = np.arange(1, items + 1) ** -exponent
    law = law / law.sum()
    return World(_split(sample, seed, items), _ceiling(law), _entropy(law))


def planted_lag(
    seed: int,
    *,
    lag: int = 32,
    items: int = 12,
    users: int = 2048,
    tests: int = 1024,
    spread: int = 16,
    distractors: bool = False,
) -> World:
    """Whether a user responds was decided `lag` events ago, by which of two cues stood there; all else is noise.

    A life has lag - 1 + 1 .. `spread` events, so that nothing but the cue tells where it stands. Two of the items are
    cues; the one that counts is the only one, or with `distractors` one among many: then only the event exactly `lag`
    before the question counts, and an event is a cue with probability 1/2. The order of a life is all that matters
    there: counts of cues say next to nothing.

    >>> samples = planted_lag(0, lag=3, users=4, spread=1).split.train
    >>> (samples.log.columns["item"].reshape(4, 3)[:, 0] == 1).tolist() == samples.label.tolist()
    True
    """

    def draw(part: int, users: int) -> Samples:
        random = np.random.default_rng((seed, lag, part))
        lengths = lag + random.integers(spread, size=users)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        item = random.integers(3, items + 1, offsets[-1])
        if distractors:
            item = np.where(random.random(offsets[-1]) < 0.5, random.integers(1, 3, offsets[-1]), item)
        cue = offsets[1:] - lag
        item[cue] = random.integers(1, 3, users)
        names = {"user": np.array([f"user {part}-{number}" for number in range(users)])}
        log = EventLog(offsets, {"item": item.astype(np.int32)}, {"item": words}, names)
        asked = np.full(users, items)  # about one and the same item
        return checked(ask(log, np.arange(users), lengths, item[cue] == 1, asked))

    words = np.array([f"cue {index}" for index in (1, 2)] + [f"item {index}" for index in range(3, items + 1)])
    return World(Split(draw(1, users), None, draw(2, tests)), {"auc": 1.0}, 0.0)


def planted(seed: int = 0, *, lag: int = 32, users: int = 2048, tests: int = 1024, distractors: bool = False) -> Split:
    """The samples of `planted_lag`, as the data of an experiment."""
    return planted_lag(seed, lag=lag, users=users, tests=tests, distractors=distractors).split


def _ceiling(law: Float[np.ndarray, "item"]) -> dict[str, float]:
    """What ranking by the law itself reaches."""
    best = np.sort(law)[::-1]
    reciprocal = float((best[:5] / np.arange(1, 6)[: len(best)]).sum())
    return {"recall@1": float(best[0]), "recall@5": float(best[:5].sum()), "mrr@5": reciprocal}


def _entropy(law: Float[np.ndarray, "item"]) -> float:
    some = law[law > 0]
    return float(-(some * np.log(some)).sum())


def _split(sample: Callable[[np.random.Generator], np.ndarray], seed: int, items: int) -> Split:
    """Training and test log of independent draws, with one vocabulary."""
    words = np.array([f"item {index}" for index in range(items)])
    logs = []
    for part in (1, 2):
        walk = sample(np.random.default_rng((seed, part)))
        offsets = np.arange(len(walk) + 1) * walk.shape[1]
        logs.append(EventLog(offsets, {"item": (walk.ravel() + 1).astype(np.int32)}, {"item": words}))
    return Split(logs[0], None, logs[1])
