"""Augmentation of band power and frames: pure functions of a generator.

Sounds add up, and so, on average, do their powers. So sounds are mixed as band power that was
extracted once: nothing is decoded or transformed again while training. Arrays are time first,
float32 (n_frames, n_bands), power (not decibels) unless a function says otherwise.
"""

from dataclasses import dataclass

import numpy as np

SILENCE = np.float32(1e-12)  # power that stands for nothing at all
KNOTS = np.arange(6)  # of a random equaliser, evenly spread over the bands


def long_enough(frames, n_frames):
    """Frames repeated from their beginning until there are n_frames; longer ones as they are.

    Zeros would be a silence that no recording has: a network could learn who speaks briefly.
    """
    if len(frames) >= n_frames:
        return frames
    return np.concatenate([frames] * -(-n_frames // len(frames)))[:n_frames]


def random_crop(rng, frames, n_frames):
    """n_frames neighbouring frames from a random place; short sounds are repeated.

    rng: numpy Generator. frames: (n, …). Returns (n_frames, …), a view where it can be one. Built
    in 03_speaker_identification.
    """
    frames = long_enough(frames, n_frames)
    start = int(rng.integers(len(frames) - n_frames + 1))
    return frames[start : start + n_frames]


def even_crops(frames, n_frames):
    """Crops that cover a sound evenly and overlap by half at least: (n_crops, n_frames, …).

    Half is rounded down where n_frames is odd.
    """
    frames = long_enough(frames, n_frames)
    spare = len(frames) - n_frames
    starts = np.linspace(0, spare, 1 + -(-2 * spare // n_frames)).round().astype(int)
    return np.stack([frames[start : start + n_frames] for start in starts])


def warp(power, *, frequencies, pitch=1.0, stretch=1.0):
    """Play a sound higher or longer: pitch moves its frequencies, stretch its duration.

    power: (n_frames, n_bands). frequencies: centre of each band, Hz (n_bands,). pitch, stretch:
    factors; what would come from outside the bands is silence. Returns
    (round(n_frames * stretch), n_bands), by linear interpolation on both axes.
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
    """Level of a sound that does not fill its clip: mean power of the frames above the median."""
    level = np.sort(power.mean(axis=1))
    return level[len(level) // 2 :].mean() + SILENCE


def equalise(rng, power, *, spread_db=5.0):
    """Another microphone: a smooth random gain over frequency, spread_db standard deviation."""
    n_bands = power.shape[-1]
    gain_db = np.interp(np.arange(n_bands) * 5 / (n_bands - 1), KNOTS, rng.normal(0, spread_db, 6))
    return power * (10 ** (gain_db / 10)).astype(np.float32)


def mix(background, call, *, at, level_db, level=None):
    """A call over a background: powers add up. Taught in 05_capuchin_call_counter.

    background: (n_frames, n_bands). call: (n_call, n_bands), of which only what lies within the
    background is added. at: its first frame, may be negative. level_db: how far its `loudness`
    lies above `level`, dB. level: power; None: the mean power of the background.
    Returns a new array like background.
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
    """One mask of SpecAugment: a stretch of neighbouring frames or bands that is hidden.

    axis: 0 for frames, 1 for bands. max_share: of the axis that is hidden at most. chance: that
    anything is hidden, 0 … 1. least: frames or bands that are hidden at least.
    """

    axis: int
    max_share: float
    chance: float = 1.0
    least: int = 0


def spec_augment(rng, x, *, masks, fill):
    """SpecAugment: hide stretches of frames and bands. Park et al. 2019.

    rng: numpy Generator. x: (n_frames, n_bands). masks: sequence of `Mask`. fill: what stands in
    the hidden places; an array that broadcasts to the shape of x. Returns a new array like x.
    """
    x = x.copy()
    fill = np.broadcast_to(fill, x.shape)
    for mask in masks:
        if mask.chance < 1 and rng.random() >= mask.chance:
            continue
        size = x.shape[mask.axis]
        most = max(mask.least, int(size * mask.max_share))
        width = int(rng.integers(mask.least, most + 1))
        start = int(rng.integers(size - width + 1))
        where = (slice(None),) * mask.axis + (slice(start, start + width),)
        x[where] = fill[where]
    return x


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
    power = share**2 * a / loudness(a) + (1 - share) ** 2 * b / loudness(b)
    return power, share * label_a + (1 - share) * label_b
