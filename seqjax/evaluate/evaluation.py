"""What evaluating a model gives, whatever the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable


@runtime_checkable
class Cases(Protocol):
    """Results case by case, in arrays: what two runs on the same data are compared by. A NamedTuple of arrays."""

    def _asdict(self) -> dict[str, Any]:
        """The arrays by name."""
        ...

    def minus(self, other: Any, names: Sequence[str]) -> dict[str, float]:
        """The named metrics less the other run's, with `name/low` and `name/high` of a 95 % interval, paired by case.

        Raises ValueError where the two judge different cases. A metric that cases do not tell is left out.
        """
        ...


class Evaluation(NamedTuple):
    """Numbers by flat name (intervals as `name/low`, `name/high`), cases, and what figures are drawn from."""

    numbers: dict[str, float]
    cases: Cases | None = None
    tables: Mapping[str, Mapping[str, list]] = {}
