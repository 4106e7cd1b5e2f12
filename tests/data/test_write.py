"""Tables written for people come back as they were, by the ending of their name."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from seqjax.data.events import DataError
from seqjax.data.write import write_rows

COLUMNS = {
    "session": np.array(["007", 'a "b"', "x,y\tz"]),
    "rank": np.array([1, 2, 3]),
    "score": np.float32([0.5, -1, 3]),
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_round_trip(tmp_path, ending):
    file = tmp_path / f"rows{ending}"
    write_rows(file, COLUMNS)
    if ending == ".parquet":
        table = parquet.read_table(file)
    else:
        options = csv.ConvertOptions(column_types={"session": pa.string()})
        table = csv.read_csv(
            file, parse_options=csv.ParseOptions(delimiter=",\t"[ending == ".tsv"]), convert_options=options
        )
    assert table.to_pydict() == {name: column.tolist() for name, column in COLUMNS.items()}
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_unknown_ending(tmp_path):
    with pytest.raises(DataError, match=r"rows.xlsx: ending '.xlsx'; use .csv, .tsv or .parquet"):
        write_rows(tmp_path / "rows.xlsx", COLUMNS)
    assert not list(tmp_path.iterdir())
