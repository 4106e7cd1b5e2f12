"""MSNBC.com anonymous web data: which kinds of pages each user visited, in order, on 28 September 1999.

Provenance: D. Heckerman, UCI Machine Learning Repository, "MSNBC.com Anonymous Web Data" (data set 133), file
`msnbc990928.seq.gz`: a header that names 17 categories, then one user a line, categories by number. Licence: free for
research with citation; UCI states CC BY 4.0 for its donated sets. Citation: I. Cadez, D. Heckerman, C. Meek, P. Smyth,
S. White, "Visualization of navigation patterns on a Web site using model-based clustering", KDD 2000.
"""

from __future__ import annotations

from pathlib import Path

import ibis
import numpy as np
import pyarrow as pa

from seqjax.data.build import assemble
from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.read import first_line, session_lines
from seqjax.data.sources.folder import data_folder
from seqjax.data.split import set_aside

CATEGORIES = (
    *("frontpage", "news", "tech", "local", "opinion", "on-air", "misc", "weather", "msn-news"),
    *("health", "living", "business", "msn-sports", "sports", "summary", "bbs", "travel"),
)
FILES = ("msnbc990928.seq.gz", "msnbc990928.seq", "sequences_first_half.txt.gz")


def users(path: str | Path) -> EventLog:
    """The visits of every user of a file, or of the first of `FILES` in a folder; categories by name.

    Raises DataError where no file is there or a line holds anything but numbers of categories.
    """
    path = Path(path)
    found = path if path.is_file() else next((path / name for name in FILES if (path / name).is_file()), None)
    if found is None:
        raise DataError(f"{path}: holds none of {list(FILES)}; get msnbc990928.seq.gz from the UCI repository")
    first_line(found)  # says what is wrong with a file that is no text
    table = session_lines(ibis.duckdb.connect(), found, heads=("%", f"{CATEGORIES[0]} "))
    numbers = np.array([str(number) for number in range(1, len(CATEGORIES) + 1)])
    columns = {name: pa.chunked_array([table[name].combine_chunks()]) for name in ("item", "session")}
    log, notes = assemble(columns, numbers, str(found), least=1)
    if notes["unseen_items"]:
        raise DataError(f"{found}: holds {notes['unseen_events']} entries that are no category 1 .. 17; get it again")
    return log._replace(vocabulary={"item": np.array(CATEGORIES)})


def read(folder: str | Path | None = None, *, seed: int = 0, test: int = 100_000, validation: int = 0) -> Split:
    """Users drawn from `seed` to judge by and to choose by, all others for training; visits are the items.

    Without a folder, `msnbc/` under SEQJAX_DATA is read.
    """
    return set_aside(users(folder or data_folder("msnbc")), test=test, validation=validation, seed=seed)
