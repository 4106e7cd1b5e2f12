"""Two public event logs of services: cases as sequences, activities as items.

Provenance: `data/helpdesk.csv` (I. Verenich, "Helpdesk", Mendeley Data, 2016) and `data/bpi_12_w.csv` (B. van Dongen,
"BPI Challenge 2012", 4TU.ResearchData, work items) of GitHub `verenich/ProcessSequencePrediction`. Licence: none stated
in that repository; the originals are public. Citation: N. Tax, I. Verenich, M. La Rosa, M. Dumas, "Predictive Business
Process Monitoring with LSTM Neural Networks", CAiSE 2017.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from seqjax.data.events import Split
from seqjax.data.read import read_log
from seqjax.data.sources.folder import data_folder
from seqjax.data.split import tail


def read(
    name: Literal["helpdesk", "bpi_12_w"] = "helpdesk",
    folder: str | Path | None = None,
    *,
    validation_share: float = 0.1,
) -> Split:
    """The first two thirds of the cases for training, its last `validation_share` for choosing; the others are judged.

    Cases and their events come in the order of the file, as in Tax et al. (2017). `folder` holds `helpdesk.csv` and
    `bpi_12_w.csv` (`.gz` too); without one, `eventlogs/` under SEQJAX_DATA is read. Raises DataError where the file is
    missing or cannot be used.
    """
    folder = Path(folder or data_folder("eventlogs"))
    plain = folder / f"{name}.csv"
    log, notes = read_log(plain if plain.is_file() else folder / f"{name}.csv.gz", time=None, least=1)
    train, test = tail(log, 1.0 / 3.0)
    train, validation = tail(train, validation_share) if validation_share else (train, None)
    return Split(train, validation, test, notes)
