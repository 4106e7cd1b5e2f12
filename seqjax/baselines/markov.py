"""Markov chains of any order as peers of models of the next action, and the true process itself."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import numpy as np
from jaxtyping import Int, PyTree

from seqjax.data.events import EventLog
from seqjax.data.process import Process, echo
from seqjax.data.windows import asked
from seqjax.models.automaton import automaton

MOST = 50_000_000  # entries of a table of probabilities: 400 MB


def unigram(train: EventLog) -> tuple[nn.Module, PyTree]:
    """Every symbol by its share in training, whatever came before."""
    return automaton(markov_process(train, 0))


def markov(train: EventLog, order: int = 3) -> tuple[nn.Module, PyTree]:
    """The next symbol by its share after the last `order` ones, see `markov_process`."""
    return automaton(markov_process(train, order))


def truth(train: EventLog, process: Callable[[], Process] = echo) -> tuple[nn.Module, PyTree]:
    """The process that made the log; raises ValueError where its actions are not those of the log."""
    known = process()
    if not np.array_equal(known.vocabulary, train.vocabulary["item"]):
        raise ValueError("the log was not made by this process: their actions differ")
    return automaton(known)


def markov_process(train: EventLog, order: int) -> Process:
    """The Markov chain of this order as a process, smoothed by Witten and Bell (1991), method C, recursively:

        P(s | c) = (n(c, s) + T(c) P(s | c')) / (n(c) + T(c))

    n counts symbols after the context c in training, T(c) the different ones among them, c' is c without its earliest
    symbol; below the empty context all symbols are equally likely. A history shorter than the order begins with the
    boundary, which is a symbol of the context: it is not taken for the same actions in mid-series. A context that
    training does not have stands for its longest part that it has. Raises ValueError where the table is too large.
    """
    if order < 0 or not train.sequences:
        raise ValueError(f"order={order}, {train.sequences} series: choose 0 (no memory) or more, fit to one or more")
    row, _, place = asked(train)
    read, then = row[:-1], row[1:]
    end = len(train.vocabulary["item"]) + 1
    contexts = _contexts(read, place, order)
    probability, following = np.full((1, end + 1), 1.0 / end), np.zeros((1, end + 1), np.int64)
    probability[0, 0] = 0.0
    before, base, tables, targets = np.zeros(len(read), np.int64), 0, [], []
    for length, context in enumerate(contexts):
        nodes = int(context.max()) + 1
        if (base + nodes) * (end + 1) > MOST:
            raise ValueError(f"order={order}: {base + nodes:,} contexts of {end} symbols are too many; choose less")
        there = np.flatnonzero(context >= 0)
        one = np.zeros(nodes, np.int64)
        one[context[there]] = there  # some position of every context
        counts = np.bincount(context[there] * (end + 1) + then[there], minlength=nodes * (end + 1))
        counts = counts.reshape(nodes, end + 1).astype(np.float64)
        kinds = (counts > 0).sum(axis=1, keepdims=True)
        parents = before[one]
        probability = (counts + kinds * probability[parents]) / (counts.sum(axis=1, keepdims=True) + kinds)
        following = following[parents] if length else np.zeros((nodes, end + 1), np.int64)
        if length < order:
            longer = contexts[length + 1]
            ends = np.flatnonzero((longer >= 0) & ((place > 0) | (length == 0)))
            following[context[ends - 1] if length else 0, read[ends]] = base + nodes + longer[ends]
        tables.append(probability)
        targets.append(following)
        before, base = context, base + nodes
    begin = int(targets[0][0, end])
    return _begin_first(Process(np.concatenate(tables), np.concatenate(targets), train.vocabulary["item"]), begin)


def _contexts(
    read: Int[np.ndarray, "symbol"], place: Int[np.ndarray, "symbol"], order: int
) -> list[Int[np.ndarray, "symbol"]]:
    """For each length 0 .. order, the number of the context that ends at every position; -1 if history is shorter."""
    contexts = [np.zeros(len(read), np.int64)]
    for length in range(1, order + 1):
        there = np.flatnonzero(place >= length - 1)
        pair = contexts[-1][there] * (int(read.max()) + 1) + read[there - length + 1]
        number = np.full(len(read), -1)
        number[there] = np.unique(pair, return_inverse=True)[1]
        contexts.append(number)
    return contexts


def _begin_first(process: Process, begin: int) -> Process:
    """The process with its nodes 0 and `begin` exchanged: a series begins in node 0."""
    order = np.arange(len(process.probability))
    order[[0, begin]] = begin, 0
    return process._replace(probability=process.probability[order], following=order[process.following[order]])
