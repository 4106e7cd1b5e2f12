"""Five layouts of whole series: what stands where, against lists of positions made by loops."""

from functools import partial
from itertools import pairwise, product

import numpy as np
import pytest

from seqjax.data.events import DataError, EventLog
from seqjax.data.windows import asked, pad_to_multiple, per_series, row_packed, spans, stream, stream_reset, symbols

LAYOUTS = {
    "per_series": per_series,
    "per_series, pool": partial(per_series, pool=3),
    "stream": partial(stream, window=5),
    "stream in order": partial(stream, window=4, shuffle=False),
    "stream_reset": partial(stream_reset, window=3),
    "pad_to_multiple": partial(pad_to_multiple, window=4),
    "pad_to_multiple, reset": partial(pad_to_multiple, window=3, reset=True),
    "row_packed": row_packed,
    "row_packed, wide": partial(row_packed, window=17),
}
WHOLE = ("per_series", "per_series, pool", "row_packed", "row_packed, wide")
FOLDS = tuple(name for name in LAYOUTS if name not in WHOLE)
RESET = ("stream_reset", "pad_to_multiple, reset")


def series_log(lengths, seed=0):
    """A log of series of these lengths with random items."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    item = np.random.default_rng(seed).integers(1, 4, offsets[-1]).astype(np.int32)
    return EventLog(offsets, {"item": item}, {"item": np.array(["a", "b", "c"])})


def some_log(seed):
    """Series of 0 to 11 events, many of them empty or of one event."""
    return series_log(np.random.default_rng(seed).choice([0, 1, 1, 2, 3, 5, 8, 11], 30), seed)


def plans(name):
    """(log, boundary, plan) for several seeds and numbers of lanes, with and without the boundary."""
    for seed, lanes, boundary in product(range(4), (1, 3, 8), (True, False)):
        log = some_log(seed)
        yield log, boundary, LAYOUTS[name](log, seed=seed, lanes=lanes, boundary=boundary)


def ranges(log, boundary):
    """The positions of every series that has any, by a loop."""
    found, begin = [], 0
    for length in log.lengths.tolist():
        found.append(list(range(begin, begin + length + boundary)))
        begin += length + boundary
    return [positions for positions in found if positions]


def runs(plan):
    """The valid positions of every lane, step after step, cut where the lane forgets."""
    found = []
    for lane in range(plan.position.shape[1]):
        places = (plan.position[:, lane], plan.fresh[:, lane], plan.valid[:, lane])
        for position, fresh, valid in zip(*(array.ravel().tolist() for array in places), strict=True):
            if valid and fresh:
                found.append([])
            if valid:
                found[-1].append(position)
    return found


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_position_comes_exactly_once(name):
    for log, boundary, plan in plans(name):
        assert plan.position.shape == plan.fresh.shape == plan.valid.shape
        assert plan.position.shape[0] == plan.steps and plan.position.shape[1] in (1, 3, 8)
        assert np.sort(plan.position[plan.valid]).tolist() == list(range(log.events + boundary * log.sequences))
        assert not plan.position[~plan.valid].any() and not (plan.fresh & ~plan.valid).any()
        assert plan.divisor == pytest.approx([plan.valid.sum() / plan.steps] * plan.steps)
        assert plan.occupancy == plan.valid.mean()


@pytest.mark.parametrize("name", WHOLE)
def test_whole_series_each_begin_fresh_and_stay_in_one_row(name):
    for log, boundary, plan in plans(name):
        assert sorted(runs(plan)) == ranges(log, boundary)
        for positions in ranges(log, boundary):
            step, lane, time = np.nonzero(np.isin(plan.position, positions) & plan.valid)
            assert len(set(step)) == len(set(lane)) == 1
            assert (np.diff(time) == 1).all()
            assert name.startswith("row_packed") or time[0] == 0


@pytest.mark.parametrize("name", FOLDS)
def test_folds_are_one_stream_of_whole_series(name):
    """Lane after lane, each going on from step to step, the series follow each other uncut."""
    for log, boundary, plan in plans(name):
        row = [position for run in runs(plan) for position in run]
        expected = {positions[0]: positions for positions in ranges(log, boundary)}
        assert row == [position for start in row if start in expected for position in expected[start]]
        if "in order" in name:
            assert row == sorted(row)


@pytest.mark.parametrize("name", FOLDS)
def test_folds_are_fresh_at_lane_heads_and_with_reset_at_every_begin(name):
    for log, boundary, plan in plans(name):
        expected = np.zeros(plan.valid.shape, bool)
        expected[0, :, 0] = plan.valid[0, :, 0]
        if name in RESET:
            expected |= plan.valid & np.isin(plan.position, [positions[0] for positions in ranges(log, boundary)])
        assert (plan.fresh == expected).all()


@pytest.mark.parametrize("name", ["pad_to_multiple", "pad_to_multiple, reset"])
def test_padded_series_take_windows_of_their_own(name):
    for log, boundary, plan in plans(name):
        series, window = ranges(log, boundary), plan.valid.shape[2]
        begins = plan.valid & np.isin(plan.position, [positions[0] for positions in series])
        assert begins.sum() == len(series) and not begins[:, :, 1:].any()
        assert plan.valid.any(axis=2).sum() == sum(-(-len(positions) // window) for positions in series)


@pytest.mark.parametrize("pool", [2, 3, 100])
def test_a_pool_is_sorted_by_length_and_cut_into_steps(pool):
    for seed in range(4):
        log = some_log(seed)
        plain, pooled = (per_series(log, seed=seed, epoch=1, lanes=4, pool=p).valid.sum(axis=2) for p in (1, pool))
        expected = []
        for first in range(0, len(plain), pool):
            lengths = sorted(length for length in plain[first : first + pool].ravel().tolist() if length)
            expected += [lengths[k : k + 4] for k in range(0, len(lengths), 4)]
        assert sorted([length for length in step.tolist() if length] for step in pooled) == sorted(expected)
        assert pooled.max(axis=1).sum() <= plain.max(axis=1).sum()


def test_known_answers():
    log = series_log([2, 1])  # positions 0 1 2 and 3 4 with the boundary
    plan = stream(log, lanes=2, window=2, shuffle=False)
    assert plan.position.tolist() == [[[0, 1], [4, 0]], [[2, 3], [0, 0]]]
    assert plan.valid.tolist() == [[[True, True], [True, False]], [[True, True], [False, False]]]
    assert plan.divisor.tolist() == [2.5, 2.5] and plan.occupancy == 5 / 8
    assert stream_reset(log, lanes=1, window=5, shuffle=False).fresh.tolist() == [[[True, False, False, True, False]]]
    plan = pad_to_multiple(log, lanes=1, window=2, shuffle=False)
    assert plan.position.tolist() == [[[0, 1]], [[2, 0]], [[3, 4]]]
    assert plan.fresh.tolist() == [[[True, False]], [[False, False]], [[False, False]]]
    assert row_packed(log, lanes=1, window=5).occupancy == 1.0
    assert sorted(per_series(log, lanes=1, boundary=False).position.tolist()) == [[[0, 1]], [[2, 0]]]


def test_a_row_too_narrow_names_the_remedy():
    log = series_log([5, 2])
    with pytest.raises(DataError, match=r"takes 6 places and does not fit a row of window=5: choose 6 or more, or the"):
        row_packed(log, window=5)
    assert row_packed(log, window=6).valid.sum() == row_packed(log, window=5, boundary=False).valid.sum() + 2


@pytest.mark.parametrize("seed", range(4))
def test_each_series_goes_where_it_fills_the_rest_best(seed):
    log, rooms = some_log(seed), []
    for run in runs(per_series(log, seed=seed, lanes=1)):  # both draw the same order
        fitting = [room for room in rooms if room >= len(run)]
        if fitting:
            rooms.remove(min(fitting))
        rooms.append((min(fitting) if fitting else 15) - len(run))
    plan = row_packed(log, seed=seed, lanes=1, window=15)
    assert sorted((~plan.valid).sum(axis=2).ravel().tolist()) == sorted(rooms)


@pytest.mark.parametrize("seed", range(3))
def test_packing_wastes_little(seed):
    log = series_log(np.random.default_rng(seed).geometric(0.1, 2000))
    assert row_packed(log, seed=seed).occupancy > 0.9 > 0.4 > per_series(log, seed=seed).occupancy


@pytest.mark.parametrize("name", [name for name in LAYOUTS if "in order" not in name])
def test_the_order_depends_on_seed_and_epoch_alone(name):
    log = some_log(0)
    layout = partial(LAYOUTS[name], lanes=2)
    one = layout(log, seed=1, epoch=2)
    other_items = log._replace(columns={"item": log.columns["item"][::-1]})
    for plan in (layout(log, seed=1, epoch=2), layout(other_items, seed=1, epoch=2)):
        assert all((array == again).all() for array, again in zip(one, plan, strict=True))
    for other in (layout(log, seed=seed, epoch=epoch) for seed, epoch in ((1, 3), (2, 2), (2, 1))):
        assert other.position.shape != one.position.shape or (other.position != one.position).any()


def test_the_order_is_the_same_for_any_number_of_lanes_and_any_window():
    log = some_log(0)
    order = [position for run in runs(per_series(log, seed=1, lanes=1)) for position in run]
    for layout in (stream, stream_reset, pad_to_multiple):
        for lanes, window in ((1, 7), (4, 3)):
            plan = layout(log, seed=1, lanes=lanes, window=window)
            assert [position for run in runs(plan) for position in run] == order
            ordered = [layout(log, seed=seed, lanes=lanes, window=window, shuffle=False).position for seed in (1, 2)]
            assert (ordered[0] == ordered[1]).all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_gives_no_steps(name):
    for boundary, lengths in ((True, []), (False, []), (False, [0, 0])):
        plan = LAYOUTS[name](series_log(lengths), lanes=3, boundary=boundary)
        assert (plan.valid.sum(), plan.occupancy, plan.fresh.sum()) == (0, 0.0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_symbols_spans_and_what_is_asked_against_loops(seed):
    log = some_log(seed)
    row, series, place, begin = [4], [], [], []  # the boundary is 3 + 1
    for number, (a, b) in enumerate(pairwise(log.offsets.tolist())):
        begin.append(len(row) - 1)
        row += [*log.columns["item"][a:b].tolist(), 4]
        series += [number] * (b - a + 1)
        place += range(b - a + 1)
    assert symbols(log).tolist() == row
    assert [column.tolist() for column in asked(log)] == [row, series, place]
    assert [column.tolist() for column in spans(log)] == [begin, (log.lengths + 1).tolist()]
    assert [column.tolist() for column in spans(log, boundary=False)] == [
        log.offsets[:-1].tolist(),
        log.lengths.tolist(),
    ]
