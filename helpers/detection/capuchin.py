"""The capuchinbird: the only module that knows what this bird sounds like.

Its call begins with a growl of about a second, which turns into a chord of harmonics.
"""

import numpy as np

from helpers.augmentation import warp
from helpers.detection.profile import CallProfile


def counterexample(rng, call, *, landmark, frequencies):
    """A sound that resembles a call and must not be counted, made from a call.

    One of: the growl alone; the harmonics alone; a call that ends soon after its landmark; a call
    played backwards, much too fast, or much too high or low; whistles that change at the landmark;
    narrow bands of the call. call: (n_frames, n_bands), n_frames at least 2. landmark: frame in
    which the growl turns into harmonics; it may be the last frame. frequencies: centre of each
    band, Hz. Returns (n_frames', n_bands).
    """
    kind = rng.integers(10)  # whistles and narrow bands twice as often as each other kind
    tail, most = len(call) - landmark, len(call) - 1
    if kind == 0:
        return call[: min(most, max(4, landmark - 2 - int(rng.integers(0, 1 + landmark // 2))))]
    if kind == 1:
        return call[max(1, min(most - 7, landmark + 3 + int(rng.integers(0, 1 + tail // 2)))) :]
    if kind == 2:
        return call[: min(most, landmark + max(3, int(tail * rng.uniform(0.1, 0.35))))]
    if kind == 3:
        return call[::-1]
    if kind == 4:
        return warp(call, frequencies=frequencies, stretch=1 / rng.uniform(1.6, 4))
    if kind == 5:
        pitch = rng.uniform(1.9, 2.6)  # outside the range of `SceneSettings.pitch`
        pitch = pitch if rng.random() < 0.5 else 1 / pitch
        return warp(call, frequencies=frequencies, pitch=pitch)
    return _whistles(rng, call, landmark=landmark) if kind < 8 else _narrow_bands(rng, call)


def _whistles(rng, call, *, landmark):
    """One whistle before the landmark; after it three to seven, which decay."""
    n_frames, n_bands = call.shape
    width = max(1, n_bands // 40)
    level = call.mean(axis=1, keepdims=True)
    sound = 1e-3 * call
    first = rng.integers(n_bands)
    for i, band in enumerate((first, first, *rng.integers(n_bands, size=rng.integers(2, 7)))):
        start, stop = (0, landmark) if i == 0 else (landmark, n_frames)
        decay = np.exp(-np.arange(stop - start) / rng.uniform(8, 80))[:, None] if i else 1.0
        bands = slice(max(0, band - width), band + width + 1)
        sound[start:stop, bands] += level[start:stop] * decay * 10 ** rng.uniform(-1, 1)
    return sound


def _narrow_bands(rng, call):
    """The call in one to three narrow bands: its rhythm without its chord."""
    n_bands = call.shape[1]
    width = max(1, n_bands // 40)
    gain = np.full(n_bands, 1e-3, np.float32)
    for band in rng.integers(n_bands, size=rng.integers(1, 4)):
        gain[max(0, band - width) : band + width + 1] = 1
    return call * gain


CAPUCHINBIRD = CallProfile(
    label="capuchin",
    rise_hz=(1000.0, 1700.0),
    before_s=1.4,
    after_s=2.4,
    least_before_s=0.5,
    least_after_s=1.8,
    counterexample=counterexample,
)
