"""A user's own logs as one split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from seqjax.data import split as splits
from seqjax.data import store
from seqjax.data.events import DataError, Split, bucketed
from seqjax.data.read import TimeUnit, read_log


def read_files(
    train: str | Path = "",
    test: str | Path = "",
    *,
    validation: str | Path = "",
    test_days: float = 1.0,
    validation_share: float = 0.0,
    session: str | None = "auto",
    item: str = "auto",
    time: str | None = "auto",
    user: str | None = "auto",
    time_unit: TimeUnit = "s",
) -> Split:
    """Logs from files or from the folders that `seqjax data prepare` wrote.

    train: a log, or a prepared folder that holds `train/` and `test/`. test: a log; without one, the last `test_days`
    of `train` are split off (a log without times: its last tenth). validation: a log, or the last `validation_share`
    of the training sequences where there is no other (none if that is less than half a sequence). The columns and the
    unit of time are those of `read`. Raises DataError for everything that cannot be used.
    """
    columns = {"session": session, "item": item, "time": time, "user": user, "time_unit": time_unit}
    if not str(train):
        raise DataError("no training log is given: --set data.train=FILE (and data.test=FILE)")
    prepared = Path(train) / "train"
    if prepared.is_dir():
        parts = {name: Path(train) / name for name in ("train", "validation", "test")}
        logs = {name: store.load(folder) for name, folder in parts.items() if folder.is_dir()}
        whole = Split(logs["train"], logs.get("validation"), logs["test"])
    else:
        whole = _read_apart(train, test, test_days, columns)
    if str(validation):
        return whole._replace(validation=read_log(validation, whole.train.vocabulary["item"], **columns)[0])
    if round(validation_share * whole.train.sequences) and whole.validation is None:
        kept, chosen = splits.tail(whole.train, validation_share)
        return whole._replace(train=kept, validation=chosen)
    return whole


def read_series(
    train: str | Path = "",
    *,
    seed: int = 0,
    test_share: float = 0.1,
    validation_share: float = 0.05,
    rare: int = 1,
    session: str | None = "auto",
    item: str = "auto",
    time: str | None = "if any",
    user: str | None = "auto",
    time_unit: TimeUnit = "s",
) -> Split:
    """A log of series of actions, of which shares drawn from `seed` are set aside to judge by and to choose by.

    Series of one action stay. Actions that occur fewer than `rare` times in the whole log become one, `RARE`. The
    columns and the unit of time are those of `read`; without a column of times the file's order counts. Raises
    DataError for everything that cannot be used.
    """
    if not str(train):
        raise DataError("no log is given: --set data.train=FILE")
    log, notes = read_log(train, least=1, session=session, item=item, time=time, user=user, time_unit=time_unit)
    log, replaced = bucketed(log, rare)
    test, validation = (round(share * log.sequences) for share in (test_share, validation_share))
    split = splits.set_aside(log, test=test, validation=validation, seed=seed)
    return split._replace(notes=notes | ({"rare_events": replaced} if rare > 1 else {}))


def _read_apart(train: str | Path, test: str | Path, test_days: float, columns: Mapping[str, str | None]) -> Split:
    """The training and the test log of files, without validation."""
    learned, notes = read_log(train, **columns)
    if str(test):
        judged, dropped = read_log(test, learned.vocabulary["item"], **columns)
        notes |= {f"test_{name}": count for name, count in dropped.items()}
        return Split(learned, None, judged, notes)
    if "time" in learned.columns:
        whole = splits.by_time(learned, test_days)
    else:
        whole = splits.judged_apart(*splits.tail(learned, 0.1), "the last tenth of the sequences")
    return whole._replace(notes=notes | dict(whole.notes))
