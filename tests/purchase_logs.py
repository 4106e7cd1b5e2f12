"""Small logs of purchases."""

import numpy as np

from seqjax.data.events import EventLog
from seqjax.data.split import DAY

WORDS = np.array(["a", "b", "c", "d"])


def log_of(*users, words=WORDS, unit=DAY):
    """Users as lists of (day, category)."""
    events = [event for user in users for event in user]
    item = np.array([words.tolist().index(kind) + 1 for _, kind in events], np.int32)
    time = np.array([round(day * unit) for day, _ in events], np.int64)
    names = np.array([f"u{number}" for number in range(len(users))])
    offsets = np.concatenate([[0], np.cumsum([len(user) for user in users])])
    return EventLog(offsets, {"item": item, "time": time}, {"item": words}, {"user": names})


def ids(text):
    return np.array([WORDS.tolist().index(kind) + 1 for kind in text], np.int32)
