"""Yoochoose clicks (RecSys Challenge 2015) in the format of GRU4Rec's authors: a file to train on, one to judge on.

Provenance: YOOCHOOSE GmbH, RecSys Challenge 2015; prepared as tab-separated `SessionId ItemId Time` files, for
example by session-rec (GitHub `rn5l/session-rec`, `data/rsc15/prepared`). Licence: CC BY-NC-ND 4.0. Citation:
D. Ben-Shimon et al., "RecSys Challenge 2015 and the YOOCHOOSE Dataset", RecSys 2015.
"""

from __future__ import annotations

from pathlib import Path

from seqjax.data.events import Split
from seqjax.data.read import read_log
from seqjax.data.sources.folder import data_folder


def read(folder: str | Path | None = None, train: str = "train_full.txt.gz", test: str = "test.txt.gz") -> Split:
    """Clicks of the files `train` and `test` of a folder; notes of the test begin with `test_`.

    Without a folder, `yoochoose_100k/` under SEQJAX_DATA is read. Raises DataError where a file is missing or holds a
    value that cannot be read.
    """
    folder = Path(folder or data_folder("yoochoose_100k"))
    learned, notes = read_log(folder / train)
    judged, dropped = read_log(folder / test, vocabulary=learned.vocabulary["item"])
    return Split(learned, None, judged, notes | {f"test_{name}": count for name, count in dropped.items()})
