"""What a page shows of a study of worlds: the share that every model gets of what can be known."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from seqjax.report.finished import Finished
from seqjax.report.html import cell, grid, section
from seqjax.report.seeds import mean_over
from seqjax.report.tables import spoken


def share_sections(results: Mapping[str, Mapping[int, Finished]]) -> Sequence[str]:
    """For experiments named `world_model`: (AUC - .5) / (AUC of Bayes' rule - .5), and of the baselines of each world.

    The AUC of Bayes' rule is the data's note `bayes_auc`.
    """
    rows: dict[str, dict[str, list[float]]] = {}
    best: dict[str, dict[int, float]] = {}
    for key, runs in results.items():
        world, _, model = key.partition("_")
        for seed, run in runs.items():
            bayes = best.setdefault(world, {})[seed] = run.manifest["data"]["notes"]["bayes_auc"]
            for name, area in areas(model, run.numbers).items():
                rows.setdefault(name, {}).setdefault(world, []).append((area - 0.5) / (bayes - 0.5))
    body = [
        f'<tr><th scope="row">{html.escape(spoken(name, " "))}</th>'
        f"{''.join(cell(mean_over(of.get(world, []))) for world in best)}</tr>"
        for name, of in rows.items()
    ]
    limits = "".join(cell(mean_over(list(of.values()))) for of in best.values())
    body.append(f'<tr><th scope="row">AUC of Bayes\' rule</th>{limits}</tr>')
    note = '<p class="note">(AUC - .5) / (AUC of Bayes\' rule - .5): 0 is chance, 1 all that can be known. '
    note += "Means over seeds, with 95 % t-intervals where there are several.</p>"
    return (section("Share of what can be known", grid(["", *best], body) + note),)


def areas(model: str, numbers: Mapping[str, float]) -> dict[str, float]:
    """AUC of a run's model and of its baselines, by name.

    >>> areas("GRU", {"auc": 0.75, "trees/auc": 0.5, "minus/trees/auc": 0.25})
    {'GRU': 0.75, 'trees': 0.5}
    """
    rest = {key.removesuffix("/auc"): value for key, value in numbers.items() if key.endswith("/auc")}
    return {model: numbers["auc"]} | {name: value for name, value in rest.items() if "/" not in name}
