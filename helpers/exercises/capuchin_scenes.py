"""The checks of 05_capuchin_call_counter: mixing a call into a background."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array


@check(
    "5.3",
    "a call mixed into a background",
    "Powers of sounds add up. First the gain, then where the call lies, then the sum.",
    "level_db = 10 log10(gain * loudness(call) / mean power of the background): solve for gain.",
    "The call may begin before frame 0 or end after the background. Keep its frames inside the "
    "background (`max(0, at)`, `min(n_frames, ...)`), and add them to a copy of the background.",
)
def mix(attempt):
    """mix(background, call, *, at, level_db) → float (n_frames, n_bands), a new array."""
    from helpers.augmentation import loudness

    rng = np.random.default_rng(53)
    background = rng.gamma(4, 0.2, (50, 8))
    sound = rng.gamma(2, 3.0, (20, 8))
    sound[:4] *= 1e-3
    for at, level_db in ((10, 20.0), (0, -6.0), (40, 10.0), (-5, 10.0), (60, 10.0)):
        gain = 10 ** (level_db / 10) * background.mean() / loudness(sound)
        start, stop = np.clip([at, at + len(sound)], 0, len(background))
        added = np.zeros_like(background)
        added[start:stop] = gain * sound[start - at : stop - at]
        where = f"call of {len(sound)} frames at {at} of {len(background)}, {level_db:g} dB"
        with case(where):
            found = call(attempt, background, sound, at=at, level_db=level_db)
            found = need_array(found, shape=background.shape, axes=("n_frames", "n_bands"))
        extra = found - background
        if np.allclose(extra, added, rtol=1e-4, atol=1e-9):
            continue
        outside = np.delete(extra, np.s_[start:stop], axis=0)
        if start < stop and np.allclose(found[start:stop], added[start:stop], rtol=1e-4):
            raise Wrong(f"{where}: the call replaces the background: add the two")
        if not np.allclose(outside, 0, atol=1e-9):
            raise Wrong(
                f"{where}: the background has changed where there is no call (only frames {start} "
                f"to {stop - 1} may change)"
            )
        ratio = extra[start:stop] / added[start:stop]
        if np.allclose(ratio, ratio.flat[0], rtol=1e-3) and ratio.flat[0] > 0:
            off = 10 * np.log10(ratio.flat[0])
            raise Wrong(
                f"{where}: the call is {off:+.1f} dB off. The level is 10 log10 of a power ratio: "
                "`loudness(call)` to the mean power of the background"
            )
        raise Wrong(f"{where}: frames {start} to {stop - 1} are not background + gain * call")
