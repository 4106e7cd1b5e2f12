"""Builds event logs from columns of events in file order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from jaxtyping import Int, Shaped

from seqjax.data.events import DataError, EventLog, at_least, expressed, grouped, in_time_order, renumbered


def codes(column: pa.ChunkedArray) -> tuple[Int[np.ndarray, "event"], Shaped[np.ndarray, "word"]]:
    """Numbers the words of a text column from 0 by first appearance."""
    encoded = pa.chunked_array(column.fill_null("")).dictionary_encode().combine_chunks()
    return encoded.indices.to_numpy(), np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_)


def assemble(
    columns: Mapping[str, pa.ChunkedArray],
    vocabulary: Shaped[np.ndarray, "word"] | None = None,
    origin: str = "log",
    least: int = 2,
) -> tuple[EventLog, dict[str, int]]:
    """Builds a log from event columns in file order (item, session and/or user, time, numbers); see `read.read_log`."""
    ids, words = codes(columns["item"])
    keys = {name: codes(columns[name]) for name in ("session", "user") if name in columns}
    owner = np.zeros(len(ids), np.int64)
    for code, key_words in keys.values():  # a session number may mean another session for another user
        owner = owner * len(key_words) + code
    owner = np.unique(owner, return_inverse=True)[1] if len(keys) > 1 else owner
    time = columns["time"].to_numpy() if "time" in columns else None
    order, offsets = grouped(owner, time)
    values = {"item": (ids + 1).astype(np.int32)} | ({} if time is None else {"time": np.floor(time).astype(np.int64)})
    values |= {name: columns[name].to_numpy() for name in columns.keys() - {"item", "session", "user", "time"}}
    heads = order[offsets[:-1]]
    log = EventLog(
        offsets,
        {name: value[order] for name, value in values.items()},
        {"item": words},
        {name: key_words[code[heads]] for name, (code, key_words) in keys.items()},
    )
    return fitted(log, vocabulary, origin, least)


def fitted(
    log: EventLog, vocabulary: Shaped[np.ndarray, "word"] | None, origin: str, least: int
) -> tuple[EventLog, dict[str, int]]:
    """Removes unseen items and short sequences, and counts them; a log for training gets its own vocabulary."""
    words = log.vocabulary["item"]
    if not log.events:
        raise DataError(f"{origin}: the log has no events; a log has one row per event")
    notes = {"events_read": log.events, "sessions_read": log.sequences, "items_read": len(words)}
    if vocabulary is not None:
        notes["unseen_items"] = int(np.count_nonzero(~np.isin(words, vocabulary)))
        log = in_time_order(expressed(log, vocabulary))
        notes["unseen_events"] = notes["events_read"] - log.events
        if not log.events:
            raise DataError(
                f"{origin}: none of its {len(words)} items (as {str(words[0])!r}) is in the training log (as "
                f"{str(vocabulary[0])!r}); write item ids the same way in both"
            )
    if least > 1:
        notes["sessions_of_one"] = int(np.count_nonzero(log.lengths == 1))
    log = at_least(log, least)
    if not log.sequences:
        raise DataError(
            f"{origin}: no sequence has two events, {notes['sessions_of_one']} have one; a next event needs two: "
            "check which column is the session (--session NAME) or take the user instead (--session none)"
        )
    log = renumbered(log) if vocabulary is None else log
    return log, notes | {"events": log.events, "sessions": log.sequences}
