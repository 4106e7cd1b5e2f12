"""Samples asked again as if the last events had not happened yet."""

import numpy as np
import pytest

from seqjax.data.events import DataError, EventLog
from seqjax.data.samples import ask, checked, shift


def samples_of(lengths=(1, 3, 30), seed=0, **columns):
    """Every place of every life is asked about, the first, where nothing is seen, and the end included."""
    random, total = np.random.default_rng(seed), sum(lengths)
    items = random.integers(1, 5, total).astype(np.int32)
    log = EventLog(np.cumsum([0, *lengths]), {"item": items, **columns}, {"item": np.array(list("abcd"))})
    sequence = np.repeat(np.arange(len(lengths)), np.array(lengths) + 1)
    place = np.concatenate([np.arange(length + 1) for length in lengths])
    item = random.integers(1, 5, len(place)).astype(np.int32)
    return ask(log, sequence, place, np.arange(len(place)) % 2 == 0, item)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 10, 99])
@pytest.mark.parametrize("least", [0, 1, 4])
def test_last_events_are_hidden_and_nothing_else_changes(count, least):
    samples = samples_of()
    moved = shift(samples, count, least)
    for before, after in zip(samples.cutoff, moved.cutoff, strict=True):
        remaining = list(range(before))
        while len(remaining) > least and before - len(remaining) < count:
            remaining.pop()
        assert after == len(remaining)
    assert moved.cutoff.dtype == samples.cutoff.dtype
    assert all(getattr(moved, name) is getattr(samples, name) for name in samples._fields if name != "cutoff")
    checked(moved)


def test_shifts_add_up():
    samples = samples_of(seed=1)
    twice = shift(shift(samples, 2), 3)
    assert np.array_equal(twice.cutoff, shift(samples, 5).cutoff)
    assert np.array_equal(shift(samples, 0).cutoff, samples.cutoff)


def test_earlier_is_allowed_wherever_the_moment_was():
    samples = samples_of(lengths=(4,), time=np.arange(4))
    samples = samples._replace(moment=samples.place.astype(np.int64))
    checked(shift(samples, 2))


@pytest.mark.parametrize("count, least", [(-1, 1), (1, -1)])
def test_negative_numbers_are_refused(count, least):
    with pytest.raises(DataError, match="use 0 or more"):
        shift(samples_of(), count, least)


def test_targets_that_tell_of_the_events_are_refused():
    samples = samples_of()
    samples = samples._replace(target={**samples.target, "gap": np.ones(samples.size, np.int32)})
    with pytest.raises(DataError, match=r"features of their own, \['gap'\]"):
        shift(samples, 1)
    assert np.array_equal(shift(samples, 0).cutoff, samples.cutoff)
