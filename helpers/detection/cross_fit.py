"""Cross-fitting: one detector per fold, trained on the other folds."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from helpers import env, models
from helpers.detection import scenes
from helpers.training import SceneBatches, compile_network, run_epochs


def fit_detector(network, mixer, *, validation, epochs, steps_per_epoch=100, seed=0, progress=True):
    """Train a network on scenes with Adam and a cosine schedule.

    network: see `models.call_network`. mixer: `detection.SceneMixer` of the training clips.
    validation: the same of held-out clips; the validation loss chooses nothing.
    Returns a DataFrame with a row per epoch: `epoch, loss, validation_loss, seconds`.
    """
    batches = SceneBatches(mixer, network, n_batches=steps_per_epoch, seed=seed)
    held_out = SceneBatches(validation, network, n_batches=6, seed=seed + 1, fixed=True)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    compile_network(network, loss, n_steps=epochs * steps_per_epoch)
    return run_epochs(network, batches, epochs=epochs, validation=held_out, progress=progress)


@dataclass
class CrossFit:
    """Result of `fit_folds`.

    detectors: a `models.CallDetector` per fold, trained on the other folds. histories: DataFrame
    `fold, epoch, loss, validation_loss, seconds`. clip_score: (n_clips,), by the detector that was
    not trained on the clip. mixers: a `detection.SceneMixer` per fold, of its clips with whole
    calls, for scenes to test on.
    """

    detectors: list
    histories: pd.DataFrame
    clip_score: np.ndarray
    mixers: list


def _whole_calls(table, powers, landmarks, frontend, held_out, profile):
    """The held-out rows (bool) without those whose call is cut off; all rows if none is whole."""
    before = np.asarray(landmarks) * frontend.hop_s
    after = np.array([len(power) for power in powers]) * frontend.hop_s - before
    is_call = (table["label"] == profile.label).to_numpy()
    is_whole = (before >= profile.least_before_s) & (after >= profile.least_after_s)
    whole = held_out & (~is_call | is_whole)
    return whole if (whole & is_call).any() else held_out


def fit_folds(table, powers, landmarks, frontend, *, profile, settings=None, seed=0, **training):
    """Train one network per fold of a clip table, each on the other folds.

    table: clip table with `label`, `group` and `fold`, 0 to n_folds - 1. powers, landmarks: one per
    row; landmarks in frames, of calls. frontend: `Frontend` of the powers. profile: `CallProfile`.
    settings: `detection.SceneSettings` of the training scenes, or None. training: epochs,
    steps_per_epoch and progress of `fit_detector`. Returns `CrossFit`.
    """
    fold = table["fold"].to_numpy()
    score = np.zeros(len(table), np.float32)
    detectors, histories, mixers = [], [], []

    def part(rows, settings=None):
        rows = np.flatnonzero(rows)
        mine = [powers[i] for i in rows], [landmarks[i] for i in rows]
        return scenes.SceneMixer.from_table(
            table.iloc[rows], *mine, frontend, settings, profile=profile
        )

    for k in range(fold.max() + 1):
        own_seed = 100 * seed + k
        env.seed_everything(own_seed)
        network = models.call_network(frontend.n_bands, name=f"fold_{k + 1}_of_{fold.max() + 1}")
        mixer, validation = part(fold != k, settings), part(fold == k, settings)
        history = fit_detector(network, mixer, validation=validation, seed=own_seed, **training)
        detectors.append(models.CallDetector(network, frontend))
        histories.append(history.assign(fold=k))
        whole = _whole_calls(table, powers, landmarks, frontend, fold == k, profile)
        mixers.append(part(whole, scenes.HELD_OUT))
        held_out = np.flatnonzero(fold == k)
        score[held_out] = detectors[k].score_clips([powers[i] for i in held_out])
    return CrossFit(detectors, pd.concat(histories, ignore_index=True), score, mixers)
