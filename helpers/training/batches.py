"""Batches for training: random crops, mixed clips, and mixed scenes.

No epoch sees the same batch twice, and batch i of epoch e depends on the seed, e and i alone.
"""

import keras
import numpy as np
import pandas as pd

from helpers import audio, features, models
from helpers.augmentation import (
    SILENCE,
    Augmentation,
    Mask,
    equalise,
    long_enough,
    mixup,
    random_crop,
    spec_augment,
    warp,
)


def two_masks(max_share):
    """Two `Mask`s of the frames and two of the bands, in turn."""
    return (Mask(axis=0, max_share=max_share), Mask(axis=1, max_share=max_share)) * 2


class CropBatches(keras.utils.PyDataset):
    """Batches of crops from frames in memory: an epoch decodes nothing and transforms nothing.

    frames: list of (n_frames, n_values), time first. labels: int (n,). given: `ClipInput`. Each
    epoch shows a crop of every sound, from another random place each time and with parts of it
    hidden; the last batch is filled up with sounds from the beginning of the epoch, so that all
    have one size. Batch i of epoch e depends on (seed, e, i) alone. hidden: largest share of
    each axis that each of two masks hides, see `spec_augment`. fixed: the middle of every
    sound, nothing hidden, in order. A batch is (x (batch, *given.shape),
    y (batch,)). Taught in 03_speaker_identification.
    """

    def __init__(self, frames, labels, given, *, batch_size=32, seed=0, hidden=0.1, fixed=False):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.frames, self.labels, self.given = frames, np.asarray(labels, np.int32), given
        self.batch_size, self.seed = batch_size, seed
        self.hidden, self.fixed = hidden, fixed
        self.epoch = 0

    def __len__(self):
        return -(-len(self.frames) // self.batch_size)

    def on_epoch_end(self):
        self.epoch += 1

    def __getitem__(self, i):
        rows, rng = self.rows(i)
        if self.fixed:
            crops = [self.middle(self.frames[row]) for row in rows]
        else:
            crops = [self._masked(rng, self.frames[row]) for row in rows]
        return self.given.pool(np.stack(crops)), self.labels[rows]

    def _masked(self, rng, frames):
        """A random crop with parts of it hidden.

        Hidden values become the crop's own mean of each value, so that a pooled input keeps them.
        """
        crop = random_crop(rng, frames, self.given.n_frames).astype(np.float32)
        return spec_augment(rng, crop, masks=two_masks(self.hidden), fill=crop.mean(axis=0))

    def rows(self, i):
        """The sounds of batch i of this epoch, int (batch_size,), and a generator for it."""
        places = np.arange(i * self.batch_size, (i + 1) * self.batch_size) % len(self.frames)
        rng = np.random.default_rng((self.seed, self.epoch, i))
        if self.fixed:
            return places, rng
        order = np.random.default_rng((self.seed, self.epoch, len(self)))  # no batch has it
        return order.permutation(len(self.frames))[places], rng

    def middle(self, frames):
        """The middle of a sound: (n_frames of a crop, n_values)."""
        return audio.fix_length(
            long_enough(frames, self.given.n_frames).T, n_samples=self.given.n_frames
        ).T


def clip_weights(labels, groups):
    """What each clip weighs in training: float (n,), mean 1.

    A class weighs one over the square root of its clips, so that a rare one is not forgotten; and a
    source likewise: of a hundred slices of one siren, ten times as much is to be learnt as of one.
    labels: int (n,). groups: (n,).
    """
    table = pd.DataFrame({"label": labels, "group": groups})
    sizes = [table.groupby(name)[name].transform("size") for name in table]
    weights = 1 / np.sqrt(np.prod(sizes, axis=0))
    return weights / weights.mean()


class MixedBatches(CropBatches):
    """Batches of changed and mixed clips, with soft labels.

    frames: list of (n_frames, n_bands), decibels, see `features.extract_frames`. labels: int (n,).
    given: `ClipInput` of mel bands. n_classes: int. weights: (n,), of each clip in the loss;
    None: equal. Order and chance are as in `CropBatches`, and so is `fixed`. A batch is
    (x (batch, *given.shape), y (batch, n_classes), weight (batch,)).
    """

    def __init__(
        self, frames, labels, given, *, n_classes, augmentation=None, weights=None, **options
    ):
        super().__init__(frames, labels, given, **options)
        self.augmentation = augmentation or Augmentation()
        # The weight of a clip goes through a mix as its label does.
        weights = np.ones(len(frames)) if weights is None else weights
        self.targets = np.column_stack([np.eye(n_classes)[self.labels], weights])

    def __getitem__(self, i):
        rows, rng = self.rows(i)
        if self.fixed:
            crops = [self.middle(self.frames[row]) for row in rows]
            targets = self.targets[rows]
        else:
            crops, targets = zip(*(self.example(rng, row) for row in rows), strict=True)
        targets = np.asarray(targets, np.float32)
        return self.given.pool(np.stack(crops)), targets[:, :-1], targets[:, -1]

    def example(self, rng, row):
        """One changed clip, mixed with another or not: (decibels (n_frames, n_bands), target)."""
        power, target = self._changed(rng, row), self.targets[row]
        if rng.random() < self.augmentation.mixed:
            other = int(rng.integers(len(self.frames)))
            power, target = mixup(
                power, self._changed(rng, other), target, self.targets[other], share=rng.random()
            )
        crop = features.to_db(power)
        # One mean for all: the mean of each band would hide nothing of a steady sound.
        crop = spec_augment(rng, crop, masks=two_masks(self.augmentation.hidden), fill=crop.mean())
        return crop, target

    def _changed(self, rng, row):
        """Power of a crop of a clip: (n_frames, n_bands)."""
        own, given = self.augmentation, self.given
        power = features.from_db(self.frames[row])
        if rng.random() < own.warped:
            pitch, stretch = 2 ** (rng.uniform(-1, 1, 2) * (own.pitch_octaves, own.stretch_octaves))
            frequencies = given.frontend.frequencies
            power = warp(power, frequencies=frequencies, pitch=pitch, stretch=stretch)
        power = long_enough(power, given.n_frames)
        if own.shifted:
            power = np.roll(power, -int(rng.integers(len(power))), axis=0)
        power = power[: given.n_frames]
        return equalise(rng, power, spread_db=own.equaliser_db)


CALL_WEIGHT = 3.0  # of a step at a call; a step without weighs 1
AT_CALL_S = 0.1  # a step this close to a call's landmark is at the call ...
NEAR_CALL_S = 0.4  # ... and one that is this close, but not at it, weighs nothing

SCENE_MASKS = (
    Mask(axis=1, max_share=0.14, chance=1 / 2, least=1),
    Mask(axis=0, max_share=0.038, chance=1 / 3, least=1),
)


class SceneBatches(keras.utils.PyDataset):
    """Batches of scenes that no epoch sees twice. Taught in 05_capuchin_call_counter.

    mixer: `detection.SceneMixer`. network: says how many frames a step sees. n_steps: score steps
    per scene. Batch i of epoch e depends on (seed, e, i) alone. A batch is (power (batch, n_frames,
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
            power, landmarks = self.mixer.scene(rng, n_frames=n_frames)
            if not self.fixed:
                # The mean of decibels, which the network's level normalisation maps to zero.
                mean = np.exp(np.log(power + SILENCE).mean(axis=1, keepdims=True))
                power = spec_augment(rng, power, masks=SCENE_MASKS, fill=mean)
            powers.append(power)
            distances.append(self._distance_s(landmarks))
        distance_s = np.stack(distances)
        # However coarse the steps are, the one nearest to a landmark is at the call.
        step_s = self.stride * self.mixer.frontend.hop_s
        target = distance_s <= max(AT_CALL_S, 0.75 * step_s)
        weight = np.where(target, CALL_WEIGHT, distance_s > max(NEAR_CALL_S, 1.5 * step_s))
        return np.stack(powers), target[..., None].astype(np.float32), weight.astype(np.float32)

    def _distance_s(self, landmarks):
        """From each step to the nearest landmark, s: float (n_steps,), inf without landmarks."""
        middle = (self.frames - 1) / 2 + self.stride * np.arange(self.n_steps)
        distance = np.abs(middle[:, None] - np.array(landmarks)[None, :])
        return distance.min(axis=1, initial=np.inf) * self.mixer.frontend.hop_s
