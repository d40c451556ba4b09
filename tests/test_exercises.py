"""The exercises of the series: solutions that are correct, leak nowhere, and are the helpers."""

import shutil
import subprocess
import sys
import zipfile
from functools import cache, partial
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pandas as pd
import pytest
import scipy.fft
import scipy.special

from helpers import (
    augmentation,
    data,
    detection,
    env,
    evaluation,
    exercises,
    features,
    models,
)
from helpers.exercises.engine import CORRECT
from tools.series.exercises import BEGIN, END, find_exercises, solved

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
HINTS = {number: exercise.hints for number, exercise in exercises.EXERCISES.items()}
TRIVIAL = 18  # characters of a line that says nothing, such as `return mixed`


@cache
def read(path):
    return jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")


FOUND = {
    exercise.number: (read(path), exercise)
    for path in SOURCES
    for exercise in find_exercises(read(path), hints=HINTS)
}


@pytest.fixture(scope="module")
def solutions():
    """{number: function}, as the solved notebooks define them."""
    env.setup()
    import keras

    found = {}
    for number, (notebook, exercise) in FOUND.items():
        space = {"np": np, "pd": pd, "scipy": scipy, "keras": keras, "layers": keras.layers}
        space |= {"loudness": augmentation.loudness, "softmax": scipy.special.softmax}
        exec(solved(notebook).cells[exercise.cell].source, space)
        found[number] = space[exercise.function]
    return found


def test_every_check_belongs_to_an_exercise():
    assert list(FOUND) == list(exercises.EXERCISES)


@pytest.mark.parametrize("number", FOUND)
def test_the_solution_is_correct(solutions, number):
    exercises.start(number.split(".")[0])
    notebook, exercise = FOUND[number]
    name = notebook.cells[exercise.check].source.split("(")[0].removeprefix("checks.")
    check = getattr(exercises, name)
    assert check.exercise.number == number
    verdict = check(solutions[number])
    assert verdict.status == CORRECT, verdict


def solution_lines():
    lines = set()
    for notebook, exercise in FOUND.values():
        text = notebook.cells[exercise.cell].source
        region = text[text.index("\n", text.index(BEGIN)) : text.index(END)]
        lines |= {line.strip() for line in region.splitlines()}
    return {line for line in lines if len(line) > TRIVIAL}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """What a student installs: {file: text} of the built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "helpers", folder / "helpers")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."],
        cwd=folder,
        check=True,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        names = [name for name in archive.namelist() if name.endswith(".py")]
        return {name: archive.read(name).decode("utf-8") for name in names}


def test_no_line_of_a_solution_is_given_away(wheel):
    lines = solution_lines()
    assert len(lines) > 15
    places = {name: text for name, text in wheel.items() if name.startswith("helpers/exercises/")}
    for path in (ROOT / "notebooks" / "exercises").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        places[path.name] = "\n".join(cell.source for cell in cells)
    assert len(places) >= 4
    for name, text in places.items():
        told = {line for line in lines if line in text}
        assert not told, f"{name} gives away {told}"


def test_the_wheel_holds_the_package_and_no_solved_notebook(wheel):
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "helpers").rglob("*.py")}
    assert set(wheel) == here


# --- what the student builds is what the package has ----------------------------------------------


def test_5_1_is_the_front_end(solutions):
    rng = np.random.default_rng(0)
    for n_mels, n_fft, hop_length in ((40, 512, 160), (64, 1024, 300)):
        y = rng.normal(0, 0.1, 6000).astype(np.float32)
        given = {"sr": 8000, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        ours = features.Frontend(**given).log_power(y).T
        np.testing.assert_allclose(solutions["5.1"](y, **given), ours, atol=1e-2)


def test_5_2_cuts_no_source_like_group_folds(solutions):
    rng = np.random.default_rng(0)
    groups = rng.choice([f"XC{i}" for i in range(30)], 200)
    table = pd.DataFrame({"group": groups, "label": np.where(rng.random(200) < 0.5, "a", "b")})
    table["group"] = table["label"] + table["group"]
    for fold in (
        data.group_folds(table, n_folds=4, seed=0)["fold"].to_numpy(),
        solutions["5.2"](table["group"].to_numpy(), n_folds=4),
    ):
        assert (pd.Series(fold).groupby(table["group"]).nunique() == 1).all()
        assert set(fold) == set(range(4))


def test_5_3_is_what_mixes_the_scenes(solutions):
    rng = np.random.default_rng(0)
    for at in (-30, -3, 0, 7, 35, 50):
        background, call = rng.gamma(4, 1, (40, 6)), rng.gamma(2, 1, (12, 6))
        given = {"at": at, "level_db": rng.uniform(-10, 40)}
        ours = augmentation.mix(background, call, **given)
        np.testing.assert_allclose(solutions["5.3"](background, call, **given), ours, rtol=1e-6)


def test_5_4_is_the_networks_brick(solutions):
    import keras

    outputs = []
    for block in (solutions["5.4"], models.convolution_block):
        inputs = keras.Input((30, 12, 2))
        model = keras.Model(inputs, block(inputs, 5, (5, 3), strides=(2, 1)))
        rng = np.random.default_rng(0)
        model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
        outputs.append(np.asarray(model(rng.normal(size=(2, 30, 12, 2)).astype(np.float32))))
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-5)


def test_5_5_is_the_networks_receptive_field(solutions):
    import keras

    network = models.call_network(24, width=4)
    chain = [
        (layer.kernel_size[0], layer.strides[0], layer.dilation_rate[0])
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D)
    ]
    assert solutions["5.5"](chain) == models.receptive_field(network)


def test_5_6_finds_the_events_but_for_hysteresis(solutions):
    rng = np.random.default_rng(0)
    for _ in range(50):
        score = rng.uniform(0, 1, 80)  # no two alike: which of equals stays is open
        chosen = models.EventSettings(threshold=0.6, release=0.999, min_distance_s=1.0)
        ours = evaluation.centres(detection.find_events(score, step_s=0.25, settings=chosen))
        given = {"step_s": 0.25, "threshold": 0.6, "min_distance_s": 1.0}
        # At the very edge the window of an event, and so its middle, lies a little inside.
        np.testing.assert_allclose(solutions["5.6"](score, **given), ours, atol=0.13)


def test_5_7_is_in_the_scores_of_counts(solutions):
    rng = np.random.default_rng(0)
    for _ in range(20):
        names = [f"{i}.wav" for i in range(9)]
        key = pd.DataFrame({"clip_name": names, "call_count": rng.integers(0, 6, 9)})
        found = pd.DataFrame({"clip_name": names, "call_count": rng.integers(0, 6, 9)})
        found = found.astype({"call_count": "Int64"}).sample(7, random_state=1)
        found.iloc[2, 1] = pd.NA
        ours = evaluation.count_scores(key, found)
        assert solutions["5.7"](key, found) == (ours["exact"], pytest.approx(ours["mae"]))


def test_3_4_are_the_frames_that_the_networks_see(solutions):
    y = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)
    mfcc, mfcc_pooled, spectrogram, spectrogram_pooled = solutions["3.4"](y, sr=16000)
    mel = features.Frontend(sr=16000, n_fft=1024, hop_length=200, n_mels=256)
    linear = features.Frontend(sr=16000, n_fft=400, hop_length=200, n_mels=0)
    for found, pooled, clip_input in (
        (mfcc, mfcc_pooled, features.ClipInput(mel, n_mfcc=256)),
        (spectrogram, spectrogram_pooled, features.ClipInput(linear)),
    ):
        np.testing.assert_allclose(found.T, clip_input.frames(y), atol=2e-2)
        np.testing.assert_allclose(pooled, clip_input.frames(y).mean(axis=0), atol=2e-2)


def test_3_6_cuts_as_the_batches_do(solutions):
    for n, n_samples in ((50, 20), (20, 20), (7, 20)):
        y = np.arange(n)
        for seed in range(20):
            ours = augmentation.random_crop(np.random.default_rng(seed), y, n_samples)
            theirs = solutions["3.6"](y, n_samples=n_samples, rng=np.random.default_rng(seed))
            np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize(
    ("number", "separable"),
    [("3.10", False), ("4.5", True)],
)
def test_a_block_is_the_networks_brick(solutions, number, separable):
    import keras

    from helpers.models import blocks

    brick = partial(blocks.residual_block, separable=separable)
    for channels, strides in ((3, 1), (5, 2)):
        shapes = []
        for block in (solutions[number], brick):
            inputs = keras.Input((30, 12, 3))
            model = keras.Model(inputs, block(inputs, channels, strides=strides))
            kernels = [tuple(w.shape) for w in model.trainable_weights if len(w.shape) == 4]
            shapes.append((model.output_shape, sorted(kernels)))
        assert shapes[0] == shapes[1]


def test_3_12_and_3_16_count_and_cut_as_the_package_does(solutions):
    clip_input = features.ClipInput(features.Frontend(n_mels=8), pooled=True)
    network = models.dense(clip_input, 3, mean=np.zeros(8), variance=np.ones(8), width=4)
    assert solutions["3.12"](network)[0] == models.parameter_count(network)
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(solutions["3.16"](network)(x)),
        np.asarray(models.embedding_model(network)(x)),
    )


def test_3_15_and_3_18_score_as_the_package_does(solutions):
    rng = np.random.default_rng(0)
    for _ in range(10):
        truth, guess = rng.integers(0, 6, (2, 40))
        ours = evaluation.class_scores(truth, guess, groups=np.arange(40), n_resamples=2)["value"]
        np.testing.assert_allclose(solutions["3.15"](truth, guess), ours.iloc[1:])
        scores, is_target = rng.normal(size=60), rng.random(60) < 0.3
        rate, _ = evaluation.equal_error_rate(scores + is_target, is_target)
        assert solutions["3.18"](scores + is_target, is_target) == pytest.approx(rate)


def test_4_1_makes_the_rounds_of_the_package(solutions):
    rng = np.random.default_rng(0)
    for n_folds in (3, 5, 10):
        table = pd.DataFrame({"fold": rng.integers(1, n_folds + 1, 60)})
        for one_round in data.rounds(table)[1]:
            masks = solutions["4.1"](table["fold"].to_numpy(), one_round.test_fold)
            ours = one_round.training, one_round.validation, one_round.test
            for mask, rows in zip(masks, ours, strict=True):
                np.testing.assert_array_equal(np.flatnonzero(mask), rows)


def test_4_3_mixes_as_the_batches_do_but_for_sounds_with_pauses(solutions):
    rng = np.random.default_rng(0)
    a, b = rng.gamma(2, 1, (2, 30, 8))
    a, b = (x / x.mean(axis=1, keepdims=True) * level for x, level in ((a, 3), (b, 1e-3)))
    given = a, b, np.eye(4)[1], np.eye(4)[3]
    for share in (0.2, 0.9):
        for found, ours in zip(
            solutions["4.3"](*given, share=share),
            augmentation.mixup(*given, share=share),
            strict=True,
        ):
            np.testing.assert_allclose(found, ours, rtol=1e-6)


def test_4_8_and_4_9_are_what_the_network_is_trained_with(solutions):
    import keras

    rng = np.random.default_rng(0)
    labels, logits = np.eye(5)[[0, 3, 3, 2]], rng.normal(size=(4, 5))
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    plain = keras.losses.CategoricalCrossentropy(from_logits=True)
    ours, found = smooth(labels, logits), plain(solutions["4.8"](labels, share=0.1), logits)
    assert float(found) == pytest.approx(float(ours), rel=1e-5)
    schedule = keras.optimizers.schedules.CosineDecay(0.003, 40)
    for step in (0, 7, 20, 39):
        rate = solutions["4.9"](step, n_steps=40, highest=0.003)
        assert rate == pytest.approx(float(schedule(step)), rel=1e-4, abs=1e-9)


def test_4_10_begins_where_the_package_does(solutions):
    import keras

    frontend = features.Frontend(sr=8000, n_fft=256, hop_length=100, n_mels=6)
    clip_input = features.ClipInput(frontend, crop_s=0.5)
    inputs = keras.Input(clip_input.shape)
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
    network = keras.Model(inputs, logits)
    x = np.random.default_rng(0).normal(size=clip_input.shape).astype(np.float32)
    for n in (1, 3):
        ours = models.probabilities(network, [x], clip_input, shifts=n)[0]
        found = solutions["4.10"](
            lambda version: scipy.special.softmax(np.asarray(network(version[None]))[0]), x, n=n
        )
        np.testing.assert_allclose(found, ours, rtol=1e-4)


def test_4_11_and_4_14_are_the_packages(solutions):
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.full(4, 0.3), (2, 50))
    p[0] = [1, 0, 0, 0]
    for share in (0, 0.3, 1):
        ours = evaluation.weighted_mean(p, q, share=share)
        np.testing.assert_allclose(solutions["4.11"](p, q, share=share), ours, rtol=1e-6)
    truth = rng.integers(0, 4, 50)
    found = solutions["4.14"](p.max(axis=1), p.argmax(axis=1) == truth)
    assert found == pytest.approx(evaluation.calibration_error(p, truth))


def test_4_13_tests_as_the_package_does(solutions):
    rng = np.random.default_rng(0)
    a, b, sources = rng.random(80) < 0.7, rng.random(80) < 0.55, rng.integers(0, 12, 80)
    ours = evaluation.paired_test(a, b, groups=sources)
    found = solutions["4.13"](a, b, sources, n=9999, rng=np.random.default_rng(1))
    assert 0.01 < ours < 0.9 and found == pytest.approx(ours, abs=0.03)


def test_4_15_is_what_the_network_is_explained_with(solutions):
    import keras

    from helpers import models
    from helpers.evaluation import attribution

    clip_input = features.ClipInput(features.Frontend(n_mels=32), crop_s=1.0)
    network = models.residual_cnn(clip_input, 5, width=4)
    x = np.random.default_rng(0).normal(-40, 9, clip_input.shape).astype(np.float32)
    inner = keras.Model(network.input, network.get_layer("features").output)
    weights = map(np.asarray, network.get_layer("logits").get_weights())
    found = solutions["4.15"](np.asarray(inner(x[None]))[0], *weights, 3)
    ours = attribution.class_activation_maps(network, x[None], np.array([3]))[0]
    np.testing.assert_allclose(found, ours, atol=1e-4)
    assert found.mean() == pytest.approx(float(np.asarray(network(x[None]))[0, 3]), abs=1e-4)
