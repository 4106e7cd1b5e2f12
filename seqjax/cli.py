"""The command line: `seqjax run | eval | compare | recommend | generate | fidelity | score | export | data`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seqjax.version import __version__

EXIT_ERROR, EXIT_INTERRUPTED = 1, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors that a user can mend are one line, without a traceback."""
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(words, argparse.Namespace(words=words))
    commands = importlib.import_module(f"seqjax.commands.{options.subject}")  # jax comes only once the words are right
    from seqjax.commands.console import USER_ERRORS
    from seqjax.train.fit import Interrupted

    try:
        getattr(commands, options.command)(options)
    except Interrupted as stop:
        Console(stderr=True, soft_wrap=True).print(Text(str(stop), "yellow"))
        return EXIT_INTERRUPTED
    except USER_ERRORS as error:
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error:", "bold red"), f" {error}"))
        return EXIT_ERROR
    return 0


def parser() -> argparse.ArgumentParser:
    """The words of every command."""
    top = argparse.ArgumentParser(prog="seqjax", description="Models of what users do next.")
    top.add_argument("--version", action="version", version=f"seqjax {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_run, _eval, _compare, _recommend, _generate, _fidelity, _score, _export, _data):
        add(commands)
    return top


def _run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser("run", help="train and evaluate an experiment or study file")
    run.set_defaults(subject="run")
    run.add_argument("experiment", type=Path, metavar="EXPERIMENT.py")
    run.add_argument("--out", type=Path, help="run folder (default: runs/EXPERIMENT-ID)")
    run.add_argument("--seed", type=int, default=0, help="fixes initial weights, order, draws and random splits")
    run.add_argument("--seeds", type=_positive, help="run so many seeds from --seed on, finished ones kept")
    run.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="dotted settings")
    run.add_argument("--config", type=Path, help="TOML file of settings; --set goes before it")
    run.add_argument("--from", dest="start", type=Path, metavar="RUN", help="start from the weights of a run")
    run.add_argument("--resume", action="store_true", help="continue the run in its folder, to the same bits")
    run.add_argument("--dry-run", action="store_true", help="print shapes, memory, occupancy and steps; train nothing")


def _eval(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("eval", help="evaluate a run on another log")
    evaluate.add_argument("run", type=Path, metavar="RUN")
    evaluate.set_defaults(subject="run")
    _log_options(evaluate)
    evaluate.add_argument("--out", type=Path, help="write the numbers here, as JSON")


def _compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="compare runs: paired over sessions, or over seeds")
    compare.set_defaults(subject="run")
    compare.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    compare.add_argument("--metrics", nargs="+", default=[], metavar="NAME", help="default: those the run shows first")


def _recommend(commands: argparse._SubParsersAction) -> None:
    recommend = commands.add_parser("recommend", help="write the best next items for every session of a log")
    recommend.set_defaults(subject="recommend")
    recommend.add_argument("run", type=Path, metavar="RUN")
    _log_options(recommend)
    recommend.add_argument("--k", type=int, default=20, help="items per session")
    recommend.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, .tsv or .parquet")
    recommend.add_argument("--exclude-seen", action="store_true", help="leave out items that the session has already")
    recommend.add_argument("--exclude", type=Path, metavar="FILE", help="leave out these items, one a line")


def _generate(commands: argparse._SubParsersAction) -> None:
    generate = commands.add_parser("generate", help="write new series of a run's model, as an event log")
    generate.set_defaults(subject="series")
    generate.add_argument("run", type=Path, metavar="RUN")
    generate.add_argument("--n", type=_positive, required=True, help="number of series")
    generate.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, .tsv, .parquet or .txt")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--prefix", nargs="+", default=[], metavar="ACTION", help="how every series begins")
    generate.add_argument("--temperature", type=float, default=1.0)
    generate.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest actions")
    generate.add_argument("--top-p", type=float, metavar="P", help="draw among the likeliest that reach P together")
    generate.add_argument("--max-len", type=_positive, help="cut series here (default: twice the longest in training)")


def _fidelity(commands: argparse._SubParsersAction) -> None:
    fidelity = commands.add_parser("fidelity", help="compare two logs of series, whoever made them")
    fidelity.set_defaults(subject="series")
    fidelity.add_argument("real", type=Path, metavar="REAL")
    fidelity.add_argument("synthetic", type=Path, metavar="SYNTHETIC")
    fidelity.add_argument("--out", type=Path, required=True, metavar="DIR")
    fidelity.add_argument("--train", type=Path, metavar="LOG", help="what the synthetic series were learned from")
    fidelity.add_argument("--given", type=int, default=0, help="first actions of a series that were no choice")
    fidelity.add_argument("--longest", type=_positive, default=200, help="longer series count as one length")
    fidelity.add_argument("--permutations", type=_positive, default=499)
    fidelity.add_argument("--seed", type=int, default=0)
    _column_options(fidelity)


def _score(commands: argparse._SubParsersAction) -> None:
    score = commands.add_parser("score", help="write what a run says of every sequence of a log, or of every profile")
    score.set_defaults(subject="series")
    score.add_argument("run", type=Path, metavar="RUN", help="a run's folder, or an exported classifier")
    _log_options(score)
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, .tsv or .parquet")
    score.add_argument("--seed", type=int, default=0)
    score.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="settings of the score"
    )


def _export(commands: argparse._SubParsersAction) -> None:
    export = commands.add_parser("export", help="write a run's classifier of profiles as one file")
    export.set_defaults(subject="profiles")
    export.add_argument("run", type=Path, metavar="RUN")
    export.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".npz whole, or .txt as neuraln reads it"
    )


def _data(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="prepare a log; get or check a public data set")
    data.set_defaults(subject="data")
    verbs = data.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, words in (("get", "download a public data set and check it"), ("check", "check a public data set")):
        command = verbs.add_parser(verb, help=words)
        command.add_argument("name", metavar="NAME")
        command.add_argument("--folder", type=Path, help="holds data sets as FOLDER/NAME (as SEQJAX_DATA does)")
    prepare = verbs.add_parser("prepare", help="sessionise, filter and split a log")
    prepare.add_argument("log", type=Path, metavar="LOG")
    prepare.add_argument("--out", type=Path, required=True, metavar="DIR")
    _column_options(prepare)
    prepare.add_argument("--gap", type=float, default=3600.0, help="seconds of silence that end a session")
    prepare.add_argument("--min-session", type=int, default=2, help="events a session needs")
    prepare.add_argument("--min-item", type=int, default=5, help="events an item needs")
    prepare.add_argument("--test-days", type=float, default=1.0)
    prepare.add_argument("--validation-days", type=float, default=0.0)


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def _log_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, required=True, metavar="LOG")
    _column_options(command)


def _column_options(command: argparse.ArgumentParser) -> None:
    for column in ("session", "item", "time", "user"):
        command.add_argument(f"--{column}", default="auto", metavar="COLUMN", help=f"column of the {column}")
    command.add_argument("--time-unit", default="s", choices=("s", "ms", "us", "ns"), help="unit of numeric times")


if __name__ == "__main__":
    sys.exit(main())
