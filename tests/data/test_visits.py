"""Features of visits, when the next one came, and splits without leakage, against loops over users."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from seqjax.baselines.returning import everybody
from seqjax.data.events import DataError
from seqjax.data.split import DAY
from seqjax.data.visits import GAPS, SIZES, WORDS, past_returns, returns, split_visits, visit_log

UNTIL = 60 * DAY


def log_of(users, until=UNTIL, size=1):
    """A log of the visit times of every user."""
    offsets = np.concatenate([[0], np.cumsum([len(times) for times in users])]).astype(int)
    time = np.array([moment for times in users for moment in times], np.int64)
    return visit_log(offsets, time, np.full(len(time), size), until, np.array([f"u{n}" for n in range(len(users))]))


def some_users(seed, count=25):
    """Users with 0 to 7 visits within two months, some in the same second or a whole number of days apart."""
    random = np.random.default_rng(seed)
    users = []
    for _ in range(count):
        days = random.integers(0, 60, random.integers(0, 8)) * DAY
        seconds = random.choice([0, 1, 3600, DAY - 1], len(days)) if random.random() < 0.8 else 0
        users.append(sorted((days + seconds).tolist()))
    return [*users, [5 * DAY, 5 * DAY, 6 * DAY]]


def times_of(log):
    return [log.columns["time"][a:b].tolist() for a, b in pairwise(log.offsets)]


def waits(times):
    """Days from 1 until the next visit, 0 for the last one."""
    found = []
    for now, following in pairwise(times):
        day = 1
        while following - now > day * DAY:
            day += 1
        found.append(day)
    return found + [0] * bool(times)


@pytest.mark.parametrize("seed", range(4))
def test_features_against_a_loop(seed):
    random = np.random.default_rng(seed)
    time = np.cumsum(random.integers(0, 10 ** random.integers(3, 8, 80)))
    time[1] = time[0] + GAPS[0] * DAY  # a gap that is a bound belongs to the class below it
    time[2:] += time[1]
    size = random.integers(0, 100, 80)
    log = visit_log(np.array([0, 50, 80]), time, size, int(time[-1]), np.array(["u", "v"]))
    words = {name: WORDS[name][log.columns[name] - 1].tolist() for name in WORDS}
    for event in range(80):
        moment = datetime.fromtimestamp(int(time[event]), UTC)
        assert words["weekday"][event] == f"{moment:%A}"
        assert words["hour"][event] == f"{moment.hour // 3 * 3}:00"
        assert words["size"][event] == f"{max((s for s in SIZES if s <= size[event]), default=1)} or more"
        gap = (time[event] - time[event - 1]) / DAY if event % 50 else None
        below = [days for days in GAPS if gap is not None and gap > days]
        expected = f"above {below[-1]:g}" if below else "to 0.25"
        assert words["gap"][event] == ("first" if gap is None else expected)


def test_known_answers_about_returning():
    log = log_of([[0, DAY, DAY, 3 * DAY + 1], [10 * DAY]], until=12 * DAY + 5)
    assert returns(log).interval.tolist() == [1, 1, 3, 0, 0]  # the same second, too, is within the first day
    assert returns(log).seen.tolist() == [12, 11, 11, 9, 2]
    count, short = past_returns(log, (1, 2, 3))
    assert count.tolist() == [0, 1, 2, 3, 0]
    assert short.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2], [2, 2, 3], [0, 0, 0]]


@pytest.mark.parametrize("seed", range(6))
def test_returns_and_past_returns_against_loops(seed):
    users = some_users(seed)
    log = log_of(users)
    expected = [waits(times) for times in users]
    found = returns(log)
    assert found.interval.tolist() == [wait for row in expected for wait in row]
    assert found.seen.tolist() == [(UNTIL - moment) // DAY for times in users for moment in times]
    before = [row[:place] for row in expected for place in range(len(row))]
    count, short = past_returns(log, (1, 7, 30))
    assert count.tolist() == [len(row) for row in before]
    assert short.tolist() == [[sum(wait <= days for wait in row) for days in (1, 7, 30)] for row in before]


@pytest.mark.parametrize(("days", "follow"), [(28.0, 14.0), (10.0, 0.0), (7.5, 21.0)])
@pytest.mark.parametrize("seed", range(3))
def test_split_against_lists_and_without_leakage(seed, days, follow):
    users = some_users(seed)
    cut, last = UNTIL - (days + follow) * DAY, UNTIL - follow * DAY
    split = split_visits(log_of(users), days, follow)
    early = [[moment for moment in times if moment < cut] for times in users]
    assert times_of(split.train) == [times for times in early if times]
    assert split.train.keys["user"].tolist() == [f"u{n}" for n, times in enumerate(early) if times]
    assert (split.train.columns["until"] == cut).all() and split.train.columns["time"].max() < cut
    assert returns(split.train).interval.tolist() == [wait for times in early for wait in waits(times)]
    assert times_of(split.test) == users and (split.test.columns["until"] == UNTIL).all()
    judged = split.test.columns["judged"]
    assert judged.tolist() == [cut <= moment <= last for times in users for moment in times]
    assert returns(split.test).seen[judged].min() >= int(follow)
    assert split.train.vocabulary is split.test.vocabulary and split.validation is None


def test_what_comes_after_the_cut_changes_nothing_in_training():
    users = some_users(1)
    cut = 18 * DAY
    moved = [[moment if moment < cut else min(moment + DAY, UNTIL - 1) for moment in times] for times in users]
    one, other = (split_visits(log_of(visits)).train for visits in (users, moved))
    assert times_of(one) == times_of(other)
    for name, column in one.columns.items():
        assert (column == other.columns[name]).all(), name
    assert (everybody(one)(one, (1, 7)) == everybody(other)(other, (1, 7))).all()


def test_what_cannot_be_used():
    with pytest.raises(DataError, match="visit 3 is earlier than the one before: sort them"):
        log_of([[9, 10], [0, -1]])
    with pytest.raises(DataError, match=r"0 visits to train on, 2 to judge by: choose other days or follow"):
        split_visits(log_of([[30 * DAY, 31 * DAY]]))
    with pytest.raises(DataError, match=r"2 visits to train on, 0 to judge by: choose other days or follow"):
        split_visits(log_of([[0, DAY], [UNTIL - DAY]]), follow=14.0, days=7.0)


def test_users_without_visits_may_stand_anywhere():
    log = visit_log(np.array([0, 0, 2, 2]), np.array([0, DAY]), np.array([1, 1]), 2 * DAY, np.array(["a", "b", "c"]))
    assert returns(log).interval.tolist() == [1, 0] and log.columns["gap"].tolist() == [1, 4]
