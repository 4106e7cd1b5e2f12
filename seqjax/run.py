"""One run of an experiment: data, training, evaluation, and the folder that remembers them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int, PyTree, Shaped

from seqjax.data.events import EventLog, Split
from seqjax.data.vocabulary import plural
from seqjax.evaluate.evaluation import Evaluation
from seqjax.experiment import Experiment, SettingError, call, describe, resolve, settings_of
from seqjax.manifest import check_space, make_manifest, open_folder, write_json
from seqjax.nn.count import parameters
from seqjax.train import checkpoint
from seqjax.train.fit import Log, Progress, fit
from seqjax.train.step import TrainState, init_train_state, make_chunk, make_step, per_lane
from seqjax.transfer import graft, share_vocabulary


class Parts(NamedTuple):
    """An experiment made concrete for one data set and seed, ready to train."""

    model: nn.Module
    state: TrainState
    plan: Callable[[int], PyTree]
    chunk: Callable
    corpus: PyTree
    hparams: PyTree


class Run(NamedTuple):
    """A run loaded from its folder: enough to evaluate, recommend and serve."""

    folder: Path
    manifest: dict[str, Any]
    model: nn.Module
    params: PyTree
    vocabulary: dict[str, Shaped[np.ndarray, "word"]]
    counts: Int[np.ndarray, "row"]  # training events of every item


def assemble(experiment: Experiment, split: Split, seed: int) -> Parts:
    """Builds model, state, plan and the compiled chunk. The seed fixes initial weights, order and every draw."""
    _check_loss(experiment)
    init_key, train_key = jax.random.split(jax.random.key(seed))
    with _settings_at_fault("hparams: every value must be a number"):
        hparams = jax.tree.map(jnp.float32, experiment.hparams)
    with _settings_at_fault("the settings cannot be used"):
        sizes = tuple((name, len(words)) for name, words in split.train.vocabulary.items())
        model = call(experiment.model, **({"sizes": sizes} | _sizes(split.train.vocabulary)))
        params = jax.jit(model.init)(init_key)["params"]
        corpus = jax.device_put(experiment.corpus(split.train))

    @lru_cache(maxsize=1)
    def plan(epoch: int) -> PyTree:
        return call(experiment.plan, split.train, seed=seed, epoch=epoch)

    with _settings_at_fault("the settings cannot be used"):
        rows = plan(0)
    if not len(jax.tree.leaves(rows)[0]):
        raise SettingError("the plan has no steps: fewer sessions than plan.least need to run side by side")
    steps, lanes = jax.tree.leaves(rows)[0].shape[:2]
    optimizer = partial(call, experiment.optimizer, steps=steps * experiment.stop.epochs)
    carry = per_lane(model.init_state(), lanes)
    state = init_train_state(train_key, params, optimizer, hparams, carry, experiment.views)

    def objective(*arguments: Any) -> Any:
        return experiment.objective(*arguments, model=model)

    step = make_step(objective, optimizer, experiment.views, experiment.draw)
    return Parts(model, state, plan, make_chunk(step, experiment.gather), corpus, hparams)


def train(
    experiment: Experiment,
    folder: Callable[[str], Path],
    *,
    name: str,
    seed: int = 0,
    resume: bool = False,
    finished: bool = False,
    start: Path | None = None,
    command: str = "",
    log: Log = lambda record: None,
) -> Path:
    """Trains, evaluates and writes the run folder `folder(run id)`; returns it.

    `start`: a run whose weights and optimizer state this one begins with: ids that both vocabularies know keep their
    rows, new ids get fresh ones. `finished`: a run that has finished is returned as it is. `log` receives every record
    that is worth showing. Raises before training what can be known before training: DataError, SettingError, OSError.
    """
    split = call(experiment.data, seed=seed)
    before, counted = None, {}
    if start:
        before = load(start)
        split, counted = share_vocabulary(split, before.vocabulary)
    manifest = make_manifest(experiment, split, name, seed, before.manifest["run"] if before else "")
    folder = folder(manifest["run"])
    for message in open_folder(folder, manifest, resume):
        log({"kind": "warning", "message": message})
    if finished and (folder / "metrics.json").is_file():
        return folder
    parts = assemble(experiment, split, seed)
    for message in _doubts(experiment, split, parts):
        log({"kind": "warning", "message": message})
    if before:
        old = _saved(before.folder), _sizes(before.vocabulary)
        parts = parts._replace(state=graft(parts.state, experiment, *old))
        manifest["start"] = {"run": before.manifest["run"], **counted}
    manifest |= {"model": describe(parts.model), "parameters": parameters(parts.state.params), "command": command}
    check_space(folder, 4 * _bytes(parts.state))
    _write_facts(folder, manifest, split)
    log({"kind": "begin", "folder": folder, "manifest": manifest})
    params, progress = _fit(experiment, parts, split, folder, log, resume)
    log({"kind": "evaluate"})
    timing = {"train_seconds": progress.seconds, "epochs": progress.epoch, "best_epoch": progress.best_epoch}
    write_json(folder / "manifest.json", manifest | {"timing": timing})
    write_evaluation(folder, _judge(experiment, parts.model, params, split, seed))
    return folder


def _fit(
    experiment: Experiment, parts: Parts, split: Split, folder: Path, log: Log, resume: bool
) -> tuple[PyTree, Progress]:
    """Trains in a folder that is ready, choosing by the validation log if there is one."""

    def validate(params: PyTree) -> dict[str, float]:
        return experiment.evaluate(parts.model, params, split.validation).numbers

    return fit(
        parts.state, parts.plan, parts.chunk, parts.corpus, parts.hparams,
        folder=folder, stop=experiment.stop, validate=validate if split.validation else None,
        log=log, chunk_steps=experiment.chunk_steps, resume=resume,
    )  # fmt: skip


def _write_facts(folder: Path, manifest: dict[str, Any], split: Split) -> None:
    """What a run is known by before it trains; the manifest first: a folder without it belongs to nobody."""
    write_json(folder / "manifest.json", manifest)
    write_json(folder / "vocabulary.json", {name: words.tolist() for name, words in split.train.vocabulary.items()})
    np.save(folder / "item_counts.npy", _counts(split.train))


def _judge(experiment: Experiment, model: nn.Module, params: PyTree, split: Split, seed: int) -> Evaluation:
    """Evaluates on the test log beside the baselines."""
    baselines = dict(zip(names_of(experiment.baselines), (b(split.train) for b in experiment.baselines), strict=True))
    offered = {"counts": _counts(split.train), "train": split.train, "baselines": baselines, "seed": seed}
    offered["validation"] = split.validation
    return call(experiment.evaluate, model, params, split.test, **offered)


def _counts(log: EventLog) -> Int[np.ndarray, "row"]:
    """Events of every item; of none where a log has no items."""
    return log.counts("item") if "item" in log.vocabulary else np.zeros(1, np.int64)


def names_of(factories: Sequence[Callable[..., Any]]) -> list[str]:
    """A name for each: that of its function, and where several share one, what their keywords say.

    >>> from seqjax.baselines.markov import markov, unigram
    >>> names_of((unigram, partial(markov, order=1), partial(markov, order=5)))
    ['unigram', 'markov_1', 'markov_5']
    """
    plain = [(f.func if isinstance(f, partial) else f).__name__ for f in factories]
    told = ["_".join(map(str, getattr(f, "keywords", {}).values())) for f in factories]
    return [f"{p}_{t}" if t and plain.count(p) > 1 else p for p, t in zip(plain, told, strict=True)]


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Writes cases, tables and numbers; `metrics.json` comes last and marks what is finished."""
    if evaluation.cases is not None:
        kind = describe(type(evaluation.cases))["function"]
        np.savez(folder / "cases.npz", kind=np.array(kind), **evaluation.cases._asdict())
    write_json(folder / "tables.json", evaluation.tables)
    write_json(folder / "metrics.json", evaluation.numbers)


def load(folder: str | Path) -> Run:
    """Loads a run: model, best (else last) parameters, vocabularies. Reads data only, executes nothing of the run.

    Raises SettingError if the folder is no finished run, CheckpointError if none of its checkpoints is intact.
    """
    folder = Path(folder)
    if not (folder / "manifest.json").is_file():
        raise SettingError(f"{folder} is not a run: it has no manifest.json")
    if not (folder / "metrics.json").is_file():
        raise SettingError(f"{folder} has not finished: continue it with --resume")
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        build = resolve(manifest["model"])
    except (ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{folder / 'manifest.json'} cannot be used: {error}") from None
    if not (isinstance(build, partial) and isinstance(build.func, type) and issubclass(build.func, nn.Module)):
        raise SettingError(f"{folder / 'manifest.json'} cannot be used: its `model` is no model")
    model = build()
    like = jax.eval_shape(model.init, jax.random.key(0))["params"]
    params = checkpoint.restore(_saved(folder), {"params": like}, part=True)[0]["params"]
    words = json.loads((folder / "vocabulary.json").read_text())
    vocabulary = {name: np.array(entries, dtype=np.str_) for name, entries in words.items()}
    return Run(folder, manifest, model, params, vocabulary, np.load(folder / "item_counts.npy", allow_pickle=False))


def dry_run(experiment: Experiment, seed: int) -> dict[str, Any]:
    """What a run would do, without doing it: shapes, parameters, memory, lane occupancy and steps."""
    split = call(experiment.data, seed=seed)
    parts = assemble(experiment, split, seed)
    rows = parts.plan(0)
    steps = jax.tree.leaves(rows)[0].shape[0]
    chunk = jax.tree.map(lambda leaf: leaf[: experiment.chunk_steps], rows)
    memory = parts.chunk.lower(parts.state, chunk, parts.corpus, parts.hparams).compile().memory_analysis()
    leaves = jax.tree.leaves_with_path(parts.state.params)
    shapes = {jax.tree_util.keystr(path, simple=True, separator="."): leaf.shape for path, leaf in leaves}
    return {
        **{f"{part} sequences": log.sequences for part, log in split._asdict().items() if hasattr(log, "sequences")},
        **{f"{plural(name)} in the vocabulary": len(words) for name, words in split.train.vocabulary.items()},
        **{f"note: {name}": value for name, value in split.notes.items()},
        **{f"parameter {name}": " x ".join(map(str, shape)) for name, shape in shapes.items()},
        "parameters": parameters(parts.state.params),
        "training state, MB": round(_bytes(parts.state) / 1e6, 2),
        "data on the device, MB": round(_bytes(parts.corpus) / 1e6, 2),
        "temporary memory of a chunk, MB": round(memory.temp_size_in_bytes / 1e6, 2),
        "lanes": jax.tree.leaves(rows)[0].shape[1],
        "lane occupancy": round(rows.occupancy, 4),
        "steps per epoch": steps,
        "epochs at most": experiment.stop.epochs,
    }


@contextmanager
def _settings_at_fault(what: str) -> Iterator[None]:
    """What a factory finds wrong with its settings is the user's error, told in one line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise SettingError(f"{what}: {error}") from error


def _check_loss(experiment: Experiment) -> None:
    """Raises SettingError if hparams.loss names a keyword that the loss does not take."""
    known = settings_of(settings_of(experiment.objective).get("loss")).keys() - {"scores", "target", "columns"}
    if unknown := getattr(experiment.hparams, "loss", {}).keys() - known:
        takes = ", ".join(sorted(known)) or "none"
        raise SettingError(f"hparams.loss.{min(unknown)}: the loss has no such keyword; there are {takes}")


def _doubts(experiment: Experiment, split: Split, parts: Parts) -> list[str]:
    """What a user may not have meant; raises SettingError if the metric that training stops by is not computed."""
    doubts, stop, rows = [], experiment.stop, parts.plan(0)
    if split.validation:
        few = split.validation.head(64)
        names = experiment.evaluate(parts.model, parts.state.params, few).numbers
        if stop.metric not in names:
            raise SettingError(f"stop.metric={stop.metric!r}: validation has {', '.join(names)}")
    elif stop.patience is not None:
        doubts.append(f"stop.patience={stop.patience} has no effect without a validation log: all epochs are trained")
    if (occupancy := getattr(rows, "occupancy", 1.0)) < 0.5:
        lanes = jax.tree.leaves(rows)[0].shape[1]
        doubts.append(f"{1 - occupancy:.0%} of the lane-steps are empty: {lanes} lanes are many for this log")
    return doubts


def _saved(folder: Path) -> Path:
    """Where a run's parameters of choice lie: the best epoch's if one was validated, else the latest."""
    best = folder / "checkpoints/best"
    return best if checkpoint.finished(best) else folder / "checkpoints/latest"


def _sizes(vocabulary: dict[str, Any]) -> dict[str, int]:
    """Keywords of a model: `items` for the size of the vocabulary `item`, and so on."""
    return {plural(name): len(words) for name, words in vocabulary.items()}


def _bytes(tree: PyTree) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
