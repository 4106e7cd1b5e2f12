"""Comparing runs: paired over cases for two runs, paired over seeds for several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from seqjax.evaluate.evaluation import Cases
from seqjax.evaluate.intervals import paired_t, t_interval
from seqjax.experiment import SettingError, resolve
from seqjax.report.tables import (
    BRACKETS,
    NEXT_ITEM,
    Cell,
    Estimate,
    estimate,
    label,
    recorded,
    terminal_table,
    written,
)


class Finished(NamedTuple):
    """What comparing needs of a finished run."""

    folder: Path
    manifest: dict[str, Any]
    numbers: dict[str, float]

    def cases(self) -> Cases:
        """The results case by case."""
        with np.load(self.folder / "cases.npz", allow_pickle=False) as columns:
            arrays = dict(columns)
        return resolve({"function": str(arrays.pop("kind"))})(**arrays)


def compare_runs(folders: Sequence[Path], metrics: Sequence[str] = ()) -> Table:
    """Runs of the same settings with several seeds become a mean with its 95 % t-interval, and further settings the
    difference to the first, paired by seed. Without repeated seeds, the other runs are compared with the first by
    a bootstrap, paired by case. `metrics`: names, else the headline of the first run. Raises SettingError for
    unfinished runs, unknown names or different test logs.
    """
    runs = [finished(folder) for folder in folders]
    groups: dict[str, dict[int, Finished]] = {}
    for run in runs:
        same = json.dumps([run.manifest["experiment"], run.manifest["settings"]], sort_keys=True)
        groups.setdefault(same, {})[run.manifest["seed"]] = run
    headline = runs[0].manifest["settings"].get("headline", NEXT_ITEM)
    names = list(metrics) or list(recorded(headline, runs[0].numbers))
    for name in names:
        for run in runs:
            if name not in run.numbers:
                known = ", ".join(n for n in run.numbers if "/" not in n)
                raise SettingError(f"--metrics {name}: {run.folder} has {known}")
    if all(len(group) == 1 for group in groups.values()):
        return _over_cases(runs, names)
    return _over_seeds(list(groups.values()), names)


def finished(folder: Path) -> Finished:
    """The numbers of a run; raises SettingError if it is none or has not finished."""
    if not (folder / "metrics.json").is_file():
        raise SettingError(f"{folder} is not a finished run: it has no metrics.json")
    manifest, numbers = (json.loads((folder / f"{part}.json").read_text()) for part in ("manifest", "metrics"))
    return Finished(folder, manifest, numbers)


def _over_cases(runs: list[Finished], names: list[str]) -> Table:
    table = terminal_table("", map(label, names))
    first = runs[0].cases()
    for run in runs:
        _add(table, str(run.folder), run.numbers, names)
    for run in runs[1:]:
        if run.manifest["data"]["test"] != runs[0].manifest["data"]["test"]:
            raise SettingError(f"{run.folder} was judged on another test log than {runs[0].folder}: nothing to pair")
        paired = run.cases().minus(first, names)
        _add(table, f"{run.folder.name} minus {runs[0].folder.name}", paired, names, sign=True)
    table.caption = f"{BRACKETS}; differences are paired by target"
    return table


def _over_seeds(groups: list[dict[int, Finished]], names: list[str]) -> Table:
    table = terminal_table("", map(label, names))
    for group in groups:
        cells = (Cell(written(_mean([run.numbers[name] for run in group.values()]))) for name in names)
        table.add_row(_label(group), *cells)
    for group in groups[1:]:
        seeds = sorted(groups[0].keys() & group.keys())
        if len(seeds) > 1:
            pairs = ([[g[s].numbers[name] for s in seeds] for g in (group, groups[0])] for name in names)
            cells = (Cell(written(Estimate(*paired_t(*pair)[:3]), sign=True)) for pair in pairs)
            table.add_row(f"{_label(group)} minus {_label(groups[0])}", *cells)
    table.caption = "mean [95 % t-interval] over seeds; differences are paired by seed"
    return table


def _mean(values: list[float]) -> Estimate:
    return Estimate(*t_interval(values)) if len(values) > 1 else Estimate(values[0])


def _add(table: Table, title: str, numbers: Mapping[str, float], names: list[str], sign: bool = False) -> None:
    table.add_row(title, *(Cell(written(estimate(numbers, name), sign)) for name in names))


def _label(group: dict[int, Finished]) -> str:
    run = next(iter(group.values()))
    return run.folder.name + (f" and {len(group) - 1} more seeds" if len(group) > 1 else "")
