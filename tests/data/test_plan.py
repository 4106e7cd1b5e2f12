import numpy as np
import pytest

from seqjax.data.events import EventLog
from seqjax.data.plan import lane_plan, session_plan


def naive(offsets, lanes, order, least):
    """Event by event, as the published loop has it, sessions without a target dropped first."""
    waiting = [(offsets[s], offsets[s + 1]) for s in order if offsets[s + 1] - offsets[s] >= 2]
    waiting.reverse()
    current = [None] * lanes
    position, fresh, live = [], [], []
    while True:
        begun = [False] * lanes
        for lane in range(lanes):  # lanes that finished on the same step take new sessions in lane order
            if current[lane] is None and waiting:
                current[lane] = list(waiting.pop())
                begun[lane] = True
        if sum(event is not None for event in current) < max(least, 1):
            return position, fresh, live
        position.append([0 if event is None else event[0] for event in current])
        fresh.append(begun)
        live.append([event is not None for event in current])
        for lane in range(lanes):
            if current[lane] is not None:
                current[lane][0] += 1
                if current[lane][0] + 1 == current[lane][1]:
                    current[lane] = None


@pytest.mark.parametrize("least", [1, 2])
def test_equals_the_naive_iterator(least):
    """Ties, sessions of one event, empty sessions, fewer sessions than lanes, an empty log; in any order."""
    random = np.random.default_rng(least)
    for _ in range(300):
        sessions, lanes = random.integers(0, 25), int(random.integers(1, 9))
        offsets = np.concatenate([[0], np.cumsum(random.integers(0, random.integers(2, 9), sessions))])
        order = random.permutation(sessions) if random.random() < 0.5 else np.arange(sessions)
        plan = lane_plan(offsets, lanes, order, least)
        position, fresh, live = naive(offsets.tolist(), lanes, order.tolist(), least)
        assert plan.steps == len(position)
        assert plan.position.shape == plan.fresh.shape == plan.live.shape == (plan.steps, lanes)
        assert plan.position.tolist() == position
        assert plan.fresh.tolist() == fresh
        assert plan.live.tolist() == live


def test_every_target_comes_exactly_once():
    random = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(random.integers(1, 7, 200))])
    plan = lane_plan(offsets, lanes=16)
    expected = np.setdiff1d(np.arange(offsets[-1]), offsets)
    assert np.sort(plan.position[plan.live] + 1).tolist() == expected.tolist()
    assert np.count_nonzero(plan.fresh) == np.count_nonzero(np.diff(offsets) >= 2)
    assert not (plan.fresh & ~plan.live).any()


def test_the_tail_shrinks_and_stays_shrunk():
    random = np.random.default_rng(1)
    plan = lane_plan(np.concatenate([[0], np.cumsum(random.integers(2, 20, 50))]), lanes=12)
    count = plan.live.sum(axis=1)
    assert count[0] == 12 and count[-1] >= 1
    assert (np.diff(count) <= 0).all()
    assert (np.diff(plan.live.astype(int), axis=0) <= 0).all()  # a silent lane never wakes
    assert plan.occupancy == plan.live.mean()


def test_more_lanes_than_sessions_and_nothing_at_all():
    plan = lane_plan(np.array([0, 3, 5]), lanes=4)
    assert plan.live.tolist() == [[True, True, False, False], [True, False, False, False]]
    for offsets in ([0], [0, 0], [0, 1, 2]):
        empty = lane_plan(np.array(offsets), lanes=4)
        assert (empty.steps, empty.occupancy) == (0, 0.0)
    with pytest.raises(ValueError, match="lanes=0"):
        lane_plan(np.array([0, 3]), lanes=0)


def test_shuffled_epochs_differ_and_repeat_by_seed():
    offsets = np.arange(0, 41, 4)
    log = EventLog(offsets, {"item": np.ones(40, np.int32)}, {"item": np.array(["a"])})

    def plan(**how):
        return session_plan(log, lanes=3, **how)

    assert plan().position.tolist() == lane_plan(offsets, 3).position.tolist()
    assert plan(seed=1, epoch=2).position.tolist() == plan().position.tolist()
    one = plan(seed=1, epoch=2, shuffle=True)
    assert one.position.tolist() == plan(seed=1, epoch=2, shuffle=True).position.tolist()
    assert one.position.tolist() != plan(seed=1, epoch=3, shuffle=True).position.tolist()
    assert one.position.tolist() != plan(seed=2, epoch=2, shuffle=True).position.tolist()
    assert np.sort(one.position[one.live]).tolist() == np.sort(plan().position[plan().live]).tolist()
