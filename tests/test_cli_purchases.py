"""A target list from the command line: train on small purchases, then score a log of others."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from journey_files import bought
from scipy import special
from test_cli import failure, run_in_process

from seqjax.data.events import EventLog
from seqjax.evaluate.drift import Tenths, stability
from seqjax.evaluate.selection import deciles
from seqjax.purchasing import explained, prepared, told_of
from seqjax.run import load

EXPERIMENT = '''"""A tiny model of purchases."""
from functools import partial

from seqjax import optim
from seqjax.data.samples import target_plan
from seqjax.data.sources import journey_purchases
from seqjax.evaluate.purchase import purchase
from seqjax.experiment import Experiment
from seqjax.models.sum_pooling import SumPooling
from seqjax.objectives.response import (
    ResponseHparams, no_negatives, response_batch, response_corpus, response_objective,
)
from seqjax.purchasing import score_purchases
from seqjax.report.purchase import purchase_sections
from seqjax.train.fit import Stop

experiment = Experiment(
    data=partial(
        journey_purchases.purchases, categories=("b", "a"), moment="2017-05-01", horizon=30.0, later=45.0,
        validation_share=0.3, told=("gap", "times"),
    ),
    corpus=response_corpus,
    plan=partial(target_plan, lanes=8, window=256),
    gather=response_batch,
    draw=no_negatives,
    model=partial(
        SumPooling, features=("item", "wait"), candidate=("item", "gap", "times"), width=4, head=(6,), pool="root"
    ),
    objective=response_objective,
    views={"item": ("item",)},
    optimizer=optim.adam_decay,
    hparams=ResponseHparams(learning_rate=0.03),
    evaluate=partial(purchase, replicates=20),
    stop=Stop(epochs=2, metric="auc"),
    headline=("auc", "natural/ece"),
    sections=purchase_sections,
    score=partial(score_purchases, category="a"),
)
'''


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run; households 1 to 40, of whom every second is fond of a."""
    folder, random = tmp_path_factory.mktemp("purchases"), np.random.default_rng(0)
    baskets = [
        (user, day, {str(random.choice(list("bcde"))), "a" if user % 2 and random.random() < 0.25 else "d"})
        for user in range(1, 41)
        for day in range(0, 200, 4)
    ]
    bought(folder, baskets)
    (folder / "tiny_purchases.py").write_text(EXPERIMENT)
    words = ["run", str(folder / "tiny_purchases.py"), "--set", f"data.folder={folder}", "--out", str(folder / "run")]
    command = [sys.executable, "-m", "seqjax.cli", *words]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder / "run"


HEAD = "household_id,product,time\n"
DAY = 86_400
LINES = [("x", "a", 9 * DAY), ("y", "tea", 5 * DAY), ("x", "c", 2 * DAY), ("z", "b", 3 * DAY), ("x", "a", 9 * DAY)]


@pytest.fixture
def words(run, tmp_path):
    """The words of the command that scores a log of three households; one bought nothing that is known."""
    (tmp_path / "log.csv").write_text(HEAD + "".join(f"{user},{kind},{time}\n" for user, kind, time in LINES))
    return ["score", run, "--data", tmp_path / "log.csv", "--item", "product", "--out", tmp_path / "said.csv"]


def rows(words):
    with open(words[words.index("--out") + 1], newline="") as file:
        return list(csv.DictReader(file))


def test_the_run_knows_its_calibration(run):
    numbers = json.loads((run / "metrics.json").read_text())
    for word in "ab":
        assert np.isfinite([numbers[f"calibration/{word}/{name}"] for name in ("scale", "shift")]).all()
    assert 0.0 <= numbers["natural/ece"] <= 1.0 and 0.0 <= numbers["natural/ece_floor"] <= 1.0


@pytest.mark.parametrize("category", ["a", "b"])
def test_a_row_for_every_user(run, words, capsys, category):
    shown = run_in_process(capsys, [*words, "--set", f"category={category}", "cost=1", "gain=2.5", "top=2"])
    assert re.search("unseen items .*1", shown) and re.search("unseen events .*1", shown)
    found, held = rows(words), load(run)
    assert list(found[0]) == [
        "user", "probability", "calibrated", "decile", "selected", "because_1", "because_2"
    ]  # fmt: skip
    assert [row["user"] for row in found] == ["x", "z", "y"]  # by their first events
    numbers = json.loads((run / "metrics.json").read_text())
    log = tiny_log(held.vocabulary)
    target = {"item": np.full(3, 1 + held.vocabulary["item"].tolist().index(category), np.int32)}
    target |= told_of(log, target, ("gap", "times"), moment=9 * DAY + 1)
    said = explained(held.model, held.params, log, target, last=20, lanes=32)
    scale, shift = (numbers[f"calibration/{category}/{name}"] for name in ("scale", "shift"))
    probability = special.expit(scale * said.log_odds.astype(float) + shift)
    np.testing.assert_allclose([float(row["probability"]) for row in found], probability, rtol=1e-6)
    assert [int(row["decile"]) for row in found] == deciles(probability).tolist()
    assert [row["selected"] == "true" for row in found] == (probability >= 0.4).tolist()
    assert all(row["calibrated"] == "true" for row in found)
    held = json.loads((run / "tables.json").read_text())["tenths"][category]
    reference = Tenths(np.array(held["edges"]), np.array(held["below"]), held["users"])
    index, bound = stability(reference, probability)
    assert held["users"] == 12 and reference.edges.min() > 0.0 and len(held["edges"]) > 2
    assert re.search(rf"score drift +. {index:.3f}, by chance up to {bound:.3f}: ", shown)
    assert found[2]["because_1"] == "" and re.fullmatch(r"b [+-]\d\.\d\d|", found[1]["because_1"])
    effects = dict(entry.split() for entry in (found[0]["because_1"], found[0]["because_2"]) if entry)
    moved = {"c": said.effect[0, -2], "a": said.effect[0, -1]}  # twice a in one basket is one purchase
    assert effects == {word: f"{effect:+.2f}" for word, effect in moved.items() if abs(effect) >= 0.005}


def tiny_log(vocabulary):
    """The log of the file as `prepared` has it."""
    item = np.array([3, 1, 2, 4], np.int32)  # c, a; b; tea
    columns = {"item": item, "time": DAY * np.array([2, 9, 3, 5])}
    return prepared(
        EventLog(np.array([0, 2, 3, 4]), columns, {"item": np.array(["a", "b", "c", "tea"])}),
        vocabulary, ("gap", "wait"), seed=0,
    )  # fmt: skip


def test_a_category_that_was_not_asked_about_is_not_calibrated(words, capsys):
    assert "drift" not in run_in_process(capsys, [*words, "--set", "category=c"])
    found = rows(words)
    assert [row["calibrated"] for row in found] == ["false"] * 3 and "selected" not in found[0]


@pytest.mark.parametrize(("more", "said"), [
    (["--set", "category=tea"], "there is no category 'tea'; near it are "),
    (["--set", "cost=2"], "cost=2, gain=0.0: a threshold needs 0 < cost < gain"),
    (["--time", "none"], r"the log has no times, and the model reads 'wait': name their column \(--time NAME\)"),
    (["--session", "product"], "3 users have 4 sequences: a row is a whole user, so use --session none"),
    (["--set", "colour=1"], "colour: no setting 'colour'; there are category, cost, "),
], ids=str)  # fmt: skip
def test_what_cannot_be_scored(words, capsys, more, said):
    assert re.search(said, failure(capsys, [*words, *more])) and not words[-1].exists()


def test_a_log_without_times_or_known_categories(words, tmp_path, capsys):
    (tmp_path / "log.csv").write_text("household_id,product\nx,a\n")
    assert "name their column (--time NAME)" in failure(capsys, words)
    (tmp_path / "log.csv").write_text(HEAD + "x,tea,5\n")
    assert "none of the log's categories (tea, ..) is one of the run's" in failure(capsys, words)


def test_a_single_event_is_enough(words, tmp_path, capsys):
    (tmp_path / "log.csv").write_text(HEAD + "x,a,5\n")
    run_in_process(capsys, words)
    assert [row["decile"] for row in rows(words)] == ["6"]
