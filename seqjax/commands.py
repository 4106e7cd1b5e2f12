"""What the commands of the command line do."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqjax.baselines.popularity import popularity_of_counts
from seqjax.data import prepare as preparation
from seqjax.data import sources
from seqjax.data.events import DataError, EventLog
from seqjax.data.read import read_log
from seqjax.data.vocabulary import lookup
from seqjax.data.write import check_ending, write_rows
from seqjax.experiment import (
    Experiment,
    SettingError,
    call,
    override,
    parse_setting,
    read_experiment,
    read_settings,
    resolve,
    settings_of,
)
from seqjax.progress import show
from seqjax.recommender import recommend_many
from seqjax.report.compare import compare_runs
from seqjax.report.page import title_of, write_page
from seqjax.report.tables import NEXT_ITEM, comparison_table
from seqjax.run import dry_run, load, train
from seqjax.train.checkpoint import CheckpointError
from seqjax.train.fit import NotFinite

USER_ERRORS = (DataError, SettingError, CheckpointError, NotFinite, OSError)
BLOCK = 4096  # sessions recommended to in one device call


def run(options: argparse.Namespace) -> None:
    """Trains and evaluates an experiment, or says what it would do."""
    experiment, name = configured(options), options.experiment.stem
    if options.dry_run:
        print_facts(f"{name}, dry run", dry_run(experiment, options.seed))
        return
    with show(experiment.stop.epochs) as log:
        folder = train(
            experiment,
            lambda run_id: options.out or Path("runs") / f"{name}-{run_id}",
            name=name,
            seed=options.seed,
            resume=options.resume,
            start=options.start,
            command=shlex.join(["seqjax", *options.words]),
            log=log,
        )
    numbers, manifest = (json.loads((folder / f"{part}.json").read_text()) for part in ("metrics", "manifest"))
    Console().print(comparison_table(numbers, title_of(manifest), manifest["sees_more"], experiment.headline))
    Console(soft_wrap=True).print(f"page of plots: {write_page(folder, experiment.sections)}", highlight=False)


def configured(options: argparse.Namespace) -> Experiment:
    """The experiment of a file with the settings of --config and then of --set."""
    experiment = read_experiment(options.experiment)
    settings = list(read_settings(options.config).items()) if options.config else []
    for name, value in [*settings, *map(parse_setting, options.set)]:
        experiment = override(experiment, name, value)
    return experiment


def eval(options: argparse.Namespace) -> None:
    """Evaluates a run on another log, beside popularity as counted in its training log where items are ranked."""
    run = load(options.run)
    log, notes = read_log(options.data, run.vocabulary["item"], least=1, **columns(options))
    settings = run.manifest["settings"]
    evaluate = resolve(settings["evaluate"])
    ranked = "counts" in settings_of(evaluate)
    baselines = {"popularity": popularity_of_counts(run.counts)} if ranked else {}
    try:
        numbers = call(evaluate, run.model, run.params, log, counts=run.counts, baselines=baselines).numbers
    except ValueError as error:
        raise SettingError(f"{options.data}: {error}") from None
    judged = {name: int(numbers[name]) for name in ("sequences", "targets", "symbols") if name in numbers}
    print_facts(str(options.data), {"sequences_of_one": int((log.lengths == 1).sum()), **notes, **judged})
    Console().print(comparison_table(numbers, title_of(run.manifest), headline=settings.get("headline", NEXT_ITEM)))
    if options.out:
        options.out.write_text(json.dumps(numbers, indent=1) + "\n")


def compare(options: argparse.Namespace) -> None:
    """Compares runs: two by a paired test over cases, several seeds of one setting by their spread."""
    Console().print(compare_runs(options.runs, options.metrics))


def recommend(options: argparse.Namespace) -> None:
    """Writes the best next items for every session of a log."""
    check_ending(options.out)
    run = load(options.run)
    words = run.vocabulary["item"]
    log, notes = read_log(options.data, words, least=1, **columns(options))
    lines = options.exclude.read_text().splitlines() if options.exclude else []
    banned = lookup(words, np.array([line.strip() for line in lines if line.strip()], np.str_))
    try:
        chosen, scores = recommended(run, log, options.k, options.exclude_seen, np.setdiff1d(banned, [0]))
    except ValueError as error:
        raise SettingError(f"--{error}") from None
    keys = {name: np.repeat(key, options.k) for name, key in log.keys.items()}
    keys = keys or {"sequence": np.repeat(np.arange(1, log.sequences + 1), options.k)}
    rank = np.tile(np.arange(1, options.k + 1), log.sequences)
    write_rows(options.out, {**keys, "rank": rank, "item": words[chosen.ravel() - 1], "score": scores.ravel()})
    without = {"sessions_without_known_items": notes["sessions_read"] - log.sequences}
    facts = {**notes, **without, "unknown_items_to_exclude": int((banned == 0).sum())}
    print_facts(f"{options.out}: {options.k} items a session", facts)


def recommended(run, log: EventLog, k: int, exclude_seen: bool, exclude: Int[np.ndarray, "item"]):
    """Items and scores, [sequence, k], in blocks of sequences of like length."""
    items = np.zeros((log.sequences, k), np.int32)
    scores = np.zeros((log.sequences, k), np.float32)
    by_length = np.argsort(log.lengths, kind="stable")
    for begin in range(0, log.sequences, BLOCK):
        block = by_length[begin : begin + BLOCK]
        sessions, valid = padded(log, block)
        items[block], scores[block] = recommend_many(
            run.model, run.params, sessions, valid, k, exclude_seen=exclude_seen, exclude=exclude
        )
    return items, scores


def padded(
    log: EventLog, sequences: Int[np.ndarray, "chosen"]
) -> tuple[Int[np.ndarray, "chosen time"], Bool[np.ndarray, "chosen time"]]:
    """The chosen sequences side by side, filled up with padding."""
    lengths = log.lengths[sequences]
    valid = np.arange(lengths.max()) < lengths[:, None]
    position = log.offsets[:-1][sequences][:, None] + np.arange(lengths.max())
    return np.where(valid, log.columns["item"][np.where(valid, position, 0)], 0), valid


def data(options: argparse.Namespace) -> None:
    """Gets or checks a public data set, or prepares a log."""
    match options.verb:
        case "get":
            sources.get(options.name, (options.folder or Path("data")) / options.name)
        case "check":
            folder = options.folder and options.folder / options.name
            print_facts(options.name, sources.check(options.name, folder))
        case "prepare":
            names = ("gap", "min_session", "min_item", "test_days", "validation_days")
            settings = {name: getattr(options, name) for name in names}
            steps = preparation.prepare(options.log, options.out, **settings, **columns(options))
            print_steps(steps)


def print_steps(steps: list[preparation.Step]) -> None:
    """Prints what every step of a preparation left."""
    table = Table("what is left", *preparation.Size._fields, box=None)
    for step in steps:
        table.add_row(step.name, *(f"{count:,}" for count in step.after))
    Console().print(table)


def columns(options: argparse.Namespace) -> dict[str, str]:
    """The options of `read` that the command line gave."""
    names = ("session", "item", "time", "user", "time_unit")
    given = {name: getattr(options, name) for name in names}
    return {name: None if value == "none" else value for name, value in given.items()}


def print_facts(title: str, facts: dict) -> None:
    """Prints names and values as a table."""
    table = Table("", "", title=Text(title), show_header=False, title_justify="left")
    for name, value in facts.items():
        table.add_row(str(name).replace("_", " "), Text(f"{value:,}" if isinstance(value, int) else str(value)))
    Console().print(table)
