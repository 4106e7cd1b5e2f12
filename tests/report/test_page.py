import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from seqjax.report.next_item import next_item_sections
from seqjax.report.page import write_page

MANIFEST = {
    "experiment": "gru4rec_<shop>",
    "run": "ab12cd34",
    "seed": 7,
    "settings": {
        "function": "seqjax.experiment.Experiment",
        "model": {"function": "seqjax.models.gru4rec.GRU4Rec", "features": 100},
        "baselines": [{"function": "popularity"}, {"function": "co_occurrence", "window": 3}],
        "stop": {"epochs": 2, "patience": None},
    },
    "data": {
        "checksum": "9f86d081",
        "train": {"sequences": 132451, "events": 1240467, "items": 12034},
        "test": {"sequences": 9187, "events": 67400},
        "notes": {"sessions_of_one": 12345, "<script>alert(1)</script>": "a & b"},
    },
    "sees_more": ["user_frequency"],
    "versions": {"seqjax": "0.1.0", "jax": "0.10.2"},
    "device": "2 x cpu",
    "git": None,
    "parameters": 224200,
    "command": "seqjax run experiments/shop.py --set name='<x>'",
    "timing": {"train_seconds": 2.5, "epochs": 2, "best_epoch": 2},
    "start": {"run": "00ff00ff", "new_items": 1234},
}


def metrics():
    numbers = {"targets": 58213.0, "sequences": 9187.0}
    for rank, name in enumerate(("", "popularity/", "co_occurrence/", "user_frequency/")):
        for column, measure in enumerate(("recall", "mrr", "ndcg")):
            for cutoff in (1, 5, 20):
                value = (0.2234 - 0.0311 * rank) * cutoff / 20 / (column + 1)
                key = f"{name}{measure}@{cutoff}"
                numbers |= {key: value, f"{key}/low": value - 0.0042, f"{key}/high": value + 0.0042}
    for rank, name in enumerate(("popularity", "co_occurrence", "user_frequency")):
        value, key = 0.0311 * (rank + 1), f"minus/{name}/recall@20"
        numbers |= {key: value, f"{key}/low": value - 0.0021, f"{key}/high": value + 0.0021}
    for position in ("2", "3", "10+"):
        numbers |= {f"by_position/{position}/recall@20": 0.21, f"by_position/{position}/targets": 7000.0}
    for group in ("head", "middle", "tail"):
        numbers |= {f"by_popularity/{group}/recall@20": 0.11, f"by_popularity/{group}/targets": 500.0}
    return numbers


def journal(epochs=2, validation=True):
    for epoch in range(epochs):
        for part in (1, 2):
            step = 400 * epoch + 200 * part
            yield {"kind": "train", "step": step, "epoch": epoch, "loss": 6.0, "events": 10000.0, "seconds": step / 400}
        line = {"kind": "epoch", "step": 400 * (epoch + 1), "epoch": epoch + 1, "loss": 6.0}
        yield line | ({"validation/recall@20": 0.21 + epoch / 100} if validation else {})


def page(folder, manifest=MANIFEST, numbers=None, lines=None):
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if numbers is not None:
        (folder / "metrics.json").write_text(json.dumps(numbers))
    if lines is not None:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = write_page(folder, next_item_sections)
    assert path == folder / "report.html"
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return page(tmp_path_factory.mktemp("run") / "full", numbers=metrics(), lines=journal())


def words(text):
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))


def titles(text):
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_the_answer_compares_with_the_strongest_peer(full):
    found = re.search(r'<p class="answer">(.*?)</p>', full)[1]
    assert (
        re.sub("<.*?>", "", found)
        == "GRU4Rec reaches recall@20 .223 [.219, .228], popularity .192: +.031 [.029, .033]."
    )


def test_a_difference_that_may_be_chance_is_called_so(tmp_path):
    numbers = metrics() | {"minus/popularity/recall@20/low": -0.001}
    assert "+.031 [\u2212.0010, .033] , which may be chance." in words(page(tmp_path, numbers=numbers))


def test_comparison_has_every_number_with_its_interval(full):
    text, numbers = words(full), metrics()
    for name in ("", "popularity/", "co_occurrence/", "user_frequency/"):
        for measure in ("recall", "mrr", "ndcg"):
            ends = [f"{numbers[f'{name}{measure}@20{end}']:.3f}".removeprefix("0") for end in ("", "/low", "/high")]
            assert "{} [{}, {}]".format(*ends) in text
    assert "co-occurrence .161 [.157, .165]" in text and "+.062 [.060, .064]" in text
    assert "user-frequency \u2020" in text and "\u2020 sees more than the model does" in text


def test_every_number_of_metrics_json_is_on_the_page(full):
    text = words(full)
    for name, value in metrics().items():
        assert name.removesuffix("/low").removesuffix("/high") in text
        assert (f"{value:,.0f}" if value > 1 else f"{value:.5f}") in text


def test_data_settings_and_origin(full):
    text = words(full)
    for fact in (
        "train 132,451 1,240,467 12,034", "sessions of one 12,345", "model seqjax.models.gru4rec.GRU4Rec",
        "model.features 100", "baselines popularity, co_occurrence(window=3)", "stop.patience None",
        "git revision not recorded", "seqjax 0.1.0, jax 0.10.2", "224,200 parameters", "58,213 targets", "seed 7",
        "best epoch 2", "steps 800", "seconds 2", "events per second 20,000", "starts from new_items 1,234",
        "seqjax run experiments/shop.py --set name='<x>'",
    ):  # fmt: skip
        assert fact in text


def test_text_from_data_is_escaped(full):
    assert "<script" not in full and "&lt;script&gt;alert(1)" in full
    assert "gru4rec &lt;shop&gt;" in full and "<shop>" not in full and "a &amp; b" in full


def test_the_page_loads_nothing(full):
    assert not re.search(r"https?:|//|@import|<link|<img|<iframe| src=", full)
    assert not re.search(r"url\((?!#)", full) and all(link[0] == "#" for link in re.findall(r'href="([^"]*)"', full))


def test_the_page_is_well_formed_and_its_ids_are_unique(full):
    class Tags(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.ids = [], []

        def handle_starttag(self, tag, attributes):
            self.ids += [value for name, value in attributes if name == "id"]
            if tag not in ("meta", "br"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    tags = Tags()
    tags.feed(full)
    assert tags.open == [] and len(set(tags.ids)) == len(tags.ids)


def test_sections_come_and_go_with_what_was_recorded(tmp_path, full):
    assert titles(full) == [
        "Comparison", "Recall by length of the list", "Recall by position and popularity", "Training", "Data",
        "Settings", "Reproduce", "All numbers",
    ]  # fmt: skip
    assert full.count("<svg") == 4
    small = page(tmp_path / "small", {"experiment": "cycle"}, {"recall@5": 0.98}, journal(1, validation=False))
    assert titles(small) == ["Comparison", "Training", "Reproduce", "All numbers"]
    assert "cycle reaches recall@5 .980." in small
    bare = page(tmp_path / "bare", {"experiment": "cycle"})
    assert titles(bare) == ["Reproduce"] and "has no recall@20 yet" in bare


def test_a_long_run_is_drawn_as_means(tmp_path):
    lines = [{"kind": "train", "step": step, "epoch": 0, "loss": 5.0, "events": 1} for step in range(1, 1501)]
    assert "3 chunks" in page(tmp_path, {"experiment": "long"}, lines=lines)


def test_errors_name_the_file_and_the_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        write_page(tmp_path)
    page(tmp_path, lines=journal())
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "tr')
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 7 is not JSON"):
        write_page(tmp_path)


def test_importing_the_report_brings_nothing_heavy():
    heavy = "jax", "flax", "matplotlib", "scipy", "ibis"
    code = f"import seqjax.report.page, sys; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
