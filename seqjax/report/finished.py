"""A finished run, read from its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqjax.evaluate.evaluation import Cases
from seqjax.experiment import SettingError, resolve


class Finished(NamedTuple):
    """What comparing needs of a finished run."""

    folder: Path
    manifest: dict[str, Any]
    numbers: dict[str, float]

    @property
    def tables(self) -> dict[str, Any]:
        """What its figures are drawn from."""
        return json.loads((self.folder / "tables.json").read_text())

    def cases(self) -> Cases:
        """The results case by case."""
        with np.load(self.folder / "cases.npz", allow_pickle=False) as columns:
            arrays = dict(columns)
        return resolve({"function": str(arrays.pop("kind"))})(**arrays)


def finished(folder: Path) -> Finished:
    """The numbers of a run; raises SettingError if it is none or has not finished."""
    if not (folder / "metrics.json").is_file():
        raise SettingError(f"{folder} is not a finished run: it has no metrics.json")
    manifest, numbers = (json.loads((folder / f"{part}.json").read_text()) for part in ("manifest", "metrics"))
    return Finished(folder, manifest, numbers)
