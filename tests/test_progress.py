"""What a user sees of a run where there is no terminal: plain lines that stay."""

from pathlib import Path

from seqjax.progress import show

MANIFEST = {
    "data": {
        "train": {"events": 12_345, "sequences": 678},
        "test": {"events": 90},
        "notes": {"unseen_items": 3, "sessions_of_one": 0, "best": 0.123456},
    },
    "parameters": 1_000,
}
TRAIN = {"kind": "train", "epoch": 0, "of_epoch": 0.5, "loss": 1.5}
EPOCH = {
    **{"kind": "epoch", "epoch": 1, "loss": 1.25, "seconds": 61.7},
    **{"validation/mrr@20": 0.25, "validation/mrr@5": 0.2, "validation/log_loss": 0.5},
}


def shown(capsys, *records):
    with show(3) as log:
        for record in records:
            log(record)
    return capsys.readouterr().out.splitlines()


def test_plain_lines(capsys):
    lines = shown(
        capsys, {"kind": "begin", "folder": Path("runs/a"), "manifest": MANIFEST}, TRAIN, EPOCH, {"kind": "evaluate"}
    )
    assert lines == [
        "run runs/a",
        "12,345 events in 678 sequences, test 90 events; 1,000 parameters",
        "counted: unseen items 3, best 0.1235",
        "epoch 1: loss 1.2500, validation mrr@20 0.2500, log loss 0.5000 after 62 s",
        "judging the test log",
    ]


def test_a_run_that_goes_on(capsys):
    start = MANIFEST | {"start": {"run": "0f0f", "new_items": 2}}
    lines = shown(
        capsys,
        {"kind": "begin", "folder": Path("a[b]"), "manifest": start},
        {"kind": "warning", "message": "[red]odd[/red] names"},
        {"kind": "resume", "step": 7, "epoch": 1, "row": 0},
    )
    assert lines[0] == "run a[b]" and '{"run": "0f0f", "new_items": 2}' in lines[3]
    assert lines[4:] == ["warning: [red]odd[/red] names", "resumed at step 7, 1 epochs done"]
