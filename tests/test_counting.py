"""helpers.counting: every call of every readable recording, and any other file with its reason."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import augment, counting, events, training
from helpers.counting import count_calls, density

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
    np.testing.assert_allclose(events.centres(mine), expected, atol=0.1)
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
    assert list(counted.errors.columns) == ["file", "reason"]
    assert counted.errors["file"].tolist() == sorted(BAD)
    per_name = counted.events.groupby("clip_name", sort=False).size()
    known = counted.results.dropna().set_index("clip_name")["call_count"]
    assert per_name.to_dict() == known[known > 0].to_dict()
    assert list(counted.scores) == list(counted.durations) == sorted([*GOOD, *FLAT])
    for name, score in counted.scores.items():
        n_frames = tone_detector.frontend.n_frames(round(counted.durations[name] * RATE))
        assert len(score) == 1 + n_frames // tone_detector.stride
        again = events.find_events(
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
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    shuffled = [paths[i] for i in np.random.default_rng(threads).permutation(len(paths))]
    same(count_calls(iter(shuffled), tone_detector, progress=False), counted)


def test_blocks_do_not_change_anything(folder, tone_detector, counted, monkeypatch):
    stream = counting.audio.stream
    monkeypatch.setattr(
        counting.audio, "stream", lambda path, *, sr: stream(path, sr=sr, block_s=0.37)
    )
    again = count_calls([folder / "long.wav"], tone_detector, progress=False)
    np.testing.assert_array_equal(again.scores["long.wav"], counted.scores["long.wav"])


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


@settings(max_examples=60, deadline=None)
@given(recordings=RECORDINGS, per_s=st.sampled_from([60.0, 10.0, 7.5]))
def test_density_sums_to_the_counts_and_covers_every_minute(recordings, per_s):
    durations = {name: duration for name, (duration, _) in recordings.items()}
    rows = [
        (name, max(0, x * d - 1.5), min(d, x * d + 1.5))
        for name, (d, places) in recordings.items()
        for x in places
    ]
    table = pd.DataFrame(rows, columns=["clip_name", "start_s", "end_s"])
    found = density(table, durations, per_s=per_s)
    assert list(found["clip_name"].unique()) == list(durations)
    assert found["call_count"].sum() == len(table)
    for name, mine in found.groupby("clip_name"):
        duration, places = recordings[name]
        assert mine["call_count"].sum() == len(places)
        assert mine["minute"].tolist() == list(range(max(1, int(np.ceil(duration / per_s)))))
        np.testing.assert_allclose(mine["start_s"], mine["minute"] * per_s)
        assert mine["duration_s"].sum() == pytest.approx(duration)
        assert (mine["duration_s"] > 0).all() and (mine["duration_s"] <= per_s + 1e-9).all()
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


# --- scenes with a known answer -------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes_of(tone_detector):
    frontend = tone_detector.frontend
    rng = np.random.default_rng(0)
    call = np.full((25, frontend.n_bands), 1e-3, np.float32)
    call[:, np.argmin(np.abs(frontend.frequencies - 1500))] = 10.0
    bed = [rng.standard_gamma(4.0, (200, frontend.n_bands)).astype(np.float32)]
    plain = replace(augment.HELD_OUT, counterexamples=0.0, augment=False, level_db=(15.0, 30.0))
    mixers = [augment.SceneMixer([call], [12], [bed], frontend, plain) for _ in range(2)]
    fit = training.CrossFit([tone_detector] * 2, pd.DataFrame(), np.zeros(0), mixers)

    def scenes(**changes):
        return counting.held_out_scenes(fit, per_fold=8, length_s=20.0, progress=False, **changes)

    return scenes


def test_held_out_scenes_know_their_calls(scenes_of, tone_detector):
    scenes = scenes_of()
    assert len(scenes) == 16 and sum(len(s.true_s) for s in scenes) > 10
    for scene in scenes:
        assert scene.length_s == 20 and ((scene.true_s >= 0) & (scene.true_s < 20)).all()
        found = events.find_events(
            scene.score, step_s=tone_detector.step_s, settings=tone_detector.settings
        )
        for true in scene.true_s[(scene.true_s > 0.5) & (scene.true_s < 19.5)]:
            if np.sum(np.abs(scene.true_s - true) < 1) > 1:
                continue  # touching calls may be one tone
            assert np.abs(events.centres(found) - true).min() < 0.25
    again = scenes_of()
    for a, b in zip(scenes, again, strict=True):
        np.testing.assert_array_equal(a.score, b.score)
        np.testing.assert_array_equal(a.true_s, b.true_s)
    assert not np.array_equal(scenes[0].score, scenes_of(seed=1)[0].score)


def test_fainter_calls_and_noise_lower_the_score_and_move_nothing(scenes_of):
    plain = scenes_of()
    for changes in ({"fainter_db": 25.0}, {"noise_db": 30.0}):
        harder = scenes_of(**changes)
        for a, b in zip(plain, harder, strict=True):
            np.testing.assert_array_equal(a.true_s, b.true_s)
        assert sum(s.score.sum() for s in harder) < 0.5 * sum(s.score.sum() for s in plain)


# --- thresholds and their margins -----------------------------------------------------------------

# No score lies on the grid of thresholds, where rounding decides.
SCORES = st.lists(st.integers(0, 99), min_size=1, max_size=80).map(
    lambda x: np.array(x) / 100 + 0.005
)
CHOSEN = events.EventSettings(min_distance_s=1.0)


def n_calls(score, threshold):
    chosen = replace(CHOSEN, threshold=threshold)
    return len(events.find_events(score, step_s=0.25, settings=chosen))


@settings(max_examples=10, deadline=None)
@given(score=SCORES, threshold=st.integers(2, 98))
def test_within_its_margins_a_count_does_not_change(score, threshold):
    threshold = threshold / 100
    chosen = replace(CHOSEN, threshold=threshold)
    row = counting.margins({"a": score}, step_s=0.25, settings=chosen).iloc[0]
    assert 0 <= row["low"] <= threshold <= row["high"] <= 1
    expected = n_calls(score, threshold)
    for t in np.linspace(0.01, 0.99, 99):
        if row["low"] - 1e-6 <= t <= row["high"] + 1e-6:
            assert n_calls(score, t) == expected
    for beyond in (row["low"] - 0.01, row["high"] + 0.01):
        if 0.009 < beyond < 0.991:
            assert n_calls(score, beyond) != expected


def scene(calls, others=(), peak=0.9, false_peak=0.3):
    score = np.zeros(240)  # a minute
    score[[round(4 * t) for t in calls]] = peak
    score[[round(4 * t) for t in others]] = false_peak
    return counting.ScoredScene(score, np.array(calls, float), 60.0)


def test_the_threshold_is_chosen_between_what_is_a_call_and_what_is_not():
    scenes = [scene([5, 20, 40], [30, 50]), scene([10]), scene([], [15])]
    curve = counting.threshold_curve(scenes, step_s=0.25, settings=CHOSEN)
    assert (np.diff(curve["missed"]) >= 0).all() and (np.diff(curve["false_alarms"]) <= 0).all()
    np.testing.assert_allclose(curve["error"], curve["missed"] + curve["false_alarms"])
    low, middle, high = (curve[curve["threshold"] > t].iloc[0] for t in (0.1, 0.6, 0.92))
    assert (low["missed"], low["false_alarms"]) == (0, 1) and low["count_error"] == 1
    assert middle["error"] == 0 and (high["missed"], high["false_alarms"]) == (4 / 3, 0)
    chosen = counting.choose_threshold(curve)
    assert 0.85 < chosen <= 0.9  # the strictest of those that find every call


def test_the_interval_of_a_total_knows_of_misses_and_false_alarms():
    def interval(scenes, n_found=100, minutes=50):
        return counting.corrected_total(
            n_found, minutes, scenes, step_s=0.25, settings=CHOSEN, n_resamples=300
        )

    perfect = [scene([5, 20, 40])] * 8
    assert interval(perfect) == (100, 100)
    deaf = [scene([5, 20, 40]), scene([5, 20, 40], peak=0.1)] * 8
    low, high = interval(deaf)
    assert 110 < low < 200 < high
    jumpy = [scene([5, 20], [40, 50], false_peak=0.8), scene([5, 20])] * 8
    low, high = interval(jumpy)
    assert low < 50 < high < 90
    assert interval([scene([])] * 3) is None


def test_runs_of_positive_windows_merge_neighbours():
    score = np.zeros(240)
    score[[20, 30, 100]] = 0.9  # the first two lie 2.5 s apart, in neighbouring windows
    found = counting.count_runs({"a": score}, step_s=0.25, threshold=0.5)
    assert found["call_count"].tolist() == [2] and found["call_count"].dtype == "Int64"
    assert n_calls(score, 0.5) == 3
