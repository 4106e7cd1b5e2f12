"""Shows a run as it goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Record = dict[str, Any]


@contextmanager
def show(epochs: int) -> Iterator[Callable[[Record], None]]:
    """Yields the function that takes the records of a run and shows them."""
    console = Console(soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading the log", total=epochs, facts="")

        def log(record: Record) -> None:
            kind = record["kind"]
            if kind == "train":
                done, facts = record["epoch"] + record["of_epoch"], f"loss {record['loss']:.4f}"
                bar.update(task, completed=done, description=f"epoch {record['epoch'] + 1}/{epochs}", facts=facts)
            elif kind == "evaluate":
                bar.update(task, description="judging the test log")
                if not console.is_terminal:
                    console.print("judging the test log", highlight=False)
            elif text := _line(record):
                bar.print(text, highlight=False, markup=False)

        yield log


def _line(record: Record) -> str:
    """What is worth a line that stays."""
    match record["kind"]:
        case "begin":
            manifest = record["manifest"]
            data, train, test = manifest["data"], manifest["data"]["train"], manifest["data"]["test"]
            notes = ", ".join(f"{name.replace('_', ' ')} {_plain(of)}" for name, of in data["notes"].items() if of)
            sizes = f"{train['events']:,} events in {train['sequences']:,} sequences, test {test['events']:,} events"
            start = f"\nstarts from {json.dumps(manifest['start'])}" if "start" in manifest else ""
            noted = f"\ncounted: {notes}" if notes else ""
            return f"run {record['folder']}\n{sizes}; {manifest['parameters']:,} parameters{noted}{start}"
        case "epoch":
            scores = {n.removeprefix("validation/"): v for n, v in record.items() if n.startswith("validation/")}
            few = [f"{n.replace('_', ' ')} {v:.4f}" for n, v in scores.items() if "@" not in n or n.endswith("@20")]
            validation = f", validation {', '.join(few)}" if few else ""
            return f"epoch {record['epoch']}: loss {record['loss']:.4f}{validation} after {record['seconds']:.0f} s"
        case "resume":
            return f"resumed at step {record['step']}, {record['epoch']} epochs done"
        case "warning":
            return f"warning: {record['message']}"
    return ""


def _plain(value: Any) -> str:
    """A note as one reads it."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
