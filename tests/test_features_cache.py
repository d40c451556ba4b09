"""features.cache: arrays come back as they were, or are computed again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from helpers import audio
from helpers.features import cache

KIND = np.dtype([("level", "f4"), ("name", "S8"), ("place", "i8", (2,))])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"content")
    return path


def compute(work, paths, tmp_path, **recipe):
    return cache.compute(
        work, paths, recipe=recipe, desc="Test", cache_dir=tmp_path / "cache", progress=False
    )


@given(
    st.lists(
        arrays_of.arrays(
            st.sampled_from(["f4", "f8", "i2", "u1", "?", "S5", "<U3", KIND]),
            arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
        max_size=3,
    )
)
def test_arrays_come_back_as_they_were(tmp_path_factory, arrays):
    place = tmp_path_factory.mktemp("cache") / "x"
    cache._write(place, arrays)
    found = cache._read(place)
    assert len(found) == len(arrays)
    for before, after in zip(arrays, found, strict=True):
        assert before.dtype == after.dtype and before.shape == after.shape
        assert before.tobytes() == after.tobytes()
        assert after.flags.writeable or not after.size


def test_only_what_is_missing_is_computed(file, tmp_path):
    calls = []

    def work(path):
        calls.append(path)
        return np.arange(3), np.array(2.5)

    others = [tmp_path / "none.wav", file]
    for _ in range(2):
        results, errors = compute(work, others[1:], tmp_path, a=1)
        assert results[0][0].tolist() == [0, 1, 2] and results[0][1] == 2.5 and errors.empty
    assert len(calls) == 1
    compute(work, others[1:], tmp_path, a=2)
    assert len(calls) == 2, "another recipe"
    file.write_bytes(b"other content")
    compute(work, others[1:], tmp_path, a=1)
    assert len(calls) == 3, "another content"


def test_a_bad_file_is_listed_and_tried_again(file, tmp_path):
    def refuse(path):
        raise audio.AudioError(path, "no sound")

    results, errors = compute(refuse, [file, tmp_path / "none.wav"], tmp_path)
    assert results == [None, None]
    assert errors["reason"].tolist() == ["no sound", "no sound"]
    results, errors = compute(lambda path: (np.zeros(2),), [file], tmp_path)
    assert results[0][0].shape == (2,) and errors.empty


@pytest.mark.parametrize("line", [b"", b"[1", b"{}", b"[0, [\"'f4'\", [99]]]", b'[0, ["x(", [1]]]'])
def test_a_header_that_makes_no_sense_is_not_believed(tmp_path, line):
    (tmp_path / "x").write_bytes(line + b"\n" + bytes(8))
    assert cache._read(tmp_path / "x") is None
