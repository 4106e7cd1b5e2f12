"""Daily counts against a loop; nothing of the day of asking, or later, is in them."""

import datetime

import ibis
import numpy as np
import pyarrow as pa
import pytest
from purchase_logs import ids, log_of

from seqjax.data.day_image import DayImages, dated, day_image
from seqjax.data.events import DataError
from seqjax.data.purchases import Question, purchase_samples
from seqjax.data.split import DAY

RANDOM = np.random.default_rng(0)
USERS = ("u2", "u1", "u10")


def table_of(rows, **changed):
    user, item, time = zip(*rows, strict=True)
    return ibis.memtable(pa.table({"user": list(user), "item": list(item), "time": list(time)} | changed))


def purchases(count=400, days=40):
    names = RANDOM.choice(USERS, count), RANDOM.choice(list("abcd"), count), RANDOM.integers(0, days * DAY, count)
    return list(zip(*(column.tolist() for column in names), strict=True))


@pytest.mark.parametrize("until", [30 * DAY, 30 * DAY + 5000, 40 * DAY, 12 * DAY - 1, 3 * DAY])
@pytest.mark.parametrize("days", [1, 7, 20])
def test_counts_are_what_a_loop_finds(until, days):
    rows = purchases()
    found = day_image(table_of(rows), until, days=days)
    assert found.users.tolist() == ["u1", "u10", "u2"] and found.categories.tolist() == list("abcd")
    assert found.counts.dtype == np.float32 and found.counts.shape == (3, days, 4)
    expected = np.zeros((3, days, 4))
    for user, item, time in rows:
        row = time // DAY - until // DAY + days
        if 0 <= row < days:
            expected[["u1", "u10", "u2"].index(user), row, "abcd".index(item)] += 1
    np.testing.assert_array_equal(found.counts, expected)


def test_nothing_from_the_cut_off_on_is_smuggled_in():
    """Neither a purchase at the very second, nor one before it on the same day, nor one with a broken second."""
    rows, until = [("u1", "a", 9 * DAY + 1), ("u2", "b", 0)], 10 * DAY
    honest = day_image(table_of(rows), until, days=10)
    assert honest.counts.sum() == 2 and honest.counts[0, -1, 0] == 1 and honest.counts[1, 0, 1] == 1
    for time in (until, until + 1, until + 0.25, 11 * DAY, 10**12):
        told = day_image(table_of([*rows, ("u1", "a", time), ("u2", "b", time)]), until, days=10)
        np.testing.assert_array_equal(told.counts, honest.counts)
    same_day = day_image(table_of([*rows, ("u1", "a", until + 5)]), until + 9, days=10)
    np.testing.assert_array_equal(same_day.counts, honest.counts)
    just_before = day_image(table_of([*rows, ("u1", "a", until - 0.25)]), until, days=10)
    assert just_before.counts[0, -1, 0] == 2


def test_named_categories_alone_in_their_order():
    rows = [("u1", "a", 0), ("u1", "b", 0), ("u1", "b", 5), ("u1", "c", DAY)]
    found = day_image(table_of(rows), DAY, days=1, categories=("c", "b"))
    assert isinstance(found, DayImages) and found.categories.tolist() == ["c", "b"]
    assert found.counts.tolist() == [[[0.0, 2.0]]]


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"days": 0}, "days=0: an image has 1 day or more"),
        ({}, {"categories": ("a", "z")}, "there is no category 'z'; near it are"),
        ({}, {"categories": ()}, "there are no categories: name at least one"),
        ({"user": ["u1", None]}, {}, "column 'user' has no value in 1 rows: leave them out, or fill them"),
        (
            {"time": [datetime.datetime(2017, 1, 1)] * 2},
            {},
            r"column 'time' is timestamp.*: take events.time.epoch_sec",
        ),
    ],
)
def test_errors(change, settings, message):
    with pytest.raises(DataError, match=message):
        day_image(table_of([("u1", "a", 0), ("u1", "b", 5)], **change), DAY, **settings)


def test_a_missing_column_is_named_with_those_there_are():
    with pytest.raises(DataError, match=r"no column 'item'; its columns are \['user', 'category', 'time'\]: rename"):
        day_image(ibis.memtable(pa.table({"user": ["u"], "category": ["a"], "time": [5]})), DAY)


def asked(moment):
    log = log_of([(17.5, "a"), (19, "a")], [(18.25, "b")])
    question = Question(np.array([0, 1]), np.array([round(moment * DAY)] * 2), np.array([False, True]))
    return purchase_samples(log, question, ids("ab"))


@pytest.mark.parametrize(("moment", "day"), [(20.0, 4), (19.5, 3), (20.99, 4)])
def test_days_of_events_and_of_moments(moment, day):
    samples = dated(asked(moment))
    assert samples.log.columns["day"].tolist() == [1, 3, 2] and samples.target["day"].tolist() == [day, day]
    assert {samples.log.columns["day"].dtype, samples.target["day"].dtype} == {np.dtype(np.int32)}
    assert samples.vocabulary["day"].tolist() == ["1970-01-18", "1970-01-19", "1970-01-20", "1970-01-21"]
    assert samples.target["item"].tolist() == [1, 2] and samples.log.columns["item"].tolist() == [1, 1, 2]


def test_days_need_moments():
    with pytest.raises(DataError, match="days need the times of events and the moments of asking"):
        dated(asked(20.0)._replace(moment=None))
