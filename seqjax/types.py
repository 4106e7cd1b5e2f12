"""The shapes that travel between rooms: axis names and the structs of one training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, runtime_checkable

import jax
from flax import struct
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar, Shaped

AXES = {
    "lane": "parallel sessions of one step",
    "time": "events of one sequence, oldest first",
    "row": "rows of a table (padding first), or of the view that stands in for it",
    "column": "scored candidates",
    "sample": "negatives drawn for a step, or questions about users",
    "occurs": "ids a step touches in one table, repeats included",
    "step": "optimizer updates",
    "run": "seed x hyper-parameters",
    "event": "events of a log, sequence after sequence",
    "sequence": "sequences of a log",
    "chosen": "sequences picked from a log",
    "line": "lines of a file, or records of a table",
    "offset": "bounds of the sequences of a log, one more than there are sequences",
    "word": "entries of a vocabulary",
    "known": "entries of an earlier vocabulary",
    "symbol": "entries of an alphabet (padding, actions, end) by id, or symbols of a log in a row",
    "group": "groups of like predictions",
    "node": "nodes of an automaton",
    "slot": "layers of a memory, each one vector",
    "moment": "times in a user's life at which something is asked",
    "candidate": "targets that are asked about at one moment",
    "hop": "readings of a memory, one after the other",
    "joint": "a window of past events and the new ones behind it",
    "gate": "gates of a recurrent cell, side by side",
    "head": "heads of attention",
    "width": "width of a head",
    "distance": "events between two",
    "window": "past events that a model looks back on",
    "day": "days of an image, oldest first, or numbers of days ahead that are asked about",
    "profile": "people described by features, each of one of two classes",
    "output": "outputs of a network",
    "interval": "equal stretches of time ahead, counted from 1",
    "item": "entries of the item vocabulary",
    "target": "judged predictions",
    "k": "length of a recommendation list",
    "replicate": "resamples, shuffles or bootstrap replicates",
    "seed": "repeated runs of one setting",
    "features": "width of a vector",
    "hidden": "units of a recurrent layer",
}
"""Every axis name that a public signature may use, with its meaning."""

Event = Mapping[str, Shaped[Array, "..."]]
"""Feature ids of one event, by name of their table: `{"item": 7}`; and `fresh`, True where a series begins."""


class ItemHistory(NamedTuple):
    """The newest events on an item before a question, the oldest of them first."""

    events: Event
    valid: Bool[Array, "*time"]
    skipped: Int[Array, "..."]  # how many older events are left out


Carry = PyTree
Params = PyTree
Metrics = Mapping[str, Array]


class Popularity(NamedTuple):
    """Sampling table for P(item) proportional to count^alpha (Walker's alias method); item `i` is entry `i - 1`."""

    accept: Float[Array, "item"]  # probability of keeping the entry that was hit
    alias: Int[Array, "item"]  # the entry taken otherwise
    log_count: Float[Array, "item"]  # log of the training count
    alpha: Scalar


class Corpus(NamedTuple):
    """What the device holds of a training log."""

    item: Int[Array, "event"]
    popularity: Popularity


class SessionBatch(struct.PyTreeNode):
    """One step of every lane.

    ids: per table, the ids that this step touches: `{"item": {"input": [lane], "target": [lane], "sample": [sample]}}`.
    """

    ids: Mapping[str, PyTree[Int[Array, "..."]]]
    fresh: Bool[Array, "lane"]  # the lane begins a session: forget its state
    live: Bool[Array, "lane"]  # the lane still has data
    log_q: Mapping[str, Float[Array, "..."]] = struct.field(default_factory=dict)  # log proposal weight of each column
    popularity: Popularity | None = None  # what negatives are drawn from


class WindowBatch(struct.PyTreeNode):
    """One step of every lane, a window of events each, with what is asked for after each event."""

    ids: Mapping[str, PyTree[Int[Array, "..."]]]  # per viewed table
    events: Event
    target: PyTree[Shaped[Array, "lane time ..."]]  # where not valid, anything that the loss can take
    fresh: Bool[Array, "lane time"]  # a series begins: forget the state
    valid: Bool[Array, "lane time"]
    divisor: Scalar  # mean number of valid events a step


@runtime_checkable
class Objective(Protocol):
    """Loss of one step, with the carry that the next step starts from."""

    def __call__(
        self, params: Params, carry: Carry, batch: SessionBatch, hparams: PyTree, key: jax.Array
    ) -> tuple[Scalar, tuple[Carry, Metrics]]:
        """Returns the loss and (carry, metrics)."""
        ...
