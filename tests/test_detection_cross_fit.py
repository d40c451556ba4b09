"""detection.cross_fit: a loss that falls, and clips that are scored by networks new to them."""

import numpy as np
import pandas as pd
import pytest
from tiny_scenes import easy_mixer

from helpers import detection, env, models
from helpers.detection import HELD_OUT, cross_fit


def fit(seed=3):
    env.seed_everything(seed)
    network = models.call_network(17, width=4, dropout=0.1)
    history = detection.fit_detector(
        network,
        easy_mixer(),
        validation=easy_mixer(call_share=1.0),
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
