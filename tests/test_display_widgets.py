"""helpers.display.widgets: panels, worked by setting the values of their knobs, and players."""

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import audio
from helpers.display import widgets
from helpers.features import Frontend

SR = 8000
PNG, WAV = b"\x89PNG\r\n\x1a\n", b"RIFF"
KNOBS = ["Class", "Clip", "FFT size", "Hop length", "Mel bands", "Band (kHz)"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Two classes of two clips each, and one whose only clip is a text."""
    folder = tmp_path_factory.mktemp("clips")
    rng, rows = np.random.default_rng(0), []
    for name in ("hum_0", "hiss_0", "hum_1", "hiss_1", "notes_0"):
        path, t = folder / f"{name}.wav", np.arange(SR) / SR
        y = rng.normal(0, 0.1, SR) if "hiss" in name else 0.3 * np.sin(400 * (1 + len(rows)) * t)
        sf.write(path, y, SR) if "notes" not in name else path.write_text("field notes")
        rows.append({"path": path, "label": name.split("_")[0]})
    return pd.DataFrame(rows)


@pytest.fixture
def panel(table):
    return widgets.clips(table, sr=SR)


@pytest.fixture
def loads(monkeypatch):
    """The paths that are decoded, in order."""
    calls, load = [], audio.load

    def counted(path, **kwargs):
        calls.append(path)
        return load(path, **kwargs)

    monkeypatch.setattr(audio, "load", counted)
    return calls


def parts(panel):
    """(knobs by their description, note, picture, player)."""
    *rows, note, picture, player = panel.children
    return {knob.description: knob for row in rows for knob in row.children}, note, picture, player


def shown(widget):
    """The bytes of a picture or a player."""
    return bytes(widget.value)


def heard(content):
    """The sound of a WAV file's bytes, and its rate."""
    return sf.read(io.BytesIO(content), dtype="float32")


# --- any clip through any spectrogram -------------------------------------------------------------


def test_the_first_clip_is_shown_at_once(panel, table):
    knobs, note, picture, player = parts(panel)
    assert list(knobs) == KNOBS
    assert knobs["Class"].value == "hiss" and knobs["Clip"].label == "hiss_0.wav"
    assert shown(picture).startswith(PNG) and shown(player).startswith(WAV)
    assert "256 ms" in note.value and "128 mel bands" in note.value


def test_every_class_and_clip_can_be_chosen(panel, table, loads):
    knobs, note, picture, player = parts(panel)
    assert knobs["Class"].options == ("hiss", "hum", "notes")
    pictures = set()
    for label in ("hum", "hiss", "hum"):
        knobs["Class"].value = label
        mine = table.loc[table["label"] == label, "path"].tolist()
        assert [path for _, path in knobs["Clip"].options] == mine
        assert knobs["Clip"].value == mine[0], "a class begins with its first"
        for path in mine[::-1]:
            knobs["Clip"].value = path
            y, sr = heard(shown(player))
            assert sr == SR and loads[-1] == path
            np.testing.assert_allclose(y, audio.load(path, sr=SR), atol=1e-4)
            assert shown(picture).startswith(PNG)
            pictures.add(shown(picture))
    assert len(pictures) == 4
    assert not plt.get_fignums(), "no figure stays open"


def test_a_turned_knob_changes_the_picture_and_decodes_nothing(table, loads):
    knobs, note, picture, player = parts(widgets.clips(table, sr=SR))
    sound = shown(player)
    for knob, value in (
        ("FFT size", 128),
        ("Hop length", 2048),
        ("Mel bands", 24),
        ("Mel bands", 0),
        ("Band (kHz)", (0.5, 3)),
        ("FFT size", 8192),
    ):
        before = shown(picture), note.value
        knobs[knob].value = value
        assert shown(picture).startswith(PNG) and shown(picture) != before[0], knob
        assert note.value != before[1] or knob == "Band (kHz)"
    assert len(loads) == 1 and shown(player) == sound
    assert "linear bands" in note.value


def test_only_the_beginning_of_a_long_clip_is_shown(table):
    player = parts(widgets.clips(table, sr=SR, seconds=0.25))[-1]
    assert len(heard(shown(player))[0]) == SR // 4


def test_an_unreadable_clip_is_told_and_the_next_one_shown(panel, monkeypatch):
    knobs, note, picture, player = parts(panel)
    before = shown(picture)
    knobs["Class"].value = "notes"
    assert "cannot be read" in note.value and "text, not audio" in note.value
    assert not shown(picture) and not shown(player), "not those of the clip before"
    knobs["FFT size"].value = 512
    assert "cannot be read" in note.value
    knobs["FFT size"].value = 2048
    knobs["Class"].value = "hiss"
    assert shown(picture) == before and shown(player).startswith(WAV) and "256 ms" in note.value

    def refuse(path, **kwargs):
        raise audio.AudioError(path, "1 < 2")

    monkeypatch.setattr(audio, "load", refuse)
    knobs["Class"].value = "hum"
    assert "1 &lt; 2" in note.value


@pytest.mark.parametrize(
    ("n_mels", "n_fft", "band"),
    [(128, 2048, (1, 1)), (128, 128, (4, 4)), (0, 128, (0.1, 0.1)), (0, 128, (0.2, 0.3))],
)
def test_an_impossible_band_is_told(panel, n_mels, n_fft, band):
    knobs, note, picture, _ = parts(panel)
    knobs["Mel bands"].value, knobs["FFT size"].value = n_mels, n_fft
    before = shown(picture)
    knobs["Band (kHz)"].value = band
    assert "make it wider, or the FFT larger" in note.value
    knobs["Band (kHz)"].value = (0, 4)
    assert "bands." in note.value and shown(picture) == before


def test_a_band_of_a_single_bin_is_told(panel):
    knobs, note, *_ = parts(panel)
    knobs["Mel bands"].value, knobs["FFT size"].value = 0, 128
    knobs["Band (kHz)"].value = (0.1, 0.2)  # bins lie 62.5 Hz apart: at 125 and 187.5 Hz
    assert "2 linear bands" in note.value
    knobs["Band (kHz)"].value = (0.1, 0.15)
    assert "make it wider" in note.value


# --- detections -----------------------------------------------------------------------------------


def test_every_detection_can_be_seen_and_heard(table):
    paths = {path.name: path for path in table["path"]}
    events = pd.DataFrame(
        [("hum_0.wav", 0.1, 0.2, 0.9), ("hum_0.wav", 0.6, 0.7, 0.8), ("hiss_0.wav", 0.3, 0.5, 0.7)],
        columns=["clip_name", "start_s", "end_s", "score"],
    )
    frontend = Frontend(sr=SR, n_fft=256, hop_length=128, n_mels=16)

    def load(name, **part):
        return audio.load(paths[name], **part)

    panel = widgets.detections(load, events, frontend, before_s=0.2, after_s=0.3, sr=SR)
    (recording, number), picture, player = panel.children[0].children, *panel.children[1:]
    assert recording.options == ("hiss_0.wav", "hum_0.wav") and number.max == 1
    recording.value = "hum_0.wav"
    assert number.max == 2
    number.value = 2
    seen = shown(picture)
    expected = audio.load(paths["hum_0.wav"], sr=SR, start_s=0.45, duration_s=0.5)
    np.testing.assert_allclose(heard(shown(player))[0], expected, atol=1e-4)
    recording.value = "hiss_0.wav"  # which has no second
    assert number.value == 1 and shown(picture).startswith(PNG) and shown(picture) != seen
    assert not plt.get_fignums()


# --- players and figures --------------------------------------------------------------------------


def test_a_player_for_each_sound_plays_it():
    rng = np.random.default_rng(0)
    sounds = [rng.uniform(-1, 1, n).astype(np.float32) for n in (1, 500, 2000)]
    titles = ["plain", '<b> & "quoted"', "Übung 🐦"]
    page = widgets.players(sounds, sr=SR, titles=titles, columns=2).data
    assert page.count("<audio controls") == page.count("<figure") == 3
    assert "repeat(2, 1fr)" in page
    assert "<b>" not in page and "&lt;b&gt; &amp; &quot;quoted&quot;" in page and titles[2] in page
    contents = re.findall(r'src="data:audio/wav;base64,([^"]*)"', page)
    for content, y in zip(contents, sounds, strict=True):
        found, sr = heard(base64.b64decode(content))
        assert sr == SR
        np.testing.assert_allclose(found, y, rtol=0, atol=2 / 2**15)


def test_what_is_beyond_full_scale_is_cut_and_does_not_turn_over():
    page = widgets.players([np.array([3, -3, 0.5], np.float32)], sr=SR, titles=["loud"]).data
    found, _ = heard(base64.b64decode(re.search(r'base64,([^"]*)"', page)[1]))
    np.testing.assert_allclose(found, [1, -1, 0.5], atol=1e-4)
    assert "repeat(1, 1fr)" in page


def test_a_title_too_few_is_refused_and_no_sound_is_none():
    with pytest.raises(ValueError):
        widgets.players([np.zeros(9)] * 2, sr=SR, titles=["one"])
    assert "<audio" not in widgets.players([], sr=SR, titles=[]).data


def test_an_interactive_figure_needs_no_network():
    express = pytest.importorskip("plotly.express")
    figure = express.scatter(x=[1, 2], y=[3, 4], title="all that is heard")
    page = widgets.interactive(figure).data
    assert "all that is heard" in page and "Plotly.newPlot(" in page
    assert len(page) > 1_000_000, "plotly is in it"
    assert not re.search(r'<script[^>]*\bsrc\b|src="https|<link\b', page)
