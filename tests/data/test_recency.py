import numpy as np
import pytest

from seqjax.data.events import EventLog
from seqjax.data.recency import DERIVED, as_of, derived
from seqjax.data.samples import ask

DAY = 86_400


def random_log(seed, users=6, items=4, events=120):
    random = np.random.default_rng(seed)
    owner = np.sort(random.integers(0, users, events))
    time = random.integers(0, 150 * DAY, events) // (7 * 3600) * (7 * 3600)  # seconds are shared
    time = time[np.lexsort((time, owner))]
    columns = {"item": random.integers(1, items + 1, events).astype(np.int32), "time": time}
    return EventLog(np.searchsorted(owner, np.arange(users + 1)), columns, {"item": np.array(list("abcd")), **DERIVED})


def lately(times, moment):
    """The word for how many of the times lie within 56 whole days before the moment, counted one by one."""
    count = sum((moment - time) // DAY <= 56 for time in times)
    return (
        "0"
        if count == 0
        else next(
            word
            for word, most in zip(("1", "2", "3-4", "5-8", "9+"), (1, 2, 4, 8, np.inf), strict=True)
            if count <= most
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_lately_counts_the_same_item_of_the_same_user_in_eight_weeks(seed):
    log = random_log(seed)
    item, time = log.columns["item"], log.columns["time"]
    found = DERIVED["lately"][derived(log)["lately"] - 1]
    for event in range(log.events):
        begin = log.offsets[log.sequence[event]]
        same = begin + np.flatnonzero(item[begin:event] == item[event])
        assert found[event] == lately(time[same], time[event])


@pytest.mark.parametrize("seed", range(4))
def test_as_of_a_moment_lately_counts_what_may_be_seen(seed):
    log, random = random_log(seed), np.random.default_rng(seed)
    sequence, item = random.integers(0, log.sequences, 60), random.integers(1, 5, 60).astype(np.int32)
    cutoff = (random.random(60) * (log.lengths[sequence] + 1)).astype(np.int64)
    end = log.offsets[:-1][sequence] + cutoff
    before = np.where(cutoff > 0, log.columns["time"][np.maximum(end - 1, 0)], 0)
    moment = before + random.integers(0, 80 * DAY, 60)  # far beyond the log's end too
    samples = ask(log, sequence, cutoff, np.arange(60) % 2 == 0, item)._replace(moment=moment)
    found = DERIVED["lately"][as_of(samples)["lately"] - 1]
    for at in range(60):
        begin = log.offsets[sequence[at]]
        same = begin + np.flatnonzero(log.columns["item"][begin : end[at]] == item[at])
        assert found[at] == lately(log.columns["time"][same], moment[at])


def test_a_log_without_events_has_empty_columns():
    columns = {"item": np.zeros(0, np.int32), "time": np.zeros(0, np.int64)}
    assert {name: len(column) for name, column in derived(EventLog(np.zeros(2, int), columns, {})).items()} == {
        name: 0 for name in DERIVED
    }
