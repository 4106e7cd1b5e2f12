"""Classes of profiles in real time: a classifier in one file, scores of texts or of lists, and what moved them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Shaped
from scipy import sparse, special

from seqjax.data.events import DataError, EventLog, expressed
from seqjax.data.layers import Layers
from seqjax.data.tokens import Fields, extract
from seqjax.data.write import replacing
from seqjax.experiment import describe, resolve, settings_of
from seqjax.models.profile_net import ProfileNet, layers_of, params_of
from seqjax.run import Run

FORMAT = 1  # raised when a bundle of the old layout can no longer be read
LANES = 128  # profiles scored together: their rows of the first layer stay in the cache


@dataclass(frozen=True, eq=False)
class Classifier:
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

    @cached_property
    def number(self) -> dict[str, int]:
        """The id of every word."""
        return {word: number for number, word in enumerate(self.words.tolist(), start=1)}

    @cached_property
    def rows(self) -> Float[np.ndarray, "row features"]:
        """The first layer: what every feature adds to it, padding first."""
        return np.ascontiguousarray(self.params["item"]["rows"], np.float32)

    @cached_property
    def above(self) -> PyTree:
        """The parameters behind the first layer's sum, on the device."""
        return jax.device_put({name: leaf for name, leaf in self.params.items() if name != "item"})


class Verdict(NamedTuple):
    """What is said of profiles.

    `because` holds places of features in the vocabulary, the strongest first; -1 where there is none.
    """

    probability: Float[np.ndarray, "profile"]  # of the positive class
    features: Int[np.ndarray, "profile"]  # how many different known features the profile has
    because: Int[np.ndarray, "profile k"]
    effect: Float[np.ndarray, "profile k"]  # on the log-odds, to first order; repeats of a feature together


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
    read = dict.fromkeys(data["columns"], data["read"]) if "columns" in data else data.get("fields")
    return Classifier(run.model, run.params, known, classes, read, divided.get("presence", True), **told)


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
    with replacing(file) as part, part.open("wb") as stream:
        np.savez(stream, format=np.array(FORMAT), **arrays)


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
    _refuse_foreign(file, settings)
    model, fields = resolve(settings["model"])(), resolve(settings["fields"])
    told = {name: settings[name] for name in ("presence", "scale", "shift")}
    words = np.array(settings["words"], np.str_)
    return Classifier(model, params_of(layers), words, tuple(settings["classes"]), fields, **told)


def classify_texts(held: Classifier, rows: Iterable[Mapping[str, Any]], *, top: int = 3, first: int = 1) -> Verdict:
    """What is said of profiles given as texts by field; one without a known feature gets the classes' own odds.

    first: number of the first row, for errors. Raises DataError for a classifier that does not read texts, and for a
    row that lacks a field or holds no text.
    """
    if held.fields is None:
        raise DataError("the classifier reads lists of features, not texts: use classify_log")
    ids, lengths = [], []
    for row, profile in enumerate(rows, start=first):
        try:
            known = list(filter(None, map(held.number.get, extract(profile, held.fields))))
        except DataError as error:
            raise DataError(f"row {row}: {error}") from None
        ids += known
        lengths.append(len(known))
    return _classified(held, np.array(lengths, np.int64), np.array(ids, np.int64), top)


def classify_log(held: Classifier, log: EventLog, *, top: int = 3) -> Verdict:
    """What is said of profiles whose features are the events of a log, in its own words; unknown ones are left out."""
    known = expressed(log, held.words)
    return _classified(held, known.lengths, known.columns["item"], top)


def classify_lists(held: Classifier, lists: Sequence[Int[np.ndarray, "..."]], *, top: int = 3) -> Verdict:
    """What is said of profiles given as lists of feature ids (1..V); those that ascend are the fastest.

    Raises DataError for an id that no feature has.
    """
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    ids = np.concatenate(lists) if lengths.any() else np.zeros(0, np.int64)
    if len(ids) and not 1 <= ids.min() <= ids.max() <= len(held.words):
        wrong = int(np.argmax((ids < 1) | (ids > len(held.words))))
        place = int(np.searchsorted(np.cumsum(lengths), wrong, side="right"))
        raise DataError(f"list {place + 1} holds the feature {ids[wrong]}: they are numbered 1 to {len(held.words)}")
    return _classified(held, lengths, ids, top)


def _classified(
    held: Classifier, lengths: Int[np.ndarray, "profile"], ids: Int[np.ndarray, "item"], top: int
) -> Verdict:
    """What is said of profiles whose features stand one profile after the other, some of them perhaps repeated."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    key, times = owner * len(held.rows) + ids, np.ones(len(ids), np.int64)
    if (np.diff(key) <= 0).any():
        key, repeats = np.unique(key, return_counts=True)
        owner, ids = np.divmod(key, len(held.rows))
        times = np.ones_like(repeats) if held.presence else repeats
    offsets = np.searchsorted(owner, np.arange(len(lengths) + 1))
    said = [np.zeros(0, np.float32)], [np.zeros((0, top), np.int64)], [np.zeros((0, top), np.float32)]
    for begin in range(0, len(lengths), LANES):
        bounds = offsets[begin : begin + LANES + 1]
        inside = slice(bounds[0], bounds[-1])
        for whole, part in zip(said, _scored(held, bounds - bounds[0], ids[inside], times[inside], top), strict=True):
            whole.append(part)
    log_odds, because, effect = map(np.concatenate, said)
    probability = special.expit(held.scale * log_odds.astype(np.float64) + held.shift)
    return Verdict(probability, np.diff(offsets), because - 1, effect * held.scale)


def _scored(
    held: Classifier,
    offsets: Int[np.ndarray, "offset"],
    ids: Int[np.ndarray, "item"],
    times: Int[np.ndarray, "item"],
    top: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds, and the strongest features with their effects, of no more profiles than there are lanes.

    The product of a profile with the first layer is that of a sparse matrix, so that its length is no shape of a
    program: there is one for a single profile, and one for many.
    """
    count = len(offsets) - 1
    profiles = sparse.csr_array((times.astype(np.float32), ids, offsets), shape=(count, len(held.rows)))
    lanes = 1 if count == 1 else LANES
    total, number = np.zeros((lanes, held.rows.shape[1]), np.float32), np.zeros(lanes, np.float32)
    total[:count] = profiles @ held.rows
    number[:count] = np.diff(np.append(0, np.cumsum(times))[offsets])
    log_odds, slope = jax.device_get(_respond(held.model, held.above, total, number, explain=top > 0))
    if not top:
        return log_odds[:count], np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32)
    effect = held.rows.take(ids, axis=0)
    effect *= np.repeat(slope[:count], np.diff(offsets), axis=0)
    whole = effect @ np.ones(effect.shape[1], np.float32) * times.astype(np.float32)
    return log_odds[:count], *_strongest(offsets, ids, whole, top)


def _strongest(
    offsets: Int[np.ndarray, "offset"], ids: Int[np.ndarray, "item"], effect: Float[np.ndarray, "item"], top: int
) -> tuple[Int[np.ndarray, "profile k"], Float[np.ndarray, "profile k"]]:
    """Of every profile the features of the largest |effect|, and those effects; 0 where there are no more."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    size = np.abs(effect).view(np.int32).astype(np.int64)  # bits of floats from 0 on order as the floats do
    order = np.append(np.argsort((owner << 32) - size, kind="stable"), len(ids))
    place = offsets[:-1, None] + np.arange(top)
    chosen = order[np.where(place < offsets[1:, None], place, len(ids))]
    return np.append(ids, 0)[chosen], np.append(effect, np.float32(0.0))[chosen]


@partial(jax.jit, static_argnames=("model", "explain"))
def _respond(
    model: nn.Module, params: PyTree, total: Float[Array, "lane features"], number: Float[Array, "lane"], explain: bool
) -> tuple[Float[Array, "lane"], Float[Array, "lane features"] | None]:
    """Log-odds by the first layer's sums and the numbers of features in them, and the derivative by those sums."""

    def read(total: Array, number: Array) -> Array:
        return model.apply({"params": params}, (total, number), method="read")

    if explain:
        return jax.vmap(jax.value_and_grad(read))(total, number)
    return jax.vmap(read)(total, number), None


def _refuse_foreign(file: Path, settings: Mapping[str, Any]) -> None:
    """Raises DataError unless a file names the one network and extractors of texts, and no other function."""
    network, extractors = f"{ProfileNet.__module__}.{ProfileNet.__name__}", f"{extract.__module__}."
    if settings["model"].get("function") != network:
        raise DataError(f"{file}: holds {settings['model'].get('function')}, expected is {network}")
    for name, field in (settings["fields"] or {}).items():
        for one in field if isinstance(field, list) else [field]:
            if not str(one.get("function")).startswith(extractors):
                raise DataError(f"{file}: field {name!r} is read by {one.get('function')}, expected is {extractors}...")


def _named(layers: Layers) -> dict[str, np.ndarray]:
    pairs = zip(("weight", "bias"), layers, strict=True)
    return {f"{kind}_{place}": one for kind, part in pairs for place, one in enumerate(part)}


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
