"""features.survey: one pass gives what its parts give, and leaves out damaged files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import audio, data, features
from helpers.audio import quality
from helpers.features import Frontend, descriptors
from helpers.files import ERRORS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FRONTEND = Frontend(sr=16000, n_fft=512, hop_length=256, n_mels=20)
KINDS = ("Parsed_Capuchinbird_Clips", "Parsed_Not_Capuchinbird_Clips")
SOUNDS = [  # name, rate, channels, samples, format
    ("a-0.wav", 16000, 1, 16000, "PCM_16"),
    ("a-1.wav", 44100, 2, 30000, "PCM_24"),
    ("b-0.wav", 8000, 1, 4000, "PCM_U8"),
    ("b-1.wav", 48000, 2, 1, "FLOAT"),
    ("c-0.flac", 22050, 2, 20000, "PCM_16"),
    ("c-1.ogg", 11025, 1, 9000, "VORBIS"),
]


def sound(n, channels, seed):
    rng = np.random.default_rng(seed)
    y = 0.3 * np.sin(np.outer(np.arange(n), rng.uniform(0.1, 1, channels)))
    y += rng.normal(0, 0.02, y.shape)
    y[n - n // 3 :] = 0
    return y.astype(np.float32)


@pytest.fixture
def dataset(tmp_path):
    """Six sounds, and two more that fail when they are decoded, but not before."""
    for folder in KINDS:
        (tmp_path / "set" / folder).mkdir(parents=True)
    for i, (name, rate, channels, n, subtype) in enumerate(SOUNDS):
        path = tmp_path / "set" / KINDS[i % 2] / name
        sf.write(path, sound(n, channels, i), rate, subtype=subtype)
    bad = sound(24000, 1, 9)[:16000]
    path = tmp_path / "set" / KINDS[0] / "b-9.flac"
    sf.write(path, bad, 16000)
    content, third = path.read_bytes(), path.stat().st_size // 3
    path.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    bad[5000] = np.nan
    sf.write(tmp_path / "set" / KINDS[1] / "a-9.wav", bad, 16000, subtype="FLOAT")
    return data.Dataset("capuchin", tmp_path / "set", "local")


@pytest.fixture
def clips(dataset):
    table, errors = data.clip_table(dataset)
    assert len(table) == 8 and errors.empty
    return table


def take(table, tmp_path, *, frontend=FRONTEND):
    return features.survey_clips(
        table,
        frontend=frontend,
        root=tmp_path / "set",
        cache_dir=tmp_path / "cache",
        progress=False,
    )


def test_a_row_for_every_clip_that_can_be_decoded(clips, tmp_path):
    found, errors = take(clips, tmp_path)
    told = dict(zip(errors["file"], errors["reason"], strict=True))
    assert set(told) == {f"{KINDS[0]}/b-9.flac", f"{KINDS[1]}/a-9.wav"}
    assert "damaged between" in told[f"{KINDS[0]}/b-9.flac"]
    assert "NaN sample at 0.31 s" in told[f"{KINDS[1]}/a-9.wav"]
    expected = clips[~clips["path"].str.contains("-9")].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.table[data.CLIP_COLUMNS], expected)
    assert list(found.table.columns[len(data.CLIP_COLUMNS) :]) == [
        *(*quality.MEASURES.names, "subtype")
    ]
    subtypes = {name: subtype for name, _, _, _, subtype in SOUNDS}
    assert [subtypes[Path(path).name] for path in found.table["path"]] == list(
        found.table["subtype"]
    )
    assert len(found.powers) == len(found.features) == len(found.table) == 6
    assert found.features.index.equals(found.table.index) and found.frontend == FRONTEND


def test_the_clips_may_come_in_any_order(clips, tmp_path):
    found, _ = take(clips, tmp_path)
    mixed = clips.sample(frac=1, random_state=1)
    again, errors = take(mixed, tmp_path)
    assert again.table["path"].tolist() == [p for p in mixed["path"] if "-9" not in p]
    assert list(again.table.index) == list(range(6)) and len(errors) == 2
    order = [found.table["path"].tolist().index(path) for path in again.table["path"]]
    pd.testing.assert_frame_equal(again.table, found.table.iloc[order].reset_index(drop=True))
    pd.testing.assert_frame_equal(again.features, found.features.iloc[order].reset_index(drop=True))
    for i, power in zip(order, again.powers, strict=True):
        np.testing.assert_array_equal(power, found.powers[i])


@pytest.mark.parametrize("sr", [16000, 22050])
def test_it_tells_what_its_parts_tell_one_by_one(clips, tmp_path, sr):
    frontend = Frontend(sr=sr, n_fft=1024, hop_length=300, n_mels=24)
    found, _ = take(clips, tmp_path, frontend=frontend)
    assert list(found.features.columns) == list(descriptors.COLUMNS)
    for row, described, power in zip(
        found.table.itertuples(), found.features.to_numpy(), found.powers, strict=True
    ):
        y = audio.load(row.path, sr=sr)
        expected = frontend.power(y)
        assert power.dtype == np.float32 and power.shape == expected.shape
        np.testing.assert_allclose(power, expected, rtol=0, atol=1e-4 * expected.max())
        np.testing.assert_allclose(
            described, descriptors.summary(y, frontend), rtol=1e-3, atol=1e-3, err_msg=row.path
        )
        frames, info = audio.load_frames(row.path)
        measures = quality.measure(frames, sr=info.sample_rate)
        assert row.content == measures["content"].item().decode()
        for name in set(quality.MEASURES.names) - {"content"}:
            assert getattr(row, name) == measures[name]


def test_the_second_time_nothing_is_decoded(clips, tmp_path, monkeypatch):
    first, _ = take(clips, tmp_path)

    def load_frames(path):
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr(audio, "load_frames", load_frames)
    again, errors = take(first.table[data.CLIP_COLUMNS], tmp_path)
    assert errors.empty
    pd.testing.assert_frame_equal(again.table, first.table)
    pd.testing.assert_frame_equal(again.features, first.features)
    for one, other in zip(first.powers, again.powers, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(AssertionError, match="decoded again"):
        take(clips, tmp_path, frontend=Frontend(sr=16000, n_fft=512, hop_length=256, n_mels=21))


@pytest.mark.parametrize("are_damaged", [False, True])
def test_nothing_in_nothing_out(clips, tmp_path, are_damaged):
    whole, _ = take(clips, tmp_path)
    chosen = clips[clips["path"].str.contains("-9") & are_damaged]
    found, errors = take(chosen, tmp_path)
    assert len(errors) == 2 * are_damaged and list(errors.columns) == ERRORS
    assert found.table.empty and found.features.empty and found.powers == []
    assert list(found.table.columns) == list(whole.table.columns)
    assert list(found.features.columns) == list(whole.features.columns)
    faults = quality.faults(found.table, errors=errors, root=tmp_path / "set")
    assert faults["fault"].tolist() == ["damaged"] * len(errors)


@pytest.mark.real
def test_what_is_wrong_with_the_real_urbansound8k(tmp_path):
    root = SHARED / "urbansound8k"
    if not root.is_dir():
        pytest.skip("the real data set is not here")
    dataset = data.Dataset("urbansound8k", root, "local")
    table, errors = data.clip_table(dataset)
    quick = Frontend(sr=22050, n_fft=1024, hop_length=2048, n_mels=13)
    assert len(table) == 2148
    some = table.iloc[::3].reset_index(drop=True)
    found, undecodable = take(some, tmp_path, frontend=quick)
    assert len(found.table) == 716 and undecodable.empty
    assert np.isfinite(found.features.to_numpy()).all()
    listed = data.listed(dataset, found.table)
    faults = quality.faults(found.table, errors=errors, listed=listed, root=root)
    per_fault = faults["fault"].value_counts()
    assert per_fault["missing"] == 538 and per_fault["clipped"] >= 10
    assert set(per_fault.index) <= {"missing", "clipped", "faint", "silent", "offset"}
