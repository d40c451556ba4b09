"""helpers.audio.monitor and `channel`: what a user should know of a recording, told in words."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio
from helpers.audio import Monitor

RATE = 8000


def noise(length_s=60.0, *, seed=0, level=0.1, rate=RATE):
    return np.random.default_rng(seed).normal(0, level, round(length_s * rate)).astype(np.float32)


def heard(path, channel="mean", **part):
    monitor = Monitor(channel)
    sound = list(audio.stream(path, sr=RATE, channel=channel, monitor=monitor, **part))
    return monitor, np.concatenate(sound)


def monitor_of(path, channels, channel="mean", rate=RATE):
    sf.write(path, np.stack(channels, axis=1), rate, subtype="FLOAT")
    return heard(path, channel)[0]


# --- channels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x.wav", "x.flac", "x.aiff", "x.w64"])
@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_a_channel_is_that_column(name, n_channels, tmp_path):
    frames = np.stack([noise(2.0, seed=k) for k in range(n_channels)], axis=1)
    sf.write(tmp_path / name, frames, RATE)
    kept, _ = sf.read(tmp_path / name, dtype="float32", always_2d=True)
    for number in range(1, n_channels + 1):
        y = audio.load(tmp_path / name, sr=RATE, channel=number)
        np.testing.assert_array_equal(y, kept[:, number - 1])
        part = audio.load(tmp_path / name, sr=RATE, channel=number, start_s=0.5, duration_s=1.0)
        np.testing.assert_array_equal(part, kept[RATE // 2 : RATE // 2 + RATE, number - 1])
    np.testing.assert_allclose(audio.load(tmp_path / name, sr=RATE), kept.mean(axis=1), atol=1e-6)
    with pytest.raises(audio.AudioError, match=f"there is no channel {n_channels + 1}"):
        audio.load(tmp_path / name, sr=RATE, channel=n_channels + 1)


def test_a_bad_sample_in_another_channel_does_no_harm(tmp_path):
    right = noise(2.0)
    right[100] = np.nan
    sf.write(tmp_path / "x.wav", np.stack([noise(2.0), right], 1), RATE, subtype="FLOAT")
    assert np.isfinite(audio.load(tmp_path / "x.wav", sr=RATE, channel=1)).all()
    for channel in (2, "mean"):
        with pytest.raises(audio.AudioError, match="NaN sample at 0.01 s"):
            audio.load(tmp_path / "x.wav", sr=RATE, channel=channel)


@pytest.mark.parametrize("channel", [0, -1, "left", 1.5, None])
def test_what_is_no_channel(channel, tmp_path):
    sf.write(tmp_path / "x.wav", noise(1.0), RATE)
    with pytest.raises(ValueError, match="the first channel is 1"):
        audio.load(tmp_path / "x.wav", sr=RATE, channel=channel)


def wind(seed):
    """Strong noise below 100 Hz, as in a microphone without a shield."""
    slow = np.repeat(noise(seed=seed, level=1.0)[: 60 * 100], RATE // 100)
    return (0.3 * np.convolve(slow, np.ones(160) / 160, "same")).astype(np.float32)


@pytest.mark.parametrize(
    "channels, said",
    {
        "inverted": ([noise(), -noise()], "cancel each other (100% of the time)"),
        "inverted, softer": ([noise(), -0.7 * noise()], "cancel"),
        "inverted behind wind": ([noise() + wind(1), wind(2) - noise()], "cancel"),
        "half of the time": (
            [noise(), np.concatenate([noise()[: 30 * RATE], -noise()[30 * RATE :]])],
            "cancel each other (50% of the time)",
        ),
        "four of which two cancel two": ([noise(), noise(), -noise(), -noise()], "cancel"),
        "a noisy one": ([noise(level=0.02), noise(seed=1, level=0.2)], "differ by more than 6 dB"),
        "a dead one": ([noise(), 0 * noise()], "differ"),
        "a dead one of three": ([noise(), 0 * noise(), noise(seed=2)], "differ"),
        "a broken cable": (
            [noise(), np.concatenate([noise()[: 40 * RATE], 0 * noise()[40 * RATE :]])],
            "differ by more than 6 dB (33% of the time)",
        ),
        "the same": ([noise(), noise()], ""),
        "a little softer": ([noise(), 0.7 * noise()], ""),
        "independent": ([noise(), noise(seed=1)], ""),
        "delayed": ([noise(), np.roll(noise(), 40)], ""),
        "an offset": ([noise(), noise() + 0.3], ""),
        "eight": ([noise(seed=k) for k in range(8)], ""),
        "a passing car": (
            [noise(), np.concatenate([4 * noise()[: 5 * RATE], noise()[5 * RATE :]])],
            "",
        ),
    }.values(),
)
def test_channels_that_do_not_go_together(channels, said, tmp_path):
    monitor = monitor_of(tmp_path / "x.wav", channels)
    assert said in monitor.remarks and bool(said) == bool(monitor.remarks)
    # Of one channel alone there is nothing to say, unless it is dead.
    assert monitor_of(tmp_path / "x.wav", channels, channel=1).remarks == ""


# --- drop-outs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, rate", [("x.wav", 8000), ("x.flac", 44100), ("x.mp3", 16000)])
def test_zeros_are_a_drop_out(name, rate, tmp_path):
    y = noise(60.0, rate=rate)
    for start, end in ((10.0, 13.5), (20.0, 20.5), (40.0, 42.0)):  # the second is too short
        y[round(start * rate) : round(end * rate)] = 0
    sf.write(tmp_path / name, y, rate)
    monitor, _ = heard(tmp_path / name)
    slack = 0.15 if name == "x.mp3" else 1 / rate  # an MP3 frame, and what rings on
    np.testing.assert_allclose(monitor.dropouts, [(10.0, 13.5), (40.0, 42.0)], atol=slack)
    assert monitor.dropped_s == pytest.approx(5.5, abs=4 * slack)
    if name != "x.mp3":
        said = "drop-outs: zeros for 5.50 s (the first of 2 at 10.00 s)"
        assert monitor.remarks == said


def test_zeros_in_all_channels_or_in_the_one_that_is_heard(tmp_path):
    left, right = noise(), noise(seed=1)
    left[: 5 * RATE], right[3 * RATE : 6 * RATE] = 0, 0
    for channel, wanted in (("mean", (3, 5)), (1, (0, 5)), (2, (3, 6))):
        monitor = monitor_of(tmp_path / "x.wav", [left, right], channel=channel)
        np.testing.assert_allclose(monitor.dropouts, [wanted], atol=1e-3)


def test_silence_as_a_whole_is_said_otherwise(tmp_path):
    monitor = monitor_of(tmp_path / "x.wav", [0 * noise()])
    assert monitor.remarks == "it holds no sound: all its samples are zero"
    assert monitor.dropped_s == 60


@pytest.mark.parametrize("level", [0.5, 1 / 128], ids=["loud", "near the last bit"])
def test_soft_sound_is_no_drop_out(level, tmp_path):
    y = (np.round(noise(level=level / 4) * 128) / 128).astype(np.float32)  # 8 bits: many zeros
    assert monitor_of(tmp_path / "x.wav", [y.clip(-1, 1)]).remarks == ""


RUNS = st.lists(st.tuples(st.floats(0, 55), st.floats(0.0, 9)), max_size=4)


@given(runs=RUNS, cut_s=st.floats(1, 59), margin_s=st.floats(0, 3))
@settings(max_examples=40)
def test_parts_find_what_the_whole_finds(runs, cut_s, margin_s, tmp_path_factory):
    path = tmp_path_factory.mktemp("x") / "x.wav"
    y = noise(60.0)
    is_zero = np.zeros(len(y), bool)
    for start, length in runs:
        is_zero[round(start * RATE) : round((start + length) * RATE)] = True
    y[is_zero] = 0
    sf.write(path, np.stack([y, -y], axis=1), RATE, subtype="FLOAT")
    whole, _ = heard(path)
    edges = np.flatnonzero(np.diff(is_zero, prepend=False, append=False)).reshape(-1, 2)
    wanted = [tuple(run) for run in edges / RATE if run[1] - run[0] >= 1]
    assert whole.dropouts == wanted
    joined = Monitor()
    begin = max(0.0, cut_s - margin_s)
    for part in ({"duration_s": cut_s + margin_s}, {"start_s": begin}):
        found = json.dumps(asdict(heard(path, **part)[0]))
        joined.join(Monitor(**json.loads(found)))
    assert joined.dropouts == wanted
    assert joined.n_frames == whole.n_frames
    numbers = [number for number, *_ in joined.windows]
    assert numbers == sorted(set(numbers)) and all(w[1:] == [True, False] for w in joined.windows)
