"""helpers.synthesis.speech: traits of talkers and properties of channels can be measured."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from helpers.synthesis.speech import Channel, Talker, record, utterance
from helpers.synthesis.wildlife import rms

SR = 16_000


def rng(seed=0):
    return np.random.default_rng(seed)


def talkers(n):
    return [Talker.draw(rng(seed)) for seed in range(n)]


def spectrum(y, sr=SR):
    """(Hz, power) of the sounding part."""
    return signal.welch(y[y != 0], sr, nperseg=1024)


def share(y, low_hz, high_hz=SR / 2):
    """Share of the power in a band."""
    hz, power = spectrum(y)
    return power[(hz >= low_hz) & (hz < high_hz)].sum() / power.sum()


# --- talkers --------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(1, 8))
def test_whoever_speaks_for_however_long(talker, seed, seconds):
    y = utterance(rng(seed), Talker.draw(rng(talker)), seconds=seconds)
    assert y.shape == (round(seconds * SR),) and np.isfinite(y).all()
    assert rms(y[y != 0]) == pytest.approx(1) and np.abs(y).max() < 30
    pause = round(0.03 * SR)  # and at both ends nobody speaks
    assert not y[:pause].any() and not y[-pause:].any()
    assert 0.2 < (y != 0).mean() < 0.95


def test_the_generator_decides():
    first, other = talkers(2)
    y = utterance(rng(), first, seconds=2)
    np.testing.assert_array_equal(y, utterance(rng(), first, seconds=2))
    assert not np.array_equal(y, utterance(rng(1), first, seconds=2))
    assert not np.array_equal(y, utterance(rng(), other, seconds=2))
    assert Talker.draw(rng(3)) == Talker.draw(rng(3)) != Talker.draw(rng(4))


def test_there_must_be_time_to_speak():
    with pytest.raises(ValueError, match="at least 1"):
        utterance(rng(), talkers(1)[0], seconds=0.9)


def test_the_pitch_is_the_talkers():
    missed = []
    for seed, talker in enumerate(talkers(12)):
        y = utterance(rng(seed), replace(talker, breath_db=-30), seconds=4)
        f0 = librosa.yin(y, fmin=60, fmax=500, sr=SR, frame_length=1024)
        level = librosa.feature.rms(y=y, frame_length=1024, hop_length=256)[0]
        found = np.median(f0[level > np.median(level[level > 0])])
        missed.append(12 * np.log2(found / talker.f0_hz))
    assert np.abs(missed).max() < 3 and np.abs(np.median(missed)) < 1


def test_a_shorter_tract_moves_everything_up():
    talker = talkers(1)[0]
    shifts = []
    octaves = np.arange(np.log2(400), np.log2(4000), 0.01)
    for seed in range(6):
        level = []
        for tract_cm in (17, 13):
            same = replace(talker, tract_cm=tract_cm, f0_hz=90, slope_db=0)
            hz, power = spectrum(utterance(rng(seed), same, seconds=6))
            smooth = np.convolve(np.log(power), np.ones(9) / 9, "same")
            level.append(np.diff(np.interp(octaves, np.log2(hz[1:]), smooth[1:]), n=1))
        lags = range(80)
        match = [np.corrcoef(level[0][: -lag or None], level[1][lag:])[0, 1] for lag in lags]
        shifts.append(0.01 * np.argmax(match))
    assert np.median(shifts) == pytest.approx(np.log2(17 / 13), abs=0.08)


def test_men_women_and_children_overlap():
    drawn = talkers(400)
    f0, tract = (np.array([getattr(t, name) for t in drawn]) for name in ("f0_hz", "tract_cm"))
    assert 60 < f0.min() < 100 and 260 < f0.max() < 450
    assert 10 < tract.min() < 13 and 17.5 < tract.max() < 21
    assert -0.9 < np.corrcoef(np.log(f0), tract)[0, 1] < -0.6
    between = (f0 > 140) & (f0 < 175)
    assert 0.05 < between.mean() < 0.4 and np.ptp(tract[between]) > 4


@pytest.mark.parametrize(
    ("trait", "low", "high", "measure"),
    [
        ("slope_db", -2, 5, lambda y: -share(y, 1500, 4000)),
        ("breath_db", -34, -10, lambda y: share(y, 6500)),
        ("pause_s", 0.15, 0.45, lambda y: (y == 0).mean()),
        ("sibilance", -0.4, 0.3, lambda y: share(y, 6500) / share(y, 4500, 6500)),
    ],
)
def test_traits_are_heard(trait, low, high, measure):
    talker = replace(talkers(1)[0], breath_db=-25)
    values = []
    for value in (low, high):
        changed = replace(talker, **{trait: value})
        values.append(np.mean([measure(utterance(rng(k), changed, seconds=5)) for k in range(3)]))
    assert values[0] < values[1]


def test_faster_talkers_say_more():
    def bumps(rate):
        talker = replace(talkers(1)[0], syllables_per_s=rate, pause_s=0.1)
        y = np.concatenate([utterance(rng(seed), talker, seconds=5) for seed in range(4)])
        level = np.abs(signal.stft(y, SR, nperseg=512)[2]).sum(axis=0)
        return len(signal.find_peaks(np.convolve(level, np.hanning(7), "same"), prominence=0.5)[0])

    assert bumps(6.2) > 1.25 * bumps(3.4)


def test_another_rate_is_the_same_voice():
    talker = talkers(1)[0]
    y = utterance(rng(), talker, seconds=4, sr=22_050)
    assert len(y) == 4 * 22_050
    f0 = librosa.yin(y[y != 0], fmin=60, fmax=500, sr=22_050)
    assert abs(12 * np.log2(np.median(f0) / talker.f0_hz)) < 3


# --- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_noise_lies_as_far_below_as_said(seed):
    channel = Channel.draw(rng(seed))
    y = utterance(rng(seed), talkers(1)[0], seconds=6)
    z = record(rng(seed), y, channel=channel)
    assert z.shape == y.shape and np.abs(z).max() < 1
    np.testing.assert_array_equal(z, record(rng(seed), y, channel=channel))
    silence, pause = record(rng(seed), y, channel=replace(channel, snr_db=300)), y == 0
    noise = z - silence
    snr_db = 20 * np.log10(rms(silence[~pause]) / rms(noise))
    assert snr_db == pytest.approx(channel.snr_db, abs=0.1)
    assert 20 * np.log10(rms(silence[~pause])) == pytest.approx(channel.level_db, abs=0.1)
    assert rms(noise[pause]) == pytest.approx(rms(noise), rel=0.2)  # in the pauses as well


def test_channels_are_drawn_within_their_ranges():
    drawn = [Channel.draw(rng(seed)) for seed in range(200)]
    snr_db = [channel.snr_db for channel in drawn]
    assert 12 <= min(snr_db) < 16 and 32 < max(snr_db) <= 35
    assert {channel.hum_hz for channel in drawn} == {0, 50, 60}
    assert len({channel.room for channel in drawn}) == 200


def plain(**changes):
    """A channel that changes only what `changes` say, and removes the mean."""
    nothing = dict(low_hz=1, high_hz=1e5, tilt_db=0, peaks=(), room=0, room_s=0.1, direct_db=200)
    nothing |= dict(snr_db=300, noise_db=0, hum_hz=0, hum_db=0, level_db=0)
    return Channel(**(nothing | changes))


def test_a_plain_channel_changes_nothing():
    y = utterance(rng(), talkers(1)[0], seconds=3)
    np.testing.assert_allclose(record(rng(), y, channel=plain()), y, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "band", "db"),
    [
        (dict(high_hz=3000), (6000, 7500), -42),
        (dict(low_hz=400), (180, 220), -18),
        (dict(tilt_db=3), (3900, 4100), 6),
        (dict(peaks=((2000, 0.3, 8),)), (1990, 2010), 8),
    ],
)
def test_what_the_microphone_does(changes, band, db):
    noise = rng().standard_normal(10 * SR)  # instead of speech: it has all frequencies
    hz, before = spectrum(record(rng(), noise, channel=plain()))
    after = spectrum(record(rng(), noise, channel=plain(**changes)))[1]
    change = 10 * np.log10(after / before)
    middle = np.median(change[(hz > 900) & (hz < 1100)])
    inside = (hz >= band[0] - 8) & (hz <= band[1] + 8)
    assert np.median(change[inside]) - middle == pytest.approx(db, abs=2)


def test_a_room_has_the_same_echoes_all_session_long():
    click = np.zeros(SR)
    click[100] = 1
    channel = plain(room=7, room_s=0.3, direct_db=6)
    first, again, other = (
        record(rng(seed), click, channel=replace(channel, room=room))
        for seed, room in ((0, 7), (1, 7), (0, 8))
    )
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert not np.allclose(first, other, atol=1e-2)
    echoes = first[101:]
    assert rms(echoes) * np.sqrt(len(echoes)) == pytest.approx(10 ** (-6 / 20), rel=0.01)
    assert np.abs(np.r_[first[:100], echoes[round(0.31 * SR) :]]).max() < 1e-4


def test_hum_is_a_comb_of_the_mains():
    y = np.zeros(4 * SR)
    y[SR : 2 * SR] = rng().standard_normal(SR)
    z = record(rng(), y, channel=plain(snr_db=10, hum_hz=50, hum_db=20, noise_db=0))
    hz, power = signal.welch(z[2 * SR :], SR, nperseg=8192)
    level = 10 * np.log10([power[np.abs(hz - f) < 4].max() for f in (50, 75, 100, 125, 150)])
    assert min(level[[0, 2, 4]]) > max(level[[1, 3]]) + 15
