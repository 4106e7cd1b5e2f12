"""The manifest: what a run was made of, so that it can be repeated, resumed and compared."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from seqjax.data.events import EventLog, Split
from seqjax.data.store import checksum
from seqjax.data.vocabulary import plural
from seqjax.experiment import Experiment, SettingError, describe
from seqjax.nn import native
from seqjax.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def make_manifest(experiment: Experiment, split: Split, name: str, seed: int, start: str) -> dict[str, Any]:
    """Everything known before training. `run` hashes resolved settings, seed, data and the run it starts from."""
    settings = describe(experiment)
    data = {part: _facts(log) for part in ("train", "validation", "test") if (log := getattr(split, part))}
    identity = json.dumps([settings, seed, data, start], sort_keys=True)
    return {
        "experiment": name,
        "run": hashlib.sha256(identity.encode()).hexdigest()[:8],
        "seed": seed,
        "settings": settings,
        "data": data | {"notes": dict(split.notes)},
        "sees_more": list(experiment.sees_more),
        "versions": {"seqjax": __version__, "python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}, {platform.machine()}, {native.way()}",
        "git": _git_revision(),
    }


def open_folder(folder: Path, manifest: dict[str, Any], resume: bool) -> list[str]:
    """Makes the run folder or, on resume, checks that it belongs to this run; returns what differs but does no harm.

    Raises SettingError if the folder holds a run already (without `resume`) or another run (with it).
    """
    kept = folder / "manifest.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None
    if not kept.is_file():
        if any(folder.iterdir()):
            raise SettingError(f"{folder} holds other files: choose another --out")
        return []
    old = json.loads(kept.read_text())
    if not resume:
        raise SettingError(f"{folder} holds run {old['run']} already: add --resume to continue it, or choose --out")
    if old["run"] != manifest["run"]:
        changed = _changes("", old, manifest)
        raise SettingError(f"{folder} holds another run: {'; '.join(changed) or 'it starts from another run'}")
    return [
        f"{key} was {old.get(key)}, is {manifest[key]}: the result may differ in the last bits"
        for key in ("versions", "device", "git")
        if old.get(key) != manifest[key]
    ]


def check_space(folder: Path, needed: int) -> None:
    """Raises OSError unless `folder` has room for `needed` bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder} has {free / 1e6:.0f} MB free, this run saves {needed / 1e6:.0f} MB: choose another --out"
        )


def write_json(file: Path, value: Any) -> None:
    """Writes JSON so that a kill leaves either the old file or the new one."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n")
    partial.replace(file)


def _facts(log: EventLog) -> dict[str, int | str]:
    words = {plural(name): len(entries) for name, entries in log.vocabulary.items()}
    return {
        "sequences": log.sequences,
        "events": log.events,
        "longest": int(log.lengths.max(initial=0)),
        **words,
        "checksum": checksum(log)[:16],
    }


def _git_revision() -> str | None:
    """The revision of the working directory, with a plus if it has uncommitted changes; None outside git."""
    try:
        command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _changes(prefix: str, old: Any, new: Any) -> list[str]:
    """The dotted names among settings, seed and data whose values differ."""
    if not prefix:
        return [c for key in ("experiment", "seed", "settings", "data") for c in _changes(key, old.get(key), new[key])]
    if isinstance(old, dict) and isinstance(new, dict):
        return [c for key in sorted(old | new) for c in _changes(f"{prefix}.{key}", old.get(key), new.get(key))]
    return [] if json.dumps(old) == json.dumps(new) else [f"{prefix} was {old!r}, is {new!r}"]
