"""Shared judges of spectra and spectrograms: frames, windows, decibels."""

import numpy as np

from helpers.exercises.engine import Wrong
from helpers.exercises.judges import need_array, say_if, worst_of


def is_like(found, right):
    """Whether two arrays of one shape agree, compared with the highest value."""
    return np.abs(found - right).max() < 1e-4 * np.abs(right).max()


def say_if_like(found, mistakes):
    """Raise Wrong if `found` is what a known mistake gives: (what it gives, what is wrong)."""
    for other, what in mistakes:
        if np.shape(other) == found.shape and is_like(found, other):
            raise Wrong(what)


def multiple_of(found, right):
    """The factor by which `found` is a multiple of `right`; 0 if it is none."""
    factor = (found * right).sum() / (right**2).sum()
    worst = np.abs(found - factor * right).max()
    return factor if worst < 0.01 * abs(factor) * np.abs(right).max() else 0.0


def explain_frames(shape, n_fft, hop_length, n):
    """Raise Wrong if a known mistake gives a spectrogram of n samples this shape."""
    if len(shape) != 2:
        return
    n_bins, n_frames = n_fft // 2 + 1, n // hop_length + 1
    if shape in ((n_fft, n_frames), (n_frames, n_fft)):
        raise Wrong(
            f"it has {n_fft} bins, as many as n_fft: those above sr / 2 repeat the others. The FFT "
            f"of real numbers (rfft) has {n_bins}"
        )
    swapped = hop_length // 2 + 1, n // n_fft + 1
    if shape[0] == swapped[0] or swapped in (shape, shape[::-1]):
        raise Wrong(
            f"it returns shape {shape}, where {(n_bins, n_frames)} is needed: are n_fft (samples "
            "in a frame) and hop_length (samples from one to the next) confused?"
        )
    without = (n - n_fft) // hop_length + 1
    if shape in ((n_bins, without), (without, n_bins)):
        raise Wrong(
            f"it has {without} frames, where 1 + n // hop_length = {n_frames} are needed: frames "
            "are centred, so n_fft // 2 zeros come before and after the sound"
        )


def other_frames(power, n_fft):
    """What a wrong window or a wrong padding gives: (spectrogram, what is wrong).

    power: function of the options of `librosa.stft` that returns a spectrogram.
    """
    import librosa

    symmetric = librosa.filters.get_window("hann", n_fft, fftbins=False)
    edges = "the first and the last frames are wrong: it"
    for options, what in (
        ({"window": "boxcar"}, "there is no window: multiply each frame with a Hann window, or a "
         "tone spreads over all frequencies"),
        ({"window": "hamming"}, "this is a Hamming window; Hann is asked for"),
        ({"window": symmetric}, "its Hann window is symmetric, as that of `np.hanning`, with a 0 "
         'at both ends. `scipy.signal.get_window("hann", n)` is the periodic one'),
        ({"pad_mode": "reflect"}, f"{edges} mirrors the sound at its ends; use zeros"),
        ({"pad_mode": "symmetric"}, f"{edges} mirrors the sound at its ends; use zeros"),
        ({"pad_mode": "edge"}, f"{edges} repeats the first and the last sample; use zeros"),
    ):  # fmt: skip
        yield power(**options), what


def decibels(power):
    """10 log10 of a power of at least 1e-10, so that silence is -100 dB."""
    return 10 * np.log10(np.clip(power, 1e-10, None))


def judge_decibels(found, power, *, n_fft, axes, value, ask=""):
    """Raise Wrong unless `found` is a power in decibels, silence at -100 dB, nothing else cut off.

    power: function of the options of `librosa.stft` that returns the power (n_values, n_frames).
    axes: names of the two. value: what a row is called. ask: a question that ends the message where
    no mistake is recognised.
    """
    linear = power()
    right = decibels(linear)
    if np.shape(found) == right.shape and np.isneginf(found).any():
        raise Wrong("silence becomes -inf: use a power of at least 1e-10 in the logarithm")
    found = need_array(found, shape=right.shape, axes=axes)
    if np.abs(found - right).max() < 0.05:
        return
    heard = right > -60  # elsewhere is silence, whose floor may be the mistake
    low = found[~heard].min()
    if np.abs((found - right)[heard]).max() < 0.05:
        if abs(low - (found.max() - 80)) < 0.1:
            raise Wrong(
                f"it is cut off at {low:.1f} dB, 80 dB below its own maximum, so that a faint "
                "sound looks different beside a loud one: do not cut it off (top_db=None)"
            )
        raise Wrong(f"silence becomes {low:.1f} dB: the least power is 1e-10, which is -100 dB")
    relative = (
        "its highest value is 0 dB: decibels relative to its own maximum differ from sound to "
        "sound; decibels relative to 1 do not"
    )
    say_if(found[heard], [
        (linear[heard], "this is the power itself: the step to decibels is missing"),
        (linear[heard] ** 0.5, "this is the amplitude: decibels of its square are asked for"),
        (right[heard] / 2, "these are 10 log10 of the amplitude: square it first"),
        (2 * right[heard], "these are 20 log10 of the power: 20 log10 is for amplitudes"),
        (right[heard] / 10, "these are log10 without the 10 of decibels"),
        (right[heard] / 20, "these are log10 of the amplitude: take 10 log10 of its square"),
        (right[heard] * np.log(10) / 10, "these are natural logarithms: decibels are 10 log10"),
        (right[heard] - right.max(), relative),
    ], within=0.05)  # fmt: skip
    if abs(found.max()) < 0.01 < abs(right.max()):
        raise Wrong(relative)
    for other, what in other_frames(power, n_fft):
        if np.abs(found - decibels(other)).max() < 0.05:
            raise Wrong(what)
    raise Wrong(worst_of(found, right, value, "frame", unit=" dB") + ask)
