"""Where data sets lie that a user has fetched."""

from __future__ import annotations

import os
from pathlib import Path

from seqjax.data.events import DataError


def data_folder(name: str) -> Path:
    """The folder of a data set under the one that the environment variable SEQJAX_DATA names."""
    root = os.environ.get("SEQJAX_DATA")
    if not root:
        raise DataError(f"where is {name}? set SEQJAX_DATA to the folder that holds {name}/")
    folder = Path(root) / name
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; SEQJAX_DATA is {root} and should hold {name}/")
    return folder
