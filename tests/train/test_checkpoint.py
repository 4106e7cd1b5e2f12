"""Checkpoints come back to the bit, and damage is noticed before anything is trained on it."""

import os
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from seqjax.train import checkpoint
from seqjax.train.checkpoint import CheckpointError, finished, restore, save

STORED = Path(__file__).parent / "checkpoint"  # `save(STORED, 3, make_tree(7), NOTE)`, as this format began
NOTE = {"epoch": 1, "loss": 0.1, "best": -float("inf")}


def make_tree(seed=0, rows=3):
    rows = jnp.arange(2.0 * rows).reshape(rows, 2) / 3 + seed
    params = {"item": {"rows": rows}, "scale": jnp.float32(seed)}
    opt_state = optax.chain(optax.scale_by_rss(), optax.trace(0.9), optax.scale_by_adam()).init(params)
    return {
        "step": jnp.int32(5),
        "key": jax.random.key(seed + 1),
        "params": params,
        "opt_state": opt_state,
        "carry": (jnp.arange(4, dtype=jnp.float32),),
        "healthy": jnp.array(True),
    }


def bits(tree):
    def plain(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return jax.tree.structure(tree), [(a.dtype, a.tolist()) for a in map(plain, jax.tree.leaves(tree))]


def damage(place):
    """Flips one bit of the file that holds the arrays."""
    largest = max(
        (file for file in (place / "state").rglob("*") if file.is_file()), key=lambda file: file.stat().st_size
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)


def test_round_trip_keeps_every_bit(tmp_path):
    tree = make_tree()
    place = save(tmp_path, 5, tree, NOTE)
    back, note, problems = restore(tmp_path, jax.eval_shape(make_tree))
    assert bits(back) == bits(tree)
    assert (note, problems, place) == (NOTE, [], tmp_path / "0000000005")
    assert jax.random.uniform(back["key"]) == jax.random.uniform(jax.random.clone(tree["key"]))


def test_a_checkpoint_written_by_an_earlier_version_loads():
    back, note, problems = restore(STORED, jax.eval_shape(make_tree))
    assert bits(back) == bits(make_tree(7))
    assert (note, problems) == (NOTE, [])


def test_part_of_a_tree(tmp_path):
    save(tmp_path, 5, make_tree(), NOTE)
    part, _, _ = restore(tmp_path, {"params": make_tree()["params"]}, part=True)
    assert bits(part) == bits({"params": make_tree()["params"]})


def test_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("run/latest"), 5, make_tree(), NOTE)
    assert bits(restore(Path("run/latest"), make_tree(1))[0]) == bits(make_tree())


def test_only_the_newest_stay_and_a_step_can_be_written_again(tmp_path):
    for step in (1, 2, 10, 10):
        save(tmp_path, step, make_tree(step), NOTE, keep=2)
    assert sorted(os.listdir(tmp_path)) == ["0000000002", "0000000010"]
    assert bits(restore(tmp_path, make_tree())[0]) == bits(make_tree(10))


def test_an_unfinished_save_does_not_count_and_is_removed_by_the_next(tmp_path, monkeypatch):
    save(tmp_path, 1, make_tree(1), NOTE)

    def die(folder, tree):
        folder.mkdir(parents=True)
        (folder / "half").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(checkpoint.orbax, "save", die)
        save(tmp_path, 2, make_tree(2), NOTE)
    assert [place.name for place in finished(tmp_path)] == ["0000000001"]
    assert bits(restore(tmp_path, make_tree())[0]) == bits(make_tree(1))
    save(tmp_path, 3, make_tree(3), NOTE)
    assert sorted(os.listdir(tmp_path)) == ["0000000001", "0000000003"]


def test_a_full_disk_is_an_os_error_in_one_line(tmp_path, monkeypatch):
    def full(folder, tree):
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device\nand much more")

    monkeypatch.setattr(checkpoint.orbax, "save", full)
    with pytest.raises(OSError, match=r"0000000001 cannot be written: RESOURCE_EXHAUSTED: No space left on device$"):
        save(tmp_path, 1, make_tree(), NOTE)
    assert not finished(tmp_path)


@pytest.mark.parametrize(("harm", "word"), [
    (damage, "has changed since it was written"),
    (lambda place: next((place / "state").rglob("_METADATA")).unlink(), "is missing"),
    (lambda place: (place / "note.json").write_text("{"), "note.json is unreadable"),
])  # fmt: skip
def test_damage_is_reported_and_the_one_before_is_used(tmp_path, harm, word):
    for step in (1, 2):
        save(tmp_path, step, make_tree(step), NOTE | {"epoch": step})
    harm(tmp_path / "0000000002")
    tree, note, (problem,) = restore(tmp_path, make_tree())
    assert bits(tree) == bits(make_tree(1)) and note["epoch"] == 1
    assert problem.startswith(str(tmp_path / "0000000002")) and word in problem


def test_nothing_intact(tmp_path):
    for step in (1, 2):
        save(tmp_path, step, make_tree(), NOTE)
        damage(tmp_path / f"{step:010d}")
    with pytest.raises(CheckpointError, match=r"02: .* has changed .*01: .* has changed .*holds no intact checkpoint$"):
        restore(tmp_path, make_tree())
    shutil.rmtree(tmp_path / "0000000001")
    with pytest.raises(CheckpointError, match="nowhere holds no intact checkpoint"):
        restore(tmp_path / "nowhere", make_tree())


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize(("change", "words"), [
    (lambda tree: tree | {"params": make_tree(rows=4)["params"]},
     r"params.item.rows is float32\[3, 2\] there, float32\[4, 2\] here"),
    (lambda tree: tree | {"extra": jnp.zeros(2)}, r"extra is missing there, float32\[2\] here"),
    (lambda tree: tree | {"step": jnp.float32(1)}, r"step is int32\[\] there, float32\[\] here"),
])  # fmt: skip
def test_another_model_is_refused_in_one_line(tmp_path, part, change, words):
    save(tmp_path, 1, make_tree(), NOTE)
    with pytest.raises(CheckpointError, match=f"saved from another model or optimizer: {words}$"):
        restore(tmp_path, change(make_tree()), part=part)
