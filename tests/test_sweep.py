"""tools/run.py --sweep: a run for every combination, compared, and gone on with after a kill."""

import json
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tiny_series import PARAMETERS, rows_of, started, write_helpers, write_notebook

from tools.command_line import UsageError
from tools.run import main
from tools.running import comparison, sweep

SWEPT = PARAMETERS + "\nEPOCHS = 9\nWIDTHS = [1]"
SCORED = """
import json, pathlib
score = EPOCHS + SEED / 10 + len(WIDTHS)
metrics = {"dataset": "tiny", "source": "synthetic", "seed": SEED, "score": score, "EPOCHS": 7}
pathlib.Path(OUTPUT_DIR, "metrics.json").write_text(json.dumps(metrics))
with open("ran.txt", "a") as file:
    file.write(f"{EPOCHS} {SEED}\\n")
"""


def ran(root):
    """What has run, in order, once for each time that it was run."""
    return (root / "ran.txt").read_text().splitlines()


# --- what is to be run ----------------------------------------------------------------------------

VALUES = st.sampled_from(["1", "-2.5", "none", "[1, 2]", "{a: [1, 2]}", "'a,b'", "x/y z", "(1,2)"])


@given(st.lists(VALUES, min_size=1, max_size=5, unique=True))
def test_values_are_parted_at_their_own_commas(values):
    assert sweep.read_sweep("NAME=" + ",".join(values)) == ("NAME", values)


@pytest.mark.parametrize("text", ["EPOCHS", "EPOCHS=", "=1", "EPOCHS=1,,2", "A B=1", "EPOCHS=1,1"])
def test_what_is_no_sweep_is_refused(text):
    with pytest.raises(UsageError, match="^--sweep "):
        sweep.read_sweep(text)


def test_every_combination_is_there_once():
    found = sweep.combinations([("A", ["1", "2"]), ("B", ["x", "y", "z"])], given=[("C", "0")])
    assert len(found) == 6 == len({tuple(c) for c in found})
    assert found[1] == [("A", "1"), ("B", "y")]
    assert sweep.combinations([], given=[("C", "0")]) == [[]]
    with pytest.raises(UsageError, match="A is swept twice"):
        sweep.combinations([("A", ["1"]), ("A", ["2"])], given=[])
    with pytest.raises(UsageError, match="C is swept, and given with -p"):
        sweep.combinations([("C", ["1"])], given=[("C", "0")])


@given(st.lists(st.text(max_size=120), min_size=2, max_size=2, unique=True))
def test_every_variant_has_a_folder_of_its_own(values):
    a, b = (sweep.folder_of(sweep.variant_of([("LABEL", value)])) for value in values)
    assert a.lower() != b.lower(), "also where capitals do not count"
    for name in (a, b):
        assert len(name) < 100 and "/" not in name and name.isascii() and name.strip(". ") == name


# --- what comes of it -----------------------------------------------------------------------------


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=6), st.floats(-5, 5))
def test_the_interval_over_seeds_is_students(scores, single):
    table = pd.DataFrame({"width": ["a"] * len(scores) + ["b"], "score": [*scores, single]})
    found = comparison.over_seeds(table, "score", by=["width"]).set_index("width")
    assert found["n"].tolist() == [len(scores), 1]
    np.testing.assert_allclose(found.loc["b", "mean"], single)
    assert np.isnan(found.loc["b", "low"])
    if np.std(scores) > 1e-6:
        expected = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
        np.testing.assert_allclose(found.loc["a", ["low", "high"]].astype(float), expected)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two settings and two seeds; then one that adds a seed to it."""
    root = tmp_path_factory.mktemp("swept")
    write_helpers(root)
    write_notebook(root, "01_tiny", SCORED, parameters=SWEPT)
    asked = ["01", "--output", str(root / "out"), "--sweep", "EPOCHS=10,9", "--jobs", "2"]
    first = main([*asked, "--seeds", "0,1"], root=root)
    early = ran(root)
    second = main([*asked, "--seeds", "0,1,2"], root=root)
    return root, (first, second), early


def test_each_combination_runs_once_and_is_a_row(swept):
    root, statuses, early = swept
    assert statuses == (0, 0)
    assert sorted(early) == ["10 0", "10 1", "9 0", "9 1"]
    assert sorted(ran(root)) == ["10 0", "10 1", "10 2", "9 0", "9 1", "9 2"], "only what is new"
    rows = rows_of(root / "out")
    assert [(row["EPOCHS"], row["SEED"]) for row in rows] == [
        (epochs, seed) for epochs in ("9", "10") for seed in "012"
    ]
    for row in rows:
        assert float(row["score"]) == int(row["EPOCHS"]) + int(row["SEED"]) / 10 + 1
        assert row["metric_EPOCHS"] == "7", "a metric called like a parameter takes no place"
        assert (root / "out/01_tiny" / f"EPOCHS={row['EPOCHS']}_SEED={row['SEED']}").is_dir()


def test_the_comparison_has_a_picture_of_what_differs(swept):
    page = (swept[0] / "out" / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<h3>") == page.count("data:image/png") == 1
    assert "<h3>score</h3>" in page and "10.1" in page
    low, high = stats.ttest_1samp([10, 10.1, 10.2], 0).confidence_interval(0.95)
    assert f"{low:.4g} to {high:.4g}" in page
    assert "<script" not in page and 'src="http' not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "EPOCH=1,2"], "unknown parameter 'EPOCH'"),
        (["--sweep", "EPOCHS=1,many"], "EPOCHS must be a number"),
        (["--sweep", "EPOCHS"], "such as EPOCHS=10,20"),
        (["--seeds", "0,1", "-p", "SEED", "2"], "SEED is swept, and given with -p"),
        (["-p", "EPOCHS", "1", "--output", "out"], "holds a sweep: choose a new folder"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(swept, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr("tools.run.execute", lambda *_, **__: pytest.fail("something ran"))
    monkeypatch.chdir(swept[0])
    assert main(["01", *arguments], root=swept[0]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_a_sweep_goes_on_after_a_kill(tmp_path, request):
    wait = "import time, pathlib\nif not pathlib.Path('go').exists(): time.sleep(1.5)"
    write_notebook(tmp_path, "01_tiny", wait, SCORED, parameters=SWEPT)
    asked = ["--output", "out", "--sweep", "EPOCHS=1,2", "--seeds", "0,1", "--jobs", "2"]
    process = started(asked, request, root=tmp_path)
    deadline = time.monotonic() + 180
    while not list(tmp_path.glob("out/01_tiny/*/complete.json")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=180)
    complete = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/*/complete.json")}
    assert 1 <= len(complete) <= 4

    (tmp_path / "go").touch()
    assert main(asked[:1] + [str(tmp_path / "out")] + asked[2:], root=tmp_path) == 0
    assert {path: path.stat().st_mtime_ns for path in complete} == complete, "not run again"
    for folder in (tmp_path / "out" / "01_tiny").iterdir():
        assert not list(folder.glob("*.part*"))
        metrics = json.loads((folder / "metrics.json").read_text())
        epochs, seed = (int(part.split("=")[1]) for part in folder.name.split("_"))
        assert metrics["score"] == epochs + seed / 10 + 1
    assert len(rows_of(tmp_path / "out")) == 4
    # The same sweep in one go has the same rows, but for how long they took.
    assert main([*asked[:1], str(tmp_path / "whole"), *asked[2:]], root=tmp_path) == 0
    own, whole = (
        pd.read_csv(tmp_path / name / "summary.csv").drop(columns=["seconds", "peak_memory_mib"])
        for name in ("out", "whole")
    )
    pd.testing.assert_frame_equal(own, whole)
