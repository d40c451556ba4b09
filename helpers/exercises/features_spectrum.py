"""The checks of 02_features: amplitude spectrum, spectral centroid."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers, need_parts, need_real, say_if
from helpers.exercises.judges_spectra import multiple_of


@check(
    "2.3",
    "an amplitude spectrum",
    "Three steps: the window times the sound, the FFT of real numbers, its absolute value scaled.",
    "`np.fft.rfft` leaves out the negative frequencies, and `np.fft.rfftfreq` gives the bins in "
    "Hz. It needs the number of samples and the time between two samples.",
    "A sine of amplitude a in the middle of a bin gives |FFT| = a / 2 times the sum of the window; "
    "the other half is at the negative frequency. Correct for both.",
)
def amplitude_spectrum(attempt):
    """amplitude_spectrum(y, *, sr) → (f, amplitude), both (1 + n // 2,), Hz and full scale ±1."""
    rng = np.random.default_rng(23)
    for what, sr, n, tones in (
        ("a sine of amplitude 0.5", 8000, 1000, [(0.5, 100)]),
        ("a tone between two bins, beside a faint one", 16000, 1501, [(0.8, 200.5), (0.01, 215)]),
    ):
        y = 1e-5 * rng.standard_normal(n)
        for amplitude, cycles in tones:
            y += amplitude * np.sin(2 * np.pi * cycles / n * np.arange(n) + 1)
        bins = n // 2 + 1
        where = f"{what} ({n} samples, {sr} Hz)"
        hz = np.arange(bins) * sr / n
        periodic, symmetric, none = (_spectrum(y, kind) for kind in ("periodic", "symmetric", ""))
        with case(where):
            f, found = need_parts(call(attempt, y, sr=sr), "f", "amplitude")
            f = need_numbers(f, axes=("1 + n // 2",))
            found = need_real(found, axes=("1 + n // 2",), why="their absolute value is needed")
            for name, array in (("f", f), ("amplitude", found)):
                if array.shape == (n,):
                    raise Wrong(
                        f"{name} has {n} values, one per sample: those above sr / 2, the negative "
                        f"frequencies, repeat the others. {bins} are needed (rfft)"
                    )
            f = need_array(f, shape=(bins,), axes=("1 + n // 2",))
            found = need_array(found, shape=(bins,), axes=("1 + n // 2",))
            if np.allclose(found, hz, atol=1e-6 * sr) and not np.allclose(f, hz, atol=1e-6 * sr):
                raise Wrong("the frequencies come first, then the amplitude")
            _explain_frequencies(f, hz, sr)
            inner = np.s_[1 : (n + 1) // 2]  # 0 Hz and sr / 2 have no negative counterpart
            found = found[inner]
            periodic, symmetric, none = periodic[inner], symmetric[inner], none[inner]
            if any(
                np.allclose(found, right, rtol=0.01, atol=1e-4 * right.max())
                for right in (periodic, symmetric)
            ):
                continue
            _explain_amplitudes(found, periodic, none, n)


def _spectrum(y, window):
    """|FFT| of a whole sound, scaled so that a sine shows its amplitude.

    window: "periodic" or "symmetric", a kind of Hann window; "": none.
    """
    import librosa

    w = np.ones(len(y))
    if window:
        w = librosa.filters.get_window("hann", len(y), fftbins=window == "periodic")
    frame = librosa.stft(y, n_fft=len(y), hop_length=len(y), window=w, center=False)
    return np.abs(frame[:, 0]) / w.mean() / len(y) * 2


def _explain_frequencies(f, hz, sr):
    """Raise Wrong unless f has the frequencies of the bins, Hz."""
    close = 1e-6 * hz[-1]
    if np.abs(f - hz).max() < close:
        return
    told = f"its frequencies go from {f[0]:.6g} to {f[-1]:.6g}, where {hz[0]:g} to {hz[-1]:.6g} Hz"
    for factor, name in (
        (1 / hz[1], "these are indices of bins, and a bin is sr / n wide"),
        (1e-3, "these are kHz"),
        (1 / sr, "these are cycles per sample, not per second: the time between samples is 1 / sr"),
        (1 / sr**2, "the time between two samples is 1 / sr, not sr"),
        (2.0, "the highest bin lies at sr / 2, not at sr"),
        (2 * np.pi, "these are angular frequencies, 2 pi too high"),
    ):
        if np.abs(f - factor * hz).max() < close * factor:
            raise Wrong(f"{told} are right: {name}")
    raise Wrong(f"{told} are right: bin k is at k * sr / n, for even n and for odd n")


def _explain_amplitudes(found, right, none, n):
    """Raise Wrong, with what is wrong. right, none: the spectrum with and without a window."""
    peak, loudest = found[right.argmax()], right.max()
    told = f"the loudest bin is {peak:.4g}, where {loudest:.4g} is right"
    if found.min() < 0:
        if multiple_of(10 ** (found / 20), right) or multiple_of(10 ** (found / 20), none):
            raise Wrong(f"{told}: these are decibels, and the amplitude itself is asked for")
        raise Wrong("some amplitudes are negative: the absolute value of the FFT is needed")
    if multiple_of(found, none):
        raise Wrong(
            "there is no window: a tone between two bins spreads over all bins and hides faint "
            "ones (Hann)"
        )
    if multiple_of(found, right**2) or multiple_of(found, none**2):
        raise Wrong(f"{told}: this is power, the square of the amplitude")
    if np.isclose(peak, loudest, rtol=0.01):
        raise Wrong("the loudest bin is right, but the others are not. Is it a Hann window?")
    factor = multiple_of(found, right)
    if not factor:
        raise Wrong(f"{told}, and not all bins are wrong by the same factor. Is it a Hann window?")
    for known, name in (
        (n / 4, "this is |FFT| as it is, which grows with the number of samples"),
        (0.5, "half as high. Either it is divided by the number of samples, although the window "
              "removes half of the sound; or the half at negative frequencies is missing"),
        (0.25, "a quarter. The window removes half of the sound, and half of a sine is at negative "
         "frequencies"),
        (n / 2, "it is not divided by the sum of the window"),
    ):  # fmt: skip
        if np.isclose(factor, known, rtol=0.01):
            raise Wrong(f"{told}: {name}")
    raise Wrong(f"{told}: all bins are {factor:.4g} times as high as they should be")


@check(
    "2.6",
    "the centre of a spectrum",
    "The spectral centroid: the mean of the frequencies, weighted by their magnitudes.",
    "The sum of frequency times magnitude over the sum of magnitudes, both over the bins (axis 0); "
    "`f[:, None]` gives f an axis for the frames.",
    "A silent frame has no weight, 0 / 0. Divide by 1 where the sum is 0 (`np.where`), or divide "
    "only where it is not (`np.divide` with `where` and `out`).",
)
def spectral_centroid(attempt):
    """spectral_centroid(magnitude, f) → float (n_frames,), Hz; 0 where a frame is silent."""
    rng = np.random.default_rng(26)
    for name, n_bins, n_frames, silent, f in (
        ("bins of a Fourier transform", 65, 20, [], np.arange(65) * 125.0),
        ("bands that become wider upwards", 40, 12, [], 100 * 1.1 ** np.arange(40)),
        ("frames of which some are silent", 33, 9, [0, 4, 5], np.arange(33) * 250.0),
    ):
        slope = np.exp(-np.outer(np.arange(n_bins), rng.uniform(0, 4, n_frames)) / n_bins)
        magnitude = slope * rng.gamma(1.0, 1.0, (n_bins, n_frames))
        magnitude[:, -1] *= 1e-4  # faint, but not silent
        magnitude[:, silent] = 0
        heard = np.isin(np.arange(n_frames), silent, invert=True)
        right = np.zeros(n_frames)
        right[heard] = [np.average(f, weights=column) for column in magnitude.T[heard]]
        with case(name):
            found = call(attempt, magnitude, f)
            found = need_numbers(found, axes=("n_frames",))
            if found.shape == (n_bins,):
                raise Wrong(
                    f"it returns {n_bins} numbers, one for each bin: sum over the bins (axis 0), "
                    f"to get one for each of the {n_frames} frames"
                )
            if found.shape == right.shape and not np.isfinite(found[~heard]).all():
                raise Wrong(
                    f"frame {silent[0]} is silent and gives {found[silent[0]]:g}: return 0 there"
                )
            found = need_array(found, shape=right.shape, axes=("n_frames",))
            if np.allclose(found, right, rtol=1e-3, atol=1e-6):
                continue
            if np.allclose(found[heard], right[heard], rtol=1e-3):
                raise Wrong(f"a silent frame gives {found[silent[0]]:g}, where 0 is asked for")
            _explain_centroid(found, right, magnitude, f, heard)


def _explain_centroid(found, right, magnitude, f, heard):
    """Raise Wrong, with what is returned in place of spectral centroids."""
    number = np.arange(len(f))
    columns = magnitude.T[heard]
    half = [np.searchsorted(column.cumsum(), column.sum() / 2) for column in columns]
    weight = magnitude[:, heard].sum(axis=0)
    many = f"{found[heard][0]:.5g} Hz in frame {heard.argmax()}"
    told = f"{many}, where {right[heard][0]:.5g} Hz is right"
    say_if(found[heard], [
        ([np.average(f, weights=c**2) for c in columns], "the weights are power: use the magnitude "
         "itself, not its square"),
        ([np.average(f, weights=c**0.5) for c in columns], "the weights are roots of magnitudes"),
        ([f[c.argmax()] for c in columns], "this is the peak, the frequency of the highest "
         "magnitude; all bins have a weight"),
        (right[heard] * weight, "this is the sum of frequency times magnitude: divide it by the "
         "sum of the magnitudes"),
        (right[heard] * weight / len(f), "it is divided by the number of bins: divide by the sum "
         "of the magnitudes"),
        (f[half], "this is the median, with half of the magnitudes below it; take the mean"),
        ([np.average(number, weights=c) for c in columns], "these are bin indices, not Hz"),
        ([f.mean()] * len(columns), "this is the mean of f alone: the magnitudes are its weights"),
    ], rtol=1e-3, told=f"{told}: ")  # fmt: skip
    if np.allclose(found[heard][:-1], right[heard][:-1], rtol=1e-3):
        raise Wrong(
            f"the last frame is faint, but not silent: its centroid is {right[-1]:.5g} Hz, and it "
            f"returns {found[-1]:.5g} Hz. Is a constant added to the denominator?"
        )
    raise Wrong(told)
