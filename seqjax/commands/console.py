"""What every command shares: the options of columns, and facts printed as a table."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqjax.data.events import DataError
from seqjax.experiment import SettingError
from seqjax.train.checkpoint import CheckpointError
from seqjax.train.fit import NotFinite

USER_ERRORS = (DataError, SettingError, CheckpointError, NotFinite, OSError)


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
