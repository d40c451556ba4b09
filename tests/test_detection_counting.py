"""helpers.detection.counting: every call of readable recordings, and a reason for the others."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, detection, env, evaluation, models
from helpers.detection import count_calls, counting, density
from helpers.features import Frontend
from helpers.files import ERRORS

RATE = 8000


def tones(*centres, length_s, rate=RATE, channels=1):
    """Tones of 0.3 s and 1500 Hz over soft noise."""
    rng = np.random.default_rng(len(centres))
    t = np.arange(round(length_s * rate)) / rate
    y = rng.normal(0, 0.005, len(t))
    for centre in centres:
        y += 0.3 * np.sin(2 * np.pi * 1500 * t) * (np.abs(t - centre) < 0.15)
    return np.repeat(y[:, None], channels, axis=1).astype(np.float32)


# name → (centres of the calls, s; length, s; rate, Hz; channels)
GOOD = {
    "a.wav": ([1.0, 2.5, 4.2], 6, 8000, 1),
    "b.mp3": ([1.0, 2.0, 3.0, 4.0], 5, 44100, 2),
    "c.flac": ([0.2, 5.8], 6, 16000, 1),  # at both edges
    "d.ogg": ([2.2], 4, 22050, 2),
    "eight channels.wav": ([1.5, 3.0], 4, 44100, 8),
    "fast.wav": ([0.5, 2.0], 3, 192000, 1),
    "forêt à l'aube 🐦.wav": ([1.0, 2.0], 3, 8000, 1),
    "long.wav": (list(np.arange(5, 126, 7.5)), 130, 8000, 1),
    "nothing.wav": ([], 5, 8000, 1),
    "short.wav": ([], 0.02, 8000, 1),  # shorter than one window
}
FLAT = {"dc.wav": 0.5, "one sample.wav": 0.5, "silence.wav": 0.0}
BAD = {
    "zero bytes.wav": "0 bytes",
    "text.wav": "",
    "truncated.wav": "",
    "truncated.flac": "",
    "truncated.mp3": "",
    "nan.wav": "NaN sample at 1.00 s",
    "infinite.wav": "infinite sample at 1.00 s",
    "huge.wav": "impossible",
    "folder.wav": "folder",
    "not there.wav": "no such file",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for name, (centres, length_s, rate, channels) in GOOD.items():
        sf.write(
            folder / name, tones(*centres, length_s=length_s, rate=rate, channels=channels), rate
        )
    for name, value in FLAT.items():
        n = 1 if name == "one sample.wav" else 4 * RATE
        sf.write(folder / name, np.full(n, value, np.float32), RATE)
    (folder / "zero bytes.wav").touch()
    (folder / "text.wav").write_text("clip_name,call_count\n" * 100)
    for kind in ("wav", "flac", "mp3"):
        path = folder / f"truncated.{kind}"
        sf.write(path, tones(1.0, length_s=4), RATE)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    for name, value in (("nan.wav", np.nan), ("infinite.wav", -np.inf), ("huge.wav", 1e30)):
        y = tones(0.5, length_s=3)
        y[RATE] = value
        sf.write(folder / name, y, RATE, subtype="FLOAT")
    (folder / "folder.wav").mkdir()
    return folder


@pytest.fixture(scope="module")
def paths(folder):
    return [folder / name for name in (*BAD, *GOOD, *FLAT)]


@pytest.fixture(scope="module")
def counted(paths, tone_detector):
    return count_calls(paths, tone_detector, progress=False)


def count(counted, name):
    rows = counted.results[counted.results["clip_name"] == name]
    assert len(rows) == 1
    return rows["call_count"].iloc[0]


# --- good files and bad ones ----------------------------------------------------------------------


def test_one_row_per_recording_sorted_by_name(counted):
    assert list(counted.results.columns) == ["clip_name", "call_count"]
    assert counted.results["clip_name"].tolist() == sorted([*BAD, *GOOD, *FLAT])
    assert counted.results["call_count"].dtype == "Int64"


@pytest.mark.parametrize("name", [*GOOD, *FLAT])
def test_calls_of_good_recordings_are_counted_where_they_are(counted, name):
    centres, length_s, *_ = GOOD.get(name, ([], None))
    assert count(counted, name) == len(centres)
    mine = counted.events[counted.events["clip_name"] == name]
    # Windows are cut at the ends of a recording: compare with windows cut alike.
    expected = [(max(0, t - 0.2) + min(length_s, t + 0.2)) / 2 for t in centres]
    np.testing.assert_allclose(evaluation.centres(mine), expected, atol=0.1)
    if length_s:
        assert counted.durations[name] == pytest.approx(length_s, abs=0.01)
    assert name not in set(counted.errors["file"])


@pytest.mark.parametrize("name", BAD)
def test_bad_files_have_a_reason_and_no_count(counted, name):
    assert count(counted, name) is pd.NA
    rows = counted.errors[counted.errors["file"] == name]
    assert len(rows) == 1 and len(rows["reason"].iloc[0]) > 5
    assert BAD[name] in rows["reason"].iloc[0]
    assert name not in counted.durations and name not in counted.scores
    assert name not in set(counted.events["clip_name"])


def test_the_tables_belong_together(counted, tone_detector):
    assert list(counted.events.columns) == ["clip_name", "start_s", "end_s", "score"]
    assert list(counted.errors.columns) == ERRORS
    assert counted.errors["file"].tolist() == sorted(BAD)
    per_name = counted.events.groupby("clip_name", sort=False).size()
    known = counted.results.dropna().set_index("clip_name")["call_count"]
    assert per_name.to_dict() == known[known > 0].to_dict()
    assert list(counted.scores) == list(counted.durations) == sorted([*GOOD, *FLAT])
    for name, score in counted.scores.items():
        n_frames = tone_detector.frontend.n_frames(round(counted.durations[name] * RATE))
        assert len(score) == 1 + n_frames // tone_detector.stride
        again = detection.find_events(
            score,
            step_s=tone_detector.step_s,
            settings=tone_detector.settings,
            length_s=counted.durations[name],
        )
        assert len(again) == count(counted, name)
    assert counted.events.index.tolist() == list(range(len(counted.events)))
    assert counted.seconds > 0 and counted.realtime_factor > 0


def same(a, b):
    for field in ("results", "events", "errors"):
        pd.testing.assert_frame_equal(getattr(a, field), getattr(b, field), check_exact=True)
    assert a.durations == b.durations
    for name in a.scores:
        np.testing.assert_array_equal(a.scores[name], b.scores[name])


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_neither_order_nor_threads_change_anything(
    paths, tone_detector, counted, monkeypatch, threads
):
    monkeypatch.setattr(env, "cpu_count", lambda: threads)
    shuffled = [paths[i] for i in np.random.default_rng(threads).permutation(len(paths))]
    same(count_calls(iter(shuffled), tone_detector, progress=False), counted)


def test_blocks_do_not_change_anything(folder, tone_detector, counted, monkeypatch):
    stream = counting.audio.stream
    monkeypatch.setattr(
        counting.audio, "stream", lambda path, **part: stream(path, block_s=0.37, **part)
    )
    again = count_calls([folder / "long.wav"], tone_detector, progress=False)
    np.testing.assert_array_equal(again.scores["long.wav"], counted.scores["long.wav"])


def in_parts(path, detector):
    n_parts = detection.part_count(path, detector)
    parts = [detection.score_part(path, detector, part=k, n_parts=n_parts) for k in range(n_parts)]
    return n_parts, np.concatenate([score for score, _ in parts]), parts[-1][1]


@given(length_s=st.floats(30, 100), rate=st.sampled_from([RATE, 11025]))
@settings(max_examples=15)
def test_parts_of_a_recording_give_what_the_whole_gives(length_s, rate, tone_detector):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(counting, "PART_BLOCKS", 1)  # 16.4 s
        path = Path(folder) / "long.wav"
        # A call every 1.7 s: some lie where two parts meet.
        sf.write(path, tones(*np.arange(1, length_s, 1.7), length_s=length_s, rate=rate), rate)
        whole = count_calls([path], tone_detector, progress=False)
        n_parts, score, length = in_parts(path, tone_detector)
    assert n_parts == int(length_s / (256 * tone_detector.step_s))
    assert length / RATE == whole.durations["long.wav"]
    if rate == RATE:
        np.testing.assert_array_equal(score, whole.scores["long.wav"])
    else:  # the resampler begins elsewhere, and rounds otherwise
        np.testing.assert_allclose(score, whole.scores["long.wav"], atol=1e-5)


def test_parts_of_a_network_with_a_wide_view(tmp_path, monkeypatch):
    frontend = Frontend(sr=RATE, n_fft=512, hop_length=128, n_mels=32)
    detector = models.CallDetector(models.call_network(32, width=4), frontend)
    y = np.random.default_rng(0).normal(0, 0.1, 80 * RATE) * np.linspace(0, 1, 80 * RATE)
    sf.write(tmp_path / "noise.flac", y, RATE)
    monkeypatch.setattr(counting, "PART_BLOCKS", 1)
    whole = count_calls([tmp_path / "noise.flac"], detector, progress=False).scores["noise.flac"]
    n_parts, score, _ = in_parts(tmp_path / "noise.flac", detector)
    assert n_parts == 4 and whole.std() > 0
    np.testing.assert_array_equal(score, whole)


def test_what_is_short_or_has_no_way_into_its_middle_is_one_part(
    folder, tone_detector, tmp_path, monkeypatch
):
    monkeypatch.setattr(counting, "PART_BLOCKS", 1)
    sf.write(tmp_path / "long.ogg", tones(1.0, length_s=60), RATE)
    sf.write(tmp_path / "long.mp3", tones(1.0, length_s=60), RATE)
    assert detection.part_count(tmp_path / "long.mp3", tone_detector) == 3
    for path in (folder / "a.wav", folder / "short.wav", tmp_path / "long.ogg"):
        assert detection.part_count(path, tone_detector) == 1
    score, length = detection.score_part(folder / "d.ogg", tone_detector, part=0, n_parts=1)
    assert len(score) and length == 4 * RATE
    with pytest.raises(audio.AudioError):
        detection.part_count(folder / "text.wav", tone_detector)


def test_a_part_that_its_recording_does_not_have(folder, tone_detector, monkeypatch):
    monkeypatch.setattr(counting, "PART_BLOCKS", 4)
    with pytest.raises(audio.AudioError, match="it ends at 130 s, long before"):
        detection.score_part(folder / "long.wav", tone_detector, part=1, n_parts=9)


def test_nothing_to_count_and_nothing_but_errors(folder, tone_detector):
    nothing = count_calls([], tone_detector, progress=False)
    assert nothing.results.empty and nothing.events.empty and nothing.errors.empty
    only = count_calls([folder / "text.wav"], tone_detector, progress=False)
    assert only.results["call_count"].isna().tolist() == [True]
    assert list(only.events.columns) == ["clip_name", "start_s", "end_s", "score"]
    for result in (nothing, only):
        assert density(result.events, result.durations).empty


def test_settings_of_ones_own(folder, tone_detector, counted):
    stricter = replace(tone_detector.settings, min_distance_s=1.3)
    found = count_calls([folder / "b.mp3"], tone_detector, settings=stricter, progress=False)
    assert count(counted, "b.mp3") == 4 and count(found, "b.mp3") == 2


def test_a_mistake_in_the_program_is_not_taken_for_a_bad_file(folder, tone_detector, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(counting.audio, "stream", broken)
    with pytest.raises(ZeroDivisionError):
        count_calls([folder / "a.wav"], tone_detector, progress=False)


# --- density --------------------------------------------------------------------------------------

RECORDINGS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.tuples(
        st.one_of(st.sampled_from([1e-4, 59.9, 60.0, 60.1, 180.0]), st.floats(0.01, 400)),
        st.lists(st.floats(0, 1), max_size=20),
    ),
)


@settings(max_examples=60)
@given(recordings=RECORDINGS, bin_s=st.sampled_from([60.0, 10.0, 7.5]))
def test_density_sums_to_the_counts_and_covers_every_minute(recordings, bin_s):
    durations = {name: duration for name, (duration, _) in recordings.items()}
    rows = [
        (name, max(0, x * d - 1.5), min(d, x * d + 1.5))
        for name, (d, places) in recordings.items()
        for x in places
    ]
    table = pd.DataFrame(rows, columns=["clip_name", "start_s", "end_s"])
    found = density(table, durations, bin_s=bin_s)
    assert list(found["clip_name"].unique()) == list(durations)
    assert found["call_count"].sum() == len(table)
    for name, mine in found.groupby("clip_name"):
        duration, places = recordings[name]
        assert mine["call_count"].sum() == len(places)
        assert mine["minute"].tolist() == list(range(max(1, int(np.ceil(duration / bin_s)))))
        np.testing.assert_allclose(mine["start_s"], mine["minute"] * bin_s)
        assert mine["duration_s"].sum() == pytest.approx(duration)
        assert (mine["duration_s"] > 0).all() and (mine["duration_s"] <= bin_s + 1e-9).all()
        np.testing.assert_allclose(
            mine["calls_per_minute"], mine["call_count"] / mine["duration_s"] * 60
        )


def test_density_of_what_was_counted(counted):
    found = density(counted.events, counted.durations)
    sums = found.groupby("clip_name")["call_count"].sum()
    known = counted.results.dropna().set_index("clip_name")["call_count"]
    assert sums.to_dict() == known.to_dict()
    long = found[found["clip_name"] == "long.wav"]
    assert long["duration_s"].tolist() == [60, 60, 10]
    assert long["call_count"].tolist() == [8, 8, 1]
    assert long["calls_per_minute"].iloc[2] == 6


# --- the usual way -------------------------------------------------------------------------------


def test_runs_of_positive_windows_merge_neighbours():
    score = np.zeros(240)
    score[[20, 30, 100]] = 0.9  # the first two lie 2.5 s apart, in neighbouring windows
    found = detection.count_runs({"a": score}, step_s=0.25, threshold=0.5)
    assert found["call_count"].tolist() == [2] and found["call_count"].dtype == "Int64"
    assert len(detection.find_events(score, step_s=0.25, settings=models.EventSettings())) == 3
