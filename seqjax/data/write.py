"""Writes tables that people open: CSV, TSV or Parquet by the ending of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped
from pyarrow import csv, parquet

from seqjax.data.events import DataError, EventLog

DELIMITERS = {".csv": ",", ".tsv": "\t"}


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Where to write what becomes the file if the block ends well; what was there stays if it fails."""
    part = file.with_name(file.name + ".partial")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_rows(file: Path, columns: Mapping[str, Shaped[np.ndarray, "line"]]) -> None:
    """Writes equally long columns; raises DataError for an ending that names no format, before anything is written."""
    check_ending(file)
    table = pa.table(dict(columns))
    with replacing(file) as part:
        if file.suffix == ".parquet":
            parquet.write_table(table, part)
        else:
            options = csv.WriteOptions(delimiter=DELIMITERS[file.suffix], quoting_style="needed")
            csv.write_csv(table, part, options)


def write_log(file: Path, log: EventLog) -> None:
    """Writes a log: a row per event with its `session` and `item`, or (`.txt`) a line per session of items.

    Sessions are numbered from 1 where the log does not name them; one without events leaves no trace. There are no
    times: read it in file order. Raises DataError for an ending that names no format, and for items that a `.txt`
    cannot hold.
    """
    check_log_ending(file)
    words = log.vocabulary["item"]
    item = words[log.columns["item"] - 1]
    if file.suffix != ".txt":
        keys = {"session": np.arange(1, log.sequences + 1), **log.keys}
        write_rows(file, {name: key[log.sequence] for name, key in keys.items()} | {"item": item})
        return
    if wrong := [word for word in words.tolist() if len(word.split()) != 1 or set(word) & set(",;|")]:
        raise DataError(
            f"{file}: the item {wrong[0]!r} is empty or has a mark that parts columns; write .csv or .parquet"
        )
    with replacing(file) as part, part.open("w", encoding="utf-8") as stream:
        for begin, end in pairwise(log.offsets.tolist()):
            stream.write(" ".join(item[begin:end].tolist()) + "\n")


def check_log_ending(file: Path) -> None:
    """Raises DataError unless the file's ending names a format that `write_log` knows, and its folder is there."""
    check_ending(file, (".txt",))


def check_ending(file: Path, more: tuple[str, ...] = ()) -> None:
    """Raises DataError unless the file's ending names a format that `write_rows` knows, and its folder is there."""
    if not file.parent.is_dir():
        raise DataError(f"{file}: there is no folder {file.parent}; make it first")
    if file.suffix not in (*DELIMITERS, ".parquet", *more):
        raise DataError(f"{file}: ending {file.suffix!r}; use .csv, .tsv or .parquet")
