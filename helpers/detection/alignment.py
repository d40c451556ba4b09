"""Find the call in each clip, by cross-correlation with a template averaged from the clips.

The label of a clip says that it holds a call, but not when. A network that learns from the exact
frame gives a sharp peak instead of a broad hill.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from helpers import features

RISE_S = 0.3  # power is averaged over this time on both sides of the landmark to measure its rise


def level_invariant(power, *, floor=1e-7):
    """Decibels minus each frame's mean over the bands: the shape of the spectrum, not its level."""
    db = features.to_db(power, floor=floor)
    return db - db.mean(axis=-1, keepdims=True)


def align(powers, *, frontend, profile, max_iterations=12):
    """Find the landmark of the call in every clip.

    powers: list of float32 (n_frames, n_bands), each with one (nearly) whole call. profile:
    `CallProfile`: the length of the template, and the band whose power rises at the landmark. The
    template is the mean of all clips at their present places; each clip then moves to where it
    correlates best with the template, until no clip moves.
    Returns (landmarks, template): int (n_clips,), frames; float (n_template, n_bands), dB re frame
    mean, with the landmark in frame round(profile.before_s / hop_s).
    """
    hop_s = frontend.hop_s
    before, after = round(profile.before_s / hop_s), round(profile.after_s / hop_s)
    n = before + after
    spectra = [level_invariant(p) for p in powers]
    spectra = [s / (s.std() + 1e-9) for s in spectra]
    # All clips in one array, with zeros (the mean of every frame) before and after each.
    around = (before, after), (0, 0)
    padded = np.concatenate([np.pad(s, around) for s in spectra])
    inside = np.concatenate([np.pad(np.ones((len(s), 1)), around) for s in spectra])
    lengths = np.array([len(s) for s in spectra])
    starts = np.cumsum(lengths + n) - (lengths + n)
    places = np.round(lengths / 3).astype(int)  # a first guess
    for _ in range(max_iterations):
        rows = (starts + places)[:, None] + np.arange(n)
        covered = inside[rows].sum(axis=0)
        template = padded[rows].sum(axis=0) / np.maximum(covered, 1)
        template[covered[:, 0] < len(powers) / 3] = 0  # too few clips reach there
        energy = np.square(template).sum(axis=1, keepdims=True)
        match = correlate(padded, template) / np.sqrt(correlate(inside, energy) + 1e-9)
        new = np.array([np.argmax(match[i : i + k]) for i, k in zip(starts, lengths, strict=True)])
        if np.array_equal(new, places):
            break
        places = new
    rise = _rise(template, frontend, profile.rise_hz, width=max(1, round(RISE_S / hop_s)))
    shift = rise - before
    return np.clip(places + shift, 0, lengths - 1), np.roll(template, -shift, axis=0)


def resemblance(power, *, at, clips, landmarks, frontend, before_s, after_s, slack_s=0.4):
    """Similarity of a call to each of several clips: float (n_clips,), 1 for a copy at any level.

    power: (n_frames, n_bands), sound that holds the call. at: frame of its landmark. clips: list of
    (n_frames, n_bands). landmarks: of the clips, see `align`. before_s, after_s: part around the
    landmarks to compare, s. slack_s: largest error of the landmarks, s. The similarity is the
    highest correlation of the level-invariant spectra, and -1 for a clip longer than the sound.
    """
    before, after, slack = (round(s / frontend.hop_s) for s in (before_s, after_s, slack_s))
    sound = level_invariant(power)
    result = np.full(len(clips), -1.0)
    for i, (clip, landmark) in enumerate(zip(clips, landmarks, strict=True)):
        part = level_invariant(clip)[max(0, landmark - before) : landmark + after]
        first = at - min(landmark, before)
        near = sound[max(0, first - slack) : first + slack + len(part)]
        if len(near) < len(part):
            continue
        windows = sliding_window_view(near, part.shape).reshape(-1, part.size)
        # Every frame has mean 0 over the bands, and so has every window.
        norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(part)
        result[i] = (windows @ part.ravel() / np.maximum(norms, 1e-9)).max()
    return result


def correlate(spectrum, template):
    """Cross-correlation over time, summed over the bands: (n_frames - n_template + 1,).

    spectrum: (n_frames, n_bands). template: (n_template, n_bands).
    """
    # One matrix product, and sums along its diagonals: a third of scipy.signal.correlate's time.
    products = np.ascontiguousarray(spectrum @ template.T)
    n, (row, column) = len(template), products.strides
    return as_strided(products, (len(spectrum) - n + 1, n), (row, row + column)).sum(axis=1)


def _rise(template, frontend, rise_hz, *, width):
    """Frame where the power within rise_hz rises most, between means of `width` frames."""
    f = frontend.frequencies
    upper = template[:, (f > rise_hz[0]) & (f < rise_hz[1])].mean(axis=1)
    sums = np.concatenate([[0], np.cumsum(upper)])
    k = np.arange(width, len(upper) - width)
    return int(k[np.argmax(sums[k + width] - 2 * sums[k] + sums[k - width])])
