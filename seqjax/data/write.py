"""Writes tables that people open: CSV, TSV or Parquet by the ending of the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped
from pyarrow import csv, parquet

from seqjax.data.events import DataError

DELIMITERS = {".csv": ",", ".tsv": "\t"}


def write_rows(file: Path, columns: Mapping[str, Shaped[np.ndarray, "line"]]) -> None:
    """Writes equally long columns; raises DataError for an ending that names no format, before anything is written."""
    check_ending(file)
    table, partial = pa.table(dict(columns)), file.with_name(file.name + ".partial")
    if file.suffix == ".parquet":
        parquet.write_table(table, partial)
    else:
        options = csv.WriteOptions(delimiter=DELIMITERS[file.suffix], quoting_style="needed")
        csv.write_csv(table, partial, options)
    partial.replace(file)


def check_ending(file: Path) -> None:
    """Raises DataError unless the file's ending names a format that `write_rows` knows."""
    if file.suffix not in (*DELIMITERS, ".parquet"):
        raise DataError(f"{file}: ending {file.suffix!r}; use .csv, .tsv or .parquet")
