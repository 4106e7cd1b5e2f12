"""Who buys in a category next, of the households of The Complete Journey (see `complete_journey` for the data)."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import ibis
import numpy as np
import pyarrow as pa
from jaxtyping import Int

from seqjax.data.build import codes
from seqjax.data.day_image import dated
from seqjax.data.events import DataError, EventLog, Split
from seqjax.data.kindred import with_kindred
from seqjax.data.purchases import (
    BALANCED,
    REST,
    Question,
    article,
    balanced,
    ids_of,
    purchase_samples,
    refuse,
    related,
    repeat,
    seen_before,
    split_users,
)
from seqjax.data.recency import DERIVED, as_of, derived
from seqjax.data.samples import Samples
from seqjax.data.sources.complete_journey import check_files, wheel_folder
from seqjax.data.split import DAY

DEFAULT = ("CIGARETTES", "CAT FOOD", "BABY FOODS", "CANDY - PACKAGED", "DOMESTIC WINE")
SPENT = np.array(["under 1", "1-2", "2-4", "4-8", "8-16", "16+"])
"""Dollars, the lower bound included, as the words of the column `spent`."""
PARTS = ("train", "validation", "test")
STEP = 30 * DAY
"""Seconds between the moments of training."""


def lines(folder: Path) -> tuple[pa.Table, dict[str, int]]:
    """One row per household, second and category: quantity, money and department; and what was left out, counted.

    Left out are returned goods (no positive quantity), and of the others the lines whose product has no category.
    """
    check_files(folder, "transactions.parquet", "products.parquet")
    connection = ibis.duckdb.connect()
    bought = connection.read_parquet(str(folder / "transactions.parquet"))
    products = connection.read_parquet(str(folder / "products.parquet"))
    products = products.select("product_id", "product_category", "department")
    every = bought.left_join(products, "product_id")
    returned, nameless = every.quantity <= 0, every.product_category.isnull()
    counts = every.aggregate(returned_lines=returned.sum(), lines_without_category=(nameless & ~returned).sum())
    notes = {name: int(value) for name, value in counts.to_pyarrow().to_pylist()[0].items()}
    every = every.filter(~returned & ~nameless)
    keys = {
        "user": every.household_id.cast("string"),
        "time": every.transaction_timestamp.epoch_seconds().cast("int64"),
    }
    table = every.group_by(**keys, item=every.product_category).agg(
        quantity=every.quantity.sum(), value=every.sales_value.sum(), department=every.department.min()
    )
    return table.order_by("user", "time", "item").to_pyarrow(), notes


def purchase_log(table: pa.Table, seed: int = 0) -> tuple[EventLog, dict[str, np.ndarray]]:
    """Every household's purchases by time, and the department of every category; the order in a basket is drawn.

    Id columns: `item`, the category; `gap`, days since the household last bought it; `times`, how often before; `wait`,
    days since the purchase before; `spent`, dollars. Numbers: `time`, `quantity`, `value`. The department of a category
    is that of most of its purchases.
    """
    code, words = codes(table["item"])
    owner, users = codes(table["user"])
    time = table["time"].to_numpy()
    order = np.lexsort((np.random.default_rng(seed).random(len(code)), time, owner))
    rank = np.argsort(np.argsort(words))
    item, owner, time = (rank[code[order]] + 1).astype(np.int32), owner[order], time[order]
    value = table["value"].to_numpy().astype(np.float32)[order]
    offsets = np.searchsorted(owner, np.arange(len(users) + 1))
    log = EventLog(offsets, {"item": item, "time": time}, {"item": np.sort(words)}, {"user": users})
    columns = derived(log) | {
        "spent": (1 + np.searchsorted([1, 2, 4, 8, 16], value, side="right")).astype(np.int32),
        "quantity": table["quantity"].to_numpy().astype(np.float32)[order],
        "value": value,
    }
    vocabulary = log.vocabulary | DERIVED | {"spent": SPENT}
    level, vocabulary["department"] = codes(table["department"])
    levels = len(vocabulary["department"])
    often = np.bincount(item * levels + level[order], minlength=(len(words) + 1) * levels).reshape(-1, levels)
    department = np.append(0, 1 + often[1:].argmax(axis=1)).astype(np.int32)
    return log._replace(columns=log.columns | columns, vocabulary=vocabulary), {"department": department}


class Asked(NamedTuple):
    """What users are asked about one category."""

    item: int
    parts: tuple[int, ...]  # whose users: numbers of `PARTS`
    question: Question
    hidden: Int[np.ndarray, "item"] | None = None  # categories that nobody may see


def purchases(
    folder: str | Path | None = None,
    *,
    seed: int = 0,
    categories: Sequence[str] = DEFAULT[:1],
    largest: int = 0,
    protocol: str = "repeat",
    moment: str = "2017-10-02",
    horizon: float = 91.0,
    later: float = 60.0,
    moments: int = 1,
    balance: str = "uniform",
    lift: float = 2.0,
    natural: bool = False,
    told: Sequence[str] = (),
    test_share: float = 0.3,
    validation_share: float = 0.1,
) -> Split:
    """Who buys in each of the categories after the moment: samples, users split by `seed`.

    categories: by name, after the `largest`, the so many that most households bought. protocol: "repeat" or "article"
    (see `data.purchases`; there the window is the log, and moments and horizons do not matter). balance: all parts are
    1:1 in every category at every moment, "uniform"; by "activity", within tenths of numbers of visible events; or
    "hard", against users who bought a category of at least this `lift`. Beside the 1:1 set (kind 0) validation and
    test, and with `natural` training, hold all others (kind 1). moments: training asks at so many, 30 days apart, back.
    The test also asks the same users `later` days (0: never) after, with the horizon that is left, at most `horizon`.
    told: what a target says of the household and the category, as of the moment: "gap", days since it was last bought,
    "times", how often, "lately", how often in the last 56 days, "wait", days since the last purchase of anything,
    "kindred", how often other categories that tell of it (`data.kindred`), "day", the moment's, and every event's, own
    (`day_image.dated`). Raises DataError for an unknown category, protocol, balance or feature, a moment that is no
    date, moments and horizons outside the log, an empty part, a category that all, none or too few to balance buy.
    """
    if unknown := set(told) - DERIVED.keys() - {"kindred", "day"}:
        raise DataError(f"told={min(unknown)!r}: there are {', '.join(DERIVED)}, kindred, day")
    table, notes = lines(Path(folder) if folder else wheel_folder())
    log, side = purchase_log(table, seed)
    random = np.random.default_rng((seed, 1))
    wanted = asked_about(log, categories, largest)
    part = split_users(log.sequences, test_share, validation_share, random)
    if protocol == "repeat":
        asked = repeats(log, wanted, second_of(moment), horizon, later, moments)
    elif protocol == "article":
        asked = articles(log, wanted, lift, random)
    else:
        raise DataError(f"protocol={protocol!r}: there are repeat, article")
    pieces = [piece for one in asked for piece in in_parts(log, one, part, balance, lift, random)]
    chosen = ([one for one in pieces if one[0] == number] for number in range(3))
    parts = (_joined(log, side, some, name, natural, told) for some, name in zip(chosen, PARTS, strict=True))
    notes |= {"protocol": protocol, "order_seed": seed, "categories": len(wanted)}
    return Split(*(with_kindred(*parts) if "kindred" in told else parts), notes)


def asked_about(log: EventLog, categories: Sequence[str], largest: int) -> Int[np.ndarray, "item"]:
    """Ids of the `largest` categories, and of those named that are not among them."""
    most = most_bought(log, largest)
    named = ids_of(log, categories) if categories or not largest else most
    return np.append(most, named[~np.isin(named, most)])


def second_of(moment: str) -> int:
    """The second of a date, or of a date and a time, by the log's own clock; raises DataError for another text."""
    try:
        return int(datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC).timestamp())
    except ValueError as error:
        raise DataError(f"moment={moment!r} is no date: write it as 2017-10-02") from error


def repeats(
    log: EventLog, wanted: Int[np.ndarray, "item"], moment: int, horizon: float, later: float, moments: int
) -> Iterator[Asked]:
    """Everybody's answers by `repeat`: at the moment, before it for training and later for the test.

    Only users are asked who bought anything before the moment. Raises DataError for settings out of range.
    """
    if moments < 1 or later < 0:
        raise DataError(f"moments={moments}, later={later}: ask at 1 moment or more, and later by 0 days or more")
    after = moment + int(later * DAY)
    left = (int(log.columns["time"].max()) + 1 - after) / DAY
    dates = [(moment, horizon, (0, 1, 2))] + [(moment - STEP * step, horizon, (0,)) for step in range(1, moments)]
    dates += [(after, min(horizon, left), (2,))] if later else []
    known = seen_before(log, np.arange(log.sequences), np.full(log.sequences, moment)) > 0
    for time, days, parts in dates:
        for item in wanted:
            question = repeat(log, item[None], time, days)
            yield Asked(int(item), parts, question.take(known[question.sequence]))


def articles(
    log: EventLog, wanted: Int[np.ndarray, "item"], lift: float, random: np.random.Generator
) -> Iterator[Asked]:
    """Everybody's answers by `article`, over the whole log, with categories of at least this lift as the related."""
    begin = int(log.columns["time"].min())
    days = (int(log.columns["time"].max()) + 1 - begin) / DAY
    for item in wanted:
        near = related(log, item[None], least=lift)
        question = article(log, item[None], near, begin, random, days=days)
        yield Asked(int(item), (0, 1, 2), question, hidden=np.append(near, item))


def in_parts(
    log: EventLog,
    asked: Asked,
    part: Int[np.ndarray, "sequence"],
    balance: str,
    lift: float,
    random: np.random.Generator,
) -> Iterator[tuple[int, Asked, Int[np.ndarray, "sample"]]]:
    """The number of each part, what its users are asked, and their kinds; see `purchases` for the errors."""
    signs = np.array([asked.item]) if asked.hidden is None else asked.hidden
    near = related(log, signs, least=lift) if balance == "hard" else None
    for number in asked.parts:
        question = asked.question.take(part[asked.question.sequence] == number)
        try:
            marked = balanced(log, question, balance, random, near)
        except DataError as error:
            raise DataError(f"{PARTS[number]}, {log.vocabulary['item'][asked.item - 1]}: {error}") from error
        yield number, asked._replace(question=question), np.where(marked, BALANCED, REST).astype(np.int8)


def _joined(log: EventLog, side: dict, pieces: list, name: str, natural: bool, told: Sequence[str]) -> Samples:
    """The samples of one part, after a look at what must be hidden from each."""
    _, asked, kinds = zip(*pieces, strict=True)
    question = Question(*map(np.concatenate, zip(*(one.question for one in asked), strict=True)))
    item = np.repeat(np.array([one.item for one in asked], np.int32), [len(kind) for kind in kinds])
    samples = purchase_samples(log, question, item, kind=np.concatenate(kinds), side=side, name=name)
    for one in (one for one in asked if one.hidden is not None):
        refuse(samples.take(np.flatnonzero(item == one.item)), one.hidden, name)
    samples = samples if natural or name != "train" else samples.take(np.flatnonzero(samples.kind == BALANCED))
    known = as_of(samples) if told else {}
    samples = samples._replace(target={**samples.target, **{name: known[name] for name in told if name in known}})
    return dated(samples) if "day" in told else samples


def most_bought(log: EventLog, count: int) -> Int[np.ndarray, "item"]:
    """The categories that most households bought, most first."""
    rows = len(log.vocabulary["item"]) + 1
    users = np.bincount(np.unique(log.sequence.astype(np.int64) * rows + log.columns["item"]) % rows, minlength=rows)
    if not 0 <= count < rows:
        raise DataError(f"largest={count}: there are {rows - 1} categories")
    return np.argsort(-users, kind="stable")[:count].astype(np.int32)
