"""A template of a call, averaged from clips that it aligns itself: the oldest detector there is.

The clips of a training set hold a call *somewhere*. Knowing where, to a frame, is what makes a
network's score a sharp peak instead of a broad hill.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from helpers import features


def level_invariant(power, *, floor=1e-7):
    """Decibels minus the frame's mean over the bands: the shape of the spectrum, not its level."""
    db = features.to_db(power, floor=floor)
    return db - db.mean(axis=-1, keepdims=True)


def align(powers, *, frontend, profile, max_iterations=12):
    """Find the call in every clip: the frame of its landmark.

    powers: list of float32 (n_frames, n_bands), each with one whole or nearly whole call.
    profile: `CallProfile`, how far the template reaches around the landmark and in which band its
    power rises there. The template is the mean of all clips at their present places; each clip
    then moves to where it correlates best with it, until none moves.
    Returns (landmarks, template): int array (n_clips,), and float (n_template, n_bands) in decibels
    re frame mean, with the landmark in its frame round(profile.before_s / hop_s).
    Taught in 05_capuchin_call_counter.
    """
    hop_s = frontend.hop_s
    before, after = round(profile.before_s / hop_s), round(profile.after_s / hop_s)
    n = before + after
    spectra = [level_invariant(p) for p in powers]
    spectra = [s / (s.std() + 1e-9) for s in spectra]
    # One long spectrum of all clips: zeros, the mean of every frame, stand for what lies outside.
    padded = np.concatenate([np.pad(s, ((before, after), (0, 0))) for s in spectra])
    inside = np.concatenate(
        [np.pad(np.ones((len(s), 1)), ((before, after), (0, 0))) for s in spectra]
    )
    lengths = np.array([len(s) for s in spectra])
    starts = np.cumsum(lengths + n) - (lengths + n)
    places = np.round(lengths / 3).astype(int)  # a clip begins some time before the landmark
    for _ in range(max_iterations):
        rows = (starts + places)[:, None] + np.arange(n)
        covered = inside[rows].sum(axis=0)
        template = padded[rows].sum(axis=0) / np.maximum(covered, 1)
        template[covered[:, 0] < len(powers) / 3] = 0  # too few clips reach there to say anything
        energy = np.square(template).sum(axis=1, keepdims=True)
        match = correlate(padded, template) / np.sqrt(correlate(inside, energy) + 1e-9)
        new = np.array([np.argmax(match[i : i + k]) for i, k in zip(starts, lengths, strict=True)])
        if np.array_equal(new, places):
            break
        places = new
    rise = _rise(template, frontend, profile.rise_hz, width=max(1, round(0.3 / hop_s)))
    shift = rise - before
    return np.clip(places + shift, 0, lengths - 1), np.roll(template, -shift, axis=0)


def resemblance(power, *, at, clips, landmarks, frontend, before_s, after_s, slack_s=0.4):
    """How much a call resembles each of some clips: 1 for a copy, at any level.

    power: (n_frames, n_bands), the sound round a call. at: frame of its landmark. clips: their
    powers, landmarks: as `align` returns them. before_s, after_s: what is compared
    around the landmarks, s, as far as the clip goes. slack_s: how far they may be off, s.
    Returns float (n_clips,), the highest correlation of the level-invariant spectra, -1 where a
    clip fits nowhere.
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
        windows = sliding_window_view(near, len(part), axis=0).swapaxes(1, 2)
        windows = windows.reshape(len(windows), -1)
        # The mean over the bands of every frame is 0, so that of a window is, too.
        norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(part)
        result[i] = (windows @ part.ravel() / np.maximum(norms, 1e-9)).max()
    return result


def correlate(spectrum, template):
    """Cross-correlation over time, summed over the bands, where the template fits whole.

    spectrum: (n_frames, n_bands). template: (n_template, n_bands).
    Returns (n_frames - n_template + 1,).
    """
    products = np.ascontiguousarray(spectrum @ template.T)  # every frame with every frame
    row, column = products.strides
    n = len(template)
    diagonals = as_strided(products, (len(spectrum) - n + 1, n), (row, row + column))
    return diagonals.sum(axis=1)


def _rise(template, frontend, rise_hz, *, width):
    """Frame in which the bands within rise_hz rise most, mean of `width` frames on each side."""
    f = frontend.frequencies
    upper = template[:, (f > rise_hz[0]) & (f < rise_hz[1])].mean(axis=1)
    sums = np.concatenate([[0], np.cumsum(upper)])
    k = np.arange(width, len(upper) - width)
    return int(k[np.argmax(sums[k + width] - 2 * sums[k] + sums[k - width])])
