"""From a raw log to folders for training and judging, as Ibis expressions: out of core here, on a warehouse elsewhere.

The tables of this file have the columns of `read`: `item`, `time` in seconds, `row`, and `session` or `user` or both;
a session is then a combination of both. GRU4Rec's published preparation is `prepare` with its default options.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import ibis
import numpy as np

from seqjax.data.events import DataError, EventLog, expressed, grouped, renumbered
from seqjax.data.read import read
from seqjax.data.split import DAY
from seqjax.data.store import replacing, sha256, write_into


class Size(NamedTuple):
    """How much a log holds."""

    events: int
    sessions: int
    items: int


class Step(NamedTuple):
    """One step of preparation and what it left."""

    name: str
    before: Size
    after: Size


def owner(events: ibis.Table) -> list[str]:
    """The columns that together name a session."""
    return [name for name in ("user", "session") if name in events.columns]


def size(events: ibis.Table) -> Size:
    """Counts events, sessions and items."""
    sessions = events.select(*owner(events)).distinct().count()
    counts = events.aggregate(events=events.count(), items=events.item.nunique(), sessions=sessions.as_scalar())
    return Size(**counts.to_pyarrow().to_pylist()[0])


def by_time(*columns: str) -> dict[str, list[str]]:
    """The keywords of a window over the events of one session or user, ties in time in file order."""
    return {"group_by": list(columns), "order_by": ["time", "row"]}


def sessionise(events: ibis.Table, gap: float) -> ibis.Table:
    """Adds `session`, numbered from 1 for every user: a pause of more than `gap` seconds begins a new one."""
    window = ibis.window(**by_time("user"))
    pause = events.time - events.time.lag().over(window)
    marked = events.mutate(begins=ibis.ifelse(pause.isnull() | (pause > gap), 1, 0))
    until_here = ibis.cumulative_window(**by_time("user"))
    return marked.mutate(session=marked.begins.sum().over(until_here).cast("string")).drop("begins")


def collapse_repeats(events: ibis.Table) -> ibis.Table:
    """Keeps the first of consecutive events of the same item in a session."""
    previous = events.item.lag().over(ibis.window(**by_time(*owner(events))))
    return (
        events.mutate(previous=previous)
        .filter(lambda table: table.previous.isnull() | (table.previous != table.item))
        .drop("previous")
    )


def supported(events: ibis.Table, keys: list[str], least: int) -> ibis.Table:
    """The events whose keys occur at least this often."""
    counts = events.group_by(keys).agg(occurrences=events.count())
    return events.semi_join(counts.filter(counts.occurrences >= least), keys)


def hold(events: ibis.Table) -> ibis.Table:
    """Computes a table now and stores it in its engine."""
    return events.get_backend().create_table(ibis.util.gen_name("events"), events)


def release(events: ibis.Table) -> None:
    """Drops a table that `hold` stored; Ibis 12's own `drop_table` loses the name under sqlglot 30."""
    events.get_backend().raw_sql(f"DROP TABLE {events.get_name()}")


def k_core(events: ibis.Table, min_session: int = 2, min_item: int = 5) -> tuple[ibis.Table, int]:
    """Drops sessions and items of too few events until none is left to drop; also returns the number of rounds.

    The result is the largest part of the log in which every session has `min_session` and every item `min_item`
    events, whichever is dropped first. Neighbours of dropped events become adjacent, equal ones are kept.
    """
    current, rounds = hold(events), 0
    while True:
        smaller = hold(supported(supported(current, owner(events), min_session), ["item"], min_item))
        unchanged = smaller.count().to_pyarrow().as_py() == current.count().to_pyarrow().as_py()
        release(current)
        current, rounds = smaller, rounds + 1
        if unchanged:
            return current, rounds


def last_days(events: ibis.Table, cut: float) -> tuple[ibis.Table, ibis.Table]:
    """Events before the time `cut`, and the sessions that start at it or later.

    A session that runs across the cut keeps its earlier events and loses the later ones.
    """
    start = events.time.min().over(group_by=owner(events))
    started = events.mutate(late=start >= cut)
    return started.filter(~started.late & (started.time < cut)).drop("late"), started.filter(started.late).drop("late")


def vocabulary(events: ibis.Table) -> ibis.Table:
    """The items of a log, numbered from 1 in the order of their text."""
    items = events.select("item").distinct()
    return items.mutate(number=ibis.row_number().over(order_by="item") + 1)


def export(events: ibis.Table, items: ibis.Table) -> EventLog:
    """The log of a table's events, ids from a `vocabulary`; three numbers an event pass through memory."""
    columns = owner(events)
    owners = events.select(*columns).distinct()
    owners = owners.mutate(owner=ibis.row_number().over(order_by=columns))
    numbered = (
        events.join(items, "item").join(owners, columns).order_by("row").select("owner", "number", "time").to_pyarrow()
    )
    number, time = numbered["number"].to_numpy().astype(np.int32), numbered["time"].to_numpy()
    who = numbered["owner"].to_numpy()
    order, offsets = grouped(who, time)
    names = owners.order_by("owner").to_pyarrow()
    head = who[order[offsets[:-1]]]
    return EventLog(
        offsets,
        {"item": number[order], "time": np.floor(time[order]).astype(np.int64)},
        {"item": np.asarray(items.order_by("number").to_pyarrow()["item"].to_pylist(), dtype=np.str_)},
        {name: np.asarray(names[name].to_pylist(), dtype=np.str_)[head] for name in columns},
    )


def prepare(
    log_path: str | Path,
    out_dir: str | Path,
    *,
    gap: float = 3600.0,
    min_session: int = 2,
    min_item: int = 5,
    test_days: float = 1.0,
    validation_days: float = 0.0,
    **columns,
) -> list[Step]:
    """Writes the log folders `train`, `test` and, where asked, `validation`; returns what every step left.

    In order: sessions by pauses of more than `gap` seconds where the log has users only; consecutive repeats
    collapsed; sessions and items of too few events dropped to a fixed point; sessions of the last `test_days` are the
    test, those of the `validation_days` before it the validation; items that training never saw are removed from
    both, and sessions of one event from all. `columns` are the options of `read`.

    A folder of the same log and options is left as it is. Raises DataError where the folder holds anything else or
    cannot be written, before any work; where a value of the log cannot be read; and where a part has nothing left.
    """
    log_path, out_dir = Path(log_path), Path(out_dir)
    options = {"gap": gap, "min_session": min_session, "min_item": min_item, "test_days": test_days}
    options |= {"validation_days": validation_days} | columns
    if (record := recorded(out_dir)) and record["options"] == json.loads(json.dumps(options)) and log_path.is_file():
        if record["sha256"] == sha256(log_path):
            return [Step(name, Size(*before), Size(*after)) for name, before, after in record["report"]]
    with replacing(out_dir) as folder:
        connection = ibis.duckdb.connect(made(folder / "work") / "events.duckdb")
        try:
            events = read(log_path, connection=connection, **columns)
            if "time" not in events.columns:
                raise DataError(
                    f"{log_path}: has no times, and preparation splits by time; name the column (--time NAME)"
                )
            report = steps(events, folder, gap, (min_session, min_item), (test_days, validation_days))
        finally:
            connection.disconnect()
        shutil.rmtree(folder / "work")
        record = {"sha256": sha256(log_path), "options": options, "report": report}
        (folder / "prepare.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return report


def made(folder: Path) -> Path:
    """The folder, made."""
    folder.mkdir()
    return folder


def recorded(out_dir: Path) -> dict | None:
    """What an earlier `prepare` recorded in a folder."""
    try:
        return json.loads((out_dir / "prepare.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def steps(
    events: ibis.Table, folder: Path, gap: float, least: tuple[int, int], days: tuple[float, float]
) -> list[Step]:
    """Runs the steps of `prepare` on a table of events and writes the log folders."""
    if "session" not in events.columns:
        whole, name = hold(sessionise(events, gap)), f"sessions: pauses of more than {gap:g} s"
    else:
        whole, name = events.fill_null({"user": ""}) if "user" in events.columns else events, "read"
    sizes = [(name, size(events), size(whole))]
    plain = hold(collapse_repeats(whole))
    sizes.append(("consecutive repeats of an item collapsed", sizes[-1][2], size(plain)))
    core, rounds = k_core(plain, *least)
    name = f"sessions of fewer than {least[0]} events, items of fewer than {least[1]}: {rounds} rounds"
    sizes.append((name, sizes[-1][2], size(core)))
    if not sizes[-1][2].events:
        raise DataError(f"{name}: nothing is left; lower them (--min-session, --min-item)")
    cut = core.time.max().to_pyarrow().as_py() - days[0] * DAY
    early, parts = core, {}
    for part, boundary in (("test", cut), ("validation", cut - days[1] * DAY))[: 2 if days[1] else 1]:
        early, parts[part] = (hold(table) for table in last_days(early, boundary))
    train = hold(supported(early, owner(early), 2))
    sizes.append(("train: before the cut, two events or more", sizes[-1][2], size(train)))
    items = hold(vocabulary(train))
    logs = {"train": train}
    for part, table in parts.items():
        logs[part] = hold(supported(table.semi_join(items, "item"), owner(table), 2))
        sizes.append((f"{part}: items of train only, two events or more", size(table), size(logs[part])))
    for part, table in logs.items():
        if not table.count().to_pyarrow().as_py():
            raise DataError(f"{part}: nothing is left; choose other days (--test-days, --validation-days)")
    train = renumbered(export(train, items))
    write_into(train, made(folder / "train"))
    for part in parts:
        log = export(logs[part], items)
        write_into(expressed(log, train.vocabulary["item"]), made(folder / part))
    return [Step(*row) for row in sizes]
