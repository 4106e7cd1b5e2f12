"""Cuts a log into what a model learns from and what it is judged on."""

from __future__ import annotations

import numpy as np

from seqjax.data.events import DataError, EventLog, Split, at_least, expressed, in_time_order, keep, renumbered, take

DAY = 86_400  # seconds


def by_time(log: EventLog, days: float) -> Split:
    """Sequences that start in the last `days` before the log's last event are the test, earlier events the training.

    A sequence that runs across the cut keeps its events before the cut in training and loses the later ones. Test
    events of items that training never saw are removed, so that their neighbours become adjacent; sequences of fewer
    than two events are dropped. Raises DataError where the log has no times or one side is empty.
    """
    if "time" not in log.columns:
        raise DataError("the log has no times; cut it by share (by_sequence, tail) or by event (leave_one_out)")
    log = at_least(log, 1)
    time = log.columns["time"]
    cut = time.max() - days * DAY
    late = time[log.offsets[:-1]] >= cut
    early = keep(take(log, np.flatnonzero(~late)), time[np.repeat(~late, log.lengths)] < cut)
    split = judged_apart(early, take(log, np.flatnonzero(late)), f"the last {days:g} days")
    across = int(np.count_nonzero(time[np.repeat(~late, log.lengths)] >= cut))
    return split._replace(notes={**split.notes, "events_across_the_cut": across})


def by_sequence(log: EventLog, share: float, seed: int) -> Split:
    """A random `share` (0..1) of the sequences is the test, rounded to whole sequences; both keep the log's order.

    Items that training never saw are treated as in `by_time`. Raises DataError where one side is empty.
    """
    chosen = np.zeros(log.sequences, bool)
    count = round(share * log.sequences)
    chosen[np.random.default_rng(seed).permutation(log.sequences)[:count]] = True
    return judged_apart(take(log, np.flatnonzero(~chosen)), take(log, np.flatnonzero(chosen)), f"a share of {share:g}")


def judged_apart(train: EventLog, test: EventLog, part: str) -> Split:
    """The split of two logs: training's own vocabulary for both, without unseen items and sequences of one event."""
    whole = len(train.vocabulary["item"])
    one = int(np.count_nonzero(train.lengths == 1))
    train = renumbered(at_least(train, 2))
    if not train.events:
        raise DataError(f"nothing is left to train on when {part} is the test; choose a smaller test")
    seen = expressed(test, train.vocabulary["item"])
    short = at_least(in_time_order(seen), 2)
    if not short.events:
        raise DataError(f"nothing is left to judge on when {part} is the test; choose a larger test")
    notes = {
        "sessions_of_one": one,
        "items_unseen": whole - len(train.vocabulary["item"]),
        "test_events_unseen": test.events - seen.events,
        "test_sessions_short": test.sequences - short.sequences,
    }
    return Split(train, None, short, notes)


def tail(log: EventLog, share: float) -> tuple[EventLog, EventLog]:
    """The log without its last `share` (0..1) of sequences, and these: for training and for choosing.

    Sequences of a log come in time order. The vocabulary stays, so that a test log of the same vocabulary stays valid.

    >>> log = EventLog(np.array([0, 2, 4]), {"item": np.array([1, 2, 2, 1])}, {"item": np.array(["a", "b"])})
    >>> [part.sequences for part in tail(log, 0.5)]
    [1, 1]
    """
    count = round(share * log.sequences)
    if not 0 < count < log.sequences:
        raise DataError(
            f"a share of {share:g} of {log.sequences} sequences leaves one part empty; choose another share"
        )
    order = np.arange(log.sequences)
    return take(log, order[:-count]), take(log, order[-count:])


def set_aside(log: EventLog, *, test: int, validation: int = 0, seed: int = 0) -> Split:
    """So many randomly drawn sequences to judge by and to choose by, whatever their length; the others for training.

    All keep the log's order and vocabulary. Raises DataError where none would be left for training.
    """
    if not 0 < test + validation < log.sequences or test < 1 or validation < 0:
        raise DataError(
            f"test={test}, validation={validation} of {log.sequences} sequences: set aside fewer, one or more for test"
        )
    order = np.random.default_rng(seed).permutation(log.sequences)
    parts = np.split(order, [test, test + validation])
    judged, chosen, learned = (take(log, np.sort(part)) for part in parts)
    return Split(learned, chosen if validation else None, judged)


def leave_one_out(log: EventLog) -> Split:
    """The last event of every sequence is the test's target, the one before it validation's, the others training.

    Validation and test hold the history before their target as well: their column `judged` marks the target, the only
    event that counts. A sequence of fewer than three events is training as a whole. The vocabulary stays that of the
    whole log, as published results of this protocol have it; `unseen_targets` counts targets that training never saw.
    Raises DataError where no sequence has three events, or none two events to train on.
    """
    long = log.lengths >= 3
    if not long.any():
        raise DataError("no sequence has three events; leaving one out for validation and one for test needs three")
    place = np.arange(log.events) - np.repeat(log.offsets[:-1], log.lengths)
    left = np.repeat(log.lengths, log.lengths) - place  # 1 for the last event of a sequence
    judging = np.repeat(long, log.lengths)
    train = keep(log, ~judging | (left > 2))
    if train.lengths.max() < 2:
        raise DataError(
            "nothing is left to train on: no sequence has four events; use longer sequences or another split"
        )
    test = with_judged(take(log, np.flatnonzero(long)))
    validation = with_judged(take(keep(log, left > 1), np.flatnonzero(long)))
    unseen = np.flatnonzero(train.counts() == 0)
    notes = {
        "sessions_of_one": int(np.count_nonzero(train.lengths == 1)),
        "sessions_not_judged": int(np.count_nonzero(~long)),
        "unseen_targets": int(np.isin(test.columns["item"][test.columns["judged"]], unseen).sum()),
    }
    return Split(at_least(train, 2), validation, test, notes)


def with_judged(log: EventLog) -> EventLog:
    """The log with a column `judged` that marks the last event of every sequence."""
    judged = np.zeros(log.events, bool)
    judged[log.offsets[1:] - 1] = True
    return log._replace(columns={**log.columns, "judged": judged})
