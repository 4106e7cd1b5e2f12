"""The command line as a user meets it: what works, and what every mistake says, in one line and before training."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import tiny
from pyarrow import csv, parquet

from seqjax.cli import main
from seqjax.train import fit

HEAD = "SessionId\tItemId\tTime\n"
GOOD = HEAD + "".join(f"s{s}\ti{s % 5 + k}\t{1_500_000_000 + 60 * s + k}\n" for s in range(8) for k in range(3))


@pytest.fixture
def words(tmp_path):
    """The words of the command that trains the tiny experiment."""
    return tiny.write_all(tmp_path)


@pytest.fixture
def never_train(monkeypatch):
    def advance(*_):
        raise AssertionError("a step was made")

    monkeypatch.setattr(fit, "_advance", advance)


@pytest.fixture
def finished():
    """A finished run, made before anything forbids training."""
    return tiny.finished()


def failure(capsys, arguments):
    """The one line that a failing command writes."""
    assert main([str(argument) for argument in arguments]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1 and "Traceback" not in shown.err
    return shown.err


def run_in_process(capsys, arguments):
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


LOGS = {  # what is wrong with the training log: its text, and what is said
    "missing column": ("SessionId\tTime\na\t1\na\t2\n", r"no column of items; .*'SessionId', 'Time'.*--item NAME"),
    "unparsable time": (
        GOOD + "x\ti1\tsoon\n",
        r"train.tsv, row 26: the time 'soon' cannot be read",
    ),
    "negative time": (GOOD + "x\ti1\t-5\n", r"row 26: the time '-5' is before 1970"),
    "absurd time": (GOOD + "x\ti1\t1500000000000\n", r"row 26: the time '1500000000000' is after .*--time-unit ms"),
    "missing id": (GOOD + "x\t\t5\n", r"row 26: the item id is missing"),
    "not UTF-8": (GOOD.encode() + b"x\t\xff\xfe\t5\n", r"train.tsv: line 26 is not UTF-8 text"),
    "no events": (HEAD, r"train.tsv: the log has no events"),
    "empty": ("", r"train.tsv: the file is empty"),
    "sessions of one event": (HEAD + "a\tx\t1\nb\ty\t2\n", r"no sequence has two events, 2 have one"),
}


@pytest.mark.parametrize("case", LOGS)
def test_a_log_that_cannot_be_used(words, tmp_path, capsys, never_train, case):
    content, said = LOGS[case]
    (tmp_path / "train.tsv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_matches(said, failure(capsys, [*words, "--out", tmp_path / "run"]))
    assert not (tmp_path / "run").exists()


def assert_matches(pattern, text):
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(text)


MISTAKES = {  # further words of the command, and what is said
    "no log": (["data.train="], r"no training log is given: --set data.train=FILE"),
    "missing log": (["data.train=nowhere.tsv"], r"nowhere.tsv: there is no such file"),
    "missing test log": (["data.test=nowhere.tsv"], r"nowhere.tsv: there is no such file"),
    "other column": (["data.item=sku"], r"no column 'sku'; its columns are \['SessionId', 'ItemId', 'Time'\]"),
    "unknown setting": (["model.width=3"], r"model.width: no setting 'width'; there are activation"),
    "wrong kind": (["stop.epochs=many"], r"stop.epochs='many': expected a whole number"),
    "text in a sweep": (["hparams.loss.epsilon=big"], r"every value must be a number: .*'big'"),
    "unknown metric": (["stop.metric=auc"], r"stop.metric='auc': validation has recall@1, .*mrr@20"),
    "missing config": (["a=1", "--config", "nowhere.toml"], r"nowhere.toml: no such file"),
    "missing start": (["plan.lanes=4", "--from", "nowhere"], r"nowhere is not a run: it has no manifest.json"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_in_the_words(words, tmp_path, capsys, never_train, case):
    more, said = MISTAKES[case]
    assert_matches(said, failure(capsys, [*words, *more, "--out", tmp_path / "run"]))


def test_unseen_items_only(words, tmp_path, capsys, never_train):
    (tmp_path / "test.tsv").write_text(HEAD + "a\tq1\t1500000000\na\tq2\t1500000001\n")
    assert_matches(r"test.tsv: none of its 2 items \(as 'q1'\) is in the training log", failure(capsys, words))


def test_missing_experiment(capsys):
    assert_matches(r"nowhere.py: no such experiment file", failure(capsys, ["run", "nowhere.py"]))


def test_a_folder_below_a_file(words, tmp_path, capsys, never_train):
    out = tmp_path / "train.tsv" / "run"
    assert_matches(
        r"run: cannot be written \(Not a directory\); choose another --out", failure(capsys, [*words, "--out", out])
    )


def test_a_full_disk(words, tmp_path, capsys, never_train, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 8, 1))
    assert_matches(r"has 0 MB free", failure(capsys, [*words, "--out", tmp_path / "run"]))


def test_brackets_in_a_message_are_no_markup(capsys):
    assert "[/red].py: no such" in failure(capsys, ["run", "[/red].py"])


def test_not_finite_names_step_and_setting(words, tmp_path, capsys):
    said = failure(capsys, [*words, "hparams.learning_rate=3e38", "--out", tmp_path / "run"])
    assert_matches(r"not finite at step \d+ \(epoch 1\) with learning_rate=3e\+38", said)


def test_a_finished_run_is_not_overwritten(finished, capsys, never_train):
    folder = finished
    words = ["run", folder / "tiny.py", "--out", folder / "run", "--set"]
    words += [f"data.{part}={folder / part}.tsv" for part in ("train", "test")]
    before = (folder / "run/metrics.json").read_bytes()
    assert_matches(r"holds run \w{8} already: add --resume", failure(capsys, words))
    said = failure(capsys, [*words, "model.features=7", "--resume"])
    assert_matches(r"holds another run: settings.model.features was 6, is 7", said)
    assert "resumed at step" in run_in_process(capsys, [*words, "--resume"])
    assert (folder / "run/metrics.json").read_bytes() == before


def test_dry_run_writes_nothing(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    shown = run_in_process(capsys, [*words, "--dry-run"])
    assert sorted(tmp_path.rglob("*")) == before
    assert_matches(r"(?s)13 x 6.*lane occupancy.*1.0.*steps per epoch.*27", shown)


def test_own_words_and_more_lanes_than_sessions(words, tmp_path, capsys):
    """Ids stay text, columns may have any name, and silent lanes do no harm but are mentioned."""
    text = "visit,sku,at\n" + "".join(
        f"v{s},00{s % 3 + k},{1_500_000_000 + 9 * s + k}\n" for s in range(9) for k in range(3)
    )
    (tmp_path / "shop.csv").write_text(text)
    names = [f"data.train={tmp_path / 'shop.csv'}", "data.test=", "data.session=visit", "data.item=sku", "data.time=at"]
    names += ["data.test_days=0.0003", "stop.epochs=1", "plan.lanes=20"]
    shown = run_in_process(capsys, [*words, *names, "--out", tmp_path / "run"])
    assert_matches(r"warning: \d\d% of the lane-steps are empty: 20 lanes are many for this log", shown)
    vocabulary = json.loads((tmp_path / "run/vocabulary.json").read_text())
    assert sorted(vocabulary["item"]) == ["000", "001", "002", "003", "004"]


def dies(arguments, step, number):
    """Runs the command in a process of its own that is sent a signal once it has recorded a step."""
    script = (
        "import os, sys\nfrom seqjax.cli import main\nfrom seqjax.train.fit import Loop\nrecord = Loop.record\n"
        "def recorded(self, line):\n    record(self, line)\n"
        f"    if line['step'] >= {step}: os.kill(os.getpid(), {int(number)})\n"
        "Loop.record = recorded\nsys.exit(main())\n"
    )
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})


def test_sigterm_in_a_real_process_and_resume_to_the_same_bytes(finished, tmp_path, capsys):
    folder = finished
    words = ["run", folder / "tiny.py", "--out", tmp_path / "run", "--set"]
    words += [f"data.{part}={folder / part}.tsv" for part in ("train", "test")]
    done = dies(words, 54, signal.SIGTERM)
    assert done.returncode == 143, done.stderr
    assert done.stderr == "stopped by a signal and saved at step 54: continue with --resume\n"
    run_in_process(capsys, [*words, "--resume"])
    for name in ("metrics.json", "vocabulary.json", "item_counts.npy"):
        assert (tmp_path / "run" / name).read_bytes() == (folder / "run" / name).read_bytes()
    clockless = [
        [{**json.loads(line), "seconds": 0} for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (tmp_path / "run", folder / "run")
    ]
    assert clockless[0] == clockless[1]


def test_an_error_in_a_real_process():
    done = subprocess.run([sys.executable, "-m", "seqjax.cli", "run", "nowhere.py"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere.py: no such experiment file\n"


def test_recommend(finished, tmp_path, capsys):
    folder = finished
    log = tmp_path / "live.tsv"
    log.write_text(HEAD + "a\ti1\t1\nb\ti3\t2\nb\tnew\t3\nb\ti4\t4\nc\tnew\t5\n")
    (tmp_path / "ban.txt").write_text("i2\n\nunheard of\n i7 \n")
    out = tmp_path / "top.csv"
    words = ["recommend", folder / "run", "--data", log, "--out", out, "--k", 4]
    shown = run_in_process(capsys, [*words, "--exclude-seen", "--exclude", tmp_path / "ban.txt"])
    table = csv.read_csv(out).to_pydict()
    assert list(table) == ["session", "rank", "item", "score"]
    assert table["session"] == ["a"] * 4 + ["b"] * 4  # one event is enough; c has no known item
    assert table["rank"] == [1, 2, 3, 4] * 2
    items = {key: set(table["item"][begin : begin + 4]) for key, begin in (("a", 0), ("b", 4))}
    assert not items["a"] & {"i1", "i2", "i7"} and not items["b"] & {"i3", "i4", "i2", "i7"}
    for begin in (0, 4):
        assert sorted(table["score"][begin : begin + 4], reverse=True) == table["score"][begin : begin + 4]
    for fact in ("sessions without known items *│ *1", "unknown items to exclude *│ *1", "unseen items *│ *1"):
        assert_matches(fact, shown)
    run_in_process(capsys, [*words[:-4], "--out", tmp_path / "top.parquet", "--k", 2])
    assert parquet.read_table(tmp_path / "top.parquet").num_rows == 4


def test_recommend_mistakes(finished, tmp_path, capsys):
    folder = finished
    words = ["recommend", folder / "run", "--data", folder / "test.tsv", "--out", tmp_path / "a.csv"]
    assert_matches("--k=99: choose 1 to 12", failure(capsys, [*words, "--k", 99]))
    assert_matches("--k=12, but only .* items are left", failure(capsys, [*words, "--k", 12, "--exclude-seen"]))
    assert_matches("ending '.xls'; use .csv, .tsv or .parquet", failure(capsys, [*words, "--out", tmp_path / "a.xls"]))
    assert_matches("is not a run", failure(capsys, ["recommend", tmp_path, *words[2:]]))
    assert not (tmp_path / "a.csv").exists()


def test_eval(finished, tmp_path, capsys):
    folder = finished
    words = ["eval", folder / "run", "--data", folder / "test.tsv", "--out", tmp_path / "numbers.json"]
    shown = run_in_process(capsys, words)
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    recorded = json.loads((folder / "run/metrics.json").read_text())
    assert numbers["recall@5"] == recorded["recall@5"] and numbers["mrr@20"] == recorded["mrr@20"]
    assert "popularity" in shown and "targets" in shown
    lines = tmp_path / "lines.txt"
    lines.write_text("i1 i2 i3\ni4 i5\n")
    assert "targets" in run_in_process(capsys, ["eval", folder / "run", "--data", lines])
    said = failure(capsys, ["eval", folder / "run", "--data", folder / "test.tsv", "--item", "sku"])
    assert_matches("no column 'sku'", said)
    timeless = ["eval", folder / "run", "--data", folder / "test.tsv", "--time", "none"]
    assert "targets" in run_in_process(capsys, timeless)


def test_prepare_then_run(words, tmp_path, capsys):
    shown = run_in_process(capsys, [
        "data", "prepare", tmp_path / "train.tsv", "--out", tmp_path / "ready", "--min-item", 1, "--test-days", "0.01",
    ])  # fmt: skip
    assert "consecutive repeats" in shown.replace("\n", " ")
    more = [f"data.train={tmp_path / 'ready'}", "data.test=", "stop.epochs=1"]
    run_in_process(capsys, [*words, *more, "--out", tmp_path / "run"])
    data = json.loads((tmp_path / "run/manifest.json").read_text())["data"]
    assert data["test"]["sequences"] > 0 and data["validation"]["sequences"] > 0  # validation_share of the file


def test_data_check_of_an_unknown_set(tmp_path, capsys):
    assert_matches("nonesuch", failure(capsys, ["data", "check", "nonesuch", "--folder", tmp_path]))


def test_version_and_wrong_words(capsys):
    for arguments, code in ((["--version"], 0), (["rum"], 2), ([], 2)):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == code


@pytest.mark.parametrize(("setting", "told"), [
    ("plan.lanes=0", "lanes=0: a plan needs at least one lane"),
    ("corpus.alpha=2", "alpha=2: choose 0 .uniform. to 1"),
    ("hparams.loss.penalty=1", "hparams.loss.penalty: the loss has no such keyword; there are epsilon"),
])  # fmt: skip
def test_settings_that_factories_refuse(finished, tmp_path, capsys, setting, told):
    words = ["run", finished / "tiny.py", "--out", tmp_path / "run", "--set", setting]
    words += [f"data.{part}={finished / part}.tsv" for part in ("train", "test")]
    assert main([str(word) for word in words]) == 1
    assert_matches(told, capsys.readouterr().err)
