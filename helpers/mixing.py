"""Training batches for a classifier of clips: a clip is never seen the same way twice.

Sounds add up, and so, on average, do their powers: two clips are mixed, moved and coloured as band
power that was extracted once, and nothing is decoded or transformed while training.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import augment, features
from helpers.crops import CropBatches, hide, long_enough


@dataclass(frozen=True)
class Augmentation:
    """How far clips are changed before a network sees them. All 0: not at all.

    mixed: share of the examples that are a mix of two clips. warped: share of the clips that are
    played higher or lower (pitch_octaves at most) and longer or shorter (stretch_octaves).
    equaliser_db: standard deviation of a random gain over frequency, another microphone. shifted:
    cut at any place, with the end followed by the beginning. hidden: largest share of each axis
    that SpecAugment hides, twice. A random gain would do nothing: the network takes the level off.
    """

    mixed: float = 0.7
    warped: float = 0.5
    pitch_octaves: float = 0.25
    stretch_octaves: float = 0.3
    equaliser_db: float = 4.0
    shifted: bool = True
    hidden: float = 0.12


def mixup(a, b, label_a, label_b, *, share):
    """Two sounds at once, the labels in the proportion of their amplitudes.

    a, b: power of one shape. label_a, label_b: (n_classes,). share: of a, between 0 and 1. Both
    sounds count as equally loud, so that the share says what is heard. Returns (power, label).
    Zhang et al., mixup, 2018; in this form Tokozume et al., Learning from between-class examples,
    2018. Built in 04_urbansound8k_cnn.
    """
    power = share**2 * a / augment.loudness(a) + (1 - share) ** 2 * b / augment.loudness(b)
    return power, share * label_a + (1 - share) * label_b


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

    frames: list of (n_frames, n_bands), decibels, see `crops.extract`. labels: int (n,). given:
    `ClipInput` of mel bands. n_classes: int. weights: (n,), what each clip weighs in the loss;
    None: the same. Order and chance are as in `CropBatches`, and so is `fixed`. A batch is
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
        hidden = {"max_frames": self.augmentation.hidden, "max_values": self.augmentation.hidden}
        return hide(rng, features.to_db(power), of_each=False, **hidden), target

    def _changed(self, rng, row):
        """Power of a crop of a clip: (n_frames, n_bands)."""
        own, given = self.augmentation, self.given
        power = features.from_db(self.frames[row])
        if rng.random() < own.warped:
            pitch, stretch = 2 ** (rng.uniform(-1, 1, 2) * (own.pitch_octaves, own.stretch_octaves))
            frequencies = given.frontend.frequencies
            power = augment.warp(power, frequencies=frequencies, pitch=pitch, stretch=stretch)
        power = long_enough(power, given.n_frames)
        if own.shifted:
            power = np.roll(power, -int(rng.integers(len(power))), axis=0)
        power = power[: given.n_frames]
        return augment.equalise(rng, power, spread_db=own.equaliser_db)
