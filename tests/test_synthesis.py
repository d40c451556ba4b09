"""helpers.synthesis: writing samples; the capuchin data set and its sounds."""

import csv
import hashlib
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from scipy import signal
from scipy.ndimage import uniform_filter1d

from helpers import env
from helpers.synthesis import GENERATORS, capuchin, default_root, generators, write_sample
from helpers.synthesis.capuchin import SIZES
from helpers.synthesis.wildlife import KINDS, SR, Voice, background, call

CAPUCHIN = GENERATORS["capuchin"]
TINY = dict(sources=2, positives=3, sounds=2, negatives=3, recordings=4, seconds=12)
TINY_SIZES = {
    "capuchin": TINY,
    "catsdogs": dict(cat=3, dog=3),
    "esc50": dict(esc_clips=2),
    "speakers": dict(speakers=2, utterances=(2, 1)),
    "urbansound8k": dict(sources=2, clips=40),
}
WRITE_TINY = f"""
import sys
from helpers import synthesis
from helpers.synthesis import capuchin
capuchin.SIZES["tiny"] = {TINY}
synthesis.write_sample(synthesis.GENERATORS["capuchin"], sys.argv[1], size="tiny", progress=False)
"""
REPOSITORY = Path(generators.__file__).parents[2]


def _load(path):
    y, rate = sf.read(path, dtype="float32", always_2d=True)
    return soxr.resample(y.mean(axis=1), rate, SR)


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _digest(root):
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _write_tiny(root, **kwargs):
    return subprocess.Popen([sys.executable, "-c", WRITE_TINY, str(root)], cwd=REPOSITORY, **kwargs)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return write_sample(CAPUCHIN, tmp_path_factory.mktemp("sample") / "capuchin", progress=False)


@pytest.fixture(scope="session")
def counts(small):
    return {row["clip_name"]: int(row["call_count"]) for row in _rows(small / "counts.csv")}


@pytest.fixture(scope="session")
def recordings(small, counts):
    return {name: _load(small / "Forest Recordings" / name) for name in counts}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(SIZES, "tiny", TINY)


def test_layout_and_file_formats(small):
    plan = SIZES["small"]
    positives = sorted((small / "Parsed_Capuchinbird_Clips").glob("XC*-*.wav"))
    negatives = sorted((small / "Parsed_Not_Capuchinbird_Clips").glob("*-*.wav"))
    assert len(positives) == plan["positives"] and len(negatives) == plan["negatives"]
    assert len({p.stem.rpartition("-")[0] for p in positives}) == plan["sources"]
    assert len({p.stem.rpartition("-")[0] for p in negatives}) == plan["sounds"]

    info = [sf.info(p) for p in positives]
    assert {i.samplerate for i in info} == {11025, 44100, 48000}
    assert {i.channels for i in info} == {1, 2}
    assert all(abs(i.duration * 2 - round(i.duration * 2)) < 0.01 for i in info)
    assert (
        all(1.9 < i.duration < 5.1 for i in info) and len({round(i.duration, 1) for i in info}) > 3
    )
    info = [sf.info(p) for p in negatives]
    assert Counter((i.samplerate, i.channels) for i in info) == {(44100, 2): len(negatives)}
    assert all(2.99 < i.duration < 4 for i in info)

    forest = sorted((small / "Forest Recordings").glob("recording_*.flac"))
    info = [sf.info(p) for p in forest]
    assert len(forest) == plan["recordings"]
    assert {(i.samplerate, i.channels, round(i.duration, 3)) for i in info} == {
        (48000, 2, plan["seconds"])
    }
    assert all(sf.info(p).subtype == "PCM_16" for p in (*positives, *negatives, *forest))


def test_key_is_consistent(small, counts):
    calls = _rows(small / "calls.csv")
    forest = sorted(p.name for p in (small / "Forest Recordings").iterdir())
    assert list(counts) == forest
    assert Counter(row["clip_name"] for row in calls) == {n: c for n, c in counts.items() if c}
    order = [(row["clip_name"], float(row["centre_s"])) for row in calls]
    assert order == sorted(order)
    assert all(0 < t < SIZES["small"]["seconds"] for _, t in order)
    steps = np.diff([t for name, t in order if name == max(counts, key=counts.get)])
    assert steps.min() > 2.8 and np.median(steps) < 5  # touching, hardly ever overlapping
    assert 0.25 <= np.mean([c == 0 for c in counts.values()]) <= 0.5
    assert max(counts.values()) >= 10


def test_the_centre_lies_just_before_the_step(small, recordings):
    offsets = []
    for row in _rows(small / "calls.csv"):
        y, centre = recordings[row["clip_name"]], float(row["centre_s"])
        f, t, s = signal.stft(y[max(round((centre - 1.5) * SR), 0) :][: 4 * SR], SR, nperseg=512)
        level = np.log(np.sum(np.abs(s[(f > 1100) & (f < 1600)]) ** 2, axis=0) + 1e-9)
        rise = np.convolve(level, np.r_[np.ones(20), -np.ones(20)], "same")
        offsets.append(t[np.argmax(rise[25:-60]) + 25] - min(1.5, centre))
    assert abs(np.median(offsets) - capuchin.STEP_AFTER_CENTRE_S) < 0.08


def test_levels_from_faint_to_clipping(small, recordings):
    in_band = {}
    level = []
    sos = signal.butter(3, capuchin.CALL_BAND_HZ, "bandpass", fs=SR, output="sos")
    for row in _rows(small / "calls.csv"):
        name, centre = row["clip_name"], float(row["centre_s"])
        if name not in in_band:
            in_band[name] = signal.sosfilt(sos, recordings[name])
        level.append(10 * np.log10(np.mean(in_band[name][round((centre + 0.3) * SR) :][:SR] ** 2)))
    assert max(level) - min(level) > 25
    peaks = [np.mean(np.abs(y) > 0.985) for y in recordings.values()]
    assert max(peaks) > 1e-4  # clips at full scale
    clips = [_load(p) for p in sorted((small / "Parsed_Capuchinbird_Clips").iterdir())]
    assert min(np.abs(y).max() for y in clips) < 0.1 and max(np.abs(y).max() for y in clips) > 0.5


def test_digital_silence_and_shared_backgrounds(recordings):
    assert max(np.mean(np.abs(y) < 1e-6) for y in recordings.values()) > 0.05
    spectra = [np.log(signal.welch(y, SR)[1] + 1e-9) for y in recordings.values()]
    first, neighbour, *others = (s[60:] for s in spectra)  # above the calls' band
    distance = [np.abs(first - other).mean() for other in (neighbour, *others)]
    assert np.argmin(distance) == 0


@pytest.mark.parametrize("name", TINY_SIZES)
def test_the_same_seed_gives_the_same_bytes(name, tmp_path, monkeypatch):
    generator = GENERATORS[name]
    monkeypatch.setitem(generator.sizes, "tiny", TINY_SIZES[name])
    one, again, other = (
        _digest(write_sample(generator, tmp_path / folder, size="tiny", seed=seed, progress=False))
        for folder, seed in (("one", 3), ("again", 3), ("other", 4))
    )
    assert one == again
    assert sum(one[file] != other.get(file) for file in one) >= min(5, len(one) - 1)


def test_a_sample_of_the_same_version_size_and_seed_is_kept(tiny, tmp_path):
    root = write_sample(CAPUCHIN, tmp_path / "a", size="tiny", seed=1, progress=False)
    before = (root / "counts.csv").stat().st_mtime_ns
    write_sample(CAPUCHIN, root, size="tiny", seed=1, progress=False)
    assert (root / "counts.csv").stat().st_mtime_ns == before


def test_another_version_is_rebuilt_and_foreign_folders_are_left_alone(tiny, tmp_path):
    root = write_sample(CAPUCHIN, tmp_path / "a", size="tiny", progress=False)
    (root / "counts.csv").unlink()
    write_sample(replace(CAPUCHIN, version=CAPUCHIN.version + 1), root, size="tiny", progress=False)
    assert (root / "counts.csv").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "take 1.wav").write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="another folder"):
        write_sample(CAPUCHIN, mine, size="tiny", progress=False)
    with pytest.raises(ValueError, match="small"):
        write_sample(CAPUCHIN, root, size="huge")
    assert [p.name for p in mine.iterdir()] == ["take 1.wav"]
    assert {p.name for p in tmp_path.iterdir()} == {"a", "mine"}


def test_a_killed_run_leaves_nothing_half(tmp_path):
    root = tmp_path / "capuchin"
    process = _write_tiny(root)
    deadline = time.time() + 20
    while not list(tmp_path.glob(".capuchin.*.part/*/*")) and time.time() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert list(tmp_path.glob(".capuchin.*.part")), "killed too late to tell"
    assert not root.exists()
    (partial,) = tmp_path.iterdir()
    os.utime(partial, (0, 0))
    assert _write_tiny(root).wait() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["capuchin"]  # the remains are gone as well


def test_two_processes_at_once(tiny, tmp_path):
    root = tmp_path / "capuchin"
    processes = [_write_tiny(root, stderr=subprocess.PIPE) for _ in range(2)]
    assert [p.communicate()[1] for p in processes] == [b"", b""]
    alone = write_sample(CAPUCHIN, tmp_path / "alone", size="tiny", progress=False)
    assert _digest(root) == _digest(alone)
    assert {p.name for p in tmp_path.iterdir()} == {"capuchin", "alone"}


def test_call_has_growl_step_and_stack():
    voice = Voice.draw(np.random.default_rng(3))
    y = call(np.random.default_rng(4), voice)
    assert len(y) == round(voice.duration_s * SR)
    assert np.array_equal(y, call(np.random.default_rng(4), voice))
    step = round(voice.growl_s * SR)
    flatness = []
    for part in (y[: step - 800], y[step + 800 : step + round(1.2 * SR)]):
        f, power = signal.welch(part, SR, nperseg=4096)
        power = power[(f > 500) & (f < 900)]
        flatness.append(np.exp(np.mean(np.log(power))) / np.mean(power))
    assert flatness[0] > 0.4 > 0.15 > flatness[1]  # noise, then lines
    assert len(call(np.random.default_rng(4), voice, sr=22050)) == round(voice.duration_s * 22050)


@pytest.mark.parametrize("kind", KINDS)
def test_background(kind):
    y = background(np.random.default_rng(0), kind, n_samples=32000)
    assert y.shape == (32000,) and np.isfinite(y).all()
    assert np.sqrt(np.mean(y**2)) == pytest.approx(1, abs=1e-3)
    assert np.array_equal(y, background(np.random.default_rng(0), kind, n_samples=32000))


def test_background_names_the_known_kinds():
    with pytest.raises(ValueError, match="crickets"):
        background(np.random.default_rng(0), "traffic", n_samples=10)


def test_default_root(tmp_path, monkeypatch):
    monkeypatch.delenv("AUDIO_SAMPLE_DIR", raising=False)
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path / "repo")
    tail = Path("data/synthetic/capuchin-small")
    assert default_root("capuchin", "small") == tmp_path / "repo" / tail
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(tmp_path / "samples"))
    assert default_root("capuchin", "small") == tmp_path / "samples" / tail


def _pooled_log_mel(windows):
    _, _, s = signal.stft(windows, SR, nperseg=512)
    edges = np.unique(np.round(np.geomspace(6, 256, 33)).astype(int))
    power = np.abs(s) ** 2
    bands = np.stack(
        [power[:, a:b].mean(axis=1) for a, b in zip(edges, edges[1:], strict=False)], 1
    )
    log = np.log10(bands + 1e-10)
    return np.concatenate([log.mean(axis=2), log.std(axis=2)], axis=1)


def test_runs_of_positive_windows_miscount(small, counts, recordings):
    """The popular tutorial: random split, 3 s windows, threshold 0.5, runs of positive windows."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split

    clips = [(p, 1) for p in sorted((small / "Parsed_Capuchinbird_Clips").iterdir())]
    clips += [(p, 0) for p in sorted((small / "Parsed_Not_Capuchinbird_Clips").iterdir())]
    window = 3 * SR
    waves = (_load(p)[:window] for p, _ in clips)
    x = _pooled_log_mel(np.stack([np.pad(y, (window - len(y), 0)) for y in waves]))
    train_x, test_x, train_y, test_y = train_test_split(
        x, [label for _, label in clips], test_size=0.3, random_state=0
    )
    model = RandomForestClassifier(100, random_state=0).fit(train_x, train_y)
    assert model.score(test_x, test_y) > 0.9  # looks solved, clip by clip
    found = {}
    for name, y in recordings.items():
        windows = np.stack([y[i : i + window] for i in range(0, len(y) - window + 1, window // 2)])
        positive = model.predict_proba(_pooled_log_mel(windows))[:, 1] > 0.5
        found[name] = int(np.sum(np.diff(positive.astype(int), prepend=0) == 1))
    assert np.mean([found[name] == counts[name] for name in counts]) < 0.75
    dense = max(counts, key=counts.get)
    assert found[dense] < counts[dense] / 2  # a chorus melts into few runs
    assert any(found[name] > counts[name] for name in counts)  # chattering birds are counted


def _comb_steps(y, threshold=11.0):
    """Times at which even harmonic lines 114 to 160 Hz apart begin and stay for 1.4 s."""
    f, t, s = signal.stft(y, SR, nperseg=2048, noverlap=1536)
    level = np.maximum(10 * np.log10(np.abs(s[:260]) ** 2 + 1e-9), -90)
    level -= uniform_filter1d(level, 35, axis=0)
    level = np.maximum(np.maximum(level[1:-1], level[:-2]), level[2:]).clip(-15, 15)
    k = np.arange(4, 12)
    comb = [
        level[np.round(k * f0 / f[1]).astype(int) - 1].mean(axis=0)
        - level[np.round((k[:-1] + 0.5) * f0 / f[1]).astype(int) - 1].mean(axis=0)
        for f0 in np.arange(114, 160, 1.5)
    ]
    total = np.pad(np.cumsum(comb, axis=1), ((0, 0), (1, 0)))
    hop = t[1]
    half, before = round(0.7 / hop), round(0.7 / hop)
    at = np.arange(before, len(t) - 2 * half)
    first = (total[:, at + half] - total[:, at]) / half
    second = (total[:, at + 2 * half] - total[:, at + half]) / half
    pre = (total[:, at] - total[:, at - before]) / before
    score = np.minimum(first, second) + (first + second) / 4 - 0.6 * np.maximum(pre, 0)
    peaks, _ = signal.find_peaks(score.max(axis=0), height=threshold, distance=round(2.6 / hop))
    return at[peaks] * hop


def test_a_matched_detector_counts_right(small, counts, recordings):
    calls = _rows(small / "calls.csv")
    for name, y in recordings.items():
        key = [float(row["centre_s"]) for row in calls if row["clip_name"] == name]
        found = _comb_steps(y) - capuchin.STEP_AFTER_CENTRE_S
        assert len(found) == counts[name], name
        # A little late where the background stops during a call: the comb then gets clearer.
        assert np.allclose(found, key, atol=0.8)
