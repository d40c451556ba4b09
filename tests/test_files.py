"""helpers.files: files that are written whole or not at all, and that other programs read."""

import json
import os

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers import files
from helpers.data import Dataset


@pytest.fixture
def figure():
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([1, 2])
    yield figure
    plt.close(figure)


# --- whole or not at all --------------------------------------------------------------------------


def write_all(folder, figure):
    table = pd.DataFrame({"clip_name": ["ä🐦 1.wav", "b.wav"], "call_count": [3, None]})
    files.write_text(folder / "text.txt", "Grüße\n")
    files.write_table(table.astype({"call_count": "Int64"}), folder / "table.csv")
    files.write_figure(figure, folder / "figure.png", dpi=50)
    dataset = Dataset("capuchin", folder, "local")
    files.write_metrics(folder, dataset=dataset, seed=0, exact=20)


def test_folders_are_made_and_nothing_else_is_left_in_them(tmp_path, figure):
    write_all(tmp_path / "a" / "b", figure)
    names = {p.name for p in (tmp_path / "a" / "b").iterdir()}
    assert names == {"text.txt", "table.csv", "figure.png", "metrics.json"}
    assert (tmp_path / "a/b/text.txt").read_bytes() == "Grüße\n".encode()
    assert (tmp_path / "a/b/figure.png").read_bytes().startswith(b"\x89PNG")
    write_all(tmp_path / "a" / "b", figure)  # over what is there


def test_a_table_keeps_missing_values_empty_and_whole_numbers_whole(tmp_path, figure):
    write_all(tmp_path, figure)
    text = (tmp_path / "table.csv").read_text(encoding="utf-8")
    assert text.splitlines() == ["clip_name,call_count", "ä🐦 1.wav,3", "b.wav,"]


@pytest.mark.parametrize("what", ["text", "table", "figure", "rename"])
def test_a_failure_leaves_the_old_file_and_no_half_one(tmp_path, monkeypatch, figure, what):
    path = tmp_path / f"file.{'png' if what == 'figure' else 'csv'}"
    path.write_text("the old one")

    def half(target, *args, **kwargs):
        with open(target, "w") as file:
            file.write("half of")
        raise OSError(28, "No space left on device")

    def broken(*args):
        raise OSError(28, "No space left on device")

    table = pd.DataFrame({"a": [1]})
    with pytest.raises(OSError, match="No space"):
        if what == "figure":
            monkeypatch.setattr(figure, "savefig", half)
            files.write_figure(figure, path)
        elif what == "table":
            monkeypatch.setattr(pd.DataFrame, "to_csv", lambda self, *a, **k: half(*a, **k))
            files.write_table(table, path)
        elif what == "text":
            monkeypatch.setattr(files.Path, "write_text", half)
            files.write_text(path, "new")
        else:
            monkeypatch.setattr(os, "replace", broken)
            files.write_table(table, path)
    assert path.read_bytes() == b"the old one"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# --- metrics.json ---------------------------------------------------------------------------------


def test_metrics_are_flat_numbers(tmp_path):
    dataset = Dataset("capuchin", tmp_path, "synthetic")
    returned = files.write_metrics(
        tmp_path,
        dataset=dataset,
        seed=3,
        exact=np.int64(20),
        mae=np.float32(0.25),
        event_f1=0.123456789,
        big=300.0,
        unknown=None,
        true=True,
    )
    content = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert (
        content
        == returned
        == {
            "dataset": "capuchin",
            "source": "synthetic",
            "seed": 3,
            "exact": 20,
            "mae": 0.25,
            "event_f1": 0.123457,
            "big": 300.0,
            "unknown": None,
            "true": 1,
        }
    )
    assert list(content)[:3] == ["dataset", "source", "seed"]
    assert type(content["exact"]) is int and type(content["mae"]) is float
    assert str(tmp_path) not in json.dumps(content)


@pytest.mark.parametrize(
    "bad", [float("nan"), np.float32("nan"), float("inf"), "0.5", [1], {"a": 1}, pd.NA, 1j]
)
def test_what_is_no_number_is_refused_and_the_old_file_stays(tmp_path, bad):
    dataset = Dataset("capuchin", tmp_path, "local")
    files.write_metrics(tmp_path, dataset=dataset, seed=0, f1=1.0)
    before = (tmp_path / "metrics.json").read_bytes()
    with pytest.raises(ValueError, match="metric 'f1'"):
        files.write_metrics(tmp_path, dataset=dataset, seed=0, exact=3, f1=bad)
    assert (tmp_path / "metrics.json").read_bytes() == before


def test_arrays_read_back_without_pickle(tmp_path):
    path = tmp_path / "deep" / "arrays.npz"
    files.write_arrays(path, name=np.array(["ä.wav", "b"]), x=np.arange(4.0).reshape(2, 2))
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["name"].tolist() == ["ä.wav", "b"]
        np.testing.assert_array_equal(arrays["x"], [[0, 1], [2, 3]])
    assert [p.name for p in path.parent.iterdir()] == ["arrays.npz"]
