"""Augmentation of band power and frames: pure functions of a generator.

Where sounds add up, so do their powers on average. Sounds are therefore mixed as band power that
was extracted once: training decodes and transforms nothing. Arrays are float32 (n_frames, n_bands),
power (not decibels) unless a function says otherwise.
"""

from dataclasses import dataclass

import numpy as np

SILENCE = np.float32(1e-12)  # power


def long_enough(frames, n_frames):
    """Frames repeated from their beginning until there are n_frames; longer ones as they are.

    Zeros would be a silence that no recording has, and would show a network who speaks briefly.
    """
    if len(frames) >= n_frames:
        return frames
    return np.concatenate([frames] * -(-n_frames // len(frames)))[:n_frames]


def random_crop(rng, frames, n_frames):
    """n_frames neighbouring frames from a random place; short sounds are repeated.

    rng: numpy Generator. frames: (n, …). Returns (n_frames, …). Built in 03_speaker_identification.
    """
    frames = long_enough(frames, n_frames)
    start = int(rng.integers(len(frames) - n_frames + 1))
    return frames[start : start + n_frames]


def even_crops(frames, n_frames):
    """Crops that cover a sound evenly, and overlap by half or more: (n_crops, n_frames, …)."""
    frames = long_enough(frames, n_frames)
    spare = len(frames) - n_frames
    starts = np.linspace(0, spare, 1 + -(-2 * spare // n_frames)).round().astype(int)
    return np.stack([frames[start : start + n_frames] for start in starts])


def warp(power, *, frequencies, pitch=1.0, stretch=1.0):
    """Play a sound higher or longer, by linear interpolation over time and frequency.

    power: (n_frames, n_bands). frequencies: centre of each band, Hz (n_bands,). pitch, stretch:
    factors of frequency and duration. Bands beyond the first and last count as silence. Returns
    (round(n_frames * stretch), n_bands).
    """
    if stretch != 1:
        n = max(1, round(len(power) * stretch))
        at = np.arange(n) * ((len(power) - 1) / max(1, n - 1))
        low = np.minimum(at.astype(int), max(0, len(power) - 2))
        share = (at - low)[:, None].astype(np.float32)
        power = power[low] * (1 - share) + power[np.minimum(low + 1, len(power) - 1)] * share
    if pitch != 1:
        at = np.interp(frequencies / pitch, frequencies, np.arange(len(frequencies)))
        low = np.minimum(at.astype(int), len(frequencies) - 2)
        share = (at - low).astype(np.float32)
        source = np.asarray(frequencies) / pitch
        inside = (source >= frequencies[0]) & (source <= frequencies[-1])
        moved = power[:, low] * (1 - share) + power[:, low + 1] * share
        power = np.where(inside, moved, SILENCE)
    return power


def loudness(power):
    """Mean power of the frames above the median: the level of a sound in a clip with pauses."""
    level = np.sort(power.mean(axis=1))
    return level[len(level) // 2 :].mean() + SILENCE


def equalise(rng, power, *, spread_db=5.0):
    """Smooth random gain over frequency, like another microphone. spread_db: its deviation, dB."""
    n_bands, knots_db = power.shape[-1], rng.normal(0, spread_db, 6)
    gain_db = np.interp(np.arange(n_bands) * 5 / (n_bands - 1), range(6), knots_db)
    return power * (10 ** (gain_db / 10)).astype(np.float32)


def mix(background, call, *, at, level_db, level=None):
    """Add a call to a background. Built in 05_capuchin_call_counter.

    background: (n_frames, n_bands). call: (n_call, n_bands); what lies outside the background is
    cut off. at: first frame of the call, may be negative. level_db: `loudness` of the call above
    `level`, dB. level: power; None: the mean power of the background. Returns a new array like
    background.
    """
    scene = background.copy()
    gain = (background.mean() if level is None else level) / loudness(call) * 10 ** (level_db / 10)
    start, stop = max(0, at), min(len(scene), at + len(call))
    if stop > start:
        scene[start:stop] += call[start - at : stop - at] * scene.dtype.type(gain)
    return scene


def coloured_noise(rng, *, n_frames, n_bands):
    """Stationary noise with a random spectral slope (+10 to -30 dB over the bands), mean power 1.

    The power in a band fluctuates like a chi-squared variable with 8 degrees of freedom.
    """
    slope = 10 ** np.linspace(0, -rng.uniform(-1, 3), n_bands, dtype=np.float32)
    noise = slope * rng.standard_gamma(4.0, (n_frames, n_bands), dtype=np.float32)
    return noise / noise.mean()


@dataclass(frozen=True)
class Mask:
    """One mask of SpecAugment: neighbouring frames or bands that are hidden.

    axis: 0 for frames, 1 for bands. max_share: largest share of the axis that is hidden.
    probability: that the mask is used, 0 … 1. min_size: frames or bands that are hidden at least.
    """

    axis: int
    max_share: float
    probability: float = 1.0
    min_size: int = 0


def spec_augment(rng, x, *, masks, fill):
    """SpecAugment: hide neighbouring frames and bands. Park et al. 2019.

    rng: numpy Generator. x: (n_frames, n_bands). masks: sequence of `Mask`. fill: what the hidden
    values become: an array that broadcasts to the shape of x. Returns a new array like x.
    """
    x = x.copy()
    fill = np.broadcast_to(fill, x.shape)
    for mask in masks:
        if mask.probability < 1 and rng.random() >= mask.probability:
            continue
        size = x.shape[mask.axis]
        max_size = max(mask.min_size, int(size * mask.max_share))
        width = int(rng.integers(mask.min_size, max_size + 1))
        start = int(rng.integers(size - width + 1))
        where = (slice(None),) * mask.axis + (slice(start, start + width),)
        x[where] = fill[where]
    return x


@dataclass(frozen=True)
class Augmentation:
    """How `training.MixedBatches` changes clips. With 0 and False throughout: not at all.

    mixup_share: share of the examples that are a mix of two clips. warp_share: share of the clips
    that are played higher or lower (pitch_octaves at most) and longer or shorter (stretch_octaves).
    equaliser_db: standard deviation of a random gain over frequency. circular_shift: begin the clip
    at a random place; its beginning follows its end. mask_share: largest share of each axis that
    each of two SpecAugment masks hides. There is no random gain: the network removes the level.
    """

    mixup_share: float = 0.7
    warp_share: float = 0.5
    pitch_octaves: float = 0.25
    stretch_octaves: float = 0.3
    equaliser_db: float = 4.0
    circular_shift: bool = True
    mask_share: float = 0.12


def mixup(a, b, label_a, label_b, *, share):
    """Two sounds at once, with labels in proportion to their amplitudes.

    a, b: power of one shape. label_a, label_b: (n_classes,). share: amplitude of a, 0 … 1, after
    both sounds are brought to one loudness. Returns (power, label). Built in 04_urbansound8k_cnn.
    Zhang et al., mixup, 2018; here as in Tokozume et al., Between-class learning, 2018.
    """
    power = share**2 * a / loudness(a) + (1 - share) ** 2 * b / loudness(b)
    return power, share * label_a + (1 - share) * label_b
