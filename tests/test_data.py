"""helpers.data: finding a data set, its clip table, its key, its folds, what is held out."""

import itertools
import os
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, data, env, files
from helpers.data import locate
from helpers.files import ERRORS

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "capuchin"
CAPUCHIN, OTHER, FOREST = (
    "Parsed_Capuchinbird_Clips",
    "Parsed_Not_Capuchinbird_Clips",
    "Forest Recordings",
)


def sound_file(path, n=800, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(n, np.float32), rate, format=path.suffix[1:].upper())


def capuchin(root, *, parts=(CAPUCHIN, OTHER, FOREST)):
    """A data set of 6 + 9 clips from 3 + 3 sources, and 2 recordings."""
    if CAPUCHIN in parts:
        for i in range(6):
            sound_file(root / CAPUCHIN / f"XC{100 + i % 3}-{i // 3}.wav")
    if OTHER in parts:
        for i in range(9):
            sound_file(root / OTHER / f"night-owl-{'abc'[i % 3]}-{i // 3}.ogg")
    if FOREST in parts:
        for i in range(2):
            sound_file(root / FOREST / f"recording_0{i}.wav", 8000)
    return root


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    """No data set anywhere but in tmp_path; the synthetic sample is a small stand-in."""
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    monkeypatch.setattr(env, "KAGGLE_INPUT", tmp_path / "kaggle" / "input")
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path / "repository")
    monkeypatch.setattr(
        locate.synthesis, "default_root", lambda n, s: tmp_path / "sample" / f"{n}-{s}"
    )

    def write(generator, root, *, size="small", seed=0, progress=True):
        assert generator.name == "capuchin"
        capuchin(root)
        (root / locate.synthesis.MANIFEST).write_text("{}")

    monkeypatch.setattr(locate.synthesis, "write_sample", write)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dataset(tmp_path):
    return data.Dataset("capuchin", capuchin(tmp_path / "set"), "local")


# --- resolve ----------------------------------------------------------------------------------


def test_the_order_of_the_places(places, monkeypatch, capsys):
    def taken():
        found = data.resolve("capuchin", given)
        printed = capsys.readouterr().out
        assert printed.count("\n") == 1 and str(places) not in printed
        assert files.short_path(found.root) in printed and found.source in printed
        return found.source, found.root.relative_to(places).as_posix()

    given = ""
    owner, slug = data.DATASETS["capuchin"].kaggle.split("/")
    assert taken() == ("synthetic", "sample/capuchin-small")
    capuchin(places / "repository" / "data" / "capuchin")
    assert taken() == ("local", "repository/data/capuchin")
    capuchin(env.KAGGLE_INPUT / "datasets" / owner / slug)
    assert taken() == ("kaggle", f"kaggle/input/datasets/{owner}/{slug}")
    capuchin(env.KAGGLE_INPUT / slug)
    assert taken() == ("kaggle", f"kaggle/input/{slug}")
    monkeypatch.setenv("AUDIO_DATA", str(places / "sounds"))
    assert taken() == ("kaggle", f"kaggle/input/{slug}")  # AUDIO_DATA has no capuchin: go on
    capuchin(places / "sounds" / "capuchin")
    assert taken() == ("local", "sounds/capuchin")
    given = str(capuchin(places / "given"))
    assert taken() == ("local", "given")
    given = str(env.KAGGLE_INPUT / slug)
    assert taken() == ("kaggle", f"kaggle/input/{slug}")


def test_the_sample_is_called_synthetic_whoever_points_at_it(places):
    root = data.resolve("capuchin", sample_size="full").root
    assert root == places / "sample" / "capuchin-full"
    assert data.resolve("capuchin", root).source == "synthetic"


@pytest.mark.parametrize("parts", [(), (FOREST,), (CAPUCHIN, FOREST)])
def test_a_given_folder_without_the_data_set(places, parts):
    (places / "given").mkdir()
    capuchin(places / "given", parts=parts)
    with pytest.raises(data.DataNotFoundError) as caught:
        data.resolve("capuchin", places / "given")
    text = str(caught.value)
    for word in (CAPUCHIN, OTHER, FOREST, "in the given folder given", "kaggle datasets download",
                 data.DATASETS["capuchin"].kaggle, "data_README.md"):  # fmt: skip
        assert word in text
    assert (parts[-1] if parts else "which contains nothing") in text
    assert str(places) not in text


def test_other_wrong_folders(places, monkeypatch):
    with pytest.raises(data.DataNotFoundError, match="does not exist"):
        data.resolve("capuchin", "nowhere")
    (places / "archive.zip").touch()
    with pytest.raises(data.DataNotFoundError, match="is a file; unzip it"):
        data.resolve("capuchin", "archive.zip")
    with pytest.raises(data.DataNotFoundError, match="there are capuchin, catsdogs, esc10"):
        data.resolve("Capuchin")
    with pytest.raises(data.DataNotFoundError, match=r"'UrbanSound' \(did you mean urbansound8k"):
        data.resolve("UrbanSound")
    with pytest.raises(ValueError, match="labels"):
        data.resolve("capuchin", places, require=("labels",))
    (places / "sounds" / "capuchin").mkdir(parents=True)
    monkeypatch.setenv("AUDIO_DATA", str(places / "sounds"))
    with pytest.raises(
        data.DataNotFoundError, match="folder that AUDIO_DATA names sounds/capuchin"
    ):
        data.resolve("capuchin")


def test_one_level_of_nesting(places):
    capuchin(places / "given" / "archive")
    (places / "given" / "__MACOSX" / CAPUCHIN).mkdir(parents=True)
    assert data.resolve("capuchin", "given").root == Path("given/archive")
    with pytest.raises(data.DataNotFoundError):
        data.resolve("capuchin", places)
    capuchin(places / "given" / "copy")
    with pytest.raises(data.DataNotFoundError, match="more than once, in archive, copy"):
        data.resolve("capuchin", "given")


def test_what_is_needed_depends_on_the_use(places, capsys):
    capuchin(places / "clips", parts=(CAPUCHIN, OTHER))
    capuchin(places / "forest", parts=(FOREST,))
    data.resolve("capuchin", "clips", require=("clips",))
    data.resolve("capuchin", "forest", require=("recordings",))
    for folder, require in (("clips", ("recordings",)), ("forest", ("clips",))):
        with pytest.raises(data.DataNotFoundError):
            data.resolve("capuchin", folder, require=require)
    capuchin(places / "repository" / "data" / "capuchin", parts=(FOREST,))
    capsys.readouterr()
    assert data.resolve("capuchin").source == "synthetic"
    assert "(data/capuchin is not complete, so not used)" in capsys.readouterr().out
    assert data.resolve("capuchin", require=("recordings",)).source == "local"


def test_a_plain_folder_of_recordings(places):
    for name in ("b.WAV", "a é🐦.wav", ".hidden.wav", "notes.txt"):
        (places / "own").mkdir(exist_ok=True)
        sf.write(places / "own" / name, np.zeros(800), 8000, format="WAV")
    found = data.resolve("capuchin", "own", require=("recordings",))
    assert [p.name for p in data.recordings(found)] == ["a é🐦.wav", "b.WAV"]
    assert data.answer_key(found) == (None, None)
    with pytest.raises(data.DataNotFoundError):
        data.resolve("capuchin", "own")
    (places / "own" / CAPUCHIN).mkdir()
    with pytest.raises(data.DataNotFoundError, match="or sound files"):
        data.resolve("capuchin", "own", require=("recordings",))


def test_find_is_silent_and_makes_nothing(places, capsys):
    assert data.find("capuchin") is None and not (places / "sample").exists()
    sample = data.resolve("capuchin")
    capsys.readouterr()
    assert data.find("capuchin") == sample
    capuchin(places / "repository" / "data" / "capuchin")
    assert data.find("capuchin") == data.Dataset(
        "capuchin", places / "repository" / "data" / "capuchin", "local"
    )
    with pytest.raises(data.DataNotFoundError, match="does not exist"):
        data.find("capuchin", "nowhere")
    assert capsys.readouterr().out == ""


def test_download_only_when_asked_for(places, monkeypatch):
    calls = []

    def dataset_download(handle):
        calls.append(handle)
        return str(capuchin(places / "cache" / "versions" / "1"))

    monkeypatch.setitem(
        sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=dataset_download)
    )
    assert data.resolve("capuchin").source == "synthetic" and not calls
    found = data.resolve("capuchin", download=True)
    assert found.source == "download" and calls == [data.DATASETS["capuchin"].kaggle]


def test_a_download_that_fails(places, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(data.DataNotFoundError, match="pip install kagglehub"):
        data.resolve("capuchin", download=True)

    def dataset_download(handle):
        raise ConnectionError("no route")

    monkeypatch.setitem(
        sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=dataset_download)
    )
    with pytest.raises(
        data.DataNotFoundError, match="connection to www.kaggle.com failed .*check the network"
    ):
        data.resolve("capuchin", download=True)


def test_a_folder_without_permission(dataset, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    for use in (data.clip_table, data.recordings):
        with pytest.raises(data.DataError, match="cannot be read: permission denied"):
            use(dataset)
    with pytest.raises(data.DataNotFoundError, match="which cannot be read .permission denied"):
        data.resolve("capuchin", dataset.root.parent)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_without_permission_for_real(dataset):
    dataset.root.chmod(0)
    with pytest.raises(data.DataNotFoundError):
        data.resolve("capuchin", dataset.root)
    for use in (data.clip_table, data.recordings):
        with pytest.raises(data.DataError):
            use(dataset)
    dataset.root.chmod(0o700)


# --- the clip table ---------------------------------------------------------------------------


def test_clip_table(dataset):
    table, errors = data.clip_table(dataset)
    assert list(table.columns) == data.CLIP_COLUMNS
    assert table["path"].is_monotonic_increasing and len(table) == 15
    assert table["label"].value_counts().to_dict() == {"other": 9, "capuchin": 6}
    groups = table.groupby("label")["group"].unique()
    assert sorted(groups["capuchin"]) == ["XC100", "XC101", "XC102"]
    assert sorted(groups["other"]) == ["night-owl-a", "night-owl-b", "night-owl-c"]
    assert (table["fold"] == -1).all() and (table["duration_s"] == 0.1).all()
    assert (table["sample_rate"] == 8000).all() and (table["channels"] == 1).all()
    assert errors.empty and list(errors.columns) == ERRORS


def test_what_is_no_clip_is_left_out(dataset):
    folder = dataset.root / CAPUCHIN
    for name in (".XC1-0.wav", "._XC1-1.wav", "list.csv", "XC9-0.txt", "__MACOSX/XC1-0.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "folder.wav").mkdir()
    sound_file(folder / "XC 7 ü🐦-10.WAV")
    table, errors = data.clip_table(dataset)
    assert len(table) == 16 and errors.empty
    assert "XC 7 ü🐦" in set(table["group"])


def test_unreadable_clips_are_listed_and_the_rest_stays(dataset):
    (dataset.root / CAPUCHIN / "XC100-0.wav").write_bytes(b"")
    (dataset.root / OTHER / "text-0.wav").write_text("no sound " * 20)
    table, errors = data.clip_table(dataset)
    assert len(table) == 14
    assert set(errors["fault"]) == {"damaged"}
    assert dict(zip(errors["file"], errors["reason"], strict=True)) == {
        f"{CAPUCHIN}/XC100-0.wav": "empty file (0 bytes): copy or download it again",
        f"{OTHER}/text-0.wav": "text, not audio",
    }


def test_empty_and_half_empty_data_sets(dataset, tmp_path):
    for path in (dataset.root / CAPUCHIN).iterdir():
        path.write_bytes(b"")
    with pytest.raises(data.DataError, match="class 'capuchin' is missing.*empty file"):
        data.clip_table(dataset)
    for path in (dataset.root / CAPUCHIN).iterdir():
        path.unlink()
    with pytest.raises(
        data.DataError, match=f"class 'capuchin' is missing.*{CAPUCHIN} has no sound"
    ):
        data.clip_table(dataset)
    (tmp_path / "empty").mkdir()
    empty = data.Dataset("capuchin", tmp_path / "empty", "local")
    with pytest.raises(data.DataError, match="no clips in empty.*Put sound files"):
        data.clip_table(empty)
    with pytest.raises(data.DataError, match="no recordings in empty/Forest Recordings"):
        data.recordings(empty)


@pytest.mark.parametrize("n", [1, 2, 4, 6, 10, 14, 15, 99])
def test_max_clips(dataset, n):
    table, _ = data.clip_table(dataset, max_clips=n, seed=1)
    sizes = table["label"].value_counts()
    assert len(table) == min(15, max(2, n))
    assert abs(sizes["capuchin"] - 0.4 * len(table)) <= 1
    for label, rows in table.groupby("label"):
        assert rows["group"].nunique() == min(3, sizes[label])
    pd.testing.assert_frame_equal(table, data.clip_table(dataset, max_clips=n, seed=1)[0])
    assert table["path"].is_monotonic_increasing


def test_max_clips_draws_by_seed(dataset):
    draws = {tuple(data.clip_table(dataset, max_clips=4, seed=s)[0]["path"]) for s in range(8)}
    assert len(draws) > 3


def test_recordings_in_order(dataset):
    assert [p.name for p in data.recordings(dataset)] == ["recording_00.wav", "recording_01.wav"]
    assert len(data.recordings(dataset, max_recordings=1)) == 1
    assert all(isinstance(p, Path) for p in data.recordings(dataset))


# --- what its own table says ------------------------------------------------------------------


@pytest.fixture
def urban(tmp_path):
    """A data set with a table, which lists .wav where the files are .ogg, and odd lengths."""
    root, rows = tmp_path / "urban", []
    for i in range(6):
        name, fold = f"{10 + i}-3-0-0", 1 + i % 2
        sound_file(root / f"audio/fold{fold}/{name}.ogg")
        salience = 3 if i == 4 else 1
        rows.append((f"{name}.wav", 10 + i, 2.0, 3.0 + i, salience, fold, 3, "dog_bark"))
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    (root / "metadata").mkdir()
    table = pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=0)
    table.to_csv(root / "metadata" / "UrbanSound8K.csv", index=False)
    return data.Dataset("urbansound8k", root, "local")


def test_what_is_listed_stands_beside_its_clip(urban):
    table, errors = data.clip_table(urban)
    assert len(table) == 6 and errors.empty
    for clips in (
        table,
        table[table["fold"] == 2],
        table.sample(frac=1, random_state=1),
        table.set_index(table["path"].map(lambda path: f"clip {path}")),
        data.clip_table(urban, max_clips=3)[0],
        table.iloc[:0],
    ):
        listed = data.listed(urban, clips)
        assert listed.index.equals(clips.index)
        assert list(listed.columns) == ["listed_s", "problem"]
        numbers = clips["group"].astype(int) - 10
        np.testing.assert_array_equal(listed["listed_s"], 1.0 + numbers)
        assert ((listed["problem"] != "") == (numbers == 4)).all()


def test_what_is_not_listed_or_twice(urban):
    table, _ = data.clip_table(urban)
    path = urban.root / "metadata" / "UrbanSound8K.csv"
    rows = pd.read_csv(path).sort_values("fsID")
    twice = rows.iloc[[1]].assign(end=99)
    pd.concat([rows.iloc[1:], twice]).to_csv(path, index=False)
    listed = data.listed(urban, table).set_axis(table["group"])
    assert np.isnan(listed["listed_s"]["10"]) and listed["problem"]["10"] == ""
    assert listed["listed_s"]["11"] == 2 and listed["listed_s"].notna().sum() == 5


def test_a_data_set_without_a_table_has_nothing_to_say(dataset):
    table = data.clip_table(dataset)[0].iloc[::-1]
    listed = data.listed(dataset, table)
    assert listed.index.equals(table.index) and list(listed.columns) == ["listed_s", "problem"]
    assert listed["listed_s"].isna().all() and (listed["problem"] == "").all()


# --- the answer key ---------------------------------------------------------------------------


def key(dataset, counts=None, calls=None):
    for name, text in (("counts.csv", counts), ("calls.csv", calls)):
        if text is not None:
            (dataset.root / name).write_text(text)
    return data.answer_key(dataset)


def test_answer_key(dataset):
    assert key(dataset) == (None, None)
    counts, calls = key(
        dataset,
        "clip_name,call_count\nrecording_01.mp3,0\nrecording_00.mp3,2\n",
        "clip_name,centre_s,note\nrecording_00.mp3,9.5,x\nrecording_00.mp3,1,y\n",
    )
    assert counts.to_dict("list") == {
        "clip_name": ["recording_00.wav", "recording_01.wav"],
        "call_count": [2, 0],
    }
    assert calls.to_dict("list") == {"clip_name": ["recording_00.wav"] * 2, "centre_s": [1.0, 9.5]}


@pytest.mark.parametrize(
    ("counts", "calls", "match"),
    [
        ("name,call_count\na,1\n", None, "no column 'clip_name'"),
        ("clip_name\na\n", None, "must begin with the line clip_name,call_count"),
        ("clip_name,call_count\na,1\nb,many\n", None, "line 3"),
        ("clip_name,call_count\na,-1\n", None, "line 2"),
        ("clip_name,call_count\na,1.5\n", None, "whole number"),
        ("clip_name,call_count\na,1\na,1\n", None, "more than once"),
        ("", None, "cannot be read"),
        (None, "clip_name,centre_s\na,\n", "line 2"),
        ("clip_name,call_count\na,2\n", "clip_name,centre_s\na,1\n", "a has 2 calls .* and 1 in"),
        ("clip_name,call_count\na,0\n", "clip_name,centre_s\nb,1\n", "b has no calls"),
    ],
)
def test_a_wrong_key(dataset, counts, calls, match):
    with pytest.raises(data.DataError, match=match):
        key(dataset, counts, calls)


# --- leaks ------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=30))
def test_a_test_clip_leaks_if_its_source_is_trained_on(clips):
    groups, is_test = [group for group, _ in clips], [test for _, test in clips]
    trained = {group for group, test in clips if not test}
    tested = [group for group, test in clips if test]
    expected = sum(group in trained for group in tested) / max(1, len(tested))
    assert data.leaked_share(groups, is_test) == pytest.approx(expected)
    as_series = pd.Series(groups, range(len(groups))[::-1], dtype=object)
    assert data.leaked_share(as_series, np.array(is_test, bool)) == pytest.approx(expected)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), max_size=40), st.sets(st.integers(0, 9)))
def test_a_split_by_source_leaks_nothing(groups, tested):
    assert data.leaked_share(groups, np.isin(groups, list(tested))) == 0


# --- folds ------------------------------------------------------------------------------------


def table_of(groups):
    """A clip table from {label: [clips per group]}."""
    rows = [
        (f"{label}{g}-{i}", label, f"{label}{g}")
        for label, sizes in groups.items()
        for g, size in enumerate(sizes)
        for i in range(size)
    ]
    table = pd.DataFrame(rows, columns=["path", "label", "group"])
    return table.assign(fold=-1)


sizes = st.lists(st.integers(1, 20), min_size=2, max_size=12)


@settings(max_examples=50)
@given(sizes, sizes, st.integers(2, 6), st.integers(0, 3))
def test_no_source_is_in_two_folds_and_every_fold_has_both_labels(a, b, n_folds, seed):
    table = table_of({"capuchin": a, "other": b})
    try:
        folds = data.group_folds(table, n_folds=n_folds, seed=seed)
    except data.DataError as error:
        assert "n_folds of" in str(error) or "add sources" in str(error)
        return
    assert (table["fold"] == -1).all()
    assert (folds.groupby("group")["fold"].nunique() == 1).all()
    assert (folds.groupby("fold")["label"].nunique() == 2).all()
    assert sorted(folds["fold"].unique()) == list(range(n_folds))
    pd.testing.assert_frame_equal(folds, data.group_folds(table, n_folds=n_folds, seed=seed))


def test_folds_that_cannot_be():
    table = table_of({"capuchin": [3, 3, 3], "other": [5] * 9})
    with pytest.raises(data.DataError, match="3 sources of 'capuchin', 9 .*: use n_folds of 2, 3"):
        data.group_folds(table, n_folds=5, seed=0)
    with pytest.raises(data.DataError, match="add sources"):
        data.group_folds(table_of({"capuchin": [9], "other": [5] * 9}), n_folds=2, seed=0)
    with pytest.raises(ValueError, match="at least 2"):
        data.group_folds(table, n_folds=1, seed=0)


def test_different_seeds_give_different_folds():
    table = table_of({"capuchin": [3] * 12, "other": [5] * 12})
    draws = {tuple(data.group_folds(table, n_folds=3, seed=s)["fold"]) for s in range(4)}
    assert len(draws) > 1


# --- a part held out of each label ------------------------------------------------------------


speakers = st.dictionaries(st.sampled_from("abcdef"), sizes, min_size=1)
shares = st.floats(0.05, 0.95)


@settings(max_examples=100)
@given(speakers, shares, st.integers(0, 3))
def test_each_label_is_on_both_sides_and_no_source_is(groups, share, seed):
    table = table_of(groups)
    split, errors = data.hold_out(table, share=share, seed=seed)
    assert errors.empty and list(errors.columns) == ERRORS
    pd.testing.assert_frame_equal(split.drop(columns="held_out"), table)
    assert split["held_out"].dtype == bool
    assert (split.groupby("group")["held_out"].nunique() == 1).all()
    assert (split.groupby("label")["held_out"].nunique() == 2).all()


@settings(max_examples=100)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=8), shares, st.integers(0, 3))
def test_no_choice_of_sources_comes_nearer_to_the_share(groups, share, seed):
    split, _ = data.hold_out(table_of({"a": groups}), share=share, seed=seed)
    choices = itertools.product((0, 1), repeat=len(groups))
    tested = [np.dot(c, groups) for c in choices if 0 < sum(c) < len(groups)]
    nearest = min(abs(n - share * len(split)) for n in tested)
    assert abs(split["held_out"].sum() - share * len(split)) == pytest.approx(nearest)


@settings(max_examples=50)
@given(st.integers(2, 200), shares)
def test_single_clips_meet_the_share(n, share):
    split, _ = data.hold_out(table_of({"a": [1] * n}), share=share)
    wanted = np.clip(share * n, 1, n - 1)
    assert abs(split["held_out"].sum() - wanted) <= 0.5 + 1e-9


@settings(max_examples=50)
@given(speakers, st.integers(0, 3), st.integers(0, 3))
def test_neither_the_order_nor_the_others_matter(groups, seed, order):
    table = table_of(groups)
    split = data.hold_out(table, seed=seed)[0].set_index("path")["held_out"]
    mixed = table.sample(frac=1, random_state=order)
    again = data.hold_out(mixed, seed=seed)[0]
    assert again["path"].tolist() == mixed["path"].tolist()
    assert again.set_index("path")["held_out"].to_dict() == split.to_dict()
    for label in groups:
        alone = data.hold_out(table[table["label"] == label], seed=seed)[0]
        assert alone.set_index("path")["held_out"].equals(split[alone["path"]])


def test_another_seed_holds_out_others():
    table = table_of({label: [1] * 12 for label in "ab"})
    draws = [data.hold_out(table, seed=seed)[0] for seed in range(4)]
    assert len({tuple(split["held_out"]) for split in draws}) == 4
    first = draws[0].groupby("label")["held_out"].apply(tuple)
    assert first["a"] != first["b"]  # nor are the same places of every label drawn


def test_of_two_sessions_the_nearer_one_is_held_out():
    table = table_of({f"speaker {k}": [8, 4] if k % 2 else [4, 8] for k in range(10)})
    split, _ = data.hold_out(table)
    assert (split.groupby("label")["held_out"].sum() == 4).all()
    split, _ = data.hold_out(table, share=0.7)
    assert (split.groupby("label")["held_out"].sum() == 8).all()


def test_a_single_source_can_be_on_neither_side():
    table = table_of({"anna": [3, 2], "ben": [5], "cleo": [1, 1], "dan": [1]})
    split, errors = data.hold_out(table)
    assert set(split["label"]) == {"anna", "cleo"} and split.index.tolist() == list(range(7))
    assert errors["file"].tolist() == ["ben", "dan"]
    assert errors["reason"].str.contains("add another").all()
    assert set(errors["fault"]) == {"single source"}
    with pytest.raises(data.DataError, match="nothing can be held out: each of 1 labels"):
        data.hold_out(table_of({"ben": [5]}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        data.hold_out(table, share=1)


def test_many_clips_of_a_label_are_divided_quickly():
    split, _ = data.hold_out(table_of({"a": [1] * 5000, "b": [7, 11] * 300}))
    assert abs(split.groupby("label")["held_out"].mean() - 0.3).max() < 1e-3


# --- recordings to be named -------------------------------------------------------------------


def test_sounds_below_a_folder_are_found_at_any_depth(places):
    sounds = ["a/c.flac", "a/é🐦.WAV", "a.mp3.wav", "b.wav", "z/e.mp3", "z/y/x/d.ogg"]
    litter = [".a.wav", ".trash/g.wav", "a/__MACOSX/h.wav", "z/.x/y/i.wav", "notes.txt"]
    for name in [*sounds[::-1], *litter]:
        path = places / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (places / "own" / "folder.wav").mkdir()
    expected = [places / "own" / name for name in sounds]
    assert data.sounds_below(places / "own") == expected == sorted(expected)
    assert data.sounds_below("own") == [Path("own") / name for name in sounds]
    # What lies in a hidden folder is found by whoever names it.
    assert data.sounds_below("own/.trash") == [Path("own/.trash/g.wav")]


def test_home_is_a_folder_too(places, monkeypatch):
    monkeypatch.setenv("HOME", str(places))
    monkeypatch.setenv("USERPROFILE", str(places))
    sound_file(places / "own" / "a.wav")
    assert data.sounds_below("~/own") == [places / "own" / "a.wav"]


def test_a_folder_without_sounds_is_told(places):
    (places / "empty" / "deeper").mkdir(parents=True)
    (places / "empty" / "notes.txt").touch()
    (places / "empty" / ".a.wav").touch()
    with pytest.raises(data.DataNotFoundError, match=r"no sound files \(wav, .*\) in empty or"):
        data.sounds_below(places / "empty")
    sound_file(places / "a.wav")
    for wrong in ("nowhere", "a.wav"):
        with pytest.raises(data.DataNotFoundError, match=f"^{wrong} is not a folder"):
            data.sounds_below(places / wrong)


# --- the real one -----------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data set here")
def test_the_real_data_set():
    found = data.resolve("capuchin", REAL)
    table, errors = data.clip_table(found)
    assert found.source == "local" and errors.empty
    by_label = table.groupby("label")
    assert by_label.size().to_dict() == {"capuchin": 217, "other": 593}
    assert by_label["group"].nunique().to_dict() == {"capuchin": 44, "other": 33}
    assert table["duration_s"].between(1, 10).all()
    # The container gives the class away: one more reason to read all of them at one rate, in mono.
    assert by_label["sample_rate"].nunique().to_dict() == {"capuchin": 3, "other": 1}
    folds = data.group_folds(table, n_folds=5, seed=0)
    assert folds.groupby(["fold", "label"]).size().min() > 30
    paths = data.recordings(found)
    counts, calls = data.answer_key(found)
    assert [p.name for p in paths] == list(counts["clip_name"]) and len(paths) == 20
    assert counts["call_count"].sum() == len(calls) == 59
    durations = {p.name: audio.info(p).duration_s for p in paths}
    assert all(0 < c.centre_s < durations[c.clip_name] for c in calls.itertuples())
