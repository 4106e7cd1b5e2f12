"""The report of a run: one self-contained HTML page, made from the files of its folder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqjax.report import plots
from seqjax.report.html import cell, drawn, exact, facts, grid, plain, section, sheet
from seqjax.report.plots import BLUE, MUTED, Series, number
from seqjax.report.tables import (
    NEXT_ITEM,
    Estimate,
    Row,
    comparison_rows,
    estimate,
    label,
    lower_is_better,
    notes_on,
    recorded,
    spoken,
    written,
)

PANELS = 3  # metrics that a figure shows side by side


class Page(NamedTuple):
    """What a run left in its folder, and what of it is shown first."""

    manifest: Mapping[str, Any]
    metrics: Mapping[str, float]
    lines: Sequence[Mapping[str, Any]]  # the journal
    tables: Mapping[str, Mapping[str, list]]  # what figures are drawn from
    headline: tuple[str, ...]  # names of metrics
    rows: Sequence[Row]  # the model and its baselines


Sections = Callable[[Page], Sequence[str]]


def no_sections(page: Page) -> Sequence[str]:
    """No part of a page that is the task's own."""
    del page
    return ()


def write_page(folder: Path | str, sections: Sections = no_sections) -> Path:
    """Writes `report.html` into a run's folder from its manifest, metrics, journal and tables.

    `sections` are the parts that only this task has. Whatever the run did not record (baselines, validation, a whole
    file but the manifest) is left out. Raises FileNotFoundError without a manifest, and ValueError that names the file
    and the line that is not JSON.
    """
    folder = Path(folder)
    manifest = read_json(folder / "manifest.json")
    metrics, tables = (
        read_json(folder / name) if (folder / name).exists() else {} for name in ("metrics.json", "tables.json")
    )
    headline = recorded((manifest.get("settings") or {}).get("headline") or NEXT_ITEM, metrics)
    rows = comparison_rows(metrics, title_of(manifest), manifest.get("sees_more") or (), headline)
    page = folder / "report.html"
    run = Page(manifest, metrics, read_lines(folder / "metrics.jsonl"), tables, headline, rows)
    page.write_text(render(run, sections), encoding="utf-8")
    return page


def answer(page: Page) -> str:
    """One sentence: what the model reaches, and how that compares with the strongest baseline on equal terms."""
    first, (model, *others) = page.headline[0], page.rows
    peers = [row for row in others if not row.sees_more]
    if model.held[first].value is None:
        return f"{model.title} has no {label(first)} yet: the run was not evaluated."
    verb = ":" if lower_is_better(first) else " reaches"
    text = f"{model.title}{verb} {label(first)} {written(model.held[first])}"
    if not peers or peers[0].held[first].value is None:
        return text + "."
    difference = peers[0].difference
    text += f", {peers[0].title} {number(peers[0].held[first].value)}"
    if difference.value is None:
        return text + "."
    text += f": {written(difference, sign=True)}"
    unclear = difference.low is not None and difference.low <= 0.0 <= difference.high
    return text + (", which may be chance." if unclear else ".")


def render(page: Page, sections: Sections) -> str:
    """The page of one run as HTML text."""
    manifest, metrics = page.manifest, page.metrics
    parts = [
        section("Comparison", comparison_html(page), comparison_figure(page)),
        *sections(page),
        section("Training", training_figure(page), facts(training_facts(manifest, page.lines))),
        section("Data", *data_html(manifest.get("data") or {})),
        section("Settings", facts(flattened(manifest.get("settings") or {}), code=True)),
        section("Reproduce", command_html(manifest), facts(origin(manifest))),
        section("All numbers", everything_html(metrics)),
    ]
    experiment = spoken(str(manifest.get("experiment", "run")), " ")
    below = [f"run {manifest.get('run', 'unnamed')}", f"seed {manifest.get('seed', 'not recorded')}"]
    below += [f"{plain(metrics[name])} {name}" for name in ("sequences", "targets", "symbols") if name in metrics]
    if manifest.get("parameters") is not None:
        below.append(f"{plain(manifest['parameters'])} parameters")
    return sheet(experiment, answer(page), " \u00b7 ".join(below), parts)


def comparison_html(page: Page) -> str:
    """The comparison as an HTML table."""
    rows, (first, *_) = page.rows, page.headline
    if rows[0].held[first].value is None:
        return ""
    names = [name for name in page.headline if any(row.held[name].value is not None for row in rows)]
    heads = [label(name) for name in names]
    if len(rows) > 1:
        heads.append(f"{label(first)}, model minus baseline")
    body = []
    for row in rows:
        cells = [cell(row.held[name]) for name in names] + [cell(row.difference, sign=True)] * (len(rows) > 1)
        kind = ' class="model"' if row.baseline is None else ' class="more"' if row.sees_more else ""
        body.append(f'<tr{kind}><th scope="row">{html.escape(row.title)}</th>{"".join(cells)}</tr>')
    notes = notes_on(rows)
    return grid(["", *heads], body) + (f'<p class="note">{"<br>".join(notes)}</p>' if notes else "")


def comparison_figure(page: Page) -> str:
    """Points with intervals of the first metrics of the headline, and the paired differences in the very first."""
    rows, (first, *_) = page.rows, page.headline
    if len(rows) < 2:
        return ""
    difference = f"difference in {label(first)}"
    series = []
    for row in rows:
        panels = {label(name): row.held[name] for name in page.headline[:PANELS]}
        panels[difference] = row.difference
        panels = {panel: held for panel, held in panels.items() if held.value is not None}
        series.append(series_of(row, list(panels), list(panels.values())))
    caption = (
        "Whiskers, where longer than the point, are the intervals of the table. "
        "The differences are paired, model minus baseline."
    )
    return drawn(plots.comparison(series, zero=[difference]), "Model and baselines", caption)


def training_figure(page: Page, most: int = 600) -> str:
    """Training loss by chunk and by epoch, and up to two validation metrics by epoch."""
    lines = page.lines
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
    wanted = [f"validation/{name}" for name in page.headline[:2]]
    validation, falling = [], []
    for name in [name for name in wanted if name in held] or held[:2]:
        known = [line for line in epochs if name in line]
        metric = name.removeprefix("validation/")
        title = f"validation {label(metric)}"
        falling += [title] * lower_is_better(metric)
        validation.append(Series(title, [line["epoch"] for line in known], [line[name] for line in known], ink=BLUE))
    caption = "Grey: mean loss of each chunk of steps; blue: of each epoch." if epochs else "Mean loss of each chunk."
    caption += " The best epoch of each metric is labelled." if validation else ""
    return drawn(plots.training(by_chunk, by_epoch, validation, falling), "Training", caption)


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
    """The model's name out of the settings (that of its body, if it has one), else the experiment's."""
    model = (manifest.get("settings") or {}).get("model")
    model = model.get("body", model) if isinstance(model, Mapping) else model
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
