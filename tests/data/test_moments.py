"""Samples that are asked at a moment: it stays with them, and nothing from then on is seen."""

import numpy as np
import pytest

from seqjax.data import store
from seqjax.data.events import DataError, EventLog
from seqjax.data.protocols import beside
from seqjax.data.samples import ask, checked, shift

WORDS = np.array(["a", "b", "c", "d"])


def asked():
    """User "u" (10 s: a, 20 s: b and a, 30 s: c) at 20 s and at 40 s, user "v" (5 s: d) at 6 s, all seen before."""
    columns = {"item": np.int32([1, 2, 1, 3, 4]), "time": np.array([10, 20, 20, 30, 5])}
    log = EventLog(np.array([0, 4, 5]), columns, {"item": WORDS}, {"user": np.array(["u", "v"])})
    item, label = np.array([3, 2, 1]), np.array([True, False, False])
    samples = ask(log, np.array([0, 0, 1]), np.array([1, 4, 1]), label, item)
    return samples._replace(moment=np.array([20, 40, 6]))


def test_a_moment_stays_with_its_sample():
    samples = asked()
    assert samples.take(np.array([2, 0])).moment.tolist() == [6, 20]
    assert samples.head(1).moment.tolist() == [20] and samples._replace(moment=None).head(2).moment is None
    assert shift(samples, 1).moment.tolist() == [20, 40, 6]
    assert store.checksum(samples) != store.checksum(samples._replace(moment=samples.moment + 1))


def test_beside_keeps_the_moment():
    samples = asked()
    both = beside(samples, ("uniform", "popularity"), samples.counts(), np.random.default_rng(0))
    assert both.size > samples.size and both.moment[: samples.size].tolist() == [20, 40, 6]
    moment = {(0, 1): 20, (0, 4): 40, (1, 1): 6}
    pairs = zip(both.sequence.tolist(), both.cutoff.tolist(), strict=True)
    assert both.moment.tolist() == [moment[pair] for pair in pairs]
    assert (
        beside(samples._replace(moment=None), ("uniform",), samples.counts(), np.random.default_rng(0)).moment is None
    )


def test_what_comes_before_the_moment_passes():
    samples = asked()
    assert checked(samples) is samples
    none = samples._replace(cutoff=np.zeros(3, np.int64), moment=np.zeros(3, np.int64))
    assert checked(none) is none  # sees nothing, whenever it is asked


@pytest.mark.parametrize(("change", "told"), [
    ({"moment": np.array([10, 40, 6])}, r"0 \(user u\): .* 'c': cutoff 1"),  # in the same second
    ({"moment": np.array([20, 30, 6])}, r"1 \(user u\): .* 'b': cutoff 4"),
    ({"moment": np.array([20, 40, -9])}, r"2 \(user v\): .* 'a': cutoff 1"),
    ({"cutoff": np.array([2, 4, 1]), "place": np.array([2, 4, 1])}, r"0 \(user u\): .* 'c': cutoff 2"),
])  # fmt: skip
def test_what_comes_at_the_moment_or_later_is_refused(change, told):
    message = told.replace(".*", "sees an event at or after the moment of asking about")
    with pytest.raises(DataError, match=f"test, sample {message}; cut earlier"):
        checked(asked()._replace(**change), "test")


def test_a_late_event_does_not_hide_behind_an_early_one():
    samples = asked()
    samples.log.columns["time"][:4] = [10, 50, 20, 30]
    with pytest.raises(DataError, match=r"test, sample 1 \(user u\): sees an event at or after the moment"):
        checked(samples, "test")


def test_a_moment_needs_times():
    samples = asked()
    del samples.log.columns["time"]
    with pytest.raises(DataError, match=r"sample 0 \(user u\): sees an event at or after the moment"):
        checked(samples)
    assert checked(samples._replace(moment=None)).size == 3
    empty = EventLog(np.array([0, 0, 0]), {"item": np.int32([])}, {"item": WORDS})
    first = ask(empty, np.array([0, 1]), np.zeros(2, np.int64), np.array([True, False]), np.array([1, 2]))
    assert checked(first._replace(moment=np.array([1, 2]))).size == 2
