"""Checkpoints: Orbax v1 behind three functions. The only file that knows Orbax.

A checkpoint is a folder named by its step: `state/` written by Orbax, and `note.json` with a JSON note and the sha256
of every file. The note is written last, so a folder without one was never finished and does not count.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import jax
from jaxtyping import PyTree
from orbax.checkpoint import v1 as orbax


class CheckpointError(RuntimeError):
    """No checkpoint of a folder can be used."""


def save(folder: Path, step: int, tree: PyTree, note: dict[str, Any], keep: int = 2) -> Path:
    """Writes `tree` and `note` as the checkpoint of `step`, then deletes all but the `keep` newest; raises OSError."""
    place = folder.resolve() / f"{step:010d}"
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)  # Orbax waits five minutes for a folder that it cannot make
    try:
        orbax.save(place / "state", tree)
    except ValueError as error:  # what Orbax makes of a full disk
        raise OSError(f"{place} cannot be written: {str(error).splitlines()[0]}") from error
    files = {str(file.relative_to(place)): _digest(file) for file in sorted(place.rglob("*")) if file.is_file()}
    partial = place / "note.json.partial"
    partial.write_text(json.dumps({"step": step, "note": note, "leaves": _leaves(tree), "sha256": files}, indent=1))
    partial.rename(place / "note.json")
    newest = finished(folder.resolve())[-keep:]
    for other in folder.resolve().iterdir():  # older ones, and what a kill left unfinished
        if other not in newest:
            shutil.rmtree(other)
    return place


def finished(folder: Path) -> list[Path]:
    """The checkpoints of a folder that were written to the end, oldest first."""
    return sorted(note.parent for note in folder.glob("*/note.json"))


def restore(folder: Path, like: PyTree, part: bool = False) -> tuple[PyTree, dict[str, Any], list[str]]:
    """The newest intact checkpoint in the shapes and shardings of `like`: (tree, note, problems met on the way).

    `part`: `like` is only a part of the saved tree. Raises CheckpointError if no checkpoint of the folder is intact or
    the intact one has other leaves or shapes.
    """
    problems = []
    context = orbax.Context()
    context.pytree.loading.partial_load = part
    for place in reversed(finished(folder.resolve())):
        damage = _damage(place)
        if damage is None:
            written = json.loads((place / "note.json").read_text())
            if other := _differences(written["leaves"], _leaves(like), part):
                raise CheckpointError(f"{place} was saved from another model or optimizer: {'; '.join(other[:3])}")
            with context:
                tree = orbax.load(place / "state", jax.tree.map(_abstract, like))
            return tree, written["note"], problems
        problems.append(f"{place}: {damage}")
    raise CheckpointError("; ".join([*problems, f"{folder} holds no intact checkpoint"]))


def _abstract(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """Shape, type and sharding of a leaf; without a sharding it goes to the first device."""
    sharding = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _leaves(tree: PyTree) -> dict[str, str]:
    """Name, type and shape of every leaf."""
    named = ((jax.tree_util.keystr(path, simple=True, separator="."), x) for path, x in jax.tree.leaves_with_path(tree))
    return {name: f"{x.dtype}[{', '.join(map(str, x.shape))}]" for name, x in named}


def _differences(saved: dict[str, str], wanted: dict[str, str], part: bool) -> list[str]:
    """The leaves that are not there as wanted, in words."""
    names = wanted if part else saved | wanted
    differ = [name for name in names if saved.get(name) != wanted.get(name)]
    return [f"{name} is {saved.get(name, 'missing')} there, {wanted.get(name, 'missing')} here" for name in differ]


def _damage(place: Path) -> str | None:
    try:
        written = json.loads((place / "note.json").read_text())
        recorded, _, _ = written["sha256"], written["leaves"], written["note"]
    except (ValueError, KeyError):
        return "note.json is unreadable"
    for name, digest in recorded.items():
        if not (place / name).is_file():
            return f"{name} is missing"
        if _digest(place / name) != digest:
            return f"{name} has changed since it was written"
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
