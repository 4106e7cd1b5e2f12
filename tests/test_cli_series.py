"""New series from the command line, how real they are, what is expected of open ones, and seeds side by side."""

import io
import json
import re
import shutil
from contextlib import redirect_stdout

import jax
import numpy as np
import pytest
import tiny
import tiny_series
from pyarrow import csv
from rich.console import Console
from scipy import stats
from test_cli import failure, run_in_process
from tiny_series import lists

from seqjax.cli import main
from seqjax.commands import series as commands
from seqjax.data.events import at_least
from seqjax.data.read import read_log
from seqjax.evaluate.likelihood import predict
from seqjax.generation import generate
from seqjax.report.finished import finished
from seqjax.report.study import over_seeds, seeds_table
from seqjax.run import load
from seqjax.train import fit


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of one seed, then of two: folder, words of the command, what was shown, files of the first seed.

    Brackets in a path are no markup.
    """
    folder = tmp_path_factory.mktemp("study")
    words = [*tiny_series.write_all(folder), "stop.epochs=1", "data.validation_share=0", "--out", str(folder / "[/b]")]
    file = folder / "tiny_series.py"
    file.write_text(file.read_text().replace("(unigram, partial(markov, order=1))", "(unigram,)"))
    shown = []
    for seeds in ("1", "2"):
        with redirect_stdout(io.StringIO()) as out:
            assert main([*words, "--seeds", seeds]) == 0
        shown.append(out.getvalue())
        if seeds == "1":
            (first,) = (folder / "[/b]").glob("tiny_series-0-*")
            before = {file: file.read_bytes() for file in first.rglob("*") if file.is_file()}
    return folder / "[/b]", words, shown, before


@pytest.fixture(scope="module")
def run(study):
    """The run of the first seed."""
    (folder,) = study[0].glob("tiny_series-0-*")
    return folder


@pytest.fixture
def series(study):
    """The log that the runs were made of."""
    return study[0].parents[1] / "series.csv"


def told(log):
    """The actions of every series, as text."""
    return [[str(log.vocabulary["item"][action - 1]) for action in actions] for actions in lists(log)]


# generate


def test_a_file_has_the_series_of_the_model_but_the_empty_ones(run, tmp_path, capsys):
    """As the seed draws them."""
    held, files = load(run), []
    most = 2 * held.manifest["data"]["train"]["longest"]
    for seed in (3, 4):
        out = tmp_path / f"{seed}.csv"
        shown = run_in_process(capsys, ["generate", run, "--n", 60, "--out", out, "--seed", seed])
        made = generate(held.model, held.params, jax.random.key(seed), 60, max_len=most).log(held.vocabulary["item"])
        read, _ = read_log(out, time="if any", least=1)
        assert told(read) == told(at_least(made, 1)) and 40 < read.sequences < 60
        for fact in ("series .*60", f"events .*{made.events}", f"not written .*{60 - read.sequences}", "max len .*0"):
            assert re.search(fact, shown)
        files.append(out.read_bytes())
    assert files[0] != files[1]


def test_every_series_begins_with_the_prefix_and_is_cut(run, tmp_path, capsys):
    words = ["generate", run, "--n", 30, "--out", tmp_path / "new.txt", "--prefix", "buy", "look", "--max-len", 4]
    shown = run_in_process(capsys, words)
    lines = [line.split() for line in (tmp_path / "new.txt").read_text().splitlines()]
    assert len(lines) == 30 and all(line[:2] == ["buy", "look"] for line in lines)
    assert {len(line) for line in lines} == {2, 3, 4}
    assert re.search(f"max len .*{sum(len(line) == 4 for line in lines)}", shown)


def test_settings_reach_the_drawing(run, tmp_path, capsys, monkeypatch):
    given = {}

    def draw(*_, **settings):
        given.update(settings)
        raise ValueError("enough is known")

    monkeypatch.setattr(commands, "draw", draw)
    words = ["generate", run, "--n", 9, "--out", tmp_path / "new.txt"]
    failure(capsys, [*words, "--temperature", 0.5, "--top-k", 3, "--top-p", 0.9, "--max-len", 7, "--prefix", "buy"])
    prefix = [load(run).vocabulary["item"].tolist().index("buy") + 1]
    assert given == {"prefix": prefix, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "max_len": 7}
    failure(capsys, words)
    most = 2 * load(run).manifest["data"]["train"]["longest"]
    assert given == {"prefix": [], "temperature": 1.0, "top_k": None, "top_p": None, "max_len": most}


def test_new_series_train_a_model_of_the_next_item(run, tmp_path, capsys):
    run_in_process(capsys, ["generate", run, "--n", 60, "--out", tmp_path / "new.csv"])
    (tmp_path / "tiny.py").write_text(tiny.EXPERIMENT)
    words = ["run", tmp_path / "tiny.py", "--set", f"data.train={tmp_path / 'new.csv'}", "data.time=none"]
    run_in_process(capsys, [*words, "stop.epochs=1", "--out", tmp_path / "[/b]"])
    read, _ = read_log(tmp_path / "new.csv", time=None)
    data = json.loads((tmp_path / "[/b]/manifest.json").read_text())["data"]
    assert sum(data[part]["sequences"] for part in ("train", "validation", "test")) == read.sequences
    assert np.isfinite(json.loads((tmp_path / "[/b]/metrics.json").read_text())["recall@5"])
    words = ["--n", 9, "--out", tmp_path / "x.csv"]
    assert "is a run of GRU4Rec, which generates no series" in failure(capsys, ["generate", tmp_path / "[/b]", *words])
    words = ["--data", tmp_path / "new.csv", "--out", tmp_path / "x.csv"]
    assert "its experiment has no `score`; use `recommend`" in failure(capsys, ["score", tmp_path / "[/b]", *words])
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(("more", "said"), [
    (["--prefix", "buy", "sell"], r"--prefix sell: no such action in training; there are ask, buy, .*"),
    (["--temperature", 0], r"temperature=0.0: choose a number above 0"),
    (["--top-p", 2], r"top_p=2.0: choose a probability"),
    (["--prefix", "buy", "buy", "--max-len", 2], r"max_len=2: the prefix alone has 2 actions"),
], ids=str)  # fmt: skip
def test_what_cannot_be_generated(run, tmp_path, capsys, more, said):
    line = failure(capsys, ["generate", run, "--n", 9, "--out", tmp_path / "new.csv", *more])
    assert re.search(said, line) and not (tmp_path / "new.csv").exists()


@pytest.mark.parametrize("command", [["generate", "--n", 9], ["score", "--data", "nowhere.csv"]], ids=str)
def test_a_wrong_ending_is_refused_before_the_run_is_looked_for(tmp_path, capsys, command):
    words = [command[0], tmp_path / "no run", *command[1:], "--out"]
    assert "ending '.xls'; use .csv, .tsv or .parquet" in failure(capsys, [*words, tmp_path / "new.xls"])
    assert "no run is not a run" in failure(capsys, [*words, tmp_path / "new.csv"])


# score


def test_every_sequence_has_a_row_in_the_order_of_the_log(run, series, tmp_path, capsys):
    out = tmp_path / "said.csv"
    words = ["score", run, "--data", series, "--time", "none", "--out", out]
    run_in_process(capsys, words)
    table = csv.read_csv(out).to_pydict()
    held = load(run)
    log, _ = read_log(series, held.vocabulary["item"], least=1, time=None)
    assert list(table) == [
        "session", "leaves_now", "leaves_within_3", "leaves_within_3_low", "leaves_within_3_high", "actions_within_3",
        "likeliest_action", "likeliest_probability", "segment",
    ]  # fmt: skip
    assert [str(name) for name in table["session"]] == log.keys["session"].tolist()
    last = log.offsets[1:] + np.arange(log.sequences)  # the symbol after each series' last action
    np.testing.assert_allclose(table["leaves_now"], predict(held.model, held.params, log).leave[last], atol=1e-5)
    now, later = np.array(table["leaves_now"]), np.array(table["leaves_within_3"])
    assert (later > now).all() and (np.array(table["leaves_within_3_low"]) <= later).all()
    assert table["segment"] == ["leaves" if leaves >= 0.2 else "stays" for leaves in now]


def test_actions_that_training_did_not_have_are_left_out_and_counted(run, tmp_path, capsys):
    (tmp_path / "open.csv").write_text("visit,item\na,look\na,fly\na,ask\nb,fly\nc,look\nc,ask\n")
    words = ["score", run, "--data", tmp_path / "open.csv", "--time", "none", "--out", tmp_path / "said.csv"]
    shown = run_in_process(capsys, [*words, "--session", "visit", "--set", "within=2", "leaves=0.0", "paths=8"])
    assert re.search("unseen items .*1", shown) and re.search("unseen events .*2", shown)
    table = csv.read_csv(tmp_path / "said.csv").to_pydict()
    assert table["session"] == ["a", "c"] and table["segment"] == ["leaves", "leaves"]
    assert table["leaves_now"][0] == pytest.approx(table["leaves_now"][1])  # look, ask: both the same
    assert "leaves_within_2" in table and "leaves_within_3" not in table


@pytest.mark.parametrize(("text", "more", "said"), [
    ("session,item\na,fly\n", [], r"none of its 1 items \(as 'fly'\) is in the training log"),
    ("session,item\na,look\n", ["--set", "paths=1"], r"paths=1: look one draw ahead or more, on two paths or more"),
    ("session,item\na,look\n", ["--set", "width=1"], r"width: no setting 'width'; there are leaves, .*within"),
], ids=["unknown actions only", "one path", "unknown setting"])  # fmt: skip
def test_what_cannot_be_scored(run, tmp_path, capsys, text, more, said):
    (tmp_path / "open.csv").write_text(text)
    words = ["score", run, "--data", tmp_path / "open.csv", "--time", "none", "--out", tmp_path / "said.csv"]
    assert re.search(said, failure(capsys, [*words, *more])) and not (tmp_path / "said.csv").exists()


# several seeds


def numbers(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_study_has_a_run_for_every_seed_and_its_means(study):
    folder, _, (one, two), before = study
    runs = sorted(folder.glob("tiny_series-*-*"))
    assert [json.loads((made / "manifest.json").read_text())["seed"] for made in runs] == [0, 1]
    assert all((made / "report.html").is_file() for made in runs)
    assert "tiny_series, seed 0 (1 of 2)" in two and "tiny_series, seed 1 (2 of 2)" in two
    page = (folder / "report.html").read_text()
    values = [numbers(made)["nats"] for made in runs]
    mean, (low, high) = np.mean(values), stats.t.interval(0.95, 1, np.mean(values), stats.sem(values))
    text = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    assert text in re.sub("<.*?>", "", page) and "2 seeds each" in page
    assert f"{mean:.3f}" in two and f"[{low:.3f}, {high:.3f}]" in two and "2 seeds: mean [95 % t-interval]" in two
    assert "unigram" in two and "unigram" in page and f"page of plots: {folder / 'report.html'}" in two
    assert f"{values[0]:.3f}" in one and "1 seed:" in one and not re.search(r"\[[.\d]", one.split("1 seed:")[0])
    for file, content in before.items():  # of the first seed, when the second was run
        assert file.name == "report.html" or file.read_bytes() == content


def test_finished_runs_of_a_study_are_kept(study, capsys, monkeypatch):
    def advance(*_):
        raise AssertionError("a step was made")

    monkeypatch.setattr(fit, "_advance", advance)
    folder, words, (_, two), _ = study
    held = {file: file.read_bytes() for file in folder.rglob("*.json*")}
    shown = run_in_process(capsys, [*words, "--seeds", "2"])
    assert shown.split("(2 of 2)")[1].strip() == two.split("judging the test log")[-1].strip()  # table and page
    assert {file: file.read_bytes() for file in folder.rglob("*.json*")} == held


@pytest.mark.parametrize("more", [["--dry-run"], ["--from", "nowhere"]], ids=["dry run", "start"])
def test_what_a_study_does_not_take(study, capsys, more):
    assert "leave out --seeds" in failure(capsys, [*study[1], "--seeds", 2, *more])


# compare


def test_two_behaviour_runs_are_paired_by_series(run, tmp_path, capsys, monkeypatch):
    """A copy whose every symbol is a tenth of a nat less probable."""
    monkeypatch.setenv("COLUMNS", "300")
    worse = tmp_path / "worse [x]"
    shutil.copytree(run, worse)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["settings"]["hparams"]["learning_rate"] = 9.0
    (worse / "manifest.json").write_text(json.dumps(manifest))
    with np.load(run / "cases.npz") as cases:
        arrays = dict(cases)
    np.savez(worse / "cases.npz", **(arrays | {"log_prob": arrays["log_prob"] - 0.1 * arrays["symbols"]}))
    shown = run_in_process(capsys, ["compare", run, worse, "--metrics", "nats", "accuracy", "jsd/length"])
    lines = [line.split("  ") for line in shown.splitlines() if "worse [x] minus tiny_series" in line]
    assert [cell.strip() for cell in lines[0] if cell.strip()][1:] == ["+.100 [.100, .100]", ".000 [.000, .000]"]
    assert f"{numbers(run)['jsd/length']:.3f}"[1:] in shown
    said = failure(capsys, ["compare", run, worse, "--metrics", "recall@20"])
    assert re.search(r"--metrics recall@20: .* has .*nats.*perplexity", said)


def test_two_seeds_of_one_setting_become_their_mean(study, capsys):
    runs = sorted(study[0].glob("tiny_series-*-*"))
    shown = run_in_process(capsys, ["compare", *runs])
    results = {seed: finished(made) for seed, made in enumerate(runs)}
    rows = over_seeds({f"{runs[0].name} and its seeds": results}, ["nats", "jsd/length", "jsd/bigram"])
    console = Console(width=80, file=io.StringIO())
    console.print(seeds_table(rows))
    assert shown == console.file.getvalue()
