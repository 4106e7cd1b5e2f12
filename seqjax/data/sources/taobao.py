"""Taobao user behaviour: what users viewed, put into the cart, marked and bought over nine days.

Provenance: Alibaba, "User Behavior Data from Taobao for Recommendation", Tianchi data set 649, `UserBehavior.csv`;
`taobao_sample` is the head of that file, 815 users. Licence: Tianchi, academic research only, no redistribution.
Citation: H. Zhu et al., "Learning Tree-based Deep Model for Recommender Systems", KDD 2018.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import duckdb
import ibis
import numpy as np
import pyarrow as pa
from jaxtyping import Int

from seqjax.data.build import assemble, codes
from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.protocols import by_protocol
from seqjax.data.read import Layout, file_line, first_line, raw, reason
from seqjax.data.sources.folder import data_folder
from seqjax.data.vocabulary import lookup

BEHAVIOURS = np.array(["pv", "cart", "fav", "buy"])
COLUMNS = ("user", "item", "category", "behaviour", "time")
HEADER = "user_id,item_id,category_id,behavior,timestamp"  # the first line of the sample; the original has none
NAMES = ("UserBehavior.csv", "UserBehavior.csv.gz", "user_behavior.csv", "user_behavior.csv.gz")
CHINA = datetime.timezone(datetime.timedelta(hours=8))
BEGIN, END = (
    int(datetime.datetime(2017, month, day, tzinfo=CHINA).timestamp()) for month, day in ((11, 25), (12, 4))
)  # the nine days that the publisher states; the file has stray times from 1902 to 2037


def users(
    path: str | Path | None = None,
) -> tuple[EventLog, Mapping[str, Int[np.ndarray, "row"]], dict[str, int]]:
    """Every user's events by time, ties in file order; the category of every item; and counts of what was decided.

    Id columns: item, and behaviour (words `BEHAVIOURS`). Events outside 2017-11-25 .. 2017-12-03, China time, are
    dropped. An item keeps the category of its first event in the log. `path` is the file, with the sample's header line
    or without one, or a folder that holds it; without one, `taobao_sample/` under SEQJAX_DATA is read. Raises DataError
    where the file is missing or a line cannot be used.
    """
    path = Path(path or data_folder("taobao_sample"))
    if path.is_dir():
        found = next((path / name for name in NAMES if (path / name).is_file()), None)
        if found is None:
            raise DataError(f"{path}: holds none of {list(NAMES)}; get Tianchi's data set 649")
        path = found
    table, total = events(path)
    if not table.num_rows:
        raise DataError(
            f"{path}: none of {total} events is of 2017-11-25 .. 2017-12-03, China time; get the file again"
        )
    coded, words = codes(table["behaviour"])
    category, names = codes(table["category"])
    columns = {"item": table["item"], "user": table["user"], "time": table["time"]}
    numbers = {"behaviour": lookup(BEHAVIOURS, words)[coded], "category": (category + 1).astype(np.int32)}
    log, _ = assemble(columns | {name: pa.chunked_array([column]) for name, column in numbers.items()}, least=1)
    item, category = log.columns["item"], log.columns["category"]
    side = np.zeros(len(log.vocabulary["item"]) + 1, np.int32)
    side[item[::-1]] = category[::-1]  # of repeated indices numpy keeps the last, here the first event
    notes = {
        "events_outside_the_nine_days": total - log.events,
        "items_of_several_categories": len(np.unique(item[side[item] != category])),
    }
    log = log._replace(
        columns={name: column for name, column in log.columns.items() if name != "category"},
        vocabulary={**log.vocabulary, "behaviour": BEHAVIOURS, "category": names},
    )
    return log, {"category": side}, notes


def events(path: Path) -> tuple[pa.Table, int]:
    """The checked events of the nine days in file order, and how many lines the file has."""
    head = first_line(path)
    header = head.strip() == HEADER
    if not header and not head.split(",")[-1].strip().lstrip("-").isdigit():
        raise DataError(f"{path}, line 1: {head[:100]!r} is neither {HEADER!r} nor an event; get the file again")
    connection = ibis.duckdb.connect()
    try:
        table = raw(connection, path, Layout(COLUMNS, ",", header))
        table = table.mutate(written=table.time, time=table.time.try_cast("int64"))
        held = connection.create_table("events", table)
        bad = {name: held[name].isnull() | (held[name].strip() == "") for name in COLUMNS[:3]}
        bad["behaviour"] = held.behaviour.isnull() | ~held.behaviour.isin(BEHAVIOURS.tolist())
        bad["time"] = held.time.isnull()
        rows = held.aggregate(total=held.count(), **{name: held.row_of_file.min(where=at) for name, at in bad.items()})
        first = rows.to_pyarrow().to_pylist()[0]
        total = first.pop("total")
        if faults := {name: row for name, row in first.items() if row is not None}:
            name = min(faults, key=faults.__getitem__)
            value = held.filter(held.row_of_file == faults[name]).to_pyarrow().to_pylist()[0]
            raise DataError(f"{path}, line {file_line(path, faults[name])}: {complaint(name, value)}")
        kept = held.filter((held.time >= BEGIN) & (held.time < END)).order_by("row_of_file")
        return kept.select(*COLUMNS).to_pyarrow(), total
    except (duckdb.Error, pa.ArrowException) as error:
        raise DataError(reason(path, str(error))) from None


def complaint(name: str, value: Mapping[str, object]) -> str:
    """What is wrong with one value of a line, and what to do."""
    if name == "behaviour":
        return f"the behaviour {value[name]!r} is none of {', '.join(BEHAVIOURS)}; repair or remove the line"
    if name == "time":
        return f"the time {value['written']!r} is no number of seconds; repair or remove the line"
    return f"the {name} {value[name]!r} is blank; repair or remove the line"


def read(
    path: str | Path | None = None,
    *,
    protocol: Literal["leave_last", "hpmn2019"] = "leave_last",
    seed: int = 0,
    negatives: Sequence[str] = ("uniform",),
    item_history: int = 0,
) -> Split:
    """The log of `users` split by a protocol of `data.protocols`."""
    log, side, notes = users(path)
    split = by_protocol(log, protocol, side=side, seed=seed, negatives=negatives, item_history=item_history)
    return split._replace(notes={**split.notes, **notes})
