"""Order as data: which event stands on which lane at which step, as integer arrays."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from seqjax.data.events import EventLog


class LanePlan(NamedTuple):
    """Session-parallel mini-batches: at every step each lane reads event `position` and predicts `position + 1`."""

    position: Int[np.ndarray, "step lane"]
    fresh: Bool[np.ndarray, "step lane"]  # the lane begins a session here
    live: Bool[np.ndarray, "step lane"]  # the lane has data here

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.position)

    @property
    def occupancy(self) -> float:
        """Share of lane-steps that hold data."""
        return float(self.live.mean()) if self.live.size else 0.0


def session_plan(
    log: EventLog, *, seed: int = 0, epoch: int = 0, lanes: int = 50, shuffle: bool = False, least: int = 1
) -> LanePlan:
    """The lane plan of one epoch: sessions in the order of the log (by time), or shuffled anew for every epoch.

    The authors recommend the order of time, so that the last updates come from the newest data.
    """
    order = np.random.default_rng((seed, epoch)).permutation(log.sequences) if shuffle else None
    return lane_plan(log.offsets, lanes, order, least)


def lane_plan(
    offsets: Int[np.ndarray, "offset"],
    lanes: int,
    order: Int[np.ndarray, "sequence"] | None = None,
    least: int = 1,
) -> LanePlan:
    """Session-parallel order, Hidasi et al. (2016), section 3.1.1, in closed form.

    Sessions of fewer than two events are dropped. Lane b starts with session b; a session of L events takes L - 1
    steps; a lane whose session ends takes the next session of `order` (default: as they stand), and lanes that end on
    the same step take theirs in lane order. That is list scheduling with key (free from step, lane). Lanes without a
    next session fall silent; steps with fewer than `least` live lanes are cut from the end (2 where the only
    negatives are the targets of the other lanes).

    Differs: the authors' code fails when there are fewer sessions than lanes; here the surplus lanes stay silent.

    >>> plan = lane_plan(np.array([0, 3, 5, 8]), lanes=2)
    >>> plan.position.tolist(), plan.live.tolist()
    ([[0, 3], [1, 5], [0, 6]], [[True, True], [True, True], [False, True]])
    """
    if lanes < 1:
        raise ValueError(f"lanes={lanes}: a plan needs at least one lane")
    lengths = np.diff(offsets)
    order = np.arange(len(lengths)) if order is None else np.asarray(order)
    order = order[lengths[order] >= 2]
    steps = lengths[order] - 1
    start, lane = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    free = [(0, b) for b in range(lanes)]
    for session, count in enumerate(steps.tolist()):  # once per session and order, off the training path
        begin, b = free[0]
        start[session], lane[session] = begin, b
        heapq.heapreplace(free, (begin + count, b))
    total = int((start + steps).max(initial=0))
    position, fresh, live = (np.zeros((total, lanes), kind) for kind in (np.int32, bool, bool))
    within = np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)
    row, column = np.repeat(start, steps) + within, np.repeat(lane, steps)
    position[row, column] = np.repeat(offsets[order], steps) + within
    live[row, column] = True
    fresh[start, lane] = True
    kept = int(np.searchsorted(-live.sum(axis=1), -least, side="right"))
    return LanePlan(position[:kept], fresh[:kept], live[:kept])


def by_length(
    order: Int[np.ndarray, "chosen"], length: Int[np.ndarray, "sequence"], size: int
) -> Int[np.ndarray, "chosen"]:
    """The order with each stretch of `size` entries sorted by length, equal ones as they were.

    >>> by_length(np.array([2, 0, 1, 3]), np.array([5, 1, 7, 0]), 2).tolist()
    [0, 2, 3, 1]
    """
    stretch = np.arange(len(order)) // size
    return order[np.lexsort((np.arange(len(order)), length[order], stretch))]
