"""`seqjax generate`, `fidelity` and `score`: new series, how real they are, and what is expected of open ones."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Shaped
from rich.console import Console

from seqjax.commands import profiles
from seqjax.commands.console import columns, print_facts
from seqjax.data.events import DataError, EventLog, expressed
from seqjax.data.read import read_log
from seqjax.data.vocabulary import extend, lookup
from seqjax.data.write import check_ending, check_log_ending, write_log, write_rows
from seqjax.evaluate.series import compare_series
from seqjax.experiment import SettingError, call, override, parse_setting, resolve, settings_of
from seqjax.generation import generate as draw
from seqjax.manifest import write_json
from seqjax.models.next_action import NextAction
from seqjax.models.profile_net import ProfileNet
from seqjax.profiling import classifier, load_classifier
from seqjax.purchasing import moved
from seqjax.report.behaviour import distances_table, fidelity_page
from seqjax.run import Run, load


def generate(options: argparse.Namespace) -> None:
    """Writes new series of a run's model as an event log."""
    check_log_ending(options.out)
    run = generator(options.run)
    words = run.vocabulary["item"]
    longest = json.loads((options.run / "manifest.json").read_text())["data"]["train"].get("longest", 1000)
    try:
        made = draw(
            run.model,
            run.params,
            jax.random.key(options.seed),
            options.n,
            prefix=known(words, options.prefix, "--prefix"),
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            max_len=options.max_len or 2 * longest,
        )
    except ValueError as error:
        raise SettingError(f"{error}") from None
    log = made.log(words)
    write_log(options.out, log)
    empty = int((log.lengths == 0).sum())
    facts = {"series": log.sequences, "events": log.events, "without_an_action_and_not_written": empty}
    print_facts(f"{options.out}", facts | {"cut_at_max_len": int(made.cut.sum())})


def fidelity(options: argparse.Namespace) -> None:
    """Compares two logs of series and writes a page: distances beside their floors, plots, copies."""
    if options.out.exists() and not options.out.is_dir():
        raise DataError(f"{options.out}: is a file; name a folder")
    names = {"real": options.real, "synthetic": options.synthetic, "train": options.train}
    logs = {name: read_series(path, options)[0] for name, path in names.items() if path}
    words = logs["real"].vocabulary["item"]
    for log in logs.values():
        words = extend(words, log.vocabulary["item"])
    logs = {name: expressed(log, words) for name, log in logs.items()}
    settings = {name: getattr(options, name) for name in ("given", "longest", "permutations", "seed")}
    try:
        held = compare_series(logs["real"], logs["synthetic"], train=logs.get("train"), **settings)
    except ValueError as error:
        raise SettingError(f"{error}") from None
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "tables.json", held.tables)
    write_json(options.out / "metrics.json", held.numbers)
    below = ", ".join(f"{name}: {log.sequences:,} series of {names[name]}" for name, log in logs.items())
    page = options.out / "report.html"
    page.write_text(fidelity_page("Fidelity of series", below, held.numbers, held.tables), encoding="utf-8")
    Console().print(distances_table(held.numbers))
    Console(soft_wrap=True).print(f"page of plots: {page}", highlight=False, markup=False)


def score(options: argparse.Namespace) -> None:
    """Writes what a run's experiment says of every sequence of a log, or a classifier of every profile."""
    check_ending(options.out)
    if options.run.suffix == ".npz":
        return profiles.score(options, load_classifier(options.run))
    run = load(options.run)
    if isinstance(run.model, ProfileNet):
        return profiles.score(options, classifier(run))
    settings = run.manifest["settings"]
    if settings.get("score") is None:
        raise SettingError(f"{options.run}: its experiment has no `score`; use `recommend` or `eval`")
    scorer = resolve(settings["score"])
    for name, value in map(parse_setting, options.set):
        scorer = override(scorer, name, value)
    words = run.vocabulary["item"]
    own = "words" in settings_of(scorer)  # such a scorer takes a log in its own words, users without a known event too
    log, notes = read_series(options.data, options, None if own else words)
    if own:
        unseen = lookup(words, log.vocabulary["item"]) == 0
        notes |= {"unseen_items": int(unseen.sum()), "unseen_events": int(log.counts()[1:][unseen].sum())}
    offered = {"numbers": json.loads((options.run / "metrics.json").read_text()), "words": run.vocabulary}
    offered |= {"told": settings["data"].get("told", ()), "seed": options.seed}
    try:
        said = call(scorer, run.model, run.params, log, **offered)
    except ValueError as error:
        raise SettingError(f"{error}") from None
    tables = options.run / "tables.json"
    if (category := settings_of(scorer).get("category")) and tables.is_file():
        notes |= moved(said["probability"], json.loads(tables.read_text()), category)
    keys = dict(log.keys) or {"sequence": np.arange(1, log.sequences + 1)}
    write_rows(options.out, {**keys, **said})
    print_facts(f"{options.out}: a row for each sequence", notes)


def generator(folder: Path) -> Run:
    """A run whose model generates series."""
    run = load(folder)
    if not isinstance(run.model, NextAction):
        raise SettingError(f"{folder} is a run of {type(run.model).__name__}, which generates no series")
    return run


def known(words: Shaped[np.ndarray, "word"], actions: list[str], option: str) -> list[int]:
    """The ids of actions; raises SettingError for one that training did not have."""
    ids = lookup(words, np.array(actions, np.str_))
    if (ids == 0).any():
        some = ", ".join(map(str, words[:8]))
        raise SettingError(
            f"{option} {actions[int(np.argmin(ids))]}: no such action in training; there are {some}, ..."
        )
    return ids.tolist()


def read_series(
    path: Path, options: argparse.Namespace, words: Shaped[np.ndarray, "word"] | None = None
) -> tuple[EventLog, dict[str, int]]:
    """A log of series, one of a single action among them, with counts; in file order where it has no times."""
    given = columns(options)
    return read_log(path, words, least=1, **given | ({"time": "if any"} if given["time"] == "auto" else {}))
