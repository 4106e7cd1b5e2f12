"""`seqjax score` of classifiers, in a stream, and `seqjax export`: a classifier as one file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
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
from seqjax.data.rows import KEYS, blocks
from seqjax.data.write import DELIMITERS, check_ending, replacing, write_rows
from seqjax.evaluate.abstention import abstains
from seqjax.experiment import SettingError, parse_setting
from seqjax.nn.activation import logistic
from seqjax.profiling import Classifier, Verdict, classifier, classify_log, classify_texts, save_classifier
from seqjax.run import load

MOST = 100  # features told of one profile


def export(options: argparse.Namespace) -> None:
    """Writes a run's classifier as one file: `.npz` whole, or `.txt` its network alone in the form of neuraln."""
    if options.out.suffix not in (".npz", ".txt"):
        raise DataError(f"{options.out}: ending {options.out.suffix!r}; use .npz (whole) or .txt (as neuraln reads it)")
    held = classifier(load(options.run))
    facts = {"features": len(held.words), "layers": " - ".join(map(str, held.layers.sizes))}
    if options.out.suffix == ".npz":
        save_classifier(held, options.out)
    elif options.out.exists():
        raise DataError(f"{options.out}: is there already, and nothing saved is overwritten; choose another name")
    else:
        options.out.write_text(to_neuraln(held.layers) + "\n", "utf-8")
        facts |= unlike_neuraln(held)
    print_facts(f"{options.out}", facts)


def unlike_neuraln(held: Classifier) -> dict[str, str]:
    """What neuraln does not do, and who reads the weights there has to."""
    found = {}
    if held.model.pool != "sum":
        found["inputs"] = f"1, divided by {'the root of ' * (held.model.pool == 'root')}the number of known features"
    if held.model.hidden and held.model.activation is not logistic:
        found["hidden_layers"] = f"{held.model.activation.__name__} in place of the logistic function"
    return found


def score(options: argparse.Namespace, held: Classifier) -> None:
    """Writes what a classifier says of every row of texts, block by block, or of every sequence of a log."""
    check_ending(options.out)
    margin, top = settings(options.set)
    if held.fields is None:
        log, notes = read_log(options.data, None, least=1, **given(options))
        keys = dict(log.keys) or {"sequence": np.arange(1, log.sequences + 1)}
        write_rows(options.out, {**keys, **told(held, classify_log(held, log, top=top), margin)})
        print_facts(f"{options.out}: a row for each sequence", notes)
        return
    with replacing(options.out) as part:
        count, undecided = stream(options.data, part, options.out.suffix, held, margin, top)
    print_facts(f"{options.out}: a row for each profile", {"profiles": count, "undecided": undecided})


def settings(given: Sequence[str]) -> tuple[float, int]:
    """The margin around 0.5 within which nothing is decided, and how many features are told; by --set."""
    margin, top = 0.0, 3
    for name, value in map(parse_setting, given):
        if name == "margin" and type(value) in (int, float) and 0 <= value <= 0.5:
            margin = float(value)
        elif name == "top" and type(value) is int and 0 <= value <= MOST:
            top = value
        else:
            raise SettingError(
                f"{name}={value!r}: give margin=0 to 0.5 (undecided within it) or top=0 to {MOST} (features told)"
            )
    return margin, top


def given(options: argparse.Namespace) -> dict[str, Any]:
    """The options of `read_log`; in file order where a log has no times, and users as sequences."""
    held = columns(options)
    return held | ({"time": "if any"} if held["time"] == "auto" else {})


def told(held: Classifier, said: Verdict, margin: float) -> dict[str, Shaped[np.ndarray, "profile"]]:
    """The columns that are written: probability, class (empty where undecided), known features, what moved it."""
    decided = (said.features > 0) & ~abstains(said.probability, 1.0 - said.probability, margin=2.0 * margin)
    names = np.where(said.probability > 0.5, held.classes[1], held.classes[0])
    rows = {"probability": said.probability, "class": np.where(decided, names, ""), "features": said.features}
    for rank in range(said.because.shape[1]):
        place, effect = said.because[:, rank], said.effect[:, rank]
        pairs = zip(held.words[place].tolist(), effect.tolist(), (place >= 0).tolist(), strict=True)
        rows[f"because_{rank + 1}"] = np.array([f"{w} {e:+.2f}" if there else "" for w, e, there in pairs], np.str_)
    return rows


def stream(data: Path, out: Path, ending: str, held: Classifier, margin: float, top: int) -> tuple[int, int]:
    """Reads, scores and writes block by block; how many profiles, and how many were left undecided.

    Raises DataError, with file and row, for what cannot be read, and for a file without rows.
    """
    count, undecided, names = 0, 0, None
    with ExitStack() as open_files, Console().status("scoring") as status:
        for rows in blocks(data, tuple(held.fields or ())):
            try:
                said = told(held, classify_texts(held, rows, top=top, first=count + 1), margin)
            except DataError as error:
                raise DataError(f"{data}, {error}") from None
            if names is None:
                names = [name for name in KEYS if name in rows[0]]
            keys = {"row": np.arange(count + 1, count + len(rows) + 1)}
            table = pa.table({**keys, **{name: [text_of(row.get(name)) for row in rows] for name in names}, **said})
            if not count:
                writer = open_files.enter_context(opened(out, ending, table.schema))
            writer.write_table(table)
            count, undecided = count + len(rows), undecided + int((said["class"] == "").sum())
            status.update(f"scoring, {count:,} profiles")
    if not count:
        raise DataError(f"{data}: has no rows")
    return count, undecided


def text_of(key: Any) -> str:
    """A key as text, the same in every block whatever its kind."""
    return "" if key is None else str(key).encode("utf-8", "replace").decode()


def opened(file: Path, ending: str, schema: pa.Schema) -> Any:
    """A writer of tables of one schema."""
    if ending == ".parquet":
        return parquet.ParquetWriter(file, schema)
    return csv.CSVWriter(file, schema, write_options=csv.WriteOptions(delimiter=DELIMITERS[ending]))
