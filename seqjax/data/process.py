"""Laws of action sequences as finite automata: drawn from, and asked for everything that can be known exactly.

A series is a_1 .. a_L and then its end, which has the id V + 1. In every node of the automaton the next symbol has
known probabilities and leads to a known node. Likelihood, entropy, n-gram laws and hitting probabilities are then sums
over nodes (dynamic programming) and no estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from seqjax.data.events import EventLog, Split


class Process(NamedTuple):
    """A law of series. Node 0 is where a series begins; column s of a table belongs to the id s.

    Columns are 0 (padding, never drawn), 1 .. V (the actions) and V + 1 (the end).
    """

    probability: Float[np.ndarray, "node symbol"]
    following: Int[np.ndarray, "node symbol"]  # the node after a symbol
    vocabulary: Shaped[np.ndarray, "word"]

    @property
    def end(self) -> int:
        """The id of the end of a series."""
        return self.probability.shape[1] - 1


def echo(actions: int = 10, leave: float = 0.1, onward: float = 0.5) -> Process:
    """Pseudo-users that mostly go one action further, and sometimes answer to an earlier action of theirs.

    A series begins with action 1. It ends with probability `leave`; with `onward` the next action is last + 1; else
    it is 1 + the n-th most recent action (the first one if there are fewer), n = last mod 5 + 1; all modulo `actions`.
    The law has order 5: the five latest actions, short histories kept apart, are the node.

    >>> len(echo().probability) - 1  # contexts besides the begin
    462
    """
    chances = {(): {1: 1.0}}
    waiting = [(1,)]
    while waiting:
        if (context := waiting.pop()) in chances:
            continue
        last = context[-1]
        back = context[-min(last % 5 + 1, len(context))]
        chances[context] = dict.fromkeys([(last + 1) % actions, (back + 1) % actions], 0.0)
        chances[context][(last + 1) % actions] += onward
        chances[context][(back + 1) % actions] += 1.0 - leave - onward
        waiting += [(*context, action)[-5:] for action in chances[context]]
    number = {context: node for node, context in enumerate(chances)}
    probability = np.zeros((len(chances), actions + 2))
    following = np.zeros(probability.shape, np.int32)
    for context, node in number.items():
        for action, chance in chances[context].items():
            probability[node, action + 1] = chance
            following[node, action + 1] = number[(*context, action)[-5:]]
    probability[1:, -1] = leave
    return Process(probability, following, np.array([str(action) for action in range(actions)]))


def sample(process: Process, count: int, seed: int | Sequence[int]) -> EventLog:
    """Draws `count` series.

    >>> sample(echo(), 3, seed=0).lengths.tolist()
    [20, 3, 1]
    """
    random = np.random.default_rng(seed)
    cumulative = np.cumsum(process.probability, axis=1)
    alive, node = np.arange(count), np.zeros(count, np.int32)
    owners, actions = [alive[:0]], [alive[:0]]
    while len(alive):
        drawn = random.random(len(alive)) * cumulative[node, -1]
        symbol = (drawn[:, None] >= cumulative[node]).sum(axis=1)
        goes_on = symbol != process.end
        alive, symbol = alive[goes_on], symbol[goes_on]
        node = process.following[node[goes_on], symbol]
        owners.append(alive)
        actions.append(symbol)
    owner, item = np.concatenate(owners), np.concatenate(actions).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))])
    return EventLog(offsets, {"item": item[np.argsort(owner, kind="stable")]}, {"item": process.vocabulary})


def sampled(*, process: Callable[[], Process] = echo, seed: int = 0, series: int = 10_000, test: int = 10_000) -> Split:
    """Series of a process to train on and others to judge by, both drawn from `seed`."""
    known = process()
    return Split(sample(known, series, (seed, 0)), None, sample(known, test, (seed, 1)))


def node_after(process: Process, actions: Sequence[int]) -> int:
    """The node after these action ids; raises ValueError where the process cannot go there."""
    node = 0
    for place, action in enumerate(actions):
        if not (1 <= action < process.end and process.probability[node, action] > 0.0):
            raise ValueError(f"action id {action} cannot follow {list(actions[:place])} in this process")
        node = int(process.following[node, action])
    return node


def true_next_dist(process: Process, actions: Sequence[int]) -> Float[np.ndarray, "symbol"]:
    """Probability of every next symbol (by id) after these action ids."""
    return process.probability[node_after(process, actions)]


def true_log_prob(process: Process, log: EventLog, given: int = 0) -> Float[np.ndarray, "sequence"]:
    """Log probability of every series with its end, in nats, its first `given` actions taken for granted.

    Minus infinity for a series that the process cannot give.
    """
    total, node = np.zeros(log.sequences), np.zeros(log.sequences, np.int32)
    alive, place = np.arange(log.sequences), 0
    with np.errstate(divide="ignore"):  # an impossible series has log probability -inf
        logs = np.log(process.probability)
    while len(alive):
        ends = log.lengths[alive] == place
        at = np.where(ends, 0, log.offsets[alive] + place)
        symbol = np.where(ends, process.end, np.append(log.columns["item"], 0)[at])
        drawn = logs[node[alive], symbol]
        total[alive] += drawn if place >= given else np.where(np.isfinite(drawn), 0.0, drawn)
        node[alive] = process.following[node[alive], symbol]
        alive, place = alive[~ends], place + 1
    return total


def visits(process: Process, skip: int = 0) -> Float[np.ndarray, "node"]:
    """Expected number of symbols that a series draws in every node, its first `skip` symbols left out."""
    moves, start = _moves(process), _start(process)
    for _ in range(skip):
        start = start @ moves
    return np.linalg.solve(np.eye(len(start)) - moves.T, start)


def entropy(process: Process, given: int = 0) -> float:
    """Entropy per drawn symbol in nats, over whole series whose first `given` actions are no draws."""
    weight = visits(process, given)
    return float(weight @ _node_entropy(process) / weight.sum())


def exact_ngrams(process: Process, n: int) -> dict[tuple[int, ...], float]:
    """Share of every n-gram among those of a_1 .. a_L, end: its expected number a series over that of all n-grams.

    >>> exact_ngrams(echo(), 1)[11,].__round__(6)  # the end is one symbol in eleven
    0.090909
    """
    expected = {gram: float(node.sum()) for gram, node in _strings(process, n, visits(process))}
    total = sum(expected.values())
    return {gram: count / total for gram, count in expected.items()}


def markov_cross_entropy(process: Process, order: int, given: int = 0) -> float:
    """Nats per drawn symbol of the best Markov model of this order, histories shorter than `order` kept apart.

    The model's law is that of the next symbol given the last `order` ones, with infinitely many series to fit it to.
    """
    contexts = [
        context for length in range(given, order) for context in _strings(process, length, _start(process), ends=False)
    ]
    contexts += list(_strings(process, order, visits(process, max(given - order, 0)), ends=False))
    total = weight = 0.0
    for _, node in contexts:
        expected = node @ process.probability
        some = expected[expected > 0.0]
        total -= float(some @ np.log(some / some.sum()))
        weight += float(some.sum())
    return total / weight


def occurs(process: Process, action: int, within: int | None = None) -> Float[np.ndarray, "node"]:
    """Probability, from every node, that an id is drawn within so many draws (None: before the series is over).

    The id of the end is one too: then it is the probability of leaving within so many draws.
    """
    hit, moves = process.probability[:, action], _moves(process, but=action)
    if within is None:
        return np.linalg.solve(np.eye(len(hit)) - moves, hit)
    chance = np.zeros(len(hit))
    for _ in range(within):
        chance = hit + moves @ chance
    return chance


def expected_count(process: Process, action: int) -> Float[np.ndarray, "node"]:
    """Expected number of draws of an id, from every node to the end of the series."""
    return np.linalg.solve(np.eye(len(process.probability)) - _moves(process), process.probability[:, action])


def remaining_entropy(process: Process) -> Float[np.ndarray, "node"]:
    """Entropy in nats of all that is still to be drawn, from every node."""
    return np.linalg.solve(np.eye(len(process.probability)) - _moves(process), _node_entropy(process))


def _start(process: Process) -> Float[np.ndarray, "node"]:
    start = np.zeros(len(process.probability))
    start[0] = 1.0
    return start


def _moves(process: Process, but: int | None = None) -> Float[np.ndarray, "node node"]:
    """Transition probabilities between nodes by drawing an action (other than `but`)."""
    nodes = len(process.probability)
    moves = np.zeros((nodes, nodes))
    for action in range(1, process.end):
        if action != but:
            np.add.at(moves, (np.arange(nodes), process.following[:, action]), process.probability[:, action])
    return moves


def _node_entropy(process: Process) -> Float[np.ndarray, "node"]:
    some = np.where(process.probability > 0.0, process.probability, 1.0)
    return -(some * np.log(some)).sum(axis=1)


def _strings(process: Process, length: int, node: Float[np.ndarray, "node"], ends: bool = True):
    """Strings of `length` symbols from a weight of every node, each with the weight of the nodes after it.

    The end counts as a symbol only if `ends`, and only as the last one of a string.
    """
    if length == 0:
        yield (), node
        return
    for symbol in range(1, process.end + (ends and length == 1)):
        weight = node * process.probability[:, symbol]
        if weight.any():
            after = np.bincount(process.following[:, symbol], weight, minlength=len(node))
            for string, last in _strings(process, length - 1, after, ends):
                yield (symbol, *string), last
