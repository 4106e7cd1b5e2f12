"""The host loop: what is recorded, when it stops, and that a run cut short anywhere ends as one that was not."""

import dataclasses
import json
import os
import signal
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from profile_sets import counted, profiles_of

from seqjax import optim
from seqjax.data.events import Split
from seqjax.data.files import read_files
from seqjax.data.samples import target_plan
from seqjax.evaluate.profile import profile
from seqjax.experiment import Experiment
from seqjax.models.profile_net import ProfileNet
from seqjax.objectives.profile import ProfileHparams, profile_objective, squared_error
from seqjax.objectives.response import no_negatives, response_batch, response_corpus
from seqjax.run import assemble
from seqjax.train import checkpoint
from seqjax.train.fit import Interrupted, NotFinite, Stop, fit

EPOCHS, CHUNK, STEPS = 2, 10, 27  # 27 steps an epoch: chunks of 10, 10 and 7


class Killed(BaseException):
    """Ends the process, as far as the code under test can tell."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    train, test = tiny.write_log(folder / "train.tsv", 1, 48), tiny.write_log(folder / "test.tsv", 2, 8)
    split = read_files(train, test, validation_share=0.25)
    experiment = tiny.experiment(folder)
    assert experiment.plan.keywords["shuffle"] and experiment.hparams.dropout_hidden > 0  # nothing here is fixed
    return assemble(experiment, split, seed=3)


def validate(params):
    """A number that changes with every parameter."""
    return {"mrr@20": sum(float(abs(np.asarray(leaf)).sum()) for leaf in jax.tree.leaves(params))}


def never(*_):
    raise AssertionError("a step was made")


def start(parts, folder, **changes):
    folder.mkdir(exist_ok=True)
    settings = {"stop": Stop(EPOCHS), "chunk_steps": CHUNK, "save_seconds": 0.0, "validate": validate} | changes
    copy = jax.tree.map(lambda leaf: leaf.copy(), parts.state)  # a chunk takes its state's memory
    state = jax.device_put(copy, jax.devices()[0])  # bound to a device, as a restored one is: no further program
    chunk, hparams = settings.pop("chunk", parts.chunk), settings.pop("hparams", parts.hparams)
    return fit(state, parts.plan, chunk, parts.corpus, hparams, folder=folder, **settings)


def journal(folder):
    """The lines of the journal without their clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def saved(parts, folder, kind="latest"):
    """The bits of the newest checkpoint, and its note without the clock."""
    like = parts.state.replace(slot={})
    state, note, _ = checkpoint.restore(folder / "checkpoints" / kind, like)
    leaves = jax.tree.leaves(state.replace(key=jax.random.key_data(state.key)))
    return [np.asarray(leaf).tobytes() for leaf in leaves], note | {"seconds": None}


@pytest.fixture(scope="module")
def whole(parts, tmp_path_factory):
    """An uninterrupted run: its folder and what fit returned."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, start(parts, folder)


def assert_same_run(parts, folder, result, whole):
    expected, (params, progress) = whole
    assert saved(parts, folder) == saved(parts, expected)
    assert saved(parts, folder, "best") == saved(parts, expected, "best")
    assert journal(folder) == journal(expected)
    jax.tree.map(np.testing.assert_array_equal, result[0], params)
    assert dataclasses.replace(result[1], seconds=0.0) == dataclasses.replace(progress, seconds=0.0)


def test_journal_of_a_run(whole):
    folder, (_, progress) = whole
    lines = journal(folder)
    assert [line["step"] for line in lines] == [10, 20, 27, 27, 37, 47, 54, 54]
    assert [line["kind"] for line in lines] == ["train", "train", "train", "epoch"] * EPOCHS
    train, epoch = lines[:3], lines[3]
    assert sum(line["events"] for line in train) == epoch["events"] == 36 * 3
    assert sum(line["loss"] * line["events"] for line in train) / epoch["events"] == pytest.approx(epoch["loss"])
    assert lines[7]["loss"] < lines[3]["loss"]
    assert (progress.epoch, progress.row) == (EPOCHS, 0)


def test_one_program_serves_every_chunk(parts, whole):
    assert parts.chunk._cache_size() == 1


MOMENTS = [  # what dies, at which call, and how often the run saves
    ("chunk", 1, 0.0), ("chunk", 5, 1e9), ("save", 3, 0.0), ("save", 5, 0.0), ("note", 5, 0.0), ("validate", 2, 0.0),
    ("validate", 2, 1e9), ("shown", 4, 1e9),
]  # fmt: skip


def dying(monkeypatch, parts, moment, call):
    """Settings of a run that dies at the n-th call of something: before it, half way, or after it."""
    calls = iter(range(1, 1000))

    def count(function, half=lambda *_: None):
        def counted(*arguments):
            if next(calls) == call:
                half(*arguments)
                raise Killed
            return function(*arguments)

        return counted

    def half_saved(folder, tree):
        folder.mkdir(parents=True)
        (folder / "manifest.ocdbt").write_bytes(b"half")

    match moment:
        case "chunk":
            return {"chunk": count(parts.chunk)}
        case "save":
            monkeypatch.setattr(checkpoint.orbax, "save", count(checkpoint.orbax.save, half_saved))
        case "note":  # the arrays are written, the note is not
            monkeypatch.setattr(checkpoint.orbax, "save", count(checkpoint.orbax.save, checkpoint.orbax.save))
        case "validate":
            return {"validate": count(validate)}
        case "shown":  # a line of the journal is written, what follows it is not
            return {"log": count(lambda record: None)}
    return {}


@pytest.mark.parametrize(("moment", "call", "save_seconds"), MOMENTS)
def test_killed_anywhere_and_resumed_is_as_if_nothing_happened(
    parts, whole, tmp_path, monkeypatch, moment, call, save_seconds
):
    with monkeypatch.context() as patched, pytest.raises(Killed):
        start(parts, tmp_path, save_seconds=save_seconds, **dying(patched, parts, moment, call))
    result = start(parts, tmp_path, save_seconds=save_seconds, resume=True)
    assert_same_run(parts, tmp_path, result, whole)


@pytest.mark.parametrize("at", [10, 47, 54])
def test_signal_saves_at_the_next_boundary(parts, whole, tmp_path, at):
    def log(record):
        if record["kind"] == "train" and record["step"] == at:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match=f"saved at step {at}: continue with --resume"):
        start(parts, tmp_path, log=log, save_seconds=1e9)
    assert signal.getsignal(signal.SIGTERM) is before
    result = start(parts, tmp_path, save_seconds=1e9, resume=True)
    assert_same_run(parts, tmp_path, result, whole)


def test_saves_stand_at_multiples_of_the_chunk(parts, tmp_path, monkeypatch):
    steps, save = [], checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda folder, step, *rest: steps.append(step) or save(folder, step, *rest))
    start(parts, tmp_path, validate=None)
    assert steps == [0, 10, 20, 27, 37, 47, 54]


def test_resume_of_a_finished_run_trains_nothing(parts, whole, tmp_path):
    start(parts, tmp_path)
    result = start(parts, tmp_path, resume=True, chunk=never)
    assert_same_run(parts, tmp_path, result, whole)


def test_resume_without_a_run_starts_one(parts, whole, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train", "st')
    assert_same_run(parts, tmp_path, start(parts, tmp_path, resume=True), whole)


def test_resume_survives_a_line_cut_short_and_a_damaged_checkpoint(parts, whole, tmp_path):
    with pytest.raises(Killed):
        start(parts, tmp_path, chunk=dying(None, parts, "chunk", 4)["chunk"])
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "step": 3')
    (note,) = sorted(tmp_path.glob("checkpoints/latest/*/note.json"))[-1:]
    note.write_text("")
    records = []
    result = start(parts, tmp_path, resume=True, log=records.append)
    assert [record["kind"] for record in records[:2]] == ["warning", "resume"]
    assert "note.json is unreadable; continuing from the checkpoint before it" in records[0]["message"]
    assert records[1]["step"] == 20
    assert_same_run(parts, tmp_path, result, whole)


@pytest.mark.parametrize(("scores", "patience", "epochs", "best"), [
    ([3, 2, 1, 9], 2, 3, 1),
    ([1, 2, 1, 2, 2], 3, 5, 2),
    ([1, 3, 2], None, 3, 2),
    ([float("nan"), 1, 2], 2, 3, 3),
])  # fmt: skip
def test_the_best_epoch_is_returned_and_patience_ends_the_run(parts, tmp_path, scores, patience, epochs, best):
    seen = []

    def scripted(params):
        seen.append(jax.tree.map(np.array, params))
        return {"mrr@20": scores[len(seen) - 1]}

    stop = Stop(epochs=len(scores), patience=patience)
    params, progress = start(parts, tmp_path, validate=scripted, stop=stop, save_seconds=1e9)
    assert (progress.epoch, progress.best_epoch, len(seen)) == (epochs, best, epochs)
    jax.tree.map(np.testing.assert_array_equal, params, seen[best - 1])


def test_without_validation_the_last_epoch_is_returned(parts, tmp_path):
    params, progress = start(parts, tmp_path, validate=None, stop=Stop(1, patience=1))
    state = checkpoint.restore(tmp_path / "checkpoints/latest", parts.state.replace(slot={}))[0]
    jax.tree.map(np.testing.assert_array_equal, params, state.params)
    assert progress.best_epoch == -1


def test_not_finite_names_step_and_setting_and_keeps_the_last_good_state(parts, tmp_path):
    hparams = parts.hparams.replace(learning_rate=jnp.float32(3e38))
    with pytest.raises(NotFinite, match=r"\(epoch 1\) with learning_rate=3e\+38, momentum=0.2, .*last_good") as caught:
        start(parts, tmp_path, hparams=hparams)
    kept, _, _ = checkpoint.restore(tmp_path / "checkpoints/last_good", parts.state.replace(slot={}))
    assert f"not finite at step {int(kept.step)} " in str(caught.value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept.replace(key=None, healthy=None)))


def test_a_folder_that_cannot_be_written_fails_before_the_first_step(parts, tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(OSError):
        start(parts, tmp_path, chunk=never)


def test_plans_of_two_epochs_differ(parts):
    assert not np.array_equal(parts.plan(0).position, parts.plan(1).position)


# A target error, one profile at a time

RATE, MOMENTUM, TARGET = 0.5, 0.3, 0.05


@pytest.fixture(scope="module")
def separable():
    """Eight profiles of one or two of three telling words each, and of words that tell nothing."""
    tokens = ["adg", "aeh", "bdh", "beg", "cfg", "cdh", "ceg", "cfh"]
    split = Split(train := profiles_of([list(text) for text in tokens], np.arange(8) < 4), None, train)
    experiment = Experiment(
        data=lambda: split, corpus=response_corpus, plan=partial(target_plan, lanes=1, window=8, pool=1),
        gather=response_batch, draw=no_negatives, model=partial(ProfileNet, hidden=(3,)),
        objective=partial(profile_objective, loss=squared_error), views={"item": ("item",)},
        optimizer=optim.sgd_momentum, hparams=ProfileHparams(learning_rate=RATE, momentum=MOMENTUM), evaluate=profile,
        stop=Stop(epochs=500, target=TARGET),
    )  # fmt: skip
    return train, assemble(experiment, split, seed=1)


def descended(train, parts, epochs, target):
    """Rumelhart et al. (1986) in plain numpy, in double precision: the weights, and the error of every epoch.

    The velocity of a word's row rests while no profile has the word.
    """

    def logistic(x):
        return 1.0 / (1.0 + np.exp(-x))

    params, x = parts.state.params, counted(train)
    w, b, u, c = (
        np.asarray(leaf, np.float64)
        for leaf in (
            params["item"]["rows"][1:],
            params["bias"],
            params["layers_0"]["kernel"][:, 0],
            params["layers_0"]["bias"],
        )
    )
    held, moving, errors = [w.copy(), b.copy(), u.copy(), c.copy()], [0 * w, 0 * b, 0 * u, 0 * c], []
    for epoch in range(epochs):
        rows, before = parts.plan(epoch), []
        assert rows.live.all()
        for row in rows.sample[:, 0, 0]:
            w, b, u, c = held
            hidden = logistic(x[row] @ w + b)
            said = logistic(hidden @ u + c[0])
            before.append((said - train.label[row]) ** 2)
            slope = 2.0 * (said - train.label[row]) * said * (1.0 - said)
            back = slope * u * hidden * (1.0 - hidden)
            grads = np.outer(x[row], back), back, slope * hidden, np.array([slope])
            has = x[row] > 0
            for place, (at, grad) in enumerate(zip(moving, grads, strict=True)):
                touched = has if place == 0 else np.ones(len(at), bool)
                at[touched] = MOMENTUM * at[touched] - RATE * grad[touched]
                held[place] = held[place] + at * touched.reshape(-1, *[1] * (at.ndim - 1))
        errors.append(np.mean(before))
        if target is not None and errors[-1] <= target:
            break
    return held, errors


def weights(params):
    layer = params["layers_0"]
    return params["item"]["rows"][1:], params["bias"], layer["kernel"][:, 0], layer["bias"]


def lone(parts, folder, **changes):
    return start(parts, folder, **{"validate": None, "chunk_steps": 8, "save_seconds": 1e9} | changes)


def test_training_ends_with_the_first_epoch_that_meets_the_target(separable, tmp_path):
    train, parts = separable
    params, progress = lone(parts, tmp_path, stop=Stop(epochs=500, target=TARGET))
    held, errors = descended(train, parts, 500, TARGET)
    assert 10 < len(errors) < 80 and errors[-1] <= TARGET < min(errors[:-1])
    assert progress.epoch == len(errors) and progress.last == pytest.approx(errors[-1], abs=1e-6)
    told = [line["loss"] for line in journal(tmp_path) if line["kind"] == "epoch"]
    np.testing.assert_allclose(told, errors, atol=1e-5)
    for ours, theirs in zip(weights(params), held, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    again, after = lone(parts, tmp_path, stop=Stop(epochs=500, target=TARGET), resume=True, chunk=never)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert after.epoch == progress.epoch
    lower = float(errors[-1]) * 0.9  # asks for more
    _, after = lone(parts, tmp_path, stop=Stop(epochs=500, target=lower), resume=True)
    assert after.epoch == len(descended(train, parts, 500, lower)[1]) > progress.epoch


def test_without_a_target_it_goes_on(separable, tmp_path):
    train, parts = separable
    _, errors = descended(train, parts, 500, TARGET)
    params, progress = lone(parts, tmp_path, stop=Stop(epochs=len(errors) + 2))
    held, _ = descended(train, parts, len(errors) + 2, None)
    assert progress.epoch == len(errors) + 2 and progress.last < errors[-1]
    for ours, theirs in zip(weights(params), held, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_target_is_judged_by_whole_epochs(separable, tmp_path):
    """An epoch cut short, which begins with a loss of nothing, meets no target; nor does a run that has not begun."""
    _, parts = separable
    calls = iter(range(100))

    def dying(*arguments):
        if next(calls) == 3:
            raise Killed
        return parts.chunk(*arguments)

    with pytest.raises(Killed):
        lone(parts, tmp_path, chunk=dying, chunk_steps=4, save_seconds=0.0, stop=Stop(epochs=3, target=0.01))
    note = saved(parts, tmp_path)[1]
    assert (note["epoch"], note["row"]) == (1, 4) and note["last"] > 0.0
    generous = Stop(epochs=3, target=1.0)  # the first whole epoch met it, but a second one has begun
    _, progress = lone(parts, tmp_path, chunk_steps=4, stop=generous, resume=True)
    assert (progress.epoch, progress.row) == (2, 0)
    other = tmp_path / "other"
    assert lone(parts, other, stop=generous)[1].epoch == 1


def test_patience_still_ends_a_run_that_misses_its_target(separable, tmp_path):
    _, parts = separable
    scores = iter([2.0, 1.0, 1.0, 9.0])
    stop = Stop(epochs=4, patience=2, target=0.0)
    _, progress = lone(parts, tmp_path, stop=stop, validate=lambda params: {"mrr@20": next(scores)})
    assert (progress.epoch, progress.best_epoch) == (3, 1)
