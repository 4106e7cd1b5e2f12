"""Rows of texts, block by block: .csv, .tsv, .parquet, or .jsonl with an object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from seqjax.data.events import DataError
from seqjax.data.write import DELIMITERS

BLOCK = 8192  # rows in a block
WINDOW = 1 << 24  # bytes of delimited text read together; no row may be longer
KEYS = ("user", "id")  # columns that name a row, read where they are there


def blocks(file: Path, fields: tuple[str, ...]) -> Iterator[list[Mapping[str, Any]]]:
    """The keys and fields of the rows of a .csv, .tsv, .parquet or .jsonl file, so many at a time.

    Raises DataError for a file that is not there, of another ending, not in UTF-8, or without one of the fields.
    """
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    if file.suffix not in (*DELIMITERS, ".parquet", ".jsonl"):
        raise DataError(f"{file}: ending {file.suffix!r}; texts are read from .csv, .tsv, .parquet or .jsonl")
    if not file.stat().st_size:
        return
    read = {".jsonl": _lines, ".parquet": _records}.get(file.suffix, _cells)
    try:
        yield from read(file, fields)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if found := re.search(r"Row #(\d+): (.*)", str(error)):  # counts the header
            raise DataError(f"{file}, row {int(found[1]) - 1}: {found[2]}; repair the row, in UTF-8") from None
        raise DataError(f"{file}: cannot be read as rows in UTF-8 ({error}); repair or convert it") from None


def _cells(file: Path, fields: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    """Rows of delimited text, every cell as it is written: `007` and `1e3` are texts."""
    read = csv.ReadOptions(use_threads=False, block_size=WINDOW)  # without threads errors tell the row
    parse = csv.ParseOptions(delimiter=DELIMITERS[file.suffix], newlines_in_values=True)
    with csv.open_csv(file, read, parse) as stream:
        names = _present(file, stream.schema.names, fields)
        parse.ignore_empty_lines = len(stream.schema.names) > 1  # in a lone column they are empty texts
    cells = csv.ConvertOptions(include_columns=names, column_types=dict.fromkeys(names, pa.string()))
    with csv.open_csv(file, read, parse, cells) as stream:
        for batch in stream:
            for begin in range(0, batch.num_rows, BLOCK):
                yield batch.slice(begin, BLOCK).to_pylist()


def _records(file: Path, fields: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    with parquet.ParquetFile(file) as stream:
        names = _present(file, stream.schema_arrow.names, fields)
        for batch in stream.iter_batches(BLOCK, columns=names):
            if batch.num_rows:
                yield batch.to_pylist()


def _present(file: Path, names: Sequence[str], fields: tuple[str, ...]) -> list[str]:
    """The columns to read; raises DataError where a field is missing."""
    if missing := [name for name in fields if name not in names]:
        raise DataError(f"{file}: has no column {missing[0]}, only {', '.join(names)}")
    return [name for name in (*KEYS, *fields) if name in names]


def _lines(file: Path, fields: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    del fields  # every line has its own, and is told of when it lacks one
    with file.open("rb") as stream:
        numbered = enumerate(stream, start=1)
        while lines := list(islice(numbered, BLOCK)):
            yield [_object(file, *line) for line in lines]


def _object(file: Path, row: int, line: bytes) -> dict[str, Any]:
    try:
        held = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{file}, row {row}: is not UTF-8 ({error}); convert the file") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}, row {row}: is no JSON ({error}); repair the line") from None
    if not isinstance(held, dict):
        raise DataError(f"{file}, row {row}: is no JSON object; write one object a line")
    return held
