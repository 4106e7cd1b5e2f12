"""Purchases of users whose stage of life is hidden, with the Bayes-optimal answer to whether they will soon buy.

A user goes from no interest to interest and on to buying. What is bought before the cut-off depends on the stage; asked
is whether the user enters "buying" soon after it. Nobody asked has begun to buy, no purchase after the cut-off is in
the log, and the question is always about one and the same item, the category "target", which nobody has bought.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from seqjax.data.events import EventLog, Split
from seqjax.data.samples import Samples, ask, checked
from seqjax.data.worlds import World

DAY = 86400
Pair = tuple[float, float]  # of the stages none and interested, or of the answers no and yes


class Stages(NamedTuple):
    """A world of one question a user, and what Bayes' rule answers.

    The ceiling "auc" and the entropy are those of `score` on the test samples themselves, so that a model, judged on
    the same ones, is compared in pairs.
    """

    world: World
    score: Float[np.ndarray, "sample"]  # Bayes log-odds of every test sample

    def share(self, auc: float) -> float:
        """What a test AUC has of the area between chance and Bayes: 0 is chance, 1 all that can be known."""
        return (auc - 0.5) / (self.world.ceiling["auc"] - 0.5)


class Chain(NamedTuple):
    """The stages before buying, left to right, in discrete steps.

    Everybody begins in the first stage and goes from stage k to the next one, the last time to buying, with
    probability `onward[k]` between two steps. After `steps` of them those not yet buying are asked whether they will be
    in `horizon` more.
    """

    onward: tuple[float, ...]
    steps: int
    horizon: int


def enters(chain: Chain) -> Float[np.ndarray, "node"]:
    """Probability, from every stage, of entering buying within the horizon.

    >>> enters(Chain((0.5, 0.5), 1, 2)).tolist()
    [0.25, 0.75]
    """
    onward = np.array(chain.onward)
    chance = np.zeros(len(onward))
    for _ in range(chain.horizon):
        chance = onward * np.append(chance[1:], 1.0) + (1.0 - onward) * chance
    return chance


def forward(chain: Chain, said: Float[np.ndarray, "sequence time node"]) -> Float[np.ndarray, "sequence node"]:
    """Log probability of all that was seen together with the stage at the last step, by the forward algorithm.

    Rabiner (1989), eq. 18 to 20, in logarithms. said: log probability of what each step shows, in every stage.
    """
    stay, move = np.log1p(-np.array(chain.onward)), np.log(chain.onward)
    never = np.full((len(said), 1), -np.inf)
    state = np.where(np.arange(len(stay)) == 0, said[:, 0], -np.inf)
    for step in range(1, said.shape[1]):
        came = np.concatenate([never, state[:, :-1] + move[None, :-1]], axis=1)
        state = np.logaddexp(state + stay[None], came) + said[:, step]
    return state


def log_odds(
    chain: Chain, said: Float[np.ndarray, "sequence time node"], *, balanced: bool = False
) -> Float[np.ndarray, "sequence"]:
    """Log-odds that a user who is not yet buying will be within the horizon, given all that was seen.

    balanced: among users drawn so that half of them will; less the log-odds of all, which is exact as users are drawn
    by their label alone.
    """
    state, chance = forward(chain, said), enters(chain)[None]
    with np.errstate(divide="ignore"):  # a stage too far from buying has log probability -inf
        will, not_yet = (np.logaddexp.reduce(state + np.log(p), axis=1) for p in (chance, 1.0 - chance))
    return will - not_yet - (log_odds(chain, np.zeros((1, *said.shape[1:]))) if balanced else 0.0)


def lives(
    chain: Chain, random: np.random.Generator, users: int, *, balanced: bool = False
) -> tuple[Int[np.ndarray, "sequence time"], Bool[np.ndarray, "sequence"]]:
    """The stage at every step of users who are not yet buying after the last, and whether they will be in the horizon.

    balanced: draws on until half of them will. Raises ValueError for a probability that is not between 0 and 1, and
    where fewer than one user in 10,000 could be asked.
    """
    if not all(0.0 < chance < 1.0 for chance in chain.onward):
        raise ValueError(f"onward={chain.onward}: give probabilities between 0 and 1, both excluded")
    nodes, chance = len(chain.onward), enters(chain)
    left = np.exp(forward(chain, np.zeros((1, chain.steps, nodes)))[0])
    if (least := min(left @ chance, left @ (1.0 - chance)) if balanced else left.sum()) < 1e-4:
        raise ValueError(
            f"{chain}: only {least:.1e} of all users can be asked; take fewer steps or move on more rarely"
        )
    entered, chosen = np.zeros((0, nodes), np.int64), np.zeros(0, np.int64)
    while len(chosen) < users:
        more = np.cumsum(random.geometric(chain.onward, (4 * users, nodes)), axis=1)  # the first step of the next stage
        entered = np.concatenate([entered, more[more[:, -1] >= chain.steps]])
        label = entered[:, -1] < chain.steps + chain.horizon
        parts = ((label, users // 2), (~label, users - users // 2)) if balanced else ((label | True, users),)
        chosen = np.concatenate([np.flatnonzero(mask)[:most] for mask, most in parts])
    chosen = random.permutation(chosen)
    stage = (np.arange(chain.steps)[:, None] >= entered[chosen, None, :-1]).sum(axis=2)
    return stage, label[chosen]


def life_stage(
    seed: int,
    *,
    days: int = 60,
    horizon: int = 5,
    onward: Pair = (0.005, 0.05),
    rate: Pair = (0.3, 0.6),
    lift: float = 6.0,
    related: int = 3,
    categories: int = 12,
    users: int = 8192,
    tests: int = 4096,
    balanced: bool = True,
) -> Stages:
    """Who is interested buys more often, `rate` a day, and `related` of all categories `lift` times as likely.

    The stage may change every day. "time" counts from day 0 of every user, and all are asked at the end of the last
    day: days without a purchase tell something too.

    >>> life_stage(0, users=2, tests=64).world.split.train.label.sum().item()
    1
    """
    chain, law = Chain(onward, days, horizon), _laws(categories, related, lift)

    def draw(part: int, users: int) -> Samples:
        random = np.random.default_rng((seed, part))
        stage, label = lives(chain, random, users, balanced=balanced)
        count = random.poisson(np.array(rate)[stage])
        day = np.repeat(np.tile(np.arange(days), users), count.ravel())
        item = _categories(random, law, np.repeat(stage.ravel(), count.ravel()))
        return _asked(part, item, count.sum(axis=1), label, _words(categories), day * DAY)

    def bayes(samples: Samples) -> Float[np.ndarray, "sample"]:
        log, shape = samples.log, (samples.size, days)
        at = log.sequence * days + log.columns["time"] // DAY
        each = np.log(np.array(rate)[:, None] * law)[:, log.columns["item"] - 1]
        said = [np.bincount(at, weight, samples.size * days).reshape(shape) for weight in each]
        return log_odds(chain, np.stack(said, axis=2) - np.array(rate), balanced=balanced)

    return _known(draw, bayes, users, tests)


def order_only(
    seed: int,
    *,
    pairs: int = 12,
    horizon: int = 2,
    onward: Pair = (0.01, 0.05),
    noise: float = 0.2,
    others: float = 0.5,
    categories: int = 6,
    users: int = 8192,
    tests: int = 4096,
    balanced: bool = True,
) -> Stages:
    """Cues come in pairs, A before B where there is no interest and B before A where there is, but for a share `noise`.

    The stage may change after every pair. Before every cue, and after the last, stand a Poisson number of purchases of
    the other categories, in the mean `others`. Everybody has `pairs` of either cue and the rest does not depend on the
    stage: counts tell nothing at all.

    >>> stages = order_only(0, pairs=1, users=2, tests=64, others=0.0, noise=0.0)
    >>> stages.world.split.train.log.columns["item"].tolist()  # everybody begins without interest
    [1, 2, 1, 2]
    """
    chain, cues = Chain(onward, pairs, horizon), 2 * pairs

    def draw(part: int, users: int) -> Samples:
        random = np.random.default_rng((seed, part))
        stage, label = lives(chain, random, users, balanced=balanced)
        swapped = (stage == 1) ^ (random.random((users, pairs)) < noise)
        ahead = random.poisson(others, (users, cues + 1))
        ahead[:, -1] -= 1  # no cue stands at the end
        lengths = (ahead + 1).sum(axis=1)
        at = np.cumsum(ahead + 1, axis=1)[:, :-1] - 1 + (np.cumsum(lengths) - lengths)[:, None]
        item = random.integers(3, categories + 1, lengths.sum())
        item[at] = np.stack([1 + swapped, 2 - swapped], axis=2).reshape(users, cues)
        return _asked(part, item, lengths, label, np.append(["A", "B"], _words(categories)[2:]))

    def bayes(samples: Samples) -> Float[np.ndarray, "sample"]:
        item = samples.log.columns["item"]
        swapped = item[item <= 2].reshape(samples.size, pairs, 2)[:, :, :1] == 2
        with np.errstate(divide="ignore"):  # without noise
            said = np.log(np.where(swapped == (np.arange(2) == 1), 1.0 - noise, noise))
        return log_odds(chain, said, balanced=balanced)

    return _known(draw, bayes, users, tests)


def counts_only(
    seed: int,
    *,
    rate: Pair = (20.0, 24.0),
    lift: float = 1.8,
    related: int = 3,
    categories: int = 12,
    users: int = 8192,
    tests: int = 4096,
) -> Stages:
    """Who will buy, one in two, makes more purchases, all of one law: their order tells nothing.

    A Poisson number of purchases, in the mean `rate`, each of `related` of all categories `lift` times as likely where
    the user will buy. Bayes' rule is naive Bayes on counts.
    """
    law = _laws(categories, related, lift)

    def draw(part: int, users: int) -> Samples:
        random = np.random.default_rng((seed, part))
        label = random.permutation(users) < users // 2
        lengths = random.poisson(np.array(rate)[label.astype(int)])
        item = _categories(random, law, np.repeat(label.astype(int), lengths))
        return _asked(part, item, lengths, label, _words(categories))

    def bayes(samples: Samples) -> Float[np.ndarray, "sample"]:
        each = np.diff(np.log(np.array(rate)[:, None] * law), axis=0)[0]
        said = np.bincount(samples.log.sequence, each[samples.log.columns["item"] - 1], samples.size)
        return said - (rate[1] - rate[0])

    return _known(draw, bayes, users, tests)


def known_best(*, draw: Callable[..., Stages], seed: int = 0, **settings: int | float) -> Split:
    """A world as the data of an experiment; the AUC of Bayes' rule on its test samples is noted, `bayes_auc`."""
    made = draw(seed, **settings)
    return made.world.split._replace(notes={"bayes_auc": made.world.ceiling["auc"]})


def _laws(categories: int, related: int, lift: float) -> Float[np.ndarray, "node symbol"]:
    """Probability of every category without interest, where all are alike, and with it."""
    law = np.ones((2, categories))
    law[1, :related] = lift
    return law / law.sum(axis=1, keepdims=True)


def _words(categories: int) -> Shaped[np.ndarray, "word"]:
    return np.array([f"category {number}" for number in range(1, categories + 1)])


def _categories(
    random: np.random.Generator, law: Float[np.ndarray, "node symbol"], node: Int[np.ndarray, "event"]
) -> Int[np.ndarray, "event"]:
    """Ids drawn by the law of each event's stage."""
    bounds = np.cumsum(law, axis=1)[:, :-1]
    return 1 + (random.random(len(node))[:, None] >= bounds[node]).sum(axis=1)


def _asked(
    part: int,
    item: Int[np.ndarray, "event"],
    lengths: Int[np.ndarray, "sequence"],
    label: Bool[np.ndarray, "sequence"],
    words: Shaped[np.ndarray, "word"],
    time: Int[np.ndarray, "event"] | None = None,
) -> Samples:
    """One sample a user, behind all events, about the category "target"."""
    users, words = len(lengths), np.append(words, "target")
    columns = {"item": item.astype(np.int32)} | ({} if time is None else {"time": time})
    names = {"user": np.array([f"user {part}-{number}" for number in range(users)])}
    log = EventLog(np.concatenate([[0], np.cumsum(lengths)]), columns, {"item": words}, names)
    return checked(ask(log, np.arange(users), lengths, label, np.full(users, len(words))))


def _known(
    draw: Callable[[int, int], Samples],
    bayes: Callable[[Samples], Float[np.ndarray, "sample"]],
    users: int,
    tests: int,
) -> Stages:
    """Training and test samples, independent of each other, and what can be known of the latter."""
    train, test = draw(1, users), draw(2, tests)
    score = bayes(test)
    below, label = np.sort(score[~test.label]), test.label
    won = sum(np.searchsorted(below, score[label], side).mean() for side in ("left", "right"))  # ties count half
    entropy = np.logaddexp(0.0, np.where(label, -score, score)).mean()
    return Stages(World(Split(train, None, test), {"auc": float(won) / (2 * len(below))}, float(entropy)), score)
