"""Comparing runs: paired over cases for two runs, paired over seeds for several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from seqjax.experiment import SettingError
from seqjax.report.finished import Finished, finished
from seqjax.report.study import over_seeds, seeds_table
from seqjax.report.tables import (
    BRACKETS,
    NEXT_ITEM,
    Cell,
    estimate,
    label,
    recorded,
    terminal_table,
    written,
)


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
    named = {f"{min(group.items())[1].folder.name} and its seeds": group for group in groups.values()}
    return seeds_table(over_seeds(named, names))


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


def _add(table: Table, title: str, numbers: Mapping[str, float], names: list[str], sign: bool = False) -> None:
    table.add_row(Text(title), *(Cell(written(estimate(numbers, name), sign)) for name in names))
