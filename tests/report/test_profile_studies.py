"""Pages of studies of profiles."""

import html
import re
import tempfile
from pathlib import Path

import numpy as np

from seqjax.evaluate.profile import ProfileCases
from seqjax.report.finished import Finished
from seqjax.report.profile_studies import band_html, ensemble_sections, grid_sections, selection_sections


def run(accuracy, score=None, label=None, **manifest):
    notes = {"bayes_accuracy": 0.9, "features_selected": 7}
    held = {"data": {"notes": notes, "train": {"sequences": 1234}}, **manifest}
    numbers = {"accuracy": accuracy, "coverage": 2.5, "tree/accuracy": 0.25, "minus/tree/accuracy": 0.5}
    folder = Path(tempfile.mkdtemp())
    if score is not None:
        cases = ProfileCases(np.array(score), np.array(label), np.arange(len(score)))
        np.savez(folder / "cases.npz", kind=np.array("seqjax.evaluate.profile.ProfileCases"), **cases._asdict())
    return Finished(folder, held, numbers)


def rows(page):
    """First cells and numbers of every table row."""
    found = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', page)
    return {
        html.unescape(name): [re.sub(r"<[^>]+>", " ", one).strip() for one in re.findall(r"<td>(.*?)</td>", cells)]
        for name, cells in found
    }


def test_selection_compares_ways_at_every_size():
    results = {
        "exact_10": {0: run(0.8), 1: run(0.9)},
        "frequency_10": {0: run(0.7), 1: run(0.7)},
        "exact_20": {0: run(0.9), 1: run(0.9)},
        "frequency_20": {0: run(0.8), 1: run(0.6)},
    }
    means, gains, known, _ = selection_sections(results)
    assert rows(means)["exact"][0].startswith(".850") and rows(means)["frequency"][1].startswith(".700")
    assert list(rows(gains)) == ["frequency"] and rows(gains)["frequency"][0].startswith("+.150")
    assert "10 features" in means and "Bayes' rule on all words: .900" in means
    assert rows(known)["exact"][0].startswith("2.5")


def test_the_floored_formula_picks_a_band_of_frequencies():
    held = {name: [int(one.replace(",", "")) for one in cells] for name, cells in rows(band_html()).items()}
    low, _, high = held["the article's formula, on occurrences"]
    assert high < held["frequency"][2]  # the most common words are too common for it
    assert held["exact mutual information, on profiles"][0] < low / 4  # and it leaves out rare ones, whatever they tell


def test_a_row_of_the_grid():
    settings = {"stop": {"epochs": 9, "target": 0.05}}
    model = {"hidden": [50], "outputs": 1}
    held = [run(0.7, model=model, settings=settings, timing={"epochs": count}) for count in (4, 9)]
    (page,) = grid_sections({"words_x": dict(enumerate(held))}, published={"words_x": 0.78})
    cells = rows(page)["words"]
    assert cells[:6] == ["7", "50", "1", "2", ".050", "1,234"]
    assert cells[6].startswith("6") and "1 at the limit" in cells[6]
    assert cells[7].startswith(".700") and cells[8:] == [".900", ".78"]


def test_networks_decide_together():
    label = [True, True, False, False]
    right, wrong = [3.0, 3.0, -3.0, -3.0], [-0.9, -0.9, 0.9, 0.9]
    single = {"one": right, "linear": wrong, "flipped": wrong, "of2_0": right, "of2_1": wrong}
    four = {f"of{count}_{place}": wrong if place else right for count in (4, 8) for place in range(count)}
    results = {name: {0: run(1.0, score, label)} for name, score in {**single, **four}.items()}
    (page,) = ensemble_sections(results)
    held = rows(page)
    assert held["one network on all profiles"] == ["1.000", ""]
    assert held["two, the stronger response decides"][0] == held["the same two, averaged"][0] == "1.000"
    assert held["2 networks, mean probability"][0] == held["2 networks, mean log-odds"][0] == "1.000"
    assert held["4 networks, mean probability"][0] == ".000"  # one of four is right, though surer
    assert held["4 networks, mean log-odds"][0] == "1.000"  # in log-odds it outweighs the other three
    assert held["8 networks, mean log-odds"][0] == ".000"  # but not seven
    assert held["tree"] == [".250", "\u2212.750"]
