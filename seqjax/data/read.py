"""Reads logs that people have: delimited text, Parquet, RecBole's atomic files, one session per line.

Everything between the file and the arrays is an Ibis expression over text columns, so that ids stay text (`007` is
not 7) and a value that cannot be used is named with its row.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Shaped

from seqjax.data.build import assemble
from seqjax.data.events import DataError, EventLog

USUAL = {  # column names recognised by "auto", compared in lower case without "_" and "-"
    "session": ("sessionid", "session", "caseid", "basketid"),
    "item": ("itemid", "item", "productid", "movieid", "activityid", "activity"),
    "time": ("time", "timestamp", "ts", "unixtimestamp", "eventtime", "datetime", "completetimestamp"),
    "user": ("userid", "user", "householdid", "visitorid", "customerid"),
}
REQUIRED = {"session": "no column of sessions or users", "item": "no column of items", "time": "no column of times"}
GUESSED = ("auto", "if any")  # take the usual name, which must be there; or only if it is there
SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # units in one second
LATEST = 7_258_118_400  # 2200-01-01: a later time is a wrong unit, not a time

TimeUnit = Literal["s", "ms", "us", "ns"]


class Layout(NamedTuple):
    """How a text file is cut into columns."""

    names: tuple[str, ...]
    delimiter: str
    header: bool


def opened(path: Path) -> io.BufferedIOBase:
    """The file's bytes, unpacked where its name ends in `.gz`."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")


def kind_of(path: Path) -> str:
    """The ending that tells the format: `.csv` for `clicks.csv.gz`."""
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def first_line(path: Path) -> str:
    """The first line that is not blank; raises DataError where the file is missing, empty, or no UTF-8 text."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give the path of a log (.csv, .tsv, .txt, .inter, .parquet)")
    number = 0
    try:
        with opened(path) as file:
            for line in file:
                number += 1
                if line.strip():
                    return line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {number} is not UTF-8 text; convert the file (iconv -t utf-8)") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); fetch or pack the file again") from None
    raise DataError(f"{path}: the file is empty; a log has one row per event")


def layout(path: Path, delimiter: str = "auto", names: Sequence[str] | None = None) -> Layout | None:
    """Finds the columns of a text file from its first line; None for a file with one session per line.

    A `.txt` file whose first line holds no tab, comma, semicolon or bar is read as one session per line.
    """
    line = first_line(path)
    if delimiter == "auto":
        if kind_of(path) == ".txt" and names is None and not any(mark in line for mark in "\t,;|"):
            return None
        delimiter = "\t" if kind_of(path) in (".tsv", ".inter") else max("\t,;|", key=line.count)
    if names is not None:
        return Layout(tuple(names), delimiter, header=False)
    found = next(csv.reader([line], delimiter=delimiter)) if len(delimiter) == 1 else line.split(delimiter)
    found = [name.strip() for name in found]
    if kind_of(path) == ".inter":
        found = [name.split(":")[0] for name in found]
    if len(set(found)) < len(found) or "" in found:
        raise DataError(f"{path}: line 1 should name every column once, found {found}; add a header line")
    return Layout(tuple(found), delimiter, header=True)


def file_line(path: Path, record: int) -> int:
    """The line that holds the record-th line with content, both from 1: readers skip blank lines."""
    with opened(path) as file:
        filled = (number for number, line in enumerate(file, 1) if line.strip())
        return next(islice(filled, record - 1, None), record)


def naming(role: str) -> str:
    """How to name the column of a role, in Python, on the command line and in a run."""
    return f"give {role}=NAME (--{role} NAME; in a run, --set data.{role}=NAME)"


def choose(path: Path, names: Sequence[str], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """Maps session, item, time and user to column names: the given one, or the usual one where "auto"."""
    plain = {name.lower().replace("_", "").replace("-", ""): name for name in reversed(names)}
    chosen = {}
    for role, name in wanted.items():
        if name not in (None, *GUESSED) and name not in names:
            raise DataError(f"{path}: no column {name!r}; its columns are {list(names)}: {naming(role)}")
        usual = next((plain[word] for word in USUAL[role] if word in plain), None)
        chosen[role] = usual if name in GUESSED else name
    for role, missing in REQUIRED.items():
        given = chosen[role] or (chosen["user"] if role == "session" else None)
        if given is None and (role != "time" or wanted[role] == "auto"):
            hint = naming(role) + (", or time=None for file order" if role == "time" else "")
            raise DataError(f"{path}: {missing}; its columns are {list(names)}: {hint}")
    return chosen


def seconds(column: ibis.Value, unit: TimeUnit) -> ibis.Value:
    """Seconds since 1970 UTC of a column of numbers, times, or text of either kind; null where it is neither."""
    kind = column.type()
    if kind.is_numeric():
        return column.cast("float64") / SECOND[unit]
    moment = column.try_cast("timestamp('UTC')") if kind.is_string() else column
    moment = moment.cast("timestamp")  # first with a zone: a bare timestamp would ignore a written offset
    # Ibis declares whole seconds, DuckDB hands out fractions: floor makes both agree, then the fraction is added.
    clock = moment.epoch_seconds().cast("float64").floor() + moment.microsecond() / 1e6
    return ibis.coalesce(column.try_cast("float64") / SECOND[unit], clock) if kind.is_string() else clock


def text_lines(connection: ibis.BaseBackend, path: Path) -> ibis.Table:
    """One text column `line`, null where a line is blank, and its number `row` from 1."""
    table = connection.read_csv(
        str(path), header=False, delim="\x01", quote="", escape="", auto_detect=False, columns={"line": "VARCHAR"}
    )
    return table.mutate(row=ibis.row_number() + 1)


def raw(connection: ibis.BaseBackend, path: Path, found: Layout | None) -> ibis.Table:
    """The file as a table of its own columns, text where the file is text, and `row_of_file` (a header is row 1)."""
    if found is None:
        table = connection.read_parquet(str(path))
        return table.mutate(row_of_file=ibis.row_number() + 1)
    table = connection.read_csv(
        str(path),
        header=found.header,
        delim=found.delimiter,
        auto_detect=False,
        columns=dict.fromkeys(found.names, "VARCHAR"),
    )
    return table.mutate(row_of_file=ibis.row_number() + (2 if found.header else 1))


def read(
    path: str | Path,
    *,
    session: str | None = "auto",
    item: str = "auto",
    time: str | None = "auto",
    user: str | None = "auto",
    time_unit: TimeUnit = "s",
    delimiter: str = "auto",
    names: Sequence[str] | None = None,
    numbers: Sequence[str] = (),
    connection: ibis.BaseBackend | None = None,
) -> ibis.Table:
    """The events of a file as an Ibis table: `session`, `item`, `user` (text), `time` (seconds), `row`, numbers.

    `session`, `item`, `time` and `user` name the file's columns, "auto" takes the usual names, None leaves the column
    out (time "if any": a usual name, else file order); `names` names the columns of a file without a header line;
    `numbers` are further columns kept as numbers. A file with one session per line (`.txt`, items separated by spaces)
    has no time. Every value is checked: raises DataError that names file, row and value where one cannot be used.
    """
    path, connection = Path(path), connection or ibis.duckdb.connect()
    try:
        if kind_of(path) == ".parquet":
            if not path.is_file():
                raise DataError(f"{path}: there is no such file; give the path of a log")
            found = None
        elif (found := layout(path, delimiter, names)) is None:
            if named := {session, item, time, user, *numbers} - {None, *GUESSED}:
                raise DataError(f"{path}: has one session per line and no column {named.pop()!r}; give none")
            return stored(connection, ibis.memtable(session_lines(connection, path)), path, text=False)
        table = raw(connection, path, found)
        present = table.columns[:-1]
        columns = choose(path, present, {"session": session, "item": item, "time": time, "user": user})
        if absent := [name for name in numbers if name not in present]:
            raise DataError(f"{path}: no column {absent[0]!r}; its columns are {list(present)}: give others as numbers")
        fields = {role: table[name].cast("string") for role, name in columns.items() if name and role != "time"}
        measures = {name: table[name].try_cast("float64") for name in numbers}
        written = {f"written_{name}": table[name].cast("string") for name in numbers}
        if columns["time"]:
            measures["time"] = seconds(table[columns["time"]], time_unit)
            written["written_time"] = table[columns["time"]].cast("string")
        events = table.select(row=table.row_of_file, **fields, **measures, **written)
        return stored(connection, events, path, text=found is not None)
    except (duckdb.Error, pa.ArrowException) as error:  # they carry a page of advice on the engine's options
        raise DataError(reason(path, str(error))) from None


def reason(path: Path, message: str) -> str:
    """One sentence from an engine's message on a file that it could not cut into rows."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    where = next(
        (line.split("Error on")[-1].strip().lower().replace(":", "") for line in lines if "on Line" in line), "a line"
    )
    if "utf-8" in message:
        return f"{path}: {where} is not UTF-8 text; convert the file (iconv -t utf-8)"
    if "Expected Number of Columns" in message:
        counts = next(line for line in lines if line.startswith("Expected Number"))
        return f"{path}: {where} has another number of columns than the first ({counts}); repair or remove the line"
    if "unterminated quote" in message.lower():
        return f"{path}: {where} has a quote that is never closed; repair the line"
    return f"{path}: cannot be read: {lines[0] if lines else message}"


def session_lines(connection: ibis.BaseBackend, path: Path, heads: Sequence[str] = ()) -> pa.Table:
    """Events of a file with one session per line: the session's id is its line number.

    heads: how lines begin that are no sessions; blank lines are none either.
    """
    lines = text_lines(connection, path).filter(lambda table: table.line.length() > 0)
    for head in heads:
        lines = lines.filter(~lines.line.startswith(head))
    lines = lines.order_by("row").to_pyarrow()
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(lines["line"])).combine_chunks()
    rows = lines["row"].to_numpy().repeat(pc.list_value_length(words).to_numpy())
    return pa.table({"row": rows, "session": pc.cast(pa.array(rows), pa.string()), "item": words.flatten()})


def stored(connection: ibis.BaseBackend, table: ibis.Table, path: Path, text: bool) -> ibis.Table:
    """Holds the events in the engine, which spills to disk, and refuses the first value that cannot be used."""
    held = connection.create_table(ibis.util.gen_name("events"), table)
    ids = [name for name in ("session" if "session" in held.columns else "user", "item") if name in held.columns]
    bad = {name: held[name].isnull() | (held[name].strip() == "") for name in ids}
    if "time" in held.columns:
        bad["time"] = held.time.isnull() | ~held.time.between(0, LATEST)
    written = [name for name in held.columns if name.startswith("written_")]
    for name in {name.removeprefix("written_") for name in written} - {"time"}:
        bad[name] = held[name].isnull() & held[f"written_{name}"].notnull()
    checks = {name: held.row.min(where=test) for name, test in bad.items()}
    first = held.aggregate(events=held.count(), **checks).to_pyarrow().to_pylist()[0]
    if not first.pop("events"):
        raise DataError(f"{path}: the log has no events; a log has one row per event")
    rows = {name: row for name, row in first.items() if row is not None}
    if rows:
        name = min(rows, key=rows.__getitem__)
        value = held.filter(held.row == rows[name]).to_pyarrow().to_pylist()[0]
        line = file_line(path, rows[name]) if text else rows[name]
        raise DataError(f"{path}, row {line}: {complaint(name, value)}")
    return held.drop(*written)


def complaint(name: str, value: Mapping[str, object]) -> str:
    """What is wrong with one value of a row, and what to do."""
    if name in ("session", "item", "user"):
        return f"the {name} id is missing; remove the row or fill in the id"
    moment, written = value[name], value[f"written_{name}"]
    if name != "time":
        return f"the {name} {written!r} is not a number; repair the value or leave it empty"
    if written is None:
        return "the time is missing; remove the row, or read in file order with time=None (--time none)"
    if moment is None or moment != moment:
        return f"the time {written!r} cannot be read; write Unix seconds or YYYY-MM-DD HH:MM:SS"
    if moment < 0:
        return f"the time {written!r} is before 1970; write Unix seconds or YYYY-MM-DD HH:MM:SS"
    return f"the time {written!r} is after the year 2200: milliseconds? give time_unit='ms' (--time-unit ms)"


def read_log(
    path: str | Path, vocabulary: Shaped[np.ndarray, "word"] | None = None, least: int = 2, **columns
) -> tuple[EventLog, dict[str, int]]:
    """Reads a log for training, or, with the training log's item vocabulary, one for judging.

    Events of one sequence are sorted by time, ties in file order; sequences by their first event, ties by first
    appearance. The vocabulary holds the items by first appearance in that order. A given vocabulary stays as it is:
    events of unseen items are removed before sequences are formed, so that their neighbours become adjacent.
    Sequences of fewer than `least` events are dropped (2: something to predict; 1: something to predict from). Counts
    of all that was dropped are the notes. `columns` are the options of `read`. Raises DataError where nothing is left,
    and all of `read`'s.
    """
    table = read(path, **columns).order_by("row").drop("row").to_pyarrow()
    return assemble({name: table[name] for name in table.column_names}, vocabulary, str(path), least)
