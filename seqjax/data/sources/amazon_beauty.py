"""Amazon Beauty, 5-core: products that users reviewed, in order, with attributes of the products.

Provenance: `data/Beauty.txt` and `data/Beauty_item2attributes.json` of GitHub `RUCAIBox/CIKM2020-S3Rec`, made from
J. McAuley's Amazon reviews of 2014. Licence: none stated; the Amazon data are for research. Citation: K. Zhou et al.,
"S3-Rec: Self-Supervised Learning for Sequential Recommendation with Mutual Information Maximization", CIKM 2020.
There are no times.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import ibis
import numpy as np
import pyarrow.compute as pc
from jaxtyping import Int

from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.protocols import by_protocol
from seqjax.data.read import first_line, text_lines
from seqjax.data.sources.folder import data_folder
from seqjax.data.vocabulary import lookup


def users(folder: str | Path | None = None) -> tuple[EventLog, Mapping[str, Int[np.ndarray, "row ..."]]]:
    """Every user's products in order, and the attributes of every product: ids, 0 where there are no more.

    The folder holds `sequences.txt.gz` (user and products, a line each) and `item2attributes.json.gz`; without one,
    `amazon_beauty/` under SEQJAX_DATA is read. Raises DataError where a file is missing or cannot be used.
    """
    folder = Path(folder or data_folder("amazon_beauty"))
    file, side = folder / "sequences.txt.gz", folder / "item2attributes.json.gz"
    if not side.is_file():
        raise DataError(f"{side}: there is no such file; `seqjax data get amazon_beauty` says where it comes from")
    first_line(file)
    lines = text_lines(ibis.duckdb.connect(), file).order_by("row").to_pyarrow()["line"]
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(pc.fill_null(lines, ""))).combine_chunks()
    length = pc.list_value_length(words).to_numpy()
    if (length < 2).any():
        raise DataError(f"{file}: line {int(np.argmax(length < 2)) + 1} has no product; get the file again")
    start = np.concatenate([[0], np.cumsum(length)])
    head = np.zeros(start[-1], bool)
    head[start[:-1]] = True
    item, user = (words.flatten().filter(pc.equal(head, flag)) for flag in (False, True))
    coded = item.dictionary_encode()
    vocabulary = np.asarray(coded.dictionary.to_pylist(), np.str_)
    attribute, names = _attributes(side, vocabulary)
    log = EventLog(
        np.concatenate([[0], np.cumsum(length - 1)]),
        {"item": coded.indices.to_numpy().astype(np.int32) + 1},
        {"item": vocabulary, "attribute": names},
        {"user": np.asarray(user.to_pylist(), np.str_)},
    )
    return log, {"attribute": attribute}


def _attributes(path: Path, items: np.ndarray) -> tuple[Int[np.ndarray, "row width"], np.ndarray]:
    """The attribute ids of every item id, and what they stand for; raises DataError where the file is no such table."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            held = {str(item): [str(one) for one in attributes] for item, attributes in json.load(stream).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no table of attributes by item ({error}); get the file again") from None
    names = np.array(
        sorted({one for attributes in held.values() for one in attributes}, key=lambda one: (len(one), one)), np.str_
    )
    width = max(map(len, held.values()), default=1)
    table = np.zeros((len(items) + 1, width), np.int32)
    for row, item in enumerate(items.tolist(), start=1):
        ids = lookup(names, np.array(held.get(item, []), np.str_))
        table[row, : len(ids)] = ids
    return table, names


def read(
    folder: str | Path | None = None,
    *,
    protocol: Literal["leave_last", "hpmn2019"] = "leave_last",
    seed: int = 0,
    negatives: Sequence[str] = ("uniform",),
) -> Split:
    """The log split by a protocol of `data.protocols`."""
    log, side = users(folder)
    return by_protocol(log, protocol, side=side, seed=seed, negatives=negatives)
