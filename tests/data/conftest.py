import numpy as np
import pytest

from seqjax.data.events import EventLog, in_time_order


def make_random_log(seed, sequences=30, items=8, longest=7):
    """A log in time order with sequences of 1..longest events within 40 s, times with ties."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, sequences)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    time = np.concatenate([random.integers(400) + np.sort(random.integers(0, 40, length)) for length in lengths])
    ids = random.integers(1, items + 1, offsets[-1]).astype(np.int32)
    words = np.array([f"i{item}" for item in range(items)])
    keys = {"session": np.arange(sequences).astype(str)}
    return in_time_order(EventLog(offsets, {"item": ids, "time": time}, {"item": words}, keys))


def words_of(log):
    """Every sequence as a list of words."""
    words = [str(word) for word in log.vocabulary["item"][log.columns["item"] - 1]]
    return [words[start:end] for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True)]


@pytest.fixture
def random_log():
    return make_random_log


@pytest.fixture
def lists():
    return words_of
