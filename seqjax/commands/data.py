"""`seqjax data`: logs prepared, public data sets fetched and checked."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from seqjax.commands.console import columns, print_facts
from seqjax.data import prepare as preparation
from seqjax.data import sources


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
