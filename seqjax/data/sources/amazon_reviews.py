"""Amazon reviews, 5-core, as published: who reviewed which product when, and the products' categories.

Provenance: J. McAuley, https://jmcauley.ucsd.edu/data/amazon/ (2014: `reviews_Electronics_5.json.gz` and
`meta_Electronics.json.gz`, say). Licence: none stated; for research. Citation: R. He, J. McAuley, "Ups and Downs:
Modeling the Visual Evolution of Fashion Trends with One-Class Collaborative Filtering", WWW 2016.

Times are whole days: reviews of one user and day come in the order of the file.
"""

from __future__ import annotations

import ast
import json
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from seqjax.data.build import assemble
from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.protocols import by_protocol
from seqjax.data.read import LATEST, first_line, opened
from seqjax.data.vocabulary import lookup

RATINGS = np.array(["1", "2", "3", "4", "5"])


def users(
    reviews: str | Path, metadata: str | Path | None = None
) -> tuple[EventLog, Mapping[str, Int[np.ndarray, "row"]], dict[str, int]]:
    """Every user's reviews by time; where there is metadata, the category of every product; and counts.

    Id columns: item (asin), and rating (words "1" .. "5"). A category is the last element of the last path. Both files
    hold one record a line (`.gz` too). Raises DataError where a file is missing or a line cannot be used.
    """
    path = Path(reviews)
    columns: dict[str, list] = {"item": [], "user": [], "time": [], "rating": []}
    for line, record in records(path):
        item, user = (_text(path, line, record, name) for name in ("asin", "reviewerID"))
        time, rating = (_number(path, line, record, name) for name in ("unixReviewTime", "overall"))
        if not 0 <= time <= LATEST:
            raise DataError(f"{path}, line {line}: unixReviewTime {time} is no time in seconds; repair the line")
        if rating not in (1, 2, 3, 4, 5):
            raise DataError(f"{path}, line {line}: overall {rating} is none of 1 .. 5; repair the line")
        for column, value in zip(columns.values(), (item, user, int(time), int(rating)), strict=True):
            column.append(value)
    held = {name: pa.chunked_array([column]) for name, column in columns.items() if name != "rating"}
    held["rating"] = pa.chunked_array([pa.array(columns["rating"], pa.int32())])
    log, _ = assemble(held, origin=str(path), least=1)
    log = log._replace(vocabulary={**log.vocabulary, "rating": RATINGS})
    if metadata is None:
        return log, {}, {}
    side, names = categories(Path(metadata), log.vocabulary["item"])
    log = log._replace(vocabulary={**log.vocabulary, "category": names})
    return log, {"category": side}, {"items_without_category": int(np.count_nonzero(side[1:] == 0))}


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a file with their lines: JSON, or the Python literals of old files, which are never run.

    Raises DataError where the file is missing or cut off, and for a line that is neither, or no record.
    """
    first_line(path)
    try:
        with opened(path) as file:
            for line, text in enumerate(file, start=1):
                if text.strip():
                    yield line, _record(path, line, text)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked to its end ({error}); get the file again") from None


def _record(path: Path, line: int, text: bytes) -> dict[str, Any]:
    """One line as a dictionary."""
    try:
        word = text.decode("utf-8-sig").strip()
        try:
            record = json.loads(word)
        except ValueError:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a literal may hold an escape that Python does not know
                record = ast.literal_eval(word)
        if isinstance(record, dict):
            return record
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    raise DataError(f"{path}, line {line}: {text[:60]!r} is no record, neither JSON nor a literal; get the file again")


def _text(path: Path, line: int, record: Mapping[str, Any], name: str) -> str:
    """A field that is text and not blank."""
    value = record.get(name)
    if isinstance(value, str) and value.strip():
        return value
    raise DataError(f"{path}, line {line}: {name} {value!r} is no id; repair or remove the line")


def _number(path: Path, line: int, record: Mapping[str, Any], name: str) -> float:
    """A field that is a number."""
    value = record.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise DataError(f"{path}, line {line}: {name} {value!r} is no number; repair or remove the line")


def categories(path: Path, items: np.ndarray) -> tuple[Int[np.ndarray, "row"], np.ndarray]:
    """The category id of every item id, 0 where the metadata names none, and the categories in alphabetical order.

    A record's paths are its `categories`; the files of 2018 have one path, `category`. Raises DataError where they are
    no list of paths, and where no product has a category, as with another shop's metadata.
    """
    known, held = set(items.tolist()), {}
    for line, record in records(path):
        asin, paths = _text(path, line, record, "asin"), record.get("categories")
        paths = [record.get("category") or []] if paths is None else paths
        if not isinstance(paths, list) or not all(
            isinstance(one, list) and all(isinstance(word, str) for word in one) for one in paths
        ):
            raise DataError(f"{path}, line {line}: categories {paths!r:.60} is no list of paths; repair the line")
        if asin in known and paths and paths[-1] and paths[-1][-1].strip():
            held[asin] = paths[-1][-1]
    if not held:
        raise DataError(f"{path}: has a category of none of the {len(items)} products; give the reviews' own metadata")
    names = np.array(sorted(set(held.values())), np.str_)
    side = np.zeros(len(items) + 1, np.int32)
    side[1:] = lookup(names, np.array([held.get(item, "") for item in items.tolist()], np.str_))
    return side, names


def read(
    reviews: str | Path,
    metadata: str | Path | None = None,
    *,
    protocol: Literal["leave_last", "hpmn2019"] = "leave_last",
    seed: int = 0,
    negatives: Sequence[str] = ("uniform",),
    item_history: int = 0,
) -> Split:
    """The log of `users` split by a protocol of `data.protocols`; negatives of a category need metadata."""
    log, side, notes = users(reviews, metadata)
    split = by_protocol(log, protocol, side=side, seed=seed, negatives=negatives, item_history=item_history)
    return split._replace(notes={**split.notes, **notes})
