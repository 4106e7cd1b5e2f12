import numpy as np
import pytest

from seqjax.data.events import DataError, EventLog, take
from seqjax.data.split import DAY, by_sequence, by_time, leave_one_out, set_aside, tail


def naive_by_time(log, days, lists):
    """Restates by_time over lists of (time, word)."""
    words, times = lists(log), np.split(log.columns["time"], log.offsets[1:-1])
    rows = [list(zip(time.tolist(), word, strict=True)) for time, word in zip(times, words, strict=True)]
    cut = log.columns["time"].max() - days * DAY
    train = [[event for event in row if event[0] < cut] for row in rows if row[0][0] < cut]
    train = [row for row in train if len(row) > 1]
    known = {word for row in train for _, word in row}
    test = [[event for event in row if event[1] in known] for row in rows if row[0][0] >= cut]
    test = sorted((row for row in test if len(row) > 1), key=lambda row: row[0][0])
    return [[word for _, word in row] for row in train], [[word for _, word in row] for row in test]


@pytest.mark.parametrize("seed", range(8))
def test_by_time_matches_the_naive_restatement(seed, random_log, lists):
    log = random_log(seed, items=25)
    days = 120 / DAY
    split = by_time(log, days)
    train, test = naive_by_time(log, days, lists)
    assert lists(split.train) == train
    assert lists(split.test) == test
    assert split.test.vocabulary["item"] is split.train.vocabulary["item"]
    assert (split.train.counts()[1:] > 0).all()
    assert split.train.columns["time"].max() < split.test.columns["time"].min()


def test_by_time_known_answer(lists):
    time = np.array([0, 9, 5, 11, 12, 10, 20, 30])  # the cut is at 30 - 20 = 10
    log = EventLog(
        np.array([0, 2, 5, 8]),
        {"item": np.array([1, 2, 1, 2, 3, 2, 4, 1]), "time": time},
        {"item": np.array(["a", "b", "c", "d"])},
    )
    split = by_time(log, 20 / DAY)
    assert lists(split.train) == [["a", "b"]]
    assert lists(split.test) == [["b", "a"]]
    assert split.notes == {
        "sessions_of_one": 1,
        "items_unseen": 2,
        "test_events_unseen": 1,
        "test_sessions_short": 0,
        "events_across_the_cut": 2,
    }


def test_by_time_errors(random_log):
    log = random_log(0)
    with pytest.raises(DataError, match="nothing is left to train on"):
        by_time(log, 1000.0)
    with pytest.raises(DataError, match="nothing is left to judge on"):
        by_time(log, 0.0)
    with pytest.raises(DataError, match="no times"):
        by_time(log._replace(columns={"item": log.columns["item"]}), 1.0)


def test_by_sequence_is_a_partition_that_the_seed_decides(random_log, lists):
    log = random_log(3, sequences=100, items=3)
    split, again, other = by_sequence(log, 0.3, seed=1), by_sequence(log, 0.3, seed=1), by_sequence(log, 0.3, seed=2)
    whole = {key: row for key, row in zip(log.keys["session"], lists(log), strict=True) if len(row) > 1}
    parts = dict(
        zip(
            [*split.train.keys["session"], *split.test.keys["session"]],
            lists(split.train) + lists(split.test),
            strict=True,
        )
    )
    assert parts == whole
    assert split.test.sequences + split.notes["test_sessions_short"] == 30
    assert split.test.keys["session"].tolist() == again.test.keys["session"].tolist()
    assert split.test.keys["session"].tolist() != other.test.keys["session"].tolist()


def test_tail_cuts_the_last_sequences(random_log, lists):
    log = random_log(2, sequences=20)
    train, last = tail(log, 0.1)
    assert lists(train) + lists(last) == lists(log)
    assert last.sequences == 2
    with pytest.raises(DataError, match="leaves one part empty"):
        tail(log, 0.001)


@pytest.mark.parametrize("seed", range(5))
def test_leave_one_out_matches_lists(seed, random_log, lists):
    log = random_log(seed)
    split = leave_one_out(log)
    rows = lists(log)
    long = [row for row in rows if len(row) >= 3]
    train = [row[:-2] if len(row) >= 3 else row for row in rows]
    assert lists(split.train) == [row for row in train if len(row) > 1]
    assert lists(split.validation) == [row[:-1] for row in long]
    assert lists(split.test) == long
    for part in (split.validation, split.test):
        assert np.flatnonzero(part.columns["judged"]).tolist() == (part.offsets[1:] - 1).tolist()
    seen = {word for row in train for word in row}
    assert split.notes["unseen_targets"] == sum(row[-1] not in seen for row in long)
    assert split.notes["sessions_not_judged"] == len(rows) - len(long)


def test_leave_one_out_needs_three_events(random_log):
    with pytest.raises(DataError, match="three events"):
        leave_one_out(random_log(0, longest=2))
    short = random_log(0, longest=3)
    with pytest.raises(DataError, match="nothing is left to train on: no sequence has four events"):
        leave_one_out(take(short, np.flatnonzero(short.lengths == 3)))


@pytest.mark.parametrize("validation", [0, 5])
def test_set_aside_parts_the_log_in_its_order(validation, random_log, lists):
    log = random_log(4, sequences=40)
    split = set_aside(log, test=7, validation=validation, seed=1)
    parts = [part for part in split[:3] if part is not None]
    assert [part.sequences for part in parts] == [33 - validation, *[validation] * (validation > 0), 7]
    number = {key: place for place, key in enumerate(log.keys["session"].tolist())}
    for part in parts:
        places = [number[key] for key in part.keys["session"].tolist()]
        assert places == sorted(places)
        assert lists(part) == [lists(log)[place] for place in places]
        assert part.vocabulary["item"] is log.vocabulary["item"]
    assert sorted(key for part in parts for key in part.keys["session"].tolist()) == sorted(number)


def test_set_aside_is_drawn_from_the_seed(random_log):
    log = random_log(4, sequences=40)
    one, again, other = (set_aside(log, test=7, seed=seed).test.keys["session"].tolist() for seed in (1, 1, 2))
    assert one == again != other
    assert one not in (log.keys["session"][:7].tolist(), log.keys["session"][-7:].tolist())


@pytest.mark.parametrize(("test", "validation"), [(0, 5), (10, 0), (6, 4), (-1, 3), (5, -1)])
def test_set_aside_needs_training_and_a_test(test, validation, random_log):
    with pytest.raises(DataError, match=rf"test={test}, validation={validation} of 10 sequences: set aside fewer"):
        set_aside(random_log(0, sequences=10), test=test, validation=validation)
