"""helpers.training: batches that can be drawn again, targets at landmarks, a loss that falls."""

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import detection, env, models, training
from helpers.detection import HELD_OUT, SceneMixer, cross_fit
from helpers.features import Frontend
from helpers.training import SceneBatches
from helpers.training.batches import CALL_WEIGHT

FRONTEND = Frontend(n_mels=17)
TURN = 20


def call(level=1.0):
    """Low bands before the landmark, high bands after it."""
    power = np.full((60, 17), 1e-3, np.float32)
    power[:TURN, 2:5] = level
    power[TURN:, 10:13] = level
    return power


def mixer(**changes):
    rng = np.random.default_rng(0)
    beds = [[rng.standard_gamma(4.0, (90, 17)).astype(np.float32) for _ in range(2)]]
    easy = {"level_db": (25.0, 35.0), "counterexamples": 0.0, "augment": False, "gap_s": 0.5}
    return SceneMixer([call()], [TURN], beds, FRONTEND).with_settings(**{**easy, **changes})


@pytest.fixture(scope="module")
def network():
    env.seed_everything(0)
    return models.call_network(17, width=4, dropout=0.1)


def batches(network, **changes):
    return SceneBatches(
        changes.pop("mixer", None) or mixer(),
        network,
        **{"n_batches": 4, "batch_size": 3, "n_steps": 20, **changes},
    )


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_batch_fits_its_network(network):
    made = batches(network)
    assert len(made) == 4
    power, target, weight = made[0]
    frames, stride = models.receptive_field(network)
    assert power.shape == (3, frames + 19 * stride, 17)
    assert target.shape == (3, 20, 1) == network.predict_on_batch(power).shape
    assert weight.shape == (3, 20)
    assert all(x.dtype == np.float32 for x in (power, target, weight))
    assert set(np.unique(target)) == {0, 1}
    assert ((weight == CALL_WEIGHT) == (target[..., 0] == 1)).all()
    assert set(np.unique(weight)) <= {0, 1, CALL_WEIGHT}


def test_a_batch_depends_on_seed_epoch_and_number_alone(network):
    first, again = batches(network), batches(network)
    drawn = [first[i] for i in range(4)]
    assert all(same(again[i], drawn[i]) for i in (3, 1, 0, 2))  # in any order
    assert not any(same(drawn[i], drawn[j]) for i in range(4) for j in range(i))
    assert not same(batches(network, seed=1)[0], drawn[0])
    first.on_epoch_end()
    second = [first[i] for i in range(4)]
    assert not any(same(a, b) for a in second for b in drawn)
    again.on_epoch_end()
    assert all(same(again[i], second[i]) for i in range(4))


def test_fixed_batches_repeat_and_hide_nothing(network):
    made = batches(network, fixed=True)
    before = made[2]
    made.on_epoch_end()
    assert same(made[2], before)
    n_frames = before[0].shape[1]
    scene, _ = made.mixer.scene(np.random.default_rng((0, 0, 2)), n_frames=n_frames)
    np.testing.assert_array_equal(before[0][0], scene)


class OneScene:
    """A mixer of nothing but one scene, with landmarks where it is told."""

    def __init__(self, turns, frontend=FRONTEND):
        self.turns, self.frontend = turns, frontend

    def scene(self, rng, *, n_frames):
        return np.ones((n_frames, 17), np.float32), self.turns


@pytest.mark.parametrize("turns", [[120], [133.3], [100, 200], [48, 244], [130, 133], []])
def test_targets_stand_at_the_landmarks_and_their_surroundings_weigh_nothing(network, turns):
    _, target, weight = batches(network, n_steps=50, mixer=OneScene(turns), fixed=True)[0]
    frames, stride = models.receptive_field(network)
    middle = (frames - 1) / 2 + stride * np.arange(50)  # what each step looks at
    for turn in turns:
        assert target[0, np.abs(middle - turn).argmin(), 0] == 1
    away_s = np.min([np.full(50, 99), *(np.abs(middle - t) for t in turns)], axis=0)
    away_s = away_s * FRONTEND.hop_s
    assert (target[0, away_s > 0.13, 0] == 0).all() and (target[0, away_s < 0.09, 0] == 1).all()
    assert (weight[0, (away_s > 0.13) & (away_s < 0.39)] == 0).all()
    assert (weight[0, away_s > 0.41] == 1).all()


@settings(max_examples=30, deadline=None)
@given(hop_length=st.integers(64, 1000), turn=st.floats(48, 244))
def test_every_call_has_a_target_however_coarse_the_steps(network, hop_length, turn):
    scene = OneScene([turn], Frontend(n_mels=17, hop_length=hop_length))
    _, target, _ = batches(network, n_steps=50, mixer=scene, fixed=True)[0]
    assert 1 <= target[0].sum() <= 2 + 0.2 / (4 * scene.frontend.hop_s)


def test_landmarks_outside_a_scene_make_no_targets(network):
    _, target, weight = batches(network, n_steps=50, mixer=OneScene([-500.0, 9e3]), fixed=True)[0]
    assert target.max() == 0 and weight.min() == 1


def test_targets_lie_where_the_sound_is(network):
    """In the scene itself: at a target the low bands end and the high ones begin."""
    found = 0
    for i in range(4):
        power, target, _ = batches(network, n_steps=50, mixer=mixer(touching=0.0), fixed=True)[i]
        frames, stride = models.receptive_field(network)
        for scene, at_call in zip(power, target[..., 0], strict=True):
            for step in np.flatnonzero(at_call):
                at = (frames - 1) // 2 + stride * step
                low, high = scene[:, 2:5].sum(axis=1), scene[:, 10:13].sum(axis=1)
                assert low[at - 8] > high[at - 8] and high[at + 8] > low[at + 8]
                found += 1
    assert found > 5


def fit(seed=3):
    env.seed_everything(seed)
    network = models.call_network(17, width=4, dropout=0.1)
    history = detection.fit_detector(
        network,
        mixer(),
        validation=mixer(call_share=1.0),
        epochs=2,
        steps_per_epoch=12,
        seed=seed,
        progress=False,
    )
    return network, history


@pytest.fixture(scope="module")
def fitted():
    return fit()


def test_the_loss_of_an_easy_task_falls(fitted):
    network, history = fitted
    assert history["epoch"].tolist() == [1, 2]
    assert np.isfinite(history[["loss", "validation_loss"]]).all(axis=None)
    assert history["loss"][1] < 0.8 * history["loss"][0]


def test_the_same_seed_gives_the_same_history_and_network(fitted):
    network, history = fitted
    again, same_history = fit()
    columns = ["epoch", "loss", "validation_loss"]
    pd.testing.assert_frame_equal(same_history[columns], history[columns], check_exact=True)
    for a, b in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_cross_fit_scores_each_clip_with_a_network_that_has_not_seen_it(monkeypatch, tone_detector):
    """With networks that only note what they are given."""
    n = 12
    table = pd.DataFrame(
        {
            "label": ["capuchin", "other"] * (n // 2),
            "group": [f"g{i // 2}" for i in range(n)],
            "fold": np.arange(n) // 2 % 3,
        },
        index=np.arange(n) + 100,
    )
    # A clip is known by its length.
    frontend = tone_detector.frontend
    powers = [np.full((50 + i, frontend.n_bands), 1e-3, np.float32) for i in range(n)]
    seen, scored = [], []

    def lengths(mixer):
        return {len(c) for c in mixer.calls} | {len(b) for s in mixer.backgrounds for b in s}

    def fake_fit(network, mixer, *, validation, seed, **kwargs):
        seen.append((lengths(mixer), lengths(validation), seed))
        return pd.DataFrame({"epoch": [1], "loss": [0.1], "validation_loss": [0.2]})

    def fake_scores(self, clips):
        scored.append({len(c) for c in clips})
        return np.array([len(c) for c in clips]) / 100

    monkeypatch.setattr(cross_fit, "fit_detector", fake_fit)
    monkeypatch.setattr(cross_fit.models, "call_network", lambda *a, **k: tone_detector.network)
    monkeypatch.setattr(cross_fit.models.CallDetector, "score_clips", fake_scores)
    result = detection.fit_folds(
        table, powers, [5] * n, frontend, profile=detection.CAPUCHINBIRD, epochs=1, progress=False
    )
    everything = {50 + i for i in range(n)}
    assert len(result.detectors) == len(result.mixers) == len(seen) == 3
    for k in range(3):
        mine = {50 + i for i in range(n) if table["fold"].iloc[i] == k}
        assert seen[k][:2] == (everything - mine, mine) and scored[k] == mine
        assert lengths(result.mixers[k]) == mine
        assert result.mixers[k].settings == HELD_OUT
    assert len({seed for *_, seed in seen}) == 3
    np.testing.assert_allclose(result.clip_score, (50 + np.arange(n)) / 100)
    assert result.histories["fold"].tolist() == [0, 1, 2]


# --- any network, any batches ---------------------------------------------------------------------


class Points(keras.utils.PyDataset):
    """Points on a plane in two classes that a line divides; notes what it is asked for."""

    def __init__(self, n_batches=3, seed=0):
        super().__init__()
        self.n_batches, self.seed, self.epoch, self.asked = n_batches, seed, 0, []

    def __len__(self):
        return self.n_batches

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, i):
        self.asked.append((self.epoch, i))
        x = np.random.default_rng((self.seed, self.epoch, i)).normal(size=(16, 2))
        return x.astype(np.float32), (x.sum(axis=1) > 0).astype(np.int32)


@pytest.fixture(scope="module")
def line():
    """(network, batches, history with metrics and validation) of four epochs."""
    env.seed_everything(0)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    batches = Points()
    training.compile_network(
        network, loss, n_steps=4 * len(batches), learning_rate=0.2, metrics=["accuracy"]
    )
    before = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    history = training.run_epochs(
        network, batches, epochs=4, validation=Points(2, seed=1), progress=False
    )
    return network, batches, history, before


def test_the_history_has_a_row_an_epoch_and_a_column_a_metric(line):
    *_, history, _ = line
    names = ["loss", "accuracy"]
    assert history.columns.tolist() == [
        "epoch",
        *names,
        *(f"validation_{name}" for name in names),
        "seconds",
    ]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert np.isfinite(history).all(axis=None) and (history["seconds"] > 0).all()
    assert history["loss"].iloc[-1] < history["loss"][0]
    assert history["validation_accuracy"].iloc[-1] > 0.8


def test_each_epoch_asks_for_batches_of_its_own(line):
    _, batches, *_ = line
    # Keras may look at some in advance, and calls that an epoch.
    epochs = np.reshape(batches.asked[-12:], (4, 3, 2))
    for k, asked in enumerate(epochs.tolist()):
        assert sorted(asked) == [[epochs[0, 0, 0] + k, i] for i in range(3)]


def test_the_learning_rate_falls_to_nothing_along_a_cosine(line):
    network, _, _, before = line
    assert before == pytest.approx(0.2)
    after = float(keras.ops.convert_to_numpy(network.optimizer.learning_rate))
    assert after == pytest.approx(0, abs=1e-6)
    schedule = network.optimizer._learning_rate
    for step in (0, 3, 6, 12, 99):
        expected = 0.1 * (1 + np.cos(np.pi * min(step, 12) / 12))
        assert float(schedule(step)) == pytest.approx(expected, abs=1e-6)


def test_without_metrics_and_validation_there_is_a_loss_and_no_number(capsys):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)], name="a_line")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    training.compile_network(network, loss, n_steps=3)
    history = training.run_epochs(network, Points(), epochs=1)
    assert history.columns.tolist() == ["epoch", "loss", "validation_loss", "seconds"]
    assert history["loss"].notna().all() and history["validation_loss"].isna().all()
    shown = capsys.readouterr().out
    assert "Training a_line" in shown and "3/3" in shown
