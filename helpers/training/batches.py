"""Batches for training: random crops, mixed clips, and mixed scenes.

Each epoch has batches of its own, and batch i of epoch e depends only on (seed, e, i).
"""

import keras
import numpy as np
import pandas as pd

from helpers import features, models
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

CALL_WEIGHT = 3.0  # of a step at a call; a step without one weighs 1
AT_CALL_S = 0.1  # a step this close to a call's landmark is at the call ...
NEAR_CALL_S = 0.4  # ... and a step that is this close, but not at it, weighs nothing
SCENE_MASKS = (
    Mask(axis=1, max_share=0.14, probability=1 / 2, min_size=1),
    Mask(axis=0, max_share=0.038, probability=1 / 3, min_size=1),
)


def two_masks(max_share):
    """Two `Mask`s of the frames and two of the bands, in turn."""
    return (Mask(axis=0, max_share=max_share), Mask(axis=1, max_share=max_share)) * 2


class _SeededBatches(keras.utils.PyDataset):
    """n_batches an epoch, each with a generator of its own; fixed: the same in every epoch."""

    def __init__(self, n_batches, *, batch_size, seed, fixed):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.n_batches, self.batch_size = n_batches, batch_size
        self.seed, self.fixed, self.epoch = seed, fixed, 0

    def __len__(self):
        return self.n_batches

    def on_epoch_end(self):
        self.epoch += not self.fixed

    def generator(self, i):
        return np.random.default_rng((self.seed, self.epoch, i))


class CropBatches(_SeededBatches):
    """Batches of crops from frames in memory: an epoch decodes nothing and transforms nothing.

    frames: list of (n_frames, n_values). labels: int (n,). clip_input: `ClipInput`. Each epoch
    shows a crop of every sound, from another random place and with parts hidden; the last batch is
    filled up with sounds from the beginning of the epoch. mask_share: largest share of each axis
    that each of two masks hides, see `spec_augment`. fixed: the middle of every sound, in order,
    with nothing hidden. A batch is (x (batch, *clip_input.shape), y (batch,)). Used in
    03_speaker_identification.
    """

    def __init__(
        self, frames, labels, clip_input, *, batch_size=32, seed=0, mask_share=0.1, fixed=False
    ):
        n_batches = -(-len(frames) // batch_size)
        super().__init__(n_batches, batch_size=batch_size, seed=seed, fixed=fixed)
        self.frames, self.clip_input, self.mask_share = frames, clip_input, mask_share
        self.labels = self.targets = np.asarray(labels, np.int32)

    def __getitem__(self, i):
        draw = self.middle if self.fixed else self.example
        rng = self.generator(i)
        crops, targets = zip(*(draw(rng, row) for row in self.rows(i)), strict=True)
        return self.clip_input.pool(np.stack(crops)), np.stack(targets)

    def rows(self, i):
        """The sounds of batch i of this epoch: int (batch_size,)."""
        n = len(self.frames)
        places = np.arange(i * self.batch_size, (i + 1) * self.batch_size) % n
        # No batch has the number len(self), so its generator is free for the order.
        return places if self.fixed else self.generator(len(self)).permutation(n)[places]

    def example(self, rng, row):
        """A random crop with parts hidden, and its target.

        Each hidden value becomes the crop's mean of that value, so that a pooled input keeps it.
        """
        crop = random_crop(rng, self.frames[row], self.clip_input.n_frames).astype(np.float32)
        crop = spec_augment(rng, crop, masks=two_masks(self.mask_share), fill=crop.mean(axis=0))
        return crop, self.targets[row]

    def middle(self, rng, row):
        """The middle of a sound, and its target."""
        n_frames = self.clip_input.n_frames
        frames = long_enough(self.frames[row], n_frames)
        start = (len(frames) - n_frames) // 2
        return frames[start : start + n_frames], self.targets[row]


def clip_weights(labels, groups):
    """Weight of each clip in training: float (n,), mean 1.

    One over the square root of the number of clips of its class, so that rare classes count, and
    likewise of its source: a hundred slices of one siren teach about ten times as much as one.
    labels: int (n,). groups: (n,).
    """
    table = pd.DataFrame({"label": labels, "group": groups})
    sizes = [table.groupby(name)[name].transform("size") for name in table]
    weights = 1 / np.sqrt(np.prod(sizes, axis=0))
    return weights / weights.mean()


class MixedBatches(CropBatches):
    """Batches of clips that are changed and mixed, with soft labels.

    frames: list of (n_frames, n_bands), decibels, see `features.extract_frames`. labels: int (n,).
    clip_input: `ClipInput` of mel bands. n_classes: int. weights: (n,), of each clip in the loss;
    None: equal. The rest as in `CropBatches`. A batch is (x (batch, *clip_input.shape),
    y (batch, n_classes), weight (batch,)).
    """

    def __init__(
        self, frames, labels, clip_input, *, n_classes, augmentation=None, weights=None, **options
    ):
        super().__init__(frames, labels, clip_input, **options)
        self.augmentation = augmentation or Augmentation()
        # Mixup mixes the weights of two clips as it mixes their labels.
        weights = np.ones(len(frames)) if weights is None else weights
        self.targets = np.column_stack([np.eye(n_classes)[self.labels], weights])

    def __getitem__(self, i):
        x, targets = super().__getitem__(i)
        targets = targets.astype(np.float32)
        return x, targets[:, :-1], targets[:, -1]

    def example(self, rng, row):
        """A changed clip, mixed with another or not: (decibels (n_frames, n_bands), target)."""
        power, target = self._changed(rng, row), self.targets[row]
        if rng.random() < self.augmentation.mixup_share:
            other = int(rng.integers(len(self.frames)))
            power, target = mixup(
                power, self._changed(rng, other), target, self.targets[other], share=rng.random()
            )
        crop = features.to_db(power)
        masks = two_masks(self.augmentation.mask_share)
        # One mean for all bands: with each band's own mean, a steady sound would stay visible.
        return spec_augment(rng, crop, masks=masks, fill=crop.mean()), target

    def _changed(self, rng, row):
        """Power of a crop of a clip: (n_frames, n_bands)."""
        own, n_frames = self.augmentation, self.clip_input.n_frames
        power = features.from_db(self.frames[row])
        if rng.random() < own.warp_share:
            pitch, stretch = 2 ** (rng.uniform(-1, 1, 2) * (own.pitch_octaves, own.stretch_octaves))
            frequencies = self.clip_input.frontend.frequencies
            power = warp(power, frequencies=frequencies, pitch=pitch, stretch=stretch)
        power = long_enough(power, n_frames)
        if own.circular_shift:
            power = np.roll(power, -int(rng.integers(len(power))), axis=0)
        return equalise(rng, power[:n_frames], spread_db=own.equaliser_db)


class SceneBatches(_SeededBatches):
    """Batches of mixed scenes, new ones in each epoch.

    mixer: `detection.SceneMixer`. network: its receptive field says how many frames a step sees.
    n_steps: score steps per scene. A batch is (power (batch, n_frames, n_bands),
    target (batch, n_steps, 1), weight (batch, n_steps)).
    """

    def __init__(
        self, mixer, network, *, n_batches, batch_size=8, n_steps=100, seed=0, fixed=False
    ):
        super().__init__(n_batches, batch_size=batch_size, seed=seed, fixed=fixed)
        self.mixer, self.n_steps = mixer, n_steps
        self.frames, self.stride = models.receptive_field(network)

    def __getitem__(self, i):
        rng = self.generator(i)
        n_frames = self.frames + self.stride * (self.n_steps - 1)
        powers, distances = [], []
        for _ in range(self.batch_size):
            power, landmarks = self.mixer.scene(rng, n_frames=n_frames)
            if not self.fixed:
                # The mean of decibels, which the network's level normalisation maps to zero.
                mean = np.exp(np.log(power + SILENCE).mean(axis=1, keepdims=True))
                power = spec_augment(rng, power, masks=SCENE_MASKS, fill=mean)
            powers.append(power)
            distances.append(self._distance_s(landmarks))
        distance_s = np.stack(distances)
        # However coarse the steps are, the step nearest to a landmark is at the call.
        step_s = self.stride * self.mixer.frontend.hop_s
        target = distance_s <= max(AT_CALL_S, 0.75 * step_s)
        weight = np.where(target, CALL_WEIGHT, distance_s > max(NEAR_CALL_S, 1.5 * step_s))
        return np.stack(powers), target[..., None].astype(np.float32), weight.astype(np.float32)

    def _distance_s(self, landmarks):
        """From each step to the nearest landmark, s: float (n_steps,), inf without landmarks."""
        middle = (self.frames - 1) / 2 + self.stride * np.arange(self.n_steps)
        distance = np.abs(middle[:, None] - np.array(landmarks)[None, :])
        return distance.min(axis=1, initial=np.inf) * self.mixer.frontend.hop_s
