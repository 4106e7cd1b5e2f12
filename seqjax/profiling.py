"""Classes of profiles in real time: a classifier in one file, scores of texts or of lists, and what moved them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped
from scipy import special

from seqjax.data.events import DataError, EventLog, expressed
from seqjax.data.layers import Layers
from seqjax.data.profiles import token_log
from seqjax.data.tokens import Fields, extract
from seqjax.experiment import describe, resolve, settings_of
from seqjax.models.profile_net import ProfileNet, layers_of, params_of
from seqjax.run import Run

FORMAT = 1  # raised when a bundle of the old layout can no longer be read
LANES = 1024  # profiles scored together
BLOCK = 16  # lengths are padded to 1, 2, 4, .. blocks of so many features


class Classifier(NamedTuple):
    """All that scoring needs: a network, the features that it reads in their order, and what its outputs mean."""

    model: ProfileNet
    params: PyTree
    words: Shaped[np.ndarray, "word"]
    classes: tuple[str, str]  # the positive one last
    fields: Fields | None = None  # how texts become features; None: profiles are lists of features
    presence: bool = True  # a feature counts once
    scale: float = 1.0  # probability = logistic(scale log-odds + shift)
    shift: float = 0.0

    @property
    def layers(self) -> Layers:
        """The network as plain arrays."""
        return layers_of(self.params)


class Verdict(NamedTuple):
    """What is said of profiles.

    `because` holds places of features in the vocabulary, the strongest first; -1 where there is none.
    """

    probability: Float[np.ndarray, "profile"]  # of the positive class
    features: Int[np.ndarray, "profile"]  # how many known features the profile has
    because: Int[np.ndarray, "profile k"]
    effect: Float[np.ndarray, "profile k"]  # what a feature adds to the log-odds, to first order


def classifier(run: Run) -> Classifier:
    """The classifier that a run has trained; raises DataError for a run of another kind."""
    if not isinstance(run.model, ProfileNet):
        raise DataError(f"{run.folder} is a run of {type(run.model).__name__}, which classifies no profiles")
    data = settings_of(resolve(run.manifest["settings"]["data"]))
    divided = settings_of(data.get("split")) if callable(data.get("split")) else data
    numbers = json.loads((run.folder / "metrics.json").read_text("utf-8"))
    scale, shift = (numbers.get(f"calibration/{name}") for name in ("scale", "shift"))
    told = {} if scale is None or shift is None else {"scale": scale, "shift": shift}
    classes = tuple(run.vocabulary["class"].tolist())
    known = run.vocabulary["item"]
    return Classifier(run.model, run.params, known, classes, data.get("fields"), divided["presence"], **told)


def save_classifier(held: Classifier, file: str | Path) -> None:
    """Writes a classifier as one file, `.npz`, of arrays and JSON, with a checksum.

    Raises DataError for another ending and where the file is there already.
    """
    file = Path(file)
    if file.suffix != ".npz" or not file.parent.is_dir():
        raise DataError(f"{file}: name a file with the ending .npz in a folder that is there")
    if file.exists():
        raise DataError(f"{file}: is there already, and nothing saved is overwritten; choose another name")
    settings = {"model": describe(held.model), "fields": describe(held.fields), "classes": list(held.classes)}
    settings |= {"presence": held.presence, "scale": held.scale, "shift": held.shift, "words": held.words.tolist()}
    text = np.frombuffer(json.dumps(settings, ensure_ascii=False).encode(), np.uint8)
    arrays = {"settings": text} | _named(held.layers)
    arrays["checksum"] = np.array(_digest(arrays))
    part = file.with_name(file.name + ".partial")
    with part.open("wb") as stream:
        np.savez(stream, format=np.array(FORMAT), **arrays)
    part.replace(file)


def load_classifier(file: str | Path) -> Classifier:
    """Reads what `save_classifier` wrote, to the bit; only names inside seqjax are looked up, nothing is executed.

    Raises DataError for a file that is no bundle, was changed, or comes from another version.
    """
    file = Path(file)
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        version, digest = int(arrays.pop("format")), str(arrays.pop("checksum"))
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file") from None
    except Exception as error:  # whatever a broken archive makes numpy and zipfile raise
        raise DataError(f"{file}: is no classifier ({error}); write it again from its run") from None
    if version != FORMAT:
        raise DataError(f"{file}: format {version}, this version reads {FORMAT}; write it again, or update seqjax")
    if _digest(arrays) != digest:
        raise DataError(f"{file}: has changed since it was written; write it again from its run")
    settings = json.loads(arrays["settings"].tobytes())
    count = sum(name.startswith("weight_") for name in arrays)
    layers = Layers(*(tuple(arrays[f"{kind}_{place}"] for place in range(count)) for kind in ("weight", "bias")))
    model, fields = resolve(settings["model"])(), resolve(settings["fields"])
    told = {name: settings[name] for name in ("presence", "scale", "shift")}
    words = np.array(settings["words"], np.str_)
    return Classifier(model, params_of(layers), words, tuple(settings["classes"]), fields, **told)


def classify_texts(held: Classifier, rows: Iterable[Mapping[str, Any]], *, top: int = 3) -> Verdict:
    """What is said of profiles given as texts by field; one without a known feature gets the classes' own odds.

    Raises DataError for a classifier that does not read texts, and for a row that lacks a field or holds no text.
    """
    if held.fields is None:
        raise DataError("the classifier reads lists of features, not texts: use classify_log")
    return classify_log(held, token_log(_extracted(rows, held.fields)), top=top)


def classify_log(held: Classifier, log: EventLog, *, top: int = 3) -> Verdict:
    """What is said of profiles whose features are the events of a log, in its own words; unknown ones are left out."""
    known = expressed(log, held.words)
    owner, item = known.sequence, known.columns["item"]
    if held.presence:
        key = np.unique(owner.astype(np.int64) * (len(held.words) + 1) + item)
        owner, item = np.divmod(key, len(held.words) + 1)
    lists = np.split(item.astype(np.int32), np.searchsorted(owner, np.arange(1, log.sequences)))
    return classify_lists(held, lists[: log.sequences], top=top)


def classify_lists(held: Classifier, lists: Sequence[Int[np.ndarray, "item"]], *, top: int = 3) -> Verdict:
    """What is said of profiles given as prepared lists of feature ids (1..V), in batches of like length."""
    lengths = np.array([len(one) for one in lists], np.int64)
    order = np.argsort(lengths, kind="stable") if len(lists) > LANES else np.arange(len(lists))
    parts = [_scored(held, [lists[place] for place in chosen], top) for chosen in _batches(order)]
    back = np.argsort(order)
    log_odds, because, effect = (np.concatenate(part)[back] for part in zip(*parts, strict=True)) if parts else (
        np.zeros(0), np.zeros((0, top), np.int64), np.zeros((0, top))
    )  # fmt: skip
    probability = special.expit(held.scale * log_odds.astype(np.float64) + held.shift)
    return Verdict(probability, lengths, because - 1, effect * held.scale)


def _extracted(rows: Iterable[Mapping[str, Any]], fields: Fields) -> Iterator[list[str]]:
    for number, row in enumerate(rows, start=1):
        try:
            yield extract(row, fields)
        except DataError as error:
            raise DataError(f"row {number}: {error}") from None


def _batches(order: Int[np.ndarray, "profile"]) -> Iterator[Int[np.ndarray, "chosen"]]:
    return (order[begin : begin + LANES] for begin in range(0, len(order), LANES))


def _scored(held: Classifier, lists: Sequence[np.ndarray], top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds, and the strongest features with their effects, of one batch: few shapes, each compiled once."""
    lengths = np.array([len(one) for one in lists])
    width = BLOCK << (max(-(-int(lengths.max()) // BLOCK), 1) - 1).bit_length()
    ids = np.zeros((1 if len(lists) == 1 else LANES, width), np.int32)
    ids[: len(lists)][np.arange(width) < lengths[:, None]] = np.concatenate(lists) if lengths.any() else []
    said = jax.device_get(_respond(held.model, held.params, ids, top))
    return tuple(part[: len(lists)] for part in said)


@partial(jax.jit, static_argnames=("model", "top"))
def _respond(
    model: nn.Module, params: PyTree, ids: Int[Array, "lane item"], top: int
) -> tuple[Float[Array, "lane"], Int[Array, "lane k"], Float[Array, "lane k"]]:
    def one(ids: Array) -> tuple[Array, Array, Array]:
        valid: Bool[Array, "item"] = ids > 0
        apply = partial(model.apply, {"params": params})
        state, _ = apply(model.init_state(), {"item": ids}, valid, method="encode")
        log_odds, slope = jax.value_and_grad(lambda total: apply((total, state[1]), method="read"))(state[0])
        effect = jnp.where(valid, params["item"]["rows"][ids] @ slope, 0.0)
        strong = jax.lax.top_k(jnp.abs(effect), min(top, len(ids)))[1]
        return log_odds, ids[strong], effect[strong]

    return jax.vmap(one)(ids)


def _named(layers: Layers) -> dict[str, np.ndarray]:
    pairs = zip(("weight", "bias"), layers, strict=True)
    return {f"{kind}_{place}": one for kind, part in pairs for place, one in enumerate(part)}


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
