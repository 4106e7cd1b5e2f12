"""Diginetica (CIKM Cup 2016, track 2) in SR-GNN's preparation: clicks without times, sessions in time order.

Provenance: `all_train_seq.txt` and `test.txt` of GitHub `CCIIPLab/GCE-GNN`, `datasets/diginetica` (pickles), written
as text: `train_sessions.txt.gz` has a session a line, `test_prefix_label.txt.gz` has `prefix <tab> next item` for all
prefixes of every test session, longest first. Sessions of two clicks or more, items of five or more, the last 7 days
are the test. Licence: none stated; the CIKM Cup's terms allow research. Citation: S. Wu et al., "Session-based
Recommendation with Graph Neural Networks", AAAI 2019.
"""

from __future__ import annotations

from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seqjax.data.build import assemble
from seqjax.data.events import DataError, Split
from seqjax.data.read import first_line, read_log, text_lines
from seqjax.data.sources.folder import data_folder


def read(folder: str | Path | None = None) -> Split:
    """The sessions of both files; the test's 60,858 prefixes are its 60,858 next-item targets, session by session.

    Without a folder, `diginetica/` under SEQJAX_DATA is read. Raises DataError where a file is missing or the prefixes
    are not those of whole sessions.
    """
    folder = Path(folder or data_folder("diginetica"))
    train, notes = read_log(folder / "train_sessions.txt.gz")
    path = folder / "test_prefix_label.txt.gz"
    test, dropped = assemble(whole_sessions(path), train.vocabulary["item"], origin=str(path))
    return Split(train, None, test, notes | {f"test_{name}": count for name, count in dropped.items()})


def whole_sessions(path: Path) -> dict[str, pa.ChunkedArray]:
    """Event columns of the sessions whose prefixes a file lists.

    A session of L items is listed as its L - 1 prefixes and their next items, from the longest down to one item: its
    first line, the next item appended, is the session, and the other lines must repeat it.
    """
    first_line(path)
    table = text_lines(ibis.duckdb.connect(), path).order_by("row").to_pyarrow()
    words = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(table["line"].drop_null())).combine_chunks()
    length, item = pc.list_value_length(words).to_numpy(), words.flatten()
    start = np.concatenate([[0], np.cumsum(length)])
    head = np.concatenate([[True], length[:-1] == 2])  # a line of one item and its next ends a session
    session = np.cumsum(head) - 1
    repeated = np.flatnonzero(~head)
    place = np.arange(length[repeated].sum()) - np.repeat(
        np.cumsum(length[repeated]) - length[repeated], length[repeated]
    )
    here = np.repeat(start[repeated], length[repeated]) + place
    above = np.repeat(start[repeated - 1], length[repeated]) + place
    code = item.dictionary_encode().indices.to_numpy()
    shorter = length[repeated] == length[repeated - 1] - 1
    if not shorter.all() or (length < 2).any() or length[-1] != 2 or (code[here] != code[above]).any():
        raise DataError(f"{path}: the prefixes are not those of whole sessions, longest first; fetch the file again")
    chosen = np.repeat(head, length)
    owner = pa.array(np.repeat(session, length)[chosen])
    return {
        "item": pa.chunked_array([item.filter(pa.array(chosen))]),
        "session": pa.chunked_array([owner.cast("string")]),
    }
