"""helpers.detection.labels: label files that read back as Audacity and Raven read them."""

import pandas as pd
import pytest

from helpers import detection

EVENTS = pd.DataFrame(
    {
        "clip_name": ["r 1.mp3", "ä🐦.wav", "r 1.mp3", "same.wav"],
        "start_s": [1.23456, 0.0, 100.5, 2.0],
        "end_s": [4.23456, 1.5, 103.5, 3.0],
        "score": [0.987, 0.5, 1.0, 0.75],
    },
    index=[5, 3, 9, 0],
)
NAMES = ["empty.wav", "r 1.mp3", "same.flac", "same.wav", "ä🐦.wav"]


@pytest.fixture
def labels(tmp_path):
    detection.write_labels(
        tmp_path / "labels", EVENTS, NAMES, low_hz=100, high_hz=2000.0, label="capuchinbird"
    )
    return tmp_path / "labels"


def audacity(path):
    """[(start, end, text, low, high)], as Audacity reads extended label files."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for first, second in zip(lines[::2], lines[1::2], strict=True):
        start, end, text = first.split("\t")
        mark, low, high = second.split("\t")
        assert mark == "\\"
        found.append((float(start), float(end), text, float(low), float(high)))
    return found


def test_every_recording_has_its_two_files(labels):
    bases = ["empty", "r 1", "same.flac", "same.wav", "ä🐦"]  # the whole name where stems agree
    expected = {f"{b}.{kind}.txt" for b in bases for kind in ("audacity", "raven")}
    assert {p.name for p in labels.iterdir()} == expected


def test_audacity_labels_read_back(labels):
    assert audacity(labels / "r 1.audacity.txt") == [
        (1.235, 4.235, "capuchinbird 0.99", 100, 2000),
        (100.5, 103.5, "capuchinbird 1.00", 100, 2000),
    ]
    assert audacity(labels / "ä🐦.audacity.txt") == [(0, 1.5, "capuchinbird 0.50", 100, 2000)]
    assert len(audacity(labels / "same.wav.audacity.txt")) == 1
    for name in ("empty", "same.flac"):
        assert (labels / f"{name}.audacity.txt").read_bytes() == b""


def test_raven_tables_read_back(labels):
    table = pd.read_csv(labels / "r 1.raven.txt", sep="\t")
    assert table["Selection"].tolist() == [1, 2]
    assert table["Begin Time (s)"].tolist() == [1.235, 100.5]
    assert table["End Time (s)"].tolist() == [4.235, 103.5]
    assert (table["Low Freq (Hz)"] == 100).all() and (table["High Freq (Hz)"] == 2000).all()
    assert (table["View"] == "Spectrogram 1").all() and (table["Channel"] == 1).all()
    assert (table["Species"] == "capuchinbird").all()
    assert table["Score"].tolist() == [0.987, 1.0]
    nothing = pd.read_csv(labels / "empty.raven.txt", sep="\t")
    assert nothing.empty and list(nothing.columns) == list(table.columns)
