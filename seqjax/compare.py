"""Comparing runs: paired over sessions for two runs, paired over seeds for several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from seqjax.evaluate.intervals import paired_t, t_interval
from seqjax.evaluate.ranking import Ranks, difference, summary
from seqjax.experiment import SettingError

METRICS = ("recall", "mrr", "ndcg")


class Finished(NamedTuple):
    """What comparing needs of a finished run."""

    folder: Path
    manifest: dict[str, Any]
    numbers: dict[str, float]

    def ranks(self) -> Ranks:
        """The rank of every test target."""
        with np.load(self.folder / "ranks.npz", allow_pickle=False) as columns:
            return Ranks(**columns)


def compare_runs(folders: Sequence[Path], cutoff: int = 20) -> Table:
    """Runs of the same settings with several seeds become a mean with its 95 % t-interval, and further settings the
    difference to the first, paired by seed. Without repeated seeds, the other runs are compared with the first by
    a bootstrap over sessions, paired by target. Raises SettingError for unfinished runs or different test logs.
    """
    runs = [finished(folder) for folder in folders]
    groups: dict[str, dict[int, Finished]] = {}
    for run in runs:
        same = json.dumps([run.manifest["experiment"], run.manifest["settings"]], sort_keys=True)
        groups.setdefault(same, {})[run.manifest["seed"]] = run
    names = [f"{metric}@{cutoff}" for metric in METRICS]
    for name in names:
        if name not in runs[0].numbers:
            known = ", ".join(n for n in runs[0].numbers if "/" not in n)
            raise SettingError(f"--cutoff {cutoff}: {folders[0]} has {known}")
    if all(len(group) == 1 for group in groups.values()):
        return _over_sessions(runs, names, cutoff)
    return _over_seeds(list(groups.values()), names)


def finished(folder: Path) -> Finished:
    """The numbers of a run; raises SettingError if it is none or has not finished."""
    if not (folder / "metrics.json").is_file():
        raise SettingError(f"{folder} is not a finished run: it has no metrics.json")
    manifest, numbers = (json.loads((folder / f"{part}.json").read_text()) for part in ("manifest", "metrics"))
    return Finished(folder, manifest, numbers)


def _over_sessions(runs: list[Finished], names: list[str], cutoff: int) -> Table:
    table = Table("run", *names, title="95 % bootstrap intervals over sessions; differences paired by target")
    first = runs[0].ranks()
    for run in runs:
        numbers = summary(run.ranks(), (cutoff,))
        table.add_row(str(run.folder), *(_interval(*_three(numbers, name)) for name in names))
    for run in runs[1:]:
        if run.manifest["data"]["test"] != runs[0].manifest["data"]["test"]:
            raise SettingError(f"{run.folder} was judged on another test log than {runs[0].folder}: nothing to pair")
        numbers = difference(run.ranks(), first, (cutoff,))
        label = f"{run.folder.name} minus {runs[0].folder.name}"
        table.add_row(label, *(_interval(*_three(numbers, name), sign="+") for name in names))
    return table


def _over_seeds(groups: list[dict[int, Finished]], names: list[str]) -> Table:
    table = Table("setting", "seeds", *names, title="mean and 95 % t-interval over seeds; differences paired by seed")
    for group in groups:
        cells = (_interval(*_mean([run.numbers[name] for run in group.values()])) for name in names)
        table.add_row(_label(group), str(len(group)), *cells)
    for group in groups[1:]:
        seeds = sorted(groups[0].keys() & group.keys())
        if len(seeds) > 1:
            pairs = {name: ([g[s].numbers[name] for s in seeds] for g in (group, groups[0])) for name in names}
            cells = (_interval(*paired_t(*pairs[name]), sign="+") for name in names)
            table.add_row(f"{_label(group)} minus {_label(groups[0])}", str(len(seeds)), *cells)
    return table


def _mean(values: list[float]) -> tuple[float, float, float]:
    return t_interval(values) if len(values) > 1 else (values[0], np.nan, np.nan)


def _label(group: dict[int, Finished]) -> str:
    return next(iter(group.values())).folder.name


def _three(numbers: dict[str, float], name: str) -> tuple[float, float, float]:
    return numbers[name], numbers[f"{name}/low"], numbers[f"{name}/high"]


def _interval(value: float, low: float, high: float, sign: str = "") -> str:
    if np.isnan(low):
        return f"{value:{sign}.4f}"
    return f"{value:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"
