"""Profiles: users described by what they write or choose, of one of two classes each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Int, Shaped

from seqjax.data.association import exact, select
from seqjax.data.events import DataError, EventLog, Split, take
from seqjax.data.features import counted_log
from seqjax.data.samples import Samples
from seqjax.data.vocabulary import lookup

Parts = tuple[Int[np.ndarray, "..."], Int[np.ndarray, "..."], Int[np.ndarray, "..."]]
"""Profiles to learn from, to choose by, and to judge."""


def profiled(log: EventLog, label: Bool[np.ndarray, "sequence"], classes: Sequence[str]) -> Samples:
    """Profiles of labelled users: everything in their sequences describes them, and nothing else is asked about.

    classes: names of the negative and the positive class, kept as the vocabulary `class`.
    """
    everyone = np.arange(log.sequences, dtype=np.int32)
    log = log._replace(vocabulary={**log.vocabulary, "class": np.array(classes, np.str_)})
    return Samples(log, everyone, log.lengths, log.lengths, {}, np.asarray(label, bool))


def labelled(said: Sequence[str | None], classes: Sequence[str], origin: str) -> Bool[np.ndarray, "profile"]:
    """Whether each label is the second of two classes.

    Raises DataError for a label that is neither, and where all are one class.

    >>> labelled(["F", "M", "F"], ("M", "F"), "a list").tolist()
    [True, False, True]
    """
    if len(set(classes)) != 2:
        raise DataError(f"classes={tuple(classes)}: name two different ones, the positive one last")
    for row, word in enumerate(said):
        if word not in classes:
            raise DataError(
                f"{origin}, row {row + 1}: label {word!r} is neither {classes[0]!r} nor {classes[1]!r}; "
                "repair or leave out the row, or name other classes"
            )
    label = np.array([word == classes[1] for word in said], bool)
    if label.all() or not label.any():
        raise DataError(f"{origin}: all {len(label)} labels are the same class: there is nothing to tell apart")
    return label


def token_log(profiles: Iterable[Sequence[str]], keys: dict[str, Sequence[str]] | None = None) -> EventLog:
    """Profiles of tokens as a log, a sequence each; the vocabulary is in the order of first appearance.

    >>> token_log([["b", "a"], [], ["a"]]).columns["item"].tolist()
    [1, 2, 2]
    """
    code: dict[str, int] = {}
    ids, lengths = [], []
    for tokens in profiles:
        ids.extend(code.setdefault(token, len(code) + 1) for token in tokens)
        lengths.append(len(tokens))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    named = {name: np.array(words, np.str_) for name, words in (keys or {}).items()}
    return EventLog(offsets, {"item": np.array(ids, np.int32)}, {"item": np.array(list(code), np.str_)}, named)


def fold(label: Bool[np.ndarray, "profile"], *, seed: int = 0, folds: int = 5, validation: float = 0.1) -> Parts:
    """Which profiles to learn from, to choose by and to judge: fold `seed % folds` of the repetition `seed // folds`.

    Folds are drawn anew for every repetition and are stratified: each has its share of either class. The share
    `validation` of what is not judged is set aside, none at 0. Raises DataError for fewer than two folds, and where a
    part would lack a class.
    """
    fewest = int(min(label.sum(), (~label).sum()))
    if folds < 2 or fewest < folds or not 0 <= validation < 1:
        raise DataError(
            f"folds={folds}, validation={validation}: use 2 folds or more, no more than the {fewest} profiles of the "
            "smaller class, and a share from 0 up to 1"
        )
    repetition, held = divmod(seed, folds)
    random, apart = np.random.default_rng(repetition), np.random.default_rng((repetition, held))
    parts: tuple[list, list, list] = ([], [], [])
    for own in (False, True):
        order = random.permutation(np.flatnonzero(label == own))
        judged = np.arange(len(order)) % folds == held
        rest = apart.permutation(order[~judged])  # else the folds of a repetition would choose by the same profiles
        aside = max(round(validation * len(rest)), 1) if validation else 0
        for part, chosen in zip(parts, (rest[aside:], rest[:aside], order[judged]), strict=True):
            part.append(chosen)
    train, chosen, test = (np.sort(np.concatenate(part)) for part in parts)
    if len(np.unique(label[train])) < 2:
        raise DataError(f"validation={validation}: leaves no profile of one class to learn from; set fewer aside")
    return train, chosen, test


def expressed_in(samples: Samples, words: Shaped[np.ndarray, "word"], *, presence: bool = True) -> Samples:
    """The profiles in the given features alone, the first of these last in every profile.

    presence: a feature counts once. Features that are not among the words are left out; a profile may become empty.
    """
    log = samples.log
    ids = lookup(words, log.vocabulary["item"])[log.columns["item"] - 1]
    owner, ids = log.sequence[ids > 0], ids[ids > 0]
    order = np.lexsort((-ids, owner))  # a window holds the last
    owner, ids = owner[order], ids[order]
    if presence and len(owner):
        first = np.append(True, (np.diff(owner) != 0) | (np.diff(ids) != 0))
        owner, ids = owner[first], ids[first]
    offsets = np.searchsorted(owner, np.arange(log.sequences + 1))
    log = log._replace(
        offsets=offsets,
        columns={"item": ids.astype(np.int32)},
        vocabulary={**log.vocabulary, "item": np.asarray(words, np.str_)},
    )
    return samples._replace(log=log, cutoff=log.lengths[samples.sequence], place=log.lengths[samples.sequence])


def some(samples: Samples, chosen: Int[np.ndarray, "chosen"]) -> Samples:
    """Some of the profiles, and of the log only theirs."""
    log = take(samples.log, samples.sequence[chosen])
    return profiled(log, samples.label[chosen], samples.vocabulary["class"].tolist())


def selected(
    samples: Samples,
    *,
    seed: int = 0,
    folds: int = 5,
    validation: float = 0.1,
    features: int = 4000,
    method: Callable = exact,
    least: int = 1,
    presence: bool = True,
    occurrences: bool = False,
) -> Split:
    """Profiles split by `fold`, in the best `features` features by `method`: see `reduced`."""
    rows = fold(samples.label, seed=seed, folds=folds, validation=validation)
    train, chosen, test = (some(samples, row) for row in rows)
    split = Split(train, chosen if chosen.size else None, test)
    settings = {"method": method, "least": least, "presence": presence, "occurrences": occurrences}
    return reduced(split, features=features, **settings)


def reduced(
    split: Split,
    *,
    features: int = 4000,
    method: Callable = exact,
    least: int = 1,
    presence: bool = True,
    occurrences: bool = False,
    part: int = 0,
    parts: int = 1,
) -> Split:
    """A split of profiles in the features that `method` finds best, selected on the training profiles alone.

    least: fewest training profiles, or occurrences, that a feature needs. presence: a feature counts once a profile in
    the input. occurrences: the selection counts how often features occur, and not in how many profiles. part, parts:
    learn from one of so many disjoint parts of the training profiles, features still chosen by all. Raises DataError
    for settings out of range.
    """
    if not 0 <= part < parts:
        raise DataError(f"part={part} of parts={parts}: parts are numbered from 0")
    counts = counted_log(split.train.log, split.train.label, presence=not occurrences)
    enough = counts.counts.sum(axis=1) >= max(least, 1)
    known = counts._replace(words=counts.words[enough], counts=counts.counts[enough])
    words = select(known, features, method).words
    train, chosen, test = (one and expressed_in(one, words, presence=presence) for one in split[:3])
    if parts > 1:
        train = some(train, np.arange(part, train.size, parts))
    classes = " | ".join(split.train.vocabulary["class"].tolist())
    notes = {"classes": classes, "features_seen": int(enough.sum()), "features_selected": len(words)}
    notes |= {"profiles_without_a_feature": int((test.cutoff == 0).sum()), "coverage": float(test.cutoff.mean())}
    return Split(train, chosen, test, {**split.notes, **notes})
