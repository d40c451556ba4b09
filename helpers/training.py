"""Training: batches of freshly mixed scenes, the fit of a network, and its history."""

import time
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from helpers import augment, env, models

CALL_WEIGHT = 3.0  # of a step at a call; a step without weighs 1
AT_CALL_S = 0.1  # a step this close to a call's landmark is at the call ...
NEAR_CALL_S = 0.4  # ... and one that is this close, but not at it, weighs nothing


class SceneBatches(keras.utils.PyDataset):
    """Batches of scenes that no epoch sees twice. Taught in 05_capuchin_call_counter.

    mixer: `augment.SceneMixer`. network: says how many frames a step sees. n_steps: score steps per
    scene. Batch i of epoch e depends on (seed, e, i) alone. A batch is (power (batch, n_frames,
    n_bands), target (batch, n_steps, 1), weight (batch, n_steps)).
    """

    def __init__(
        self, mixer, network, *, n_batches, batch_size=8, n_steps=100, seed=0, fixed=False
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.mixer, self.n_batches, self.batch_size = mixer, n_batches, batch_size
        self.n_steps, self.seed, self.fixed = n_steps, seed, fixed
        self.frames, self.stride = models.receptive_field(network)
        self.epoch = 0

    def __len__(self):
        return self.n_batches

    def on_epoch_end(self):
        if not self.fixed:
            self.epoch += 1

    def __getitem__(self, i):
        rng = np.random.default_rng((self.seed, self.epoch, i))
        powers, distances = [], []
        for _ in range(self.batch_size):
            n_frames = self.frames + self.stride * (self.n_steps - 1)
            power, turns = self.mixer.scene(rng, n_frames=n_frames)
            if not self.fixed:
                power = augment.spec_augment(rng, power)
            powers.append(power)
            distances.append(self._distance_s(turns))
        distance_s = np.stack(distances)
        # However coarse the steps are, the one nearest to a landmark is at the call.
        step_s = self.stride * self.mixer.frontend.hop_s
        target = distance_s <= max(AT_CALL_S, 0.75 * step_s)
        weight = np.where(target, CALL_WEIGHT, distance_s > max(NEAR_CALL_S, 1.5 * step_s))
        return np.stack(powers), target[..., None].astype(np.float32), weight.astype(np.float32)

    def _distance_s(self, turns):
        """From each step to the nearest landmark, s: float (n_steps,), inf without landmarks."""
        middle = (self.frames - 1) / 2 + self.stride * np.arange(self.n_steps)
        distance = np.abs(middle[:, None] - np.array(turns)[None, :])
        return distance.min(axis=1, initial=np.inf) * self.mixer.frontend.hop_s


def fit(network, mixer, *, epochs, steps_per_epoch=100, validation=None, seed=0, progress=True):
    """Train a network on scenes with Adam and a cosine schedule.

    network: see `models.call_network`. mixer, validation: `augment.SceneMixer` of training and of
    held-out clips; the validation loss is for looking at, nothing is chosen by it.
    Returns a DataFrame with a row per epoch: `epoch, loss, validation_loss, seconds`.
    """
    batches = SceneBatches(mixer, network, n_batches=steps_per_epoch, seed=seed)
    held_out = None
    if validation is not None:
        held_out = SceneBatches(validation, network, n_batches=6, seed=seed + 1, fixed=True)
    compile_network(
        network,
        keras.losses.BinaryCrossentropy(from_logits=True),
        n_steps=epochs * steps_per_epoch,
    )
    return run_epochs(network, batches, epochs=epochs, validation=held_out, progress=progress)


def compile_network(network, loss, *, n_steps, learning_rate=3e-3, weight_decay=None, metrics=()):
    """Adam, with a learning rate that falls to nothing along a cosine over n_steps steps.

    weight_decay: see `keras.optimizers.AdamW`; None: none.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, n_steps)
    optimizer = keras.optimizers.Adam(schedule, weight_decay=weight_decay)
    network.compile(optimizer=optimizer, loss=loss, metrics=list(metrics))


def run_epochs(network, batches, *, epochs, validation=None, progress=True):
    """Train a compiled network, with one progress bar over all epochs.

    batches, validation: `keras.utils.PyDataset`. Returns a DataFrame with a row per epoch: `epoch,
    loss`, the metrics that the network was compiled with, the same of the validation as
    `validation_…` (NaN without one), `seconds`.
    """
    clock = _Clock(epochs * len(batches), network.name, progress)
    history = network.fit(
        batches, validation_data=validation, epochs=epochs, verbose=0, callbacks=[clock]
    ).history
    table = pd.DataFrame({"epoch": range(1, epochs + 1)})
    names = [name for name in history if not name.startswith("val_")]
    names.sort(key=lambda name: name != "loss")  # which comes first
    for name in names:
        table[name] = history[name]
    for name in names:
        table[f"validation_{name}"] = history.get(f"val_{name}", [np.nan] * epochs)
    table["seconds"] = clock.seconds
    return table


class _Clock(keras.callbacks.Callback):
    """A progress bar over the steps, and the duration of every epoch."""

    def __init__(self, n_steps, name, progress):
        super().__init__()
        self.seconds = []
        self.bar = env.progress_bar(
            total=n_steps, desc=f"Training {name}", unit="step", disable=not progress
        )

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)

    def on_train_end(self, logs=None):
        self.bar.close()


@dataclass
class CrossFit:
    """Networks that were each trained without one fold.

    detectors: `models.CallDetector` per fold. histories: DataFrame `fold, epoch, loss,
    validation_loss, seconds`. clip_score: (n_clips,), each clip scored by the network that has not
    seen it. mixers: `augment.SceneMixer` of each fold's held-out clips (whole calls only), for
    scenes to measure on.
    """

    detectors: list
    histories: pd.DataFrame
    clip_score: np.ndarray
    mixers: list


def _whole_calls(table, powers, turns, frontend, held_out, *, before_s=0.5, after_s=1.8):
    """The held-out rows without calls that the clip cuts off; all of them if none is whole.

    What is to be counted as one call must be one. before_s, after_s: least growl and tail, s.
    """
    before = np.asarray(turns) * frontend.hop_s
    after = np.array([len(power) for power in powers]) * frontend.hop_s - before
    is_call = (table["label"] == augment.CALL_LABEL).to_numpy()
    whole = held_out & (~is_call | ((before >= before_s) & (after >= after_s)))
    return whole if (whole & is_call).any() else held_out


def cross_fit(
    table,
    powers,
    turns,
    frontend,
    *,
    epochs,
    steps_per_epoch=100,
    settings=None,
    seed=0,
    progress=True,
):
    """Train one network per fold of a clip table, each on the other folds.

    table: clip table with `label`, `group` and `fold` filled. powers: band power per row.
    turns: landmark of each call, frames. frontend: `Frontend` of the powers. settings:
    `augment.SceneSettings` of the scenes to train on. Returns `CrossFit`.
    """
    fold = table["fold"].to_numpy()
    score = np.zeros(len(table), np.float32)
    detectors, histories, mixers = [], [], []

    def part(rows, settings=None):
        rows = np.flatnonzero(rows)
        return augment.SceneMixer.from_table(
            table.iloc[rows],
            [powers[i] for i in rows],
            [turns[i] for i in rows],
            frontend,
            settings,
        )

    for k in range(fold.max() + 1):
        env.seed_everything(100 * seed + k)
        network = models.call_network(frontend.n_bands, name=f"fold_{k + 1}_of_{fold.max() + 1}")
        history = fit(
            network,
            part(fold != k, settings),
            validation=part(fold == k, settings),
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            seed=100 * seed + k,
            progress=progress,
        )
        detectors.append(models.CallDetector(network, frontend))
        histories.append(history.assign(fold=k))
        mixers.append(
            part(_whole_calls(table, powers, turns, frontend, fold == k), augment.HELD_OUT)
        )
        held_out = np.flatnonzero(fold == k)
        score[held_out] = detectors[k].score_clips([powers[i] for i in held_out])
    return CrossFit(detectors, pd.concat(histories, ignore_index=True), score, mixers)
