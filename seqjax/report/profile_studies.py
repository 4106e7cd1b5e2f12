"""What pages show of studies of profiles: ways to select, a grid of networks, networks that decide together."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from seqjax.data.association import article, exact, frequency, select
from seqjax.data.features import counted_log
from seqjax.data.zipf import zipf_profiles
from seqjax.evaluate.abstention import averaged, ensemble, ensemble_logit, stronger
from seqjax.report.finished import Finished
from seqjax.report.html import cell, grid, section
from seqjax.report.plots import number
from seqjax.report.seeds import mean_over, paired_over
from seqjax.report.tables import spoken

Results = Mapping[str, Mapping[int, Finished]]
OVER = "Means over seeds with 95 % t-intervals; differences are paired by seed."


def told(runs: Mapping[int, Finished], name: str = "accuracy") -> list[float]:
    """One number of every seed's run."""
    return [runs[seed].numbers[name] for seed in sorted(runs)]


def row(title: str, cells: Sequence[str], first: bool = False) -> str:
    """A table row."""
    kind = ' class="model"' if first else ""
    return f'<tr{kind}><th scope="row">{html.escape(title)}</th>{"".join(cells)}</tr>'


def bayes_of(runs: Mapping[int, Finished]) -> float:
    """Mean accuracy of Bayes' rule on the profiles that runs were judged on."""
    return float(np.mean([run.manifest["data"]["notes"]["bayes_accuracy"] for run in runs.values()]))


def selection_sections(results: Results, *, against: str = "exact") -> Sequence[str]:
    """For experiments named `method_k`: accuracy by method and number of features, what `against` gains, coverage."""
    held: dict[str, dict[int, Mapping[int, Finished]]] = {}
    for key, runs in results.items():
        method, _, size = key.rpartition("_")
        held.setdefault(method, {})[int(size)] = runs
    sizes = sorted({size for of in held.values() for size in of})
    heads = ["", *(f"{size:,} features" for size in sizes)]
    best = {size: told(held[against][size]) for size in sizes}
    means = [
        row(spoken(name, " "), [cell(mean_over(told(of[k]))) for k in sizes], name == against)
        for name, of in held.items()
    ]
    gains = [
        row(spoken(name, " "), [cell(paired_over(best[k], told(of[k])), sign=True) for k in sizes])
        for name, of in held.items()
        if name != against
    ]
    known = [
        row(spoken(name, " "), [f"<td>{np.mean(told(of[k], 'coverage')):.1f}</td>" for k in sizes])
        for name, of in held.items()
    ]
    bayes = bayes_of(held[against][sizes[0]])
    note = f'<p class="note">{OVER} Bayes\' rule on all words: {number(bayes)}.</p>'
    return (
        section("Accuracy by way of selecting", grid(heads, means) + note),
        section(f"What {spoken(against, ' ')} mutual information gains", grid(heads, gains)),
        section("Selected features that a profile has", grid(heads, known)),
        section("Which words are chosen", band_html()),
    )


def band_html(k: int = 1000) -> str:
    """How common the k best words are, of a sample of the world: the floored formula picks a band of frequencies."""
    train = zipf_profiles(0, profiles=10_000, tests=2).split.train
    counts = counted_log(train.log, train.label, presence=False)
    used = np.flatnonzero(counts.counts.sum(axis=1))
    counts = counts._replace(words=counts.words[used], counts=counts.counts[used])
    once = counted_log(train.log, train.label)
    once = once._replace(words=once.words[used], counts=once.counts[used])
    body = []
    for title, of, method in (
        ("the article's formula, on occurrences", counts, article),
        ("exact mutual information, on profiles", once, exact),
        ("frequency", counts, frequency),
    ):
        chosen = select(of, k, method)
        ends = np.quantile(counts.counts[chosen.index].sum(axis=1), (0.05, 0.5, 0.95))
        body.append(row(title, [f"<td>{end:,.0f}</td>" for end in ends]))
    peak = 2 * 0.001 / np.e * counts.totals.sum()
    note = f"Occurrences of the best {k:,} words. With its floor of .001 the article's score "
    note += f"of a word that says nothing is highest at {peak:,.0f} occurrences: it ranks by distance from that count."
    return grid(["", "5 %", "median", "95 %"], body) + f'<p class="note">{note}</p>'


def grid_sections(results: Results, *, published: Mapping[str, float]) -> Sequence[str]:
    """A row per network: coverage, epochs until the target error or the limit, accuracy beside the published one."""
    body = []
    for key, runs in results.items():
        some = next(iter(runs.values()))
        model, stop, notes = some.manifest["model"], some.manifest["settings"]["stop"], some.manifest["data"]["notes"]
        epochs = [run.manifest["timing"]["epochs"] for run in runs.values()]
        limit = sum(count >= stop["epochs"] for count in epochs)
        reached = f"<td>{np.mean(epochs):.0f}{f' <small>({limit} at the limit)</small>' if limit else ''}</td>"
        hidden = ", ".join(map(str, model["hidden"])) or "\u2013"
        sizes = [f"<td>{one}</td>" for one in (notes["features_selected"], hidden, model["outputs"])]
        middle = [f"<td>{some.numbers['coverage']:.0f}</td>", f"<td>{number(stop['target'], 2)}</td>"]
        middle.append(f"<td>{some.manifest['data']['train']['sequences']:,}</td>")
        ends = [
            cell(mean_over(told(runs))),
            f"<td>{number(bayes_of(runs))}</td>",
            f"<td>{number(published[key], 2)}</td>",
        ]
        body.append(row(key.split("_")[0], [*sizes, *middle, reached, *ends]))
    heads = "type, L1, L2, L3, coverage, target error, profiles, epochs, accuracy, Bayes, published".split(", ")
    note = f'<p class="note">{OVER} The published column is of other, private data, judged on a tenth of the training '
    note += "size: \u00b1.026 at 10,000 and \u00b1.062 at 2,000 by chance alone.</p>"
    return (section("The grid", grid(heads, body) + note),)


def ensemble_sections(results: Results) -> Sequence[str]:
    """Accuracy of networks that decide together, each on its part of the same training profiles, and of one on all."""
    seeds = sorted(set.intersection(*(set(runs) for runs in results.values())))
    said = {name: {seed: runs[seed].cases() for seed in seeds} for name, runs in results.items()}
    label = {seed: said["one"][seed].label for seed in seeds}

    def probability(name: str, seed: int) -> np.ndarray:
        return special.expit(said[name][seed].score.astype(np.float64))

    def all_of(names: Sequence[str], seed: int) -> np.ndarray:
        return np.stack([probability(name, seed) for name in names])

    parts = {count: [f"of{count}_{place}" for place in range(count)] for count in (2, 4, 8)}
    ways = {"one network on all profiles": lambda seed: probability("one", seed)}
    ways["the same without a hidden layer"] = lambda seed: probability("linear", seed)
    ways["one network on half of them"] = lambda seed: probability("of2_0", seed)
    ways["two, the stronger response decides"] = lambda seed: stronger(
        probability("of2_0", seed), probability("flipped", seed)
    ).astype(float)
    ways["the same two, averaged"] = lambda seed: averaged(probability("of2_0", seed), probability("flipped", seed))
    for count, names in parts.items():
        ways[f"{count} networks, mean probability"] = lambda seed, n=names: ensemble(all_of(n, seed))
        ways[f"{count} networks, mean log-odds"] = lambda seed, n=names: special.expit(ensemble_logit(all_of(n, seed)))
    right = {title: [float(((way(seed) > 0.5) == label[seed]).mean()) for seed in seeds] for title, way in ways.items()}
    found = (m[1] for m in map(re.compile(r"([^/]+)/accuracy").fullmatch, results["one"][seeds[0]].numbers) if m)
    peers = [name for name in found if not name.startswith(("minus", "by_", "share"))]
    right |= {spoken(name): told({s: results["one"][s] for s in seeds}, f"{name}/accuracy") for name in peers}
    first = next(iter(right.values()))
    body = [
        row(
            title,
            [cell(mean_over(values)), "<td></td>" if at == 0 else cell(paired_over(values, first), sign=True)],
            at == 0,
        )
        for at, (title, values) in enumerate(right.items())
    ]
    bayes = bayes_of({seed: results["one"][seed] for seed in seeds})
    note = f'<p class="note">{OVER} Every line uses the same training profiles, disjoint parts where there are several '
    note += f"networks. Bayes' rule: {number(bayes)}. Accuracy .5 is chance.</p>"
    return (section("At the same data", grid(["", "accuracy", "minus one network on all"], body) + note),)
