"""Households of the Complete Journey: whether they have children, from the products that they buy.

Provenance, licence and citation: `sources.complete_journey`. The household's attributes are those of its
`demographics.parquet`, which names 801 of the 2,469 households; attributes are bands that the publisher states, not
what anybody was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import ibis
import numpy as np

from seqjax.data.events import EventLog, Split
from seqjax.data.profiles import labelled, profiled, selected
from seqjax.data.sources.complete_journey import check_files, wheel_folder

Level = Literal["product_id", "product_type", "product_category"]


def households(
    folder: str | Path | None = None,
    *,
    attribute: str = "kids_count",
    negative: tuple[str, ...] = ("0",),
    classes: tuple[str, str] = ("no children", "children"),
    level: Level = "product_type",
    seed: int = 0,
    split: Callable[..., Split] = selected,
) -> Split:
    """Households as profiles of the products that they bought, by whether an attribute is one of the `negative` words.

    `level` says what counts as a product. `split` selects features and divides, by `seed`. Households whose attribute
    is not known are left out and counted. Without a folder the installed package is read. Raises DataError where a file
    is missing, and where all households are of one class.
    """
    folder = Path(folder) if folder else wheel_folder()
    check_files(folder, "transactions.parquet", "products.parquet", "demographics.parquet")
    connection = ibis.duckdb.connect()
    bought, products, people = (
        connection.read_parquet(str(folder / f"{name}.parquet"))
        for name in ("transactions", "products", "demographics")
    )
    people = people.filter(people[attribute].notnull())
    told = people.select("household_id", said=people[attribute].cast("string"))
    lines = bought.join(
        products.select("product_id", **({} if level == "product_id" else {level: level})), "product_id"
    )
    lines = lines.join(told, "household_id").select("household_id", "said", item=lines[level].cast("string"))
    table = lines.filter(lines.item.notnull()).distinct().order_by("household_id", "item").to_pyarrow()
    owner, item = table["household_id"].to_numpy(), np.array(table["item"].to_pylist(), np.str_)
    heads = np.flatnonzero(np.append(True, np.diff(owner) != 0))
    words, place = np.unique(item, return_inverse=True)
    keys = {"user": owner[heads].astype(np.str_)}
    log = EventLog(np.append(heads, len(owner)), {"item": (place + 1).astype(np.int32)}, {"item": words}, keys)
    said = np.array(table["said"].to_pylist(), np.str_)[heads]
    label = labelled([classes[word not in negative] for word in said.tolist()], classes, str(folder))
    made = split(profiled(log, label, classes), seed=seed)
    unknown = bought.household_id.nunique().to_pyarrow().as_py() - log.sequences
    return made._replace(notes={**made.notes, "households_of_unknown_class": unknown})
