"""XLong: the last 1,000 items of every user of a shop, one item that came next and one that did not.

Provenance: Alibaba, Tianchi data set 22482, with K. Ren et al., "Lifelong Sequential Modeling with Personalized
Memorization for User Response Prediction", SIGIR 2019: a file for training and one for testing. Licence: Tianchi,
academic research only, no redistribution.

A line holds, between tabs: a number, the user, the history (items between commas, oldest first), the positive item, the
negative item, and the last 184 users of the positive and of the negative item. There are no times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seqjax.data.build import codes
from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.item_lives import ItemLives
from seqjax.data.protocols import with_users
from seqjax.data.read import first_line, reason, text_lines
from seqjax.data.samples import Samples, ask, checked
from seqjax.data.vocabulary import extend, lookup

FIELDS = ("index", "user", "history", "positive", "negative")
SIDES = ("users of the positive", "users of the negative")


def read(train: str | Path, test: str | Path, *, history: int = 1_000, item_history: int = 0) -> Split:
    """Two samples per line over one vocabulary, the positive item (label 1) and the negative one (label 0).

    history: items that every line must have. A line is a sequence, whole before its targets; there is no validation.
    item_history: so many of the newest users of either item are seen too (0: none), as far as a line names them; as no
    time tells whether the line's own user had the item before, that user is left out. Notes count users of several
    lines, lines whose items are the same, and users left out. Raises DataError where a file is missing or a line cannot
    be used.
    """
    fields = FIELDS + SIDES if item_history else FIELDS
    parts = [lines(Path(path), history, fields) for path in (train, test)]
    count = [len(part["user"]) for part in parts]
    whole = {name: pa.chunked_array([part[name] for part in parts]) for name in parts[0]}
    told = [whole.pop(name).combine_chunks() for name in fields[len(FIELDS) :]]
    total = sum(count)
    ids, words = codes(pa.chunked_array([*(whole[name].chunk(at) for name in ("item", *FIELDS[3:]) for at in (0, 1))]))
    ids = (ids + 1).astype(np.int32)
    item, pairs = ids[: total * history], ids[total * history :].reshape(2, total)
    user = np.asarray(whole["user"].to_pylist(), np.str_)
    log = with_users(EventLog(np.arange(total + 1) * history, {"item": item}, {"item": words}, {"user": user}))
    sequence = np.repeat(np.arange(total), 2)
    label = np.tile([True, False], total)
    samples = ask(log, sequence, np.full(2 * total, history), label, pairs.T.ravel())
    learned, judged = np.split(np.arange(2 * total), [2 * count[0]])
    notes = {
        "users_of_several_lines": int(np.count_nonzero(np.unique(user, return_counts=True)[1] > 1)),
        "lines_of_one_item": int(np.count_nonzero(pairs[0] == pairs[1])),
    }
    if item_history:
        samples, notes["own_users_left_out"] = with_told(samples, told, item_history)
    return Split(checked(samples.take(learned), "train"), None, checked(samples.take(judged), "test"), notes)


def with_told(samples: Samples, told: Sequence[pa.Array], window: int) -> tuple[Samples, int]:
    """The samples with the users that every line names for its positive and its negative item, newest last.

    Blanks and 0 are padding. Also counts how often a line names its own user, who is left out.
    """
    if window < 1:
        raise DataError(f"item_history={window}: read 1 user or more of an item, or 0 to leave items out")
    names = samples.vocabulary["user"]
    lists = pc.split_pattern(pc.fill_null(pa.chunked_array(told), ""), ",").combine_chunks()
    code, words = codes(pa.chunked_array([pc.utf8_trim_whitespace(lists.flatten())]))
    users = extend(names, words[(words != "") & (words != "0")])
    user, life = lookup(users, words)[code], np.repeat(np.arange(len(lists)), pc.list_value_length(lists))
    own = words[code] == names[life % len(names)]
    kept = (user > 0) & ~own
    if not kept.any():
        raise DataError(f"item_history={window}: no line names a user of its items; set item_history=0")
    offsets = np.append(0, np.cumsum(np.bincount(life[kept], minlength=len(lists))))
    columns = {"user": user[kept], "time": np.zeros(np.count_nonzero(kept), np.int64)}
    return samples._replace(
        log=samples.log._replace(vocabulary={**samples.log.vocabulary, "user": users}),
        items=ItemLives(EventLog(offsets, columns, {"user": users}), window),
        life=(samples.sequence + np.where(samples.label, 0, len(names))).astype(np.int32),
    ), int(np.count_nonzero(own))


def lines(path: Path, history: int, names: tuple[str, ...] = FIELDS) -> Mapping[str, pa.Array]:
    """The users, positive and negative items of a file, and the items of all histories in a row."""
    first_line(path)
    try:
        text = text_lines(ibis.duckdb.connect(), path).order_by("row").to_pyarrow()["line"].combine_chunks()
    except (duckdb.Error, pa.ArrowException) as error:
        raise DataError(reason(path, str(error))) from None
    fields = pc.split_pattern(pc.fill_null(text, ""), "\t", max_splits=len(names))
    number = pc.list_value_length(fields).to_numpy(zero_copy_only=False)
    refuse(path, number < len(names), lambda row: f"has {number[row]} of the {len(names)} columns {', '.join(names)}")
    named = {name: pc.utf8_trim_whitespace(pc.list_element(fields, at)) for at, name in enumerate(names)}
    for name in ("user", "positive", "negative"):
        refuse(path, blank(named[name]), lambda row, name=name: f"the {name} is blank")
    items = pc.split_pattern(named.pop("history"), ",")
    events = pc.list_value_length(items).to_numpy(zero_copy_only=False)
    refuse(
        path, events != history, lambda row: f"the history has {events[row]} items, not {history} (history={history})"
    )
    item = pc.utf8_trim_whitespace(items.flatten())
    empty = blank(item).reshape(-1, history)
    refuse(path, empty.any(axis=1), lambda row: f"item {int(np.argmax(empty[row])) + 1} of the history is blank")
    return {name: column for name, column in named.items() if name != "index"} | {"item": item}


def blank(column: pa.Array) -> np.ndarray:
    """Marks entries without text."""
    return pc.equal(column, "").to_numpy(zero_copy_only=False)


def refuse(path: Path, fault: np.ndarray, told: Callable[[int], str]) -> None:
    """Raises DataError that tells the first line with a fault, where there is one."""
    if fault.any():
        row = int(np.argmax(fault))
        raise DataError(f"{path}, line {row + 1}: {told(row)}; repair or remove the line, or get the file again")
