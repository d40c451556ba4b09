"""helpers.audio.quality: clipping, copies and silence are found, and no fault that is not there."""

import itertools

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, data, features, files
from helpers.audio import quality
from helpers.features import Frontend

SR = 8000
# Integer levels, few of them, so that runs of equal samples are common.
SOUNDS = st.lists(st.integers(-4, 4), min_size=1, max_size=60).map(lambda y: np.array(y) / 8)


def tone(*, gain=1.0, f=440, seconds=0.5):
    y = gain * np.sin(2 * np.pi * f * np.arange(round(seconds * SR)) / SR + 0.1)
    return y.astype(np.float32)


# --- clipping -------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(SOUNDS, st.integers(1, 5))
def test_clipped_samples_are_those_in_runs_at_the_maximum(y, run):
    level = np.abs(y)
    runs = [len(list(same)) for top, same in itertools.groupby(level == level.max()) if top]
    expected = sum(n for n in runs if n >= run) / len(y) if y.any() else 0
    assert quality.clipped_share(y, run=run) == pytest.approx(expected)


@settings(max_examples=50)
@given(SOUNDS, st.sampled_from([-1, 1]), st.floats(0.01, 2))
def test_neither_gain_nor_sign_changes_what_is_clipped(y, sign, gain):
    share = quality.clipped_share(y)
    assert 0 <= share <= 1
    assert quality.clipped_share(sign * gain * y) == share
    assert quality.clipped_share((gain * y).astype(np.float32)) == share
    assert quality.clipped_share(y[::-1]) == share


@settings(max_examples=50)
@given(SOUNDS)
def test_the_lower_a_sound_is_cut_the_more_of_it_is_clipped(y):
    cuts = np.arange(4, 0, -1) / 8
    shares = [quality.clipped_share(y.clip(-c, c)) for c in cuts if c <= np.abs(y).max()]
    assert shares == sorted(shares)


def test_how_much_of_a_cut_tone_is_clipped():
    for cut in (0.95, 0.8, 0.5, 0.2):
        expected = 1 - 2 / np.pi * np.arcsin(cut)
        share = quality.clipped_share(tone(f=11.3, seconds=2).clip(-cut, cut))
        assert share == pytest.approx(expected, abs=0.01)


def test_what_is_not_cut_is_not_clipped():
    rng = np.random.default_rng(0)
    for y in (
        np.zeros(100),
        np.zeros(0),
        np.full(100, quality.FLOOR / 2),
        *(tone(f=f, gain=gain) for f in (100, 441, 3000) for gain in (0.01, 1)),
        rng.uniform(-1, 1, 50_000),
        rng.normal(0, 0.1, 50_000).astype(np.float32),
    ):
        assert quality.clipped_share(y) == 0


def test_tops_of_one_or_two_samples_are_not_flat():
    y = np.full(100, 0.1)
    y[[3, 20, 21, 98, 99]] = 0.5
    assert quality.clipped_share(y) == 0
    y[22] = -0.5
    assert quality.clipped_share(y) == 0.03


@pytest.mark.parametrize("bits", [8, 16])
def test_the_flat_crest_of_a_rounded_low_tone_is_not_clipped(bits):
    steps = 2 ** (bits - 1)
    hum = np.round(0.3 * tone(f=20, seconds=2) * steps) / steps
    assert np.unique(np.abs(hum)).size > 30
    assert quality.clipped_share(hum) == 0
    assert quality.clipped_share(hum.clip(-0.2, 0.2)) > 0.3


def test_in_a_lossy_copy_what_goes_beyond_full_scale_counts(tmp_path):
    y = tone(f=100)
    y[::50] = 1.25
    assert quality.clipped_share(y) == pytest.approx(1 / 50)
    for name, sound, is_clipped in (
        *(("cut", (3 * y).clip(-1, 1), True), ("whole", 0.8 * tone(f=100), False)),
    ):
        sf.write(tmp_path / f"{name}.ogg", sound, SR)
        frames, _ = audio.load_frames(tmp_path / f"{name}.ogg")
        assert (quality.clipped_share(frames[:, 0]) > quality.CLIPPED) == is_clipped


# --- copies ---------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdefgh"), max_size=20))
def test_copies_are_those_with_the_same_content(contents):
    expected = [[i for i, c in enumerate(contents) if c == kind] for kind in "abcdefgh"]
    found = quality.duplicates(contents)
    assert sorted(found) == sorted(rows for rows in expected if len(rows) > 1)
    assert found == quality.duplicates(np.array(contents, object))
    assert found == quality.duplicates(pd.Series(contents, index=range(len(contents))[::-1]))


# --- one file -------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(
    n=st.integers(1, 4000),
    channels=st.integers(1, 3),
    sr=st.sampled_from([8000, 22050]),
    padding=st.integers(0, 2000),
    seed=st.integers(0, 99),
)
def test_levels_agree_with_numpy(n, channels, sr, padding, seed):
    rng = np.random.default_rng(seed)
    frames = rng.normal(0.02, 0.1, (n, channels)).astype(np.float32)
    frames[rng.integers(n) : rng.integers(n)] = 0
    frames[-1, 0] = 0.01
    frames = np.pad(frames, [(0, padding), (0, 0)])
    found = quality.measure(frames, sr=sr)
    assert found.shape == () and found.dtype == quality.MEASURES
    assert found["peak"] == np.abs(frames).max()
    rms = np.sqrt(np.mean(frames.astype(float) ** 2))
    np.testing.assert_allclose(found["rms_db"], 20 * np.log10(rms), atol=1e-3)
    np.testing.assert_allclose(found["offset"], np.abs(frames.mean(axis=0)).max(), atol=1e-6)
    np.testing.assert_allclose(found["padding_s"], padding / sr, rtol=1e-6)
    size = round(0.05 * sr)
    windows = [frames[i : i + size] for i in range(0, len(frames), size)]
    silent = np.mean([not window.any() for window in windows])
    np.testing.assert_allclose(found["silent_share"], silent, rtol=1e-6)


def test_silence_has_a_level_and_is_all_padding():
    found = quality.measure(np.zeros((SR, 2), np.float32), sr=SR)
    assert (found["peak"], found["rms_db"], found["clipped_share"]) == (0, -100, 0)
    assert (found["silent_share"], found["padding_s"], found["offset"]) == (1, 1, 0)


def test_clipping_in_one_channel_is_seen():
    whole, cut = tone(), (1.5 * tone()).clip(-1, 1)
    for channels in ([whole, cut], [cut, whole], [cut]):
        found = quality.measure(np.stack(channels, axis=1), sr=SR)
        assert found["clipped_share"] == np.float32(quality.clipped_share(cut)) > 0.3
    assert quality.measure(whole[:, None], sr=SR)["clipped_share"] == 0


def test_the_same_samples_are_the_same_content_in_any_format(tmp_path):
    y = np.random.default_rng(0).integers(-9000, 9000, 4000).astype(np.int16)
    other = y.copy()
    other[2000] += 1

    def content(name, samples, **kwargs):
        sf.write(tmp_path / name, samples, SR, **kwargs)
        frames, info = audio.load_frames(tmp_path / name)
        return quality.measure(frames, sr=info.sample_rate)["content"].item().decode()

    expected = content("a.wav", y)
    assert len(expected) == 32
    assert content("a.flac", y) == content("b.wav", y, subtype="PCM_24") == expected
    others = [
        content("c.wav", other),
        content("d.wav", y[:-1]),
        content("e.wav", np.stack([y, y], axis=1)),
        content("f.wav", -y),
        content("g.ogg", y),
    ]
    assert len({expected, *others}) == 6


# --- a data set -----------------------------------------------------------------------------------

NO_ERRORS = files.error_table([])


def clips(**columns):
    """A table of four clips without faults, changed by `columns`; its index is not in order."""
    table = pd.DataFrame(
        {
            "path": [f"/set/fold{1 + i // 2}/{name}.wav" for i, name in enumerate("abcd")],
            "label": ["dog", "dog", "siren", "siren"],
            "group": list("1233"),
            "fold": [1, 1, 2, 2],
            "duration_s": 4.0,
            "peak": 0.5,
            "rms_db": -20.0,
            "clipped_share": 0.0,
            "silent_share": 0.0,
            "padding_s": 0.0,
            "offset": 0.001,
            "content": list("wxyz"),
        },
        index=[7, 3, 5, 1],
    )
    return table.assign(**columns)


def found_faults(table, **kwargs):
    found = quality.faults(table, errors=NO_ERRORS, root="/set", **kwargs)
    assert list(found.columns) == quality.FAULTS
    return [tuple(row) for row in found.itertuples(index=False)]


@pytest.mark.parametrize(
    ("column", "value", "fault", "detail"),
    [
        ("peak", 0.0, "silent", "its loudest sample is zero"),
        ("peak", 0.0009, "silent", "its loudest sample is -61 dB"),
        ("peak", 0.005, "faint", "its loudest sample is -46 dB"),
        ("silent_share", 0.75, "mostly silence", "75% of 4.00 s"),
        ("clipped_share", 0.0123, "clipped", "1.23% of its samples"),
        ("offset", 0.05, "offset", "mean of its samples 0.050"),
    ],
)
def test_each_fault_is_reported_once_and_alone(column, value, fault, detail):
    table = clips()
    table.loc[5, column] = value
    assert found_faults(table) == [("fold2/c.wav", fault, detail)]


def test_a_data_set_without_faults_has_no_rows():
    table = clips(silent_share=0.5, clipped_share=0.002, peak=0.01)
    listed = pd.DataFrame({"listed_s": [4.0, 4.05, 3.95, np.nan], "problem": ""}, index=table.index)
    assert (
        found_faults(table, listed=listed)
        == found_faults(table)
        == found_faults(table.iloc[:0])
        == []
    )


def test_a_silent_file_is_not_called_mostly_silent():
    assert [fault for _, fault, _ in found_faults(clips(peak=0.0, silent_share=1.0))] == [
        "silent"
    ] * 4


def test_copies_are_reported_with_other_labels_and_folds():
    assert found_faults(clips(content=list("xxyz"))) == [
        ("fold1/b.wav", "duplicate", "the same sound as fold1/a.wav")
    ]
    assert found_faults(clips(content=list("xyyx"))) == [
        ("fold2/c.wav", "duplicate", "the same sound as fold1/b.wav, which is dog, another fold"),
        ("fold2/d.wav", "duplicate", "the same sound as fold1/a.wav, which is dog, another fold"),
    ]
    assert found_faults(clips(content=list("xyyz"), label="dog")) == [
        ("fold2/c.wav", "duplicate", "the same sound as fold1/b.wav, another fold")
    ]
    assert found_faults(clips(content=list("xyyz"), fold=-1)) == [
        ("fold2/c.wav", "duplicate", "the same sound as fold1/b.wav, which is dog")
    ]
    assert [file for file, _, _ in found_faults(clips(content="x"))] == [
        *("fold1/b.wav", "fold2/c.wav", "fold2/d.wav")
    ]


def test_zeros_are_silent_and_no_copies_of_each_other():
    table = clips(content=list("xyxy"), peak=[0.0, 0.5, 0.0, 0.5])
    assert [(file, fault) for file, fault, _ in found_faults(table)] == [
        ("fold2/d.wav", "duplicate"),
        ("fold1/a.wav", "silent"),
        ("fold2/c.wav", "silent"),
    ]


def test_lengths_and_entries_are_those_of_the_same_clip():
    table = clips(duration_s=[4.0, 1.5, 4.0, 4.2])
    problems = ["", "", "salience is 3", ""]
    listed = pd.DataFrame({"listed_s": 4.0, "problem": problems}, index=table.index)
    assert found_faults(table, listed=listed) == [
        ("fold2/c.wav", "metadata", "salience is 3"),
        ("fold1/b.wav", "wrong length", "1.50 s, listed 4.00 s"),
        ("fold2/d.wav", "wrong length", "4.20 s, listed 4.00 s"),
    ]


def test_errors_keep_their_kind():
    faults = [
        files.Fault("missing", "x.wav", "a {0}.csv"),
        files.Fault("not listed", "y.wav", "a {0}.csv"),
        files.Fault("damaged", "z.wav", "not listed in {}, but not there"),
        files.Fault("metadata", "v.wav", "listed more than once in a.csv"),
        files.Fault("misnamed", "w.wav", "cat_<n> or dog_barking_<n>"),
    ]
    reasons = {
        "x.wav": "listed in a {0}.csv, but the file does not exist",
        "y.wav": "not listed in a {0}.csv",
        "z.wav": "not listed in {}, but not there",  # the kind decides, not the words
        "v.wav": "listed more than once in a.csv",
        "w.wav": "its name is not cat_<n> or dog_barking_<n>",
    }
    errors = files.error_table(faults)
    assert dict(zip(errors["file"], errors["reason"], strict=True)) == reasons
    found = quality.faults(clips(peak=[0, 1, 1, 1]), errors=errors, root="/set")
    kinds = dict(zip(found["fault"], found["file"], strict=True))
    assert kinds == {
        "missing": "x.wav", "not listed": "y.wav", "damaged": "z.wav", "silent": "fold1/a.wav",
        "metadata": "v.wav", "misnamed": "w.wav",
    }  # fmt: skip
    details = dict(zip(found["file"], found["detail"], strict=True))
    assert reasons.items() <= details.items()


def test_files_are_named_as_in_the_table_of_errors(tmp_path):
    names = ["fold1/a.wav", "fold1/caf\udce9.wav", "/elsewhere/b.wav", "fold2/a b.wav"]
    table = clips(peak=0.0)
    paths = [str(tmp_path / name) for name in names]
    table["path"] = pd.Series(paths, table.index, dtype=object)  # pandas' own text is Unicode
    found = quality.faults(table, errors=NO_ERRORS, root=tmp_path)
    inside = [audio.AudioError(tmp_path / names[i], "") for i in (0, 1, 3)]
    expected = ["/elsewhere/b.wav", *files.error_table(inside, root=tmp_path)["file"]]
    assert found["file"].tolist() == sorted(expected)
    found.to_csv(tmp_path / "faults.csv", encoding="utf-8")
    found = quality.faults(table, errors=NO_ERRORS)
    assert files.short_path(tmp_path / names[0]) in set(found["file"])


# --- the faults of the synthetic data set ---------------------------------------------------------

KIND = {
    **dict.fromkeys(["empty", "no sound file", "cut off"], "damaged"),
    **dict.fromkeys(["class and number disagree", "no salience"], "metadata"),
    "shorter than listed": "wrong length",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory, synthetic):
    """(folder of the synthetic UrbanSound8K, its faults, its key: fault → files)."""
    root = synthetic("urbansound8k")
    dataset = data.Dataset("urbansound8k", root, "synthetic")
    table, errors = data.clip_table(dataset)
    found, undecodable = features.survey_clips(
        table,
        frontend=Frontend(sr=22050, n_fft=1024, hop_length=2048, n_mels=13),
        root=root,
        cache_dir=tmp_path_factory.mktemp("cache"),
        progress=False,
    )
    errors = pd.concat([errors, undecodable], ignore_index=True)
    listed = data.listed(dataset, found.table)
    faults = quality.faults(found.table, errors=errors, listed=listed, root=root)
    key = pd.read_csv(root / "defects.csv")
    key["fault"] = key["defect"].replace(KIND)
    return root, faults, key.groupby("fault")["file"].apply(set)


def test_every_planted_fault_is_found_and_no_other_of_its_kind(sample):
    _, faults, planted = sample
    found = faults.groupby("fault")["file"].apply(set)
    original = faults.loc[faults["fault"] == "duplicate", "detail"]
    found["duplicate"] = found["duplicate"] | {
        detail.removeprefix("the same sound as ").split(",")[0] for detail in original
    }
    assert planted["clipped"] <= found["clipped"]
    exact = planted.index.drop("clipped")  # by chance others are too loud as well
    assert found[exact].to_dict() == planted[exact].to_dict()
    assert set(found.index) - set(planted.index) <= {"faint", "offset", "mostly silence"}


def test_every_reported_fault_is_in_the_samples(sample):
    root, faults, _ = sample
    is_so = {
        "clipped": lambda y: (np.abs(y) > 0.99).mean(axis=0).max() > 0.002,
        "offset": lambda y: np.abs(y.mean(axis=0)).max() > 0.02,
        "silent": lambda y: not y.any(),
        "faint": lambda y: 0.001 <= np.abs(y).max() < 0.01,
        "mostly silence": lambda y: (np.abs(y) < 1e-4).mean() > 0.4,
    }
    checked = faults[faults["fault"].isin(list(is_so))]
    assert len(checked) >= 4
    for row in checked.itertuples():
        frames, _ = audio.load_frames(root / row.file)
        assert is_so[row.fault](frames), row
