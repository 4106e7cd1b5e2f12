"""The report of a run: one self-contained HTML page, made from the files of its folder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqjax import plots
from seqjax.page import cell, drawn, exact, facts, grid, plain, section, sheet
from seqjax.plots import BLUE, MUTED, Series, number
from seqjax.tables import (
    BRACKETS,
    RANKINGS,
    SEES_MORE,
    Estimate,
    Row,
    comparison_rows,
    estimate,
    spoken,
    written,
)


def write_page(folder: Path | str) -> Path:
    """Writes `report.html` into a run's folder from its manifest.json, metrics.json and metrics.jsonl.

    Whatever the run did not record (baselines, validation, breakdowns, a whole file but the manifest) is left out.
    Raises FileNotFoundError without a manifest, and ValueError that names the file and the line that is not JSON.
    """
    folder = Path(folder)
    manifest, metrics = read_json(folder / "manifest.json"), {}
    if (folder / "metrics.json").exists():
        metrics = read_json(folder / "metrics.json")
    page = folder / "report.html"
    page.write_text(render(manifest, metrics, read_lines(folder / "metrics.jsonl")), encoding="utf-8")
    return page


def answer(rows: Sequence[Row], cutoff: int) -> str:
    """One sentence: what the model reaches, and how that compares with the strongest baseline on equal terms."""
    model, peers = rows[0], [row for row in rows[1:] if not row.sees_more]
    if model.rankings["recall"].value is None:
        return f"{model.title} has no recall@{cutoff} yet: the run was not evaluated."
    text = f"{model.title} reaches recall@{cutoff} {written(model.rankings['recall'])}"
    if not peers or peers[0].rankings["recall"].value is None:
        return text + "."
    difference = peers[0].difference
    text += f", {peers[0].title} {number(peers[0].rankings['recall'].value)}"
    if difference.value is None:
        return text + "."
    text += f": {written(difference, sign=True)}"
    unclear = difference.low is not None and difference.low <= 0.0 <= difference.high
    return text + (", which may be chance." if unclear else ".")


def render(manifest: Mapping[str, Any], metrics: Mapping[str, float], lines: Sequence[Mapping[str, Any]]) -> str:
    """The page of one run as HTML text."""
    title, more = title_of(manifest), manifest.get("sees_more") or ()
    cutoffs = sorted({int(found[1]) for name in metrics if (found := re.fullmatch(r"recall@(\d+)", name))})
    cutoff = 20 if 20 in cutoffs or not cutoffs else cutoffs[-1]
    rows = comparison_rows(metrics, title, more, cutoff)
    parts = [
        section("Comparison", comparison_html(rows, cutoff), comparison_figure(rows, cutoff)),
        section("Recall by length of the list", cutoff_figure(metrics, rows, cutoffs)),
        section("Recall by position and popularity", breakdown_figure(metrics, cutoff)),
        section("Training", training_figure(lines, cutoff), facts(training_facts(manifest, lines))),
        section("Data", *data_html(manifest.get("data") or {})),
        section("Settings", facts(flattened(manifest.get("settings") or {}), code=True)),
        section("Reproduce", command_html(manifest), facts(origin(manifest))),
        section("All numbers", everything_html(metrics)),
    ]
    experiment = spoken(str(manifest.get("experiment", "run")), " ")
    below = [f"run {manifest.get('run', 'unnamed')}", f"seed {manifest.get('seed', 'not recorded')}"]
    below += [f"{plain(metrics[name])} {name}" for name in ("sequences", "targets") if name in metrics]
    if manifest.get("parameters") is not None:
        below.append(f"{plain(manifest['parameters'])} parameters")
    return sheet(experiment, answer(rows, cutoff), " \u00b7 ".join(below), parts)


def comparison_html(rows: Sequence[Row], cutoff: int) -> str:
    """The comparison as an HTML table."""
    if rows[0].rankings["recall"].value is None:
        return ""
    held = [name for name in RANKINGS if any(row.rankings[name].value is not None for row in rows)]
    heads = [f"{RANKINGS[name]}@{cutoff}" for name in held]
    if len(rows) > 1:
        heads.append(f"recall@{cutoff}, model minus baseline")
    body = []
    for row in rows:
        cells = [cell(row.rankings[name]) for name in held] + [cell(row.difference, sign=True)] * (len(rows) > 1)
        kind = ' class="model"' if row.baseline is None else ' class="more"' if row.sees_more else ""
        body.append(f'<tr{kind}><th scope="row">{html.escape(row.title)}</th>{"".join(cells)}</tr>')
    notes = [BRACKETS] * (rows[0].rankings["recall"].low is not None) + [SEES_MORE] * any(row.sees_more for row in rows)
    return grid(["", *heads], body) + (f'<p class="note">{"<br>".join(notes)}</p>' if notes else "")


def comparison_figure(rows: Sequence[Row], cutoff: int) -> str:
    """Points with intervals of every ranking metric, and the paired differences in recall."""
    if len(rows) < 2:
        return ""
    difference = f"difference in recall@{cutoff}"
    series = []
    for row in rows:
        panels = {f"{RANKINGS[name]}@{cutoff}": held for name, held in row.rankings.items()}
        panels[difference] = row.difference
        panels = {panel: held for panel, held in panels.items() if held.value is not None}
        series.append(series_of(row, list(panels), list(panels.values())))
    caption = (
        "Whiskers, where longer than the point, are the intervals of the table. "
        "The differences are paired, model minus baseline."
    )
    return drawn(plots.comparison(series, zero=[difference]), "Model and baselines", caption)


def cutoff_figure(metrics: Mapping[str, float], rows: Sequence[Row], cutoffs: Sequence[int]) -> str:
    """Recall of the model and its baselines against the cut-off."""
    if len(cutoffs) < 2:
        return ""
    series = []
    for row in rows:
        before = "" if row.baseline is None else f"{row.baseline}/"
        held = {place: estimate(metrics, f"{before}recall@{place}") for place in cutoffs}
        held = {place: recall for place, recall in held.items() if recall.value is not None}
        series.append(series_of(row, list(held), list(held.values())))
    figure = plots.curves([row for row in series if row.places], "cut-off: items recommended", "recall")
    return drawn(figure, "Recall against cut-off", "Share of next items that are among the recommended ones.")


def breakdown_figure(metrics: Mapping[str, float], cutoff: int) -> str:
    """Recall of the model by position in the sequence and by popularity of the target, with the number of targets."""
    groups, counts = [], []
    labels = {"by_position": "position of the target in its sequence", "by_popularity": "popularity of the target"}
    for kind, label in labels.items():
        pattern = re.compile(rf"{kind}/([^/]+)/recall@{cutoff}")
        names = [found[1] for name in metrics if (found := pattern.fullmatch(name))]
        names.sort(key=lambda name: int(found[0]) if (found := re.match(r"\d+", name)) else 0)  # stable for words
        held = [estimate(metrics, f"{kind}/{name}/recall@{cutoff}") for name in names]
        if names:
            groups.append(series_of(None, [spoken(name, " ") for name in names], held)._replace(name=label))
            counts.append([metrics.get(f"{kind}/{name}/targets", 0) for name in names])
    if not groups:
        return ""
    figure = plots.breakdown(groups, counts, f"recall@{cutoff}", "targets")
    return drawn(
        figure, "Recall by position and popularity", "Above: recall within each group. Below: how many targets it has."
    )


def training_figure(lines: Sequence[Mapping[str, Any]], cutoff: int, most: int = 600) -> str:
    """Training loss by chunk and by epoch, and up to two validation metrics by epoch."""
    chunks = [line for line in lines if line.get("kind") == "train" and line.get("events", 1.0) > 0]
    epochs = [line for line in lines if line.get("kind") == "epoch"]
    if not chunks and not epochs:
        return ""
    fold = -(-len(chunks) // most) or 1  # a long run is drawn as means of so many chunks
    folded = [chunks[start : start + fold] for start in range(0, len(chunks), fold)]
    losses = [float(np.average([c["loss"] for c in f], weights=[c.get("events", 1.0) for c in f])) for f in folded]
    by_chunk = Series("chunk" if fold == 1 else f"{fold} chunks", [f[-1]["step"] for f in folded], losses)
    by_epoch = Series("epoch", [line["step"] for line in epochs], [line["loss"] for line in epochs], ink=BLUE)
    held = list(dict.fromkeys(name for line in epochs for name in line if name.startswith("validation/")))
    wanted = [f"validation/recall@{cutoff}", f"validation/mrr@{cutoff}"]
    validation = []
    for name in [name for name in wanted if name in held] or held[:2]:
        known = [line for line in epochs if name in line]
        title = re.sub(r"mrr|ndcg", lambda found: found[0].upper(), name.replace("/", " "))
        validation.append(Series(title, [line["epoch"] for line in known], [line[name] for line in known], ink=BLUE))
    caption = "Grey: mean loss of each chunk of steps; blue: of each epoch." if epochs else "Mean loss of each chunk."
    caption += " The best epoch of each metric is labelled." if validation else ""
    return drawn(plots.training(by_chunk, by_epoch, validation), "Training", caption)


def training_facts(manifest: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """How long training took. The journal's seconds run on over the whole training, compilation included."""
    timing, chunks = manifest.get("timing") or {}, [line for line in lines if line.get("kind") == "train"]
    held = {"epochs": timing.get("epochs"), "best epoch": timing.get("best_epoch"), "steps": None, "seconds": None}
    if held["best epoch"] == -1:  # nothing was validated
        held["best epoch"] = None
    if chunks:
        events, seconds = sum(line.get("events", 0.0) for line in chunks), chunks[-1].get("seconds")
        held |= {"steps": chunks[-1]["step"], "seconds": seconds}
        held["events per second"] = float(round(events / seconds)) if seconds else None
    return {name: plain(value) for name, value in held.items() if value is not None}


def series_of(row: Row | None, places: Sequence, held: Sequence[Estimate]) -> Series:
    """Estimates as a series: the model blue, baselines grey, those that see more hollow. No interval has no length."""
    low = [one.value if one.low is None else one.low for one in held]
    high = [one.value if one.high is None else one.high for one in held]
    model = row is None or row.baseline is None
    values = [one.value for one in held]
    title, hollow = (row.title, row.sees_more) if row else ("", False)
    return Series(title, places, values, low, high, BLUE if model else MUTED, hollow)


def data_html(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of the data as a table, its single facts, and the decisions that were taken and counted."""
    notes = data.get("notes") or {}
    parts = {name: part for name, part in data.items() if isinstance(part, Mapping) and name != "notes"}
    heads = list(dict.fromkeys(column for part in parts.values() for column in part))
    body = [
        f'<tr><th scope="row">{html.escape(spoken(name, " "))}</th>'
        + "".join(f"<td>{html.escape(plain(part.get(column)))}</td>" for column in heads)
        + "</tr>"
        for name, part in parts.items()
    ]
    single = {spoken(name, " "): plain(value) for name, value in data.items() if name != "notes" and name not in parts}
    decided = {spoken(name, " "): plain(value) for name, value in notes.items()}
    return (
        grid(["", *(spoken(head, " ") for head in heads)], body) if body else "",
        facts(single),
        "<h3>Decisions, counted</h3>" + facts(decided) if decided else "",
    )


def everything_html(metrics: Mapping[str, float]) -> str:
    """Every number of metrics.json, intervals folded beside their value, behind a disclosure."""
    names = [name for name in metrics if not re.search(r"/(low|high)$", name)]
    body = [
        f'<tr><th scope="row"><code>{html.escape(name)}</code></th>'
        + "".join(f"<td>{exact(value)}</td>" for value in estimate(metrics, name))
        + "</tr>"
        for name in names
    ]
    if not body:
        return ""
    return f"<details><summary>{len(names)} numbers</summary>{grid(['', 'value', 'low', 'high'], body)}</details>"


def command_html(manifest: Mapping[str, Any]) -> str:
    """The command that makes this run again."""
    command = manifest.get("command")
    return f"<pre>{html.escape(str(command))}</pre>" if command else ""


def origin(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Where a run was made: revision, device, library versions."""
    versions = manifest.get("versions") or {}
    held = {"git revision": manifest.get("git") or "not recorded", "device": manifest.get("device") or "not recorded"}
    held |= {f"starts from {name}": plain(value) for name, value in (manifest.get("start") or {}).items()}
    return held | {"versions": ", ".join(f"{name} {version}" for name, version in versions.items()) or "not recorded"}


def title_of(manifest: Mapping[str, Any]) -> str:
    """The model's name out of the settings, else the experiment's."""
    model = (manifest.get("settings") or {}).get("model")
    model = model.get("function") if isinstance(model, Mapping) else model
    return str(model).rsplit(".", 1)[-1] if model else spoken(str(manifest.get("experiment", "the model")), " ")


def flattened(settings: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested settings by dotted name, as `--set` takes them; the `function` of a setting is its value.

    >>> flattened({"model": {"function": "GRU4Rec", "features": 100}, "baselines": [{"function": "popularity"}]})
    {'model': 'GRU4Rec', 'model.features': '100', 'baselines': 'popularity'}
    """
    flat = {}
    for name, value in settings.items():
        place = f"{before}.{name}" if before else name
        if name == "function":
            flat |= {before: str(value)} if before else {}
        elif isinstance(value, Mapping):
            flat |= flattened(value, place)
        else:
            flat[place] = ", ".join(map(one_setting, value)) if isinstance(value, list | tuple) else str(value)
    return flat


def one_setting(value: Any) -> str:
    """A setting inside a list: a function with its keywords in brackets."""
    if not isinstance(value, Mapping):
        return str(value)
    keywords = ", ".join(f"{name}={one_setting(held)}" for name, held in value.items() if name != "function")
    return f"{value.get('function', '')}({keywords})" if keywords else str(value.get("function", ""))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file; an error names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): run the experiment again") from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file, none if there is no file; an error names the line."""
    lines = []
    for row, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), start=1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {row} is not JSON ({error}): delete the line, or resume the run") from None
    return lines
