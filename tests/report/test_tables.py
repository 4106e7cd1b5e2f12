import io

from rich.console import Console

from seqjax.report.tables import comparison_rows, comparison_table

METRICS = {
    "recall@20": 0.2234, "recall@20/low": 0.2194, "recall@20/high": 0.2274, "mrr@20": 0.1, "ndcg@20": 0.134,
    "popularity/recall@20": 0.07, "popularity/mrr@20": 0.03,
    "co_occurrence/recall@20": 0.2071, "co_occurrence/recall@20/low": 0.2031, "co_occurrence/recall@20/high": 0.2111,
    "[red]/recall@20": 0.3,
    "minus/co_occurrence/recall@20": 0.0163, "minus/co_occurrence/recall@20/low": 0.0132,
    "minus/co_occurrence/recall@20/high": 0.0194, "minus/[red]/recall@20": -0.0766,
    "by_position/3/recall@20": 0.9, "by_popularity/tail/recall@20": 0.9, "targets": 100.0,
}  # fmt: skip


def lines(table, width=110):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.strip() for line in console.file.getvalue().splitlines() if line.strip()]


def test_comparison_table_orders_peers_by_recall_and_marks_those_that_see_more():
    head, _, model, first, second, more, *notes = lines(comparison_table(METRICS, "GRU4Rec", ["[red]"]))
    assert head.split("  ")[0] == "recall@20" and head.endswith("model minus baseline")
    assert model.split() == ["GRU4Rec", ".223", "[.219,", ".227]", ".100", ".134"]
    assert first.split() == ["co-occurrence", ".207", "[.203,", ".211]", "+.016", "[.013,", ".019]"]
    assert second.split() == ["popularity", ".070", ".030"]
    assert more.split() == ["[red]", "\u2020", ".300", "\u2212.077"]
    assert notes == ["[95 % bootstrap interval over sequences]", "\u2020 sees more than the model does: no peer"]


def test_a_narrow_terminal_breaks_only_before_intervals():
    text = lines(comparison_table(METRICS, "GRU4Rec", ["[red]"]), width=76)
    assert any("[.203, .211]" in line and "[.013, .019]" in line for line in text)
    assert max(map(len, text)) <= 76


def test_without_baselines_there_is_no_difference():
    rows = lines(comparison_table({"recall@5": 0.5}, "GRU4Rec"))
    assert rows[0].split() == ["recall@5", "MRR@5", "NDCG@5"] and rows[2].split() == ["GRU4Rec", ".500"]


def test_break_downs_are_no_baselines():
    assert {row.baseline for row in comparison_rows(METRICS, "m", [], ["recall@20"])} == {
        None, "popularity", "co_occurrence", "[red]",
    }  # fmt: skip
