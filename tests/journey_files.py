"""Small parquet files in the format of The Complete Journey."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seqjax.data.split import DAY


def written(folder, lines, products):
    """lines: (household, basket, product, day, quantity, value); products: (type, category, department) by number."""
    names = ("household_id", "basket_id", "product_id", "transaction_timestamp", "quantity", "sales_value")
    columns = dict(zip(names, map(list, zip(*lines, strict=True)), strict=True))
    seconds = np.round(np.array(columns["transaction_timestamp"]) * DAY).astype(np.int64)
    columns["transaction_timestamp"] = np.datetime64("2017-01-01T10", "s") + seconds
    pq.write_table(pa.table(columns), folder / "transactions.parquet")
    names = ("product_type", "product_category", "department")
    columns = dict(zip(names, map(list, zip(*products, strict=True)), strict=True))
    pq.write_table(pa.table({"product_id": list(range(len(products))), **columns}), folder / "products.parquet")
    return folder


def bought(folder, baskets):
    """baskets: (household, day, types), every type its own category, one piece of each for a dollar."""
    types = sorted({kind for *_, kinds in baskets for kind in kinds})
    lines = [
        (user, number, types.index(kind), day, 1, 1.0)
        for number, (user, day, kinds) in enumerate(baskets)
        for kind in kinds
    ]
    return written(folder, lines, [(kind, kind, "FOOD") for kind in types])
