"""Classes of profiles on a page: features, groups, shares and the network, and no part of what was not judged."""

import json
import re
from functools import partial

import numpy as np
import pytest
from profile_sets import profiles_of, random_params, random_profiles

from seqjax.data.layers import Layers, strongest
from seqjax.evaluate.profile import profile
from seqjax.models.profile_net import ProfileNet
from seqjax.report import profile as module
from seqjax.report.page import Page, write_page
from seqjax.report.plots import number
from seqjax.report.profile import SHOWN, classes_of, drawn_from, profile_sections
from seqjax.report.tables import comparison_rows

TITLES = (
    "What tells the classes apart",
    "On whom it errs",
    "Deciding only when sure",
    "The share of an audience",
    "Do the probabilities mean what they say?",
    "The network",
    "One decision",
)
NOTES = {"data": {"notes": {"classes": "men | <women>"}}}


def page_of(metrics, tables, manifest=NOTES):
    return Page(manifest, metrics, [], tables, ("accuracy",), comparison_rows(metrics, "net", [], ["accuracy"]))


def features(words, scores):
    count = np.arange(20, 20 + len(words))
    share = np.linspace(0.9, 0.1, len(words))
    columns = {"words": words, "score": scores, "probability": share.tolist(), "count": count.tolist()}
    return columns | {"low": (share - 0.05).tolist(), "high": (share + 0.05).tolist()}


def whole():
    """A page of everything that a run may leave, its words as bad as words can be."""
    metrics = {"accuracy": 0.75, "ece": 0.02, "ece_floor": 0.01}
    for name, level in (("by_class/men", 0.8), ("by_class/<women>", 0.7), ("by_age/18/24", 0.65)):
        metrics |= {
            f"{name}/accuracy": level,
            f"{name}/accuracy/low": level - 0.1,
            f"{name}/accuracy/high": level + 0.1,
        }
    metrics |= {"share/true": 0.25}
    for name, share in (("counted", 0.31), ("adjusted", 0.26), ("calibrated", 0.24)):
        metrics |= {f"share/{name}": share, f"share/{name}/low": share - 0.04, f"share/{name}/high": share + 0.04}
    layers = Layers(
        (np.array([[1.0, -2.0], [0.9, 0.1], [3.0, -0.9]]), np.array([[2.0], [-4.0]])),
        (np.array([0.1, 0.2]), np.array([0.3])),
    )
    tables = {
        "features_informative": features(["#sun<b>", "rain"], [0.25, 0.125]),
        "features_positive": features([f"p{place}" for place in range(20)], [0.5] * 20),
        "features_negative": features(["n0"], [0.5]),
        "abstention": {"coverage": [1.0, 0.5], "accuracy": [0.75, 0.875], "low": [0.7, 0.8], "high": [0.8, 0.9]},
        "reliability": {"said": [0.1, 0.4], "came": [0.2, 0.5], "low": [0.1, 0.4], "high": [0.3, 0.6]},
        "network": strongest(layers) | {"names": [["0", "2"], ["#sun<b>", "rain"]]},
        "hidden_units": {
            "unit": [2, 1], "output_weight": [-4.0, 2.0], "kind": ["inhibitor", "enabler"],
            "positive_share": [0.0, None], "drawn": [2, 0], "unseen": [0.03, 1.0],
        },
        "decision": {
            "weights": [[[1.0, -2.0], [3.0, -0.25]], [[2.0], [-4.0]]], "biases": [[0.1, 0.2], [0.3]],
            "names": ["#sun<b>", "rain"],
        },
    }  # fmt: skip
    return page_of(metrics, tables)


def heads(parts):
    return [re.match("<section><h2>(.*?)</h2>", part)[1] for part in parts if part]


def rows(text):
    """The rows of a table: name and cells."""
    found = [row for row in re.findall("<tr.*?</tr>", text) if "<td>" in row]
    return {re.search('<th scope="row">(.*?)</th>', row)[1]: re.findall("<td>(.*?)</td>", row) for row in found}


def test_a_page_has_seven_sections_and_escapes_its_words():
    parts = profile_sections(whole())
    assert heads(parts) == list(TITLES)
    assert [part.count("<svg") for part in parts] == [0, 0, 1, 0, 1, 1, 1]
    text = "".join(parts)
    assert "#sun&lt;b&gt;" in parts[0] and "#sun<b>" not in text and "<women>" not in text


def test_features_with_their_scores_shares_and_counts():
    page = whole()
    text = profile_sections(page)[0]
    assert re.findall("<h3>(.*?)</h3>", text) == [
        "Most informative, by mutual information in nats",
        "Most typical of &lt;women&gt;",
        "Most typical of men",
    ]
    informative, positive, negative = (rows(part) for part in text.split("<h3>")[1:])
    assert list(informative) == ["#sun&lt;b&gt;", "rain"]
    assert informative["rain"][0] == ".125" and informative["rain"][2] == "21"
    assert informative["rain"][1].startswith(".100 <small>[.050, .150]")
    assert list(positive) == [f"p{place}" for place in range(SHOWN)] and list(negative) == ["n0"]
    assert "P(&lt;women&gt; | feature)" in text


def test_groups_are_named_by_what_they_are():
    page = whole()
    held = rows(profile_sections(page)[1])
    assert list(held) == ["class: men", "class: &lt;women&gt;", "age: 18/24"]
    for name, (value,) in zip(("by_class/men", "by_class/<women>", "by_age/18/24"), held.values(), strict=True):
        assert value.startswith(number(page.metrics[f"{name}/accuracy"]) + " <small>")


def test_abstention_is_drawn_by_rising_coverage(monkeypatch):
    held = []
    monkeypatch.setattr(
        module, "curves", lambda rows, *rest, f=module.curves, **more: held.extend(rows) or f(rows, *rest, **more)
    )
    profile_sections(whole())
    (row,) = held
    assert row.places == [50, 100] and list(row.values) == [0.875, 0.75] and list(row.low) == [0.8, 0.7]


def test_shares_stand_beside_the_truth():
    text = profile_sections(whole())[3]
    facts = dict(zip(re.findall("<dt>(.*?)</dt>", text), re.findall("<dd>(.*?)</dd>", text), strict=True))
    assert list(facts.values()) == [".250", ".310 [.270, .350]", ".260 [.220, .300]", ".240 [.200, .280]"]
    assert next(iter(facts)) == "in the judged profiles" and "Share of &lt;women&gt;" in text


def test_drawings_are_of_the_network_and_of_the_decision(monkeypatch):
    held = {}
    for name in ("network_drawing", "decision_drawing"):
        draw = getattr(module, name)
        record = partial(
            lambda draw, name, *given, **more: held.update({name: (given, more)}) or draw(*given, **more), draw
        )
        monkeypatch.setattr(module, name, partial(record, name))
    parts = profile_sections(whole())
    (layers, names, classes), settings = held["network_drawing"]
    assert names == ["#sun<b>", "", "rain"] and classes == ("men", "<women>") and layers.sizes == (3, 2, 1)
    assert settings["links"] == module.LINKS and 0 < settings["threshold"] <= 0.8
    assert list(rows(parts[5])) == ["h2", "h1"] and "inhibitor" in rows(parts[5])["h2"]
    (decided, names, present, _), _ = held["decision_drawing"]
    assert names == ["#sun<b>", "rain"] and list(present) == [0, 1] and decided.weights[0].tolist()[1] == [3.0, -0.25]


@pytest.mark.parametrize(("weights", "threshold"), [
    (np.linspace(0.9, 2.0, 50), 0.8),  # thirty exceed it
    (np.append(np.full(29, 2.0), np.full(10, 0.05)), 0.045),  # down to the thirtieth
    (np.array([0.3, -0.2]), 0.18),
    (np.array([0.0, 0.0]), 0.0),
])  # fmt: skip
def test_links_are_drawn_from_where_there_are_enough_of_them(weights, threshold):
    assert drawn_from([weights[:, None]], 0.8) == pytest.approx(threshold)


@pytest.mark.parametrize(("manifest", "metrics", "classes"), [
    (NOTES, {}, ("men", "<women>")),
    ({}, {"by_class/M/accuracy": 0.5, "by_class/M/accuracy/low": 0.4, "by_class/F/accuracy": 0.5}, ("M", "F")),
    ({"data": None}, {}, ("0", "1")),
    ({"data": {"notes": {"classes": "a | b | c"}}}, {}, ("0", "1")),
])  # fmt: skip
def test_names_of_classes(manifest, metrics, classes):
    assert classes_of(page_of({"accuracy": 0.5, **metrics}, {}, manifest)) == classes


def test_a_run_without_any_of_it():
    assert not any(profile_sections(page_of({"accuracy": 0.5}, {})))


@pytest.mark.parametrize("hidden", [(), (3,)])
def test_a_page_of_a_run_without_baselines_or_validation(tmp_path, hidden):
    """From files, as a run leaves them; with a word that is no HTML."""
    train, test = random_profiles(0, 150), random_profiles(1, 80)
    words = ["<script>", *train.vocabulary["item"][1:]]
    train, test = (
        part._replace(log=part.log._replace(vocabulary={**part.vocabulary, "item": np.array(words)}))
        for part in (train, test)
    )
    model = ProfileNet((("item", 12),), hidden)
    made = profile(model, random_params(model), test, train=train, baselines={}, replicates=5)
    (tmp_path / "manifest.json").write_text(json.dumps({"run": "r", "settings": {"headline": ["accuracy"]}}))
    for name, value in (("metrics", made.numbers), ("tables", made.tables)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    text = write_page(tmp_path, profile_sections).read_text()
    shown = [title for title in TITLES if f"<h2>{title}</h2>" in text]
    assert shown == [title for title in TITLES if title != "The share of an audience"]  # which validation corrects
    assert "&lt;script&gt;" in text and "<script>" not in text
    assert ("hidden unit</th>" in text) == bool(hidden)


def test_a_page_of_one_class_alone(tmp_path):
    samples = profiles_of([["a"], ["a", "b"], ["b"]], np.array([True, True, True]))
    model = ProfileNet((("item", 2),), ())
    made = profile(model, random_params(model), samples, baselines={}, replicates=5)
    parts = profile_sections(page_of(made.numbers, made.tables, {}))
    assert heads(parts) == [TITLES[place] for place in (1, 2, 4, 5, 6)]
