"""`seqjax recommend`: the best next items of every session of a log."""

from __future__ import annotations

import argparse

import numpy as np
from jaxtyping import Int

from seqjax.commands.console import columns, print_facts
from seqjax.data.events import EventLog, padded
from seqjax.data.read import read_log
from seqjax.data.vocabulary import lookup
from seqjax.data.write import check_ending, write_rows
from seqjax.experiment import SettingError
from seqjax.recommender import recommend_many
from seqjax.run import load

BLOCK = 4096  # sessions recommended to in one device call


def recommend(options: argparse.Namespace) -> None:
    """Writes the best next items for every session of a log."""
    check_ending(options.out)
    run = load(options.run)
    words = run.vocabulary["item"]
    log, notes = read_log(options.data, words, least=1, **columns(options))
    lines = options.exclude.read_text().splitlines() if options.exclude else []
    banned = lookup(words, np.array([line.strip() for line in lines if line.strip()], np.str_))
    try:
        chosen, scores = recommended(run, log, options.k, options.exclude_seen, np.setdiff1d(banned, [0]))
    except ValueError as error:
        raise SettingError(f"--{error}") from None
    keys = {name: np.repeat(key, options.k) for name, key in log.keys.items()}
    keys = keys or {"sequence": np.repeat(np.arange(1, log.sequences + 1), options.k)}
    rank = np.tile(np.arange(1, options.k + 1), log.sequences)
    write_rows(options.out, {**keys, "rank": rank, "item": words[chosen.ravel() - 1], "score": scores.ravel()})
    without = {"sessions_without_known_items": notes["sessions_read"] - log.sequences}
    facts = {**notes, **without, "unknown_items_to_exclude": int((banned == 0).sum())}
    print_facts(f"{options.out}: {options.k} items a session", facts)


def recommended(run, log: EventLog, k: int, exclude_seen: bool, exclude: Int[np.ndarray, "item"]):
    """Items and scores, [sequence, k], in blocks of sequences of like length."""
    items = np.zeros((log.sequences, k), np.int32)
    scores = np.zeros((log.sequences, k), np.float32)
    by_length = np.argsort(log.lengths, kind="stable")
    for begin in range(0, log.sequences, BLOCK):
        block = by_length[begin : begin + BLOCK]
        sessions, valid = padded(log, block)
        items[block], scores[block] = recommend_many(
            run.model, run.params, sessions, valid, k, exclude_seen=exclude_seen, exclude=exclude
        )
    return items, scores
