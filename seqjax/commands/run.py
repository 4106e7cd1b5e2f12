"""`seqjax run`, `eval` and `compare`: experiments and studies, and what they gave."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from seqjax.baselines.popularity import popularity_of_counts
from seqjax.commands.console import columns, print_facts
from seqjax.data.read import read_log
from seqjax.experiment import (
    Experiment,
    SettingError,
    Study,
    call,
    override,
    parse_setting,
    read_experiment,
    read_settings,
    resolve,
    settings_of,
)
from seqjax.progress import show
from seqjax.report.compare import compare_runs
from seqjax.report.finished import finished
from seqjax.report.page import title_of, write_page
from seqjax.report.study import over_seeds, seeds_table, study_page
from seqjax.report.tables import NEXT_ITEM, comparison_table
from seqjax.run import dry_run, load, train


def run(options: argparse.Namespace) -> None:
    """Trains and evaluates an experiment or all of a study, or says what it would do."""
    found, name = read_experiment(options.experiment), options.experiment.stem
    if isinstance(found, Experiment) and options.seeds is None:
        run_one(configured(found, options), name, options)
        return
    study = found if isinstance(found, Study) else Study({name: found}, seeds=options.seeds)
    experiments = {key: configured(experiment, options) for key, experiment in study.experiments.items()}
    run_study(replace(study, experiments=experiments, seeds=options.seeds or study.seeds), name, options)


def run_one(experiment: Experiment, name: str, options: argparse.Namespace) -> None:
    """Trains and evaluates one experiment with one seed."""
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
    page = write_page(folder, experiment.sections)
    Console(soft_wrap=True).print(f"page of plots: {page}", highlight=False, markup=False)


def run_study(study: Study, name: str, options: argparse.Namespace) -> None:
    """Runs every experiment with every seed; finished runs are kept and interrupted ones continued."""
    if options.dry_run or options.start:
        raise SettingError("--dry-run and --from are for one experiment and one seed: leave out --seeds")
    folder, console, results = options.out or Path("runs") / name, Console(soft_wrap=True), {}
    seeds = range(options.seed, options.seed + study.seeds)
    for place, seed in enumerate(seeds):
        for key, experiment in study.experiments.items():
            which = f"{key}, seed {seed} ({place + 1} of {study.seeds})"
            console.print(which, style="bold", highlight=False, markup=False)
            with show(experiment.stop.epochs) as log:
                made = train(
                    experiment,
                    lambda run_id, key=key, seed=seed: folder / f"{key}-{seed}-{run_id}",
                    name=key,
                    seed=seed,
                    resume=True,
                    finished=True,
                    command=shlex.join(["seqjax", *options.words]),
                    log=log,
                )
            write_page(made, experiment.sections)
            results.setdefault(key, {})[seed] = finished(made)
    rows = over_seeds(results, study.headline or next(iter(study.experiments.values())).headline)
    console.print(seeds_table(rows))
    page = folder / "report.html"
    page.write_text(study_page(name, rows, study.sections(results)), encoding="utf-8")
    console.print(f"page of plots: {page}", highlight=False, markup=False)


def configured(experiment: Experiment, options: argparse.Namespace) -> Experiment:
    """An experiment with the settings of --config and then of --set."""
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
