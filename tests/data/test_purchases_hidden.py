"""What nobody who is asked about a category may see: purchases from the moment on, and related ones."""

import numpy as np
import pytest
from purchase_logs import ids, log_of

from seqjax.data.events import DataError
from seqjax.data.purchases import Question, purchase_samples, refuse
from seqjax.data.samples import checked
from seqjax.data.split import DAY


def smuggled():
    """Users u0 and u1 with a b at day 3 and 6, asked at day 5 about c; nobody may see a."""
    log = log_of([(0, "d"), (3, "b"), (5, "a"), (8, "c")], [(0, "d"), (1, "a"), (5, "c"), (6, "b")])
    question = Question(np.array([0, 1, 0]), np.array([5, 1, 3]) * DAY, np.array([True, False, True]))
    return log, purchase_samples(log, question, ids("ccb"), hidden=ids("a"))


def test_what_may_be_seen_passes():
    samples = smuggled()[1]
    assert samples.cutoff.tolist() == [2, 1, 1]
    assert checked(samples) is samples and refuse(samples, ids("a")) is samples
    assert refuse(samples, None) is samples and refuse(samples, ids("")) is samples
    less = samples._replace(cutoff=np.zeros(3, np.int64))
    assert checked(less) is less and refuse(less, ids("abcd")) is less


def refused_by_moment(samples, row, user, item):
    message = rf"part, sample {row} \(user {user}\): sees an event at or after the moment of asking about '{item}'"
    with pytest.raises(DataError, match=message):
        checked(samples, "part")


def test_events_from_the_moment_on_are_refused():
    samples = smuggled()[1]
    later = np.array([2, 3, 1])  # u1 sees day 1, which is the moment itself
    refused_by_moment(samples._replace(cutoff=later, place=later), 1, "u1", "c")
    refused_by_moment(samples._replace(moment=samples.moment - np.array([0, 0, 3 * DAY])), 2, "u0", "b")
    last = np.array([4, 1, 1])
    refused_by_moment(samples._replace(cutoff=last, place=last), 0, "u0", "c")
    refused_by_moment(samples._replace(sequence=np.array([0, 1, 1]), cutoff=last[::-1], place=last[::-1]), 2, "u1", "b")
    by_hand = samples.take(np.array([2, 1]))._replace(moment=np.array([0, DAY]))
    refused_by_moment(by_hand, 0, "u0", "b")


def test_times_that_lie_are_refused():
    log, samples = smuggled()
    late = np.array(log.columns["time"])
    late[0] = 9 * DAY  # an event by its place early, by its time late, and behind it an early one
    moved = log._replace(columns={**log.columns, "time": late})
    beyond = samples._replace(log=moved, place=np.array([4, 4, 4]))
    refused_by_moment(beyond, 0, "u0", "c")
    with pytest.raises(DataError, match=r"event 1 is earlier than one before it"):
        purchase_samples(moved, Question(samples.sequence, samples.moment, samples.label), ids("ccb"))
    timeless = samples._replace(log=log._replace(columns={"item": log.columns["item"]}))
    refused_by_moment(timeless, 0, "u0", "c")
    shifted = samples._replace(log=log._replace(columns={**log.columns, "time": log.columns["time"] + 40 * DAY}))
    refused_by_moment(shifted, 0, "u0", "c")


def test_hidden_categories_are_refused():
    log, samples = smuggled()

    def refused(samples, row, word, hidden):
        with pytest.raises(DataError, match=rf"part, sample {row}: sees a purchase of '{word}', which is related to"):
            refuse(samples, hidden, "part")

    refused(samples, 0, "b", ids("b"))
    refused(samples, 0, "d", ids("bd"))
    refused(samples.take(np.array([1, 2, 0])), 2, "b", ids("ab"))
    refused(samples._replace(cutoff=np.array([2, 2, 1])), 1, "a", ids("a"))
    other = np.array(log.columns["item"])
    other[1] = 1
    refused(samples._replace(log=log._replace(columns={**log.columns, "item": other})), 0, "a", ids("a"))
    question = Question(np.array([0, 1]), np.array([5, 2]) * DAY, np.array([True, False]))
    with pytest.raises(DataError, match="part, sample 1: sees a purchase of 'a'"):
        purchase_samples(log, question, ids("cc"), hidden=ids("a"), name="part")


def test_kinds_and_sides_are_carried():
    log, samples = smuggled()
    question = Question(samples.sequence, samples.moment, samples.label)
    kind, side = np.array([0, 1, 0], np.int8), {"department": np.arange(5, dtype=np.int32)}
    full = purchase_samples(log, question, ids("ccb"), kind=kind, side=side)
    assert full.kind is kind and full.kinds == ("rest",) and full.side == side
