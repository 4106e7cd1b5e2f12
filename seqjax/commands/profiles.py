"""`seqjax score` of classifiers, in a stream, and `seqjax export`: a classifier as one file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Shaped
from pyarrow import csv, parquet
from rich.console import Console

from seqjax.commands.console import columns, print_facts
from seqjax.data.events import DataError
from seqjax.data.layers import to_neuraln
from seqjax.data.read import read_log
from seqjax.data.write import DELIMITERS, check_ending, write_rows
from seqjax.experiment import SettingError, parse_setting
from seqjax.profiling import Classifier, Verdict, classifier, classify_log, classify_texts, save_classifier
from seqjax.run import load

BLOCK = 8192  # rows read, scored and written together


def export(options: argparse.Namespace) -> None:
    """Writes a run's classifier as one file: `.npz` whole, or `.txt` its network alone in the form of neuraln."""
    held = classifier(load(options.run))
    if options.out.suffix == ".txt":
        if options.out.exists():
            raise DataError(f"{options.out}: is there already, and nothing saved is overwritten; choose another name")
        options.out.write_text(to_neuraln(held.layers) + "\n", "utf-8")
    else:
        save_classifier(held, options.out)
    print_facts(f"{options.out}", {"features": len(held.words), "layers": " - ".join(map(str, held.layers.sizes))})


def score(options: argparse.Namespace, held: Classifier) -> None:
    """Writes what a classifier says of every row of texts, block by block, or of every sequence of a log."""
    check_ending(options.out)
    settings = {"margin": 0.0, "top": 3}
    for name, value in map(parse_setting, options.set):
        if name not in settings or not isinstance(value, int | float):
            raise SettingError(f"{name}={value!r}: give margin=0..0.5 (undecided within it) or top=0.. (features told)")
        settings[name] = value
    if not 0 <= settings["margin"] <= 0.5 or settings["top"] < 0:
        raise SettingError(f"margin={settings['margin']}, top={settings['top']}: use 0 to 0.5, and 0 or more")
    if held.fields is None:
        log, notes = read_log(options.data, None, least=1, **given(options))
        said = classify_log(held, log, top=int(settings["top"]))
        keys = dict(log.keys) or {"sequence": np.arange(1, log.sequences + 1)}
        write_rows(options.out, {**keys, **told(held, said, settings["margin"])})
        print_facts(f"{options.out}: a row for each sequence", notes)
        return
    count, undecided = stream(options, held, settings)
    print_facts(f"{options.out}: a row for each profile", {"profiles": count, "undecided": undecided})


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `read_log`; in file order where a log has no times, and users as sequences."""
    held = columns(options)
    return held | ({"time": "if any"} if held["time"] == "auto" else {})


def told(held: Classifier, said: Verdict, margin: float) -> dict[str, Shaped[np.ndarray, "profile"]]:
    """The columns that are written: probability, class (empty where undecided), known features, what moved it."""
    decided = (said.features > 0) & (np.abs(said.probability - 0.5) >= margin)
    names = np.where(said.probability > 0.5, held.classes[1], held.classes[0])
    rows = {"probability": said.probability, "class": np.where(decided, names, ""), "features": said.features}
    for rank in range(said.because.shape[1]):
        place, effect = said.because[:, rank], said.effect[:, rank]
        pairs = zip(held.words[place].tolist(), effect.tolist(), (place >= 0).tolist(), strict=True)
        rows[f"because_{rank + 1}"] = np.array([f"{w} {e:+.2f}" if there else "" for w, e, there in pairs], np.str_)
    return rows


def stream(options: argparse.Namespace, held: Classifier, settings: Mapping[str, float]) -> tuple[int, int]:
    """Reads, scores and writes block by block; how many profiles, and how many were left undecided.

    What is written becomes the file only when all went well.
    """
    count = undecided = 0
    part, writer = options.out.with_name(options.out.name + ".partial"), None
    with Console().status("scoring") as status:
        try:
            for rows in blocks(options.data, tuple(held.fields or ())):
                said = told(held, numbered(options.data, count, held, rows, int(settings["top"])), settings["margin"])
                keys = {"row": np.arange(count + 1, count + len(rows) + 1)}
                keys |= {name: [row[name] for row in rows] for name in rows[0] if name in ("user", "id")}
                table = pa.table({**keys, **said})
                writer = writer or opened(part, options.out.suffix, table.schema)
                writer.write_table(table)
                count, undecided = count + len(rows), undecided + int((said["class"] == "").sum())
                status.update(f"scoring, {count:,} profiles")
        finally:
            if writer is not None:
                writer.close()
    if not count:
        raise DataError(f"{options.data}: has no rows")
    part.replace(options.out)
    return count, undecided


def numbered(file: Path, before: int, held: Classifier, rows: list[Mapping[str, Any]], top: int) -> Verdict:
    """What is said of a block of rows; an error names the row of the file."""
    try:
        return classify_texts(held, rows, top=top)
    except DataError as error:
        number, _, rest = str(error).removeprefix("row ").partition(": ")
        raise DataError(
            f"{file}, row {int(number) + before}: {rest}" if number.isdigit() else f"{file}: {error}"
        ) from None


def opened(file: Path, ending: str, schema: pa.Schema) -> Any:
    """A writer of tables of one schema."""
    if ending == ".parquet":
        return parquet.ParquetWriter(file, schema)
    return csv.CSVWriter(file, schema, write_options=csv.WriteOptions(delimiter=DELIMITERS[ending]))


def blocks(file: Path, fields: tuple[str, ...]) -> Iterator[list[Mapping[str, Any]]]:
    """The rows of a .csv, .tsv, .parquet or .jsonl file, so many at a time.

    Raises DataError for a file that is not there, of another ending, not in UTF-8, or without one of the fields.
    """
    if not file.is_file():
        raise DataError(f"{file}: there is no such file")
    if file.suffix not in (*DELIMITERS, ".parquet", ".jsonl"):
        raise DataError(f"{file}: ending {file.suffix!r}; texts are read from .csv, .tsv, .parquet or .jsonl")
    try:
        for rows in _lines(file) if file.suffix == ".jsonl" else _tables(file):
            if missing := [name for name in fields if name not in rows[0]]:
                raise DataError(f"{file}: has no column {missing[0]}, only {', '.join(rows[0])}")
            yield rows
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 rows ({error}); repair or convert it") from None


def _tables(file: Path) -> Iterator[list[dict[str, Any]]]:
    if file.suffix == ".parquet":
        parts = parquet.ParquetFile(file).iter_batches(BLOCK)
    else:
        parse = csv.ParseOptions(delimiter=DELIMITERS[file.suffix], newlines_in_values=True)
        text = csv.ConvertOptions(strings_can_be_null=False)
        parts = csv.open_csv(file, parse_options=parse, convert_options=text)
    return (batch.to_pylist() for batch in parts if batch.num_rows)


def _lines(file: Path) -> Iterator[list[dict[str, Any]]]:
    with file.open(encoding="utf-8") as stream:
        number = 0
        while lines := list(islice(stream, BLOCK)):
            rows = []
            for line in lines:
                number += 1
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(f"{file}, row {number}: is no JSON ({error}); repair the line") from None
                if not isinstance(row, dict):
                    raise DataError(f"{file}, row {number}: is no JSON object; write one object a line")
                rows.append(row)
            yield rows
