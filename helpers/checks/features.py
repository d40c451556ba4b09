"""The checks of 02_features."""

import numpy as np

from helpers.exercises import (
    Wrong,
    call,
    case,
    check,
    need_array,
    need_number,
    need_numbers,
    need_value,
)


@check(
    "2.1",
    "the frequency that is heard",
    "Up to sr / 2 a tone stays what it is. From there to sr, what is heard comes down again to 0.",
    "A tone of f + sr Hz gives the very same samples as one of f Hz: begin with what is left of f "
    "after whole multiples of sr.",
    "What is left lies between 0 and sr. Two frequencies have these samples, this one and its "
    "distance from sr: the lower one is heard.",
)
def heard_frequency(attempt):
    """heard_frequency(f, *, sr) → float, Hz, 0 … sr / 2."""
    for f, sr in (
        (1000.0, 8000),
        (0.0, 8000),
        (4000.0, 8000),
        (5000.0, 8000),
        (8000.0, 8000),
        (9000.0, 8000),
        (21000.0, 8000),
        (35000.5, 22050),
        (101000.0, 44100),
    ):
        right = min(abs(f - k * sr) for k in range(int(f // sr) + 2))
        where = f"a tone of {f:g} Hz, sampled at {sr} Hz"
        with case(where):
            found = call(attempt, f, sr=sr)
            found = need_number(found, what="a frequency in Hz")
        if abs(found - right) < 1e-6 * sr:
            continue
        told = f"{where}: it returns {found:g} Hz, where {right:g} Hz is heard"
        if abs(found + right) < 1e-6 * sr:
            raise Wrong(f"{told}. A frequency that is heard has no sign")
        if found < 0:
            raise Wrong(f"{told}. A frequency that is heard is never negative")
        if 2 * f <= sr:
            raise Wrong(f"{told}: up to sr / 2 = {sr / 2:g} Hz a tone stays what it is")
        if 2 * found > sr and f < sr:
            raise Wrong(
                f"{told}: nothing above sr / 2 = {sr / 2:g} Hz is in the samples. What lies above "
                "is mirrored there"
            )
        if 2 * found > sr:
            raise Wrong(
                f"{told}: it is above sr / 2 = {sr / 2:g} Hz still. One fold is not enough: "
                "what is heard goes up and down again with every sr"
            )
        if abs(2 * found - sr) < 1e-6 * sr:
            raise Wrong(f"{told}: a tone does not stop at sr / 2, it is mirrored there")
        if abs(found - f % (sr / 2)) < 1e-6 * sr:
            raise Wrong(
                f"{told}: above sr / 2 it does not begin anew from 0, but comes down from sr / 2"
            )
        raise Wrong(told)


@check(
    "2.2",
    "a few bits for a sample",
    "How far apart are the levels? 2**bits of them share the range from -1 to 1.",
    "Measured in steps of 1 / 2**(bits - 1), the levels are whole numbers: round to them.",
    "There are as many levels below 0 as from 0 up, so the highest is one step short of 1: clip "
    "the whole numbers (`np.clip`) before you go back to ±1.",
)
def quantise(attempt):
    """quantise(y, *, bits) → float (n,), multiples of 1 / 2**(bits - 1), -1 … one step below 1."""
    rng = np.random.default_rng(22)
    for bits, dtype in ((3, float), (8, float), (16, np.float32)):
        half = 1 << (bits - 1)
        levels = np.arange(-half, half) / half
        # Never half-way between two levels, where either is right.
        y = rng.choice(levels, 400) + rng.uniform(-0.45, 0.45, 400) / half
        y[:5] = 0.0, 1.0, -1.0, 1.3, -1.7
        y = y.astype(dtype)
        right = _nearest(y, levels)
        where = f"{bits} bits"
        with case(where):
            found = call(attempt, y, bits=bits)
            found = need_array(found, shape=y.shape, axes=("n",))
        if np.abs(found - right).max() < 0.01 / half:
            continue
        inner = np.abs(y) < 1 - 1 / half  # neither what is clipped nor the levels at the ends
        if np.abs(found - right)[inner].max() < 0.01 / half:
            _explain_clipping(y, found, where, half)
        least = 1 / half
        symmetric = _nearest(y, np.arange(1 - half, half) / (half - 1))
        whole = (
            f"whole numbers come back ({found.min():g} to {found.max():g}): bring them back to "
            "full scale ±1"
        )
        one_more = (
            f"the levels lie 1 / {2 * half} apart, which takes one bit more: {2 * half} levels "
            "share the range from -1 to 1, whose width is 2"
        )
        same_on_both_sides = (
            f"it scales by {half - 1} = 2**(bits - 1) - 1, but the levels are multiples of "
            f"1 / {half}: from -{half} to {half - 1}, not the same on both sides"
        )
        for other, step, told in (
            (right * half, 1.0, whole),
            (symmetric * (half - 1), 1.0, whole),
            (y, least, "the samples are as they were: nothing is rounded"),
            (y - y % least, least, "it rounds down; the nearest level may be the one above"),
            (y + -y % least, least, "it rounds up; the nearest level may be the one below"),
            (y - np.fmod(y, least), least, "it cuts off towards 0; the nearest level may be "
             "farther out"),
            (_nearest(y, np.arange(-2 * half, 2 * half) / (2 * half)), least / 2, one_more),
            (_nearest(y, np.arange(-half, half, 2) / half), least,
             f"the levels lie 1 / {half // 2} apart: that is one bit too few"),
            (symmetric, least / half, same_on_both_sides),
            (symmetric * (half - 1) / half, least / half, same_on_both_sides),
        ):  # fmt: skip
            if np.abs(found - other)[inner].max() < 0.05 * step:
                raise Wrong(f"{where}: {told}")
        if abs(found[0]) > 0.01 / half:
            raise Wrong(f"{where}: silence becomes {found[0]:g}, but 0 is one of the levels")
        worst = np.abs(found - right).argmax()
        raise Wrong(
            f"{where}: {y[worst]:.5g} becomes {found[worst]:.5g}, where {right[worst]:.5g} is the "
            f"nearest multiple of 1 / {half}"
        )


def _explain_clipping(y, found, where, half):
    """Say what is wrong with the samples at the ends of the range, where the others are right."""
    high, low = found[y.argmax()], found[y.argmin()]
    if high < 0 or low > 0:
        raise Wrong(
            f"{where}: {y.max():.2g} becomes {high:.3g} and {y.min():.2g} becomes {low:.3g}: it "
            "wraps round, where what is beyond the range is clipped"
        )
    if high > 1.01 or low < -1.01:
        number, level = (y.max(), high) if high > 1.01 else (y.min(), low)
        raise Wrong(
            f"{where}: {number:.2g} becomes {level:.3g}, but there are no levels beyond the range "
            f"from -1 to {(half - 1) / half:.5g}: clip"
        )
    if found.max() > 1 - 0.5 / half:
        raise Wrong(
            f"{where}: 1 is a level too many, and would need one bit more: the {2 * half} levels "
            f"end at {half - 1} / {half}"
        )
    if found.min() > -1 + 0.5 / half:
        raise Wrong(f"{where}: its lowest level is {found.min():.5g}, but -1 is a level as well")


def _nearest(y, levels):
    """The nearest of some sorted levels to each number."""
    return levels[np.searchsorted((levels[:-1] + levels[1:]) / 2, y)]


@check(
    "2.3",
    "how loud each frequency is",
    "Three steps: the window times the sound, the FFT of real numbers, its absolute value scaled.",
    "`np.fft.rfft` leaves out the negative frequencies, and `np.fft.rfftfreq` knows the bins in "
    "Hz. It needs the number of samples and the time between two.",
    "A sine of amplitude a in the middle of a bin gives |FFT| = a / 2 times the sum of the window: "
    "the other half is at the negative frequency. Undo both.",
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
            f, found = _need_pair(call(attempt, y, sr=sr), "f", "amplitude")
            f = need_numbers(f, axes=("1 + n // 2",))
            found = need_real(found, axes=("1 + n // 2",), why="their absolute value is needed")
            for name, array in (("f", f), ("amplitude", found)):
                if array.shape == (n,):
                    raise Wrong(
                        f"{name} has {n} values, one per sample: in those above sr / 2, the "
                        f"negative frequencies, is the same again. {bins} are needed (rfft)"
                    )
            f = need_array(f, shape=(bins,), axes=("1 + n // 2",))
            found = need_array(found, shape=(bins,), axes=("1 + n // 2",))
            if np.allclose(found, hz, atol=1e-6 * sr) and not np.allclose(f, hz, atol=1e-6 * sr):
                raise Wrong("the frequencies come first, then the amplitude")
            _explain_frequencies(f, hz, sr)
            inner = np.s_[1 : (n + 1) // 2]  # not 0 Hz and sr / 2, of which there is one only
            found = found[inner]
            periodic, symmetric, none = periodic[inner], symmetric[inner], none[inner]
            if any(
                np.allclose(found, right, rtol=0.01, atol=1e-4 * right.max())
                for right in (periodic, symmetric)
            ):
                continue
            _explain_amplitudes(found, periodic, none, n)


def _spectrum(y, window):
    """|FFT| of a whole sound such that a sine shows its amplitude, for a kind of Hann window."""
    import librosa

    w = np.ones(len(y))
    if window:
        w = librosa.filters.get_window("hann", len(y), fftbins=window == "periodic")
    frame = librosa.stft(y, n_fft=len(y), hop_length=len(y), window=w, center=False)
    return np.abs(frame[:, 0]) / w.mean() / len(y) * 2


def _explain_frequencies(f, hz, sr):
    """Raise Wrong unless f are the frequencies of the bins, Hz."""
    close = 1e-6 * hz[-1]
    if np.abs(f - hz).max() < close:
        return
    told = f"its frequencies go from {f[0]:.6g} to {f[-1]:.6g}, where {hz[0]:g} to {hz[-1]:.6g} Hz"
    for factor, name in (
        (1 / hz[1], "these are numbers of bins, and a bin is sr / n wide"),
        (1e-3, "these are kHz"),
        (1 / sr, "these are cycles per sample, not per second: the time between samples is 1 / sr"),
        (1 / sr**2, "the time between two samples is 1 / sr, not sr"),
        (2.0, "the highest bin lies at sr / 2, not at sr"),
        (2 * np.pi, "these are angular frequencies, 2 pi too high"),
    ):
        if np.abs(f - factor * hz).max() < close * factor:
            raise Wrong(f"{told} are right: {name}")
    raise Wrong(f"{told} are right: bin k lies at k * sr / n, for even n and for odd n")


def _explain_amplitudes(found, right, none, n):
    """Say what is wrong with an amplitude spectrum: right with, none without a window."""
    peak, loudest = found[right.argmax()], right.max()
    told = f"the loudest bin is {peak:.4g}, where {loudest:.4g} is right"
    if found.min() < 0:
        if _multiple(10 ** (found / 20), right) or _multiple(10 ** (found / 20), none):
            raise Wrong(f"{told}: these are decibels, and the amplitude itself is asked")
        raise Wrong("some amplitudes are negative: the absolute value of the FFT is needed")
    if _multiple(found, none):
        raise Wrong(
            "there is no window: a tone between two bins splashes over all the others, and drowns "
            "the faint ones (Hann)"
        )
    if _multiple(found, right**2) or _multiple(found, none**2):
        raise Wrong(f"{told}: this is power, the square of the amplitude")
    if np.isclose(peak, loudest, rtol=0.01):
        raise Wrong("the loudest bin is right, but the others are not. Is it a Hann window?")
    factor = _multiple(found, right)
    if not factor:
        raise Wrong(f"{told}, and not all bins are wrong by the same factor. Is it a Hann window?")
    for known, name in (
        (n / 4, "this is |FFT| as it is, which grows with the number of samples"),
        (0.5, "half as high. Either it is divided by the number of samples, and the window has "
              "taken half of the sound away; or the half at negative frequencies is forgotten"),
        (0.25, "a quarter. The window takes half of the sound away, and half of a real sine is at "
               "negative frequencies"),
        (n / 2, "it is not divided by the sum of the window"),
    ):  # fmt: skip
        if np.isclose(factor, known, rtol=0.01):
            raise Wrong(f"{told}: {name}")
    raise Wrong(f"{told}: all bins are {factor:.4g} times as high as they should be")


def _multiple(found, right):
    """By which factor `found` is a multiple of `right`; 0 where it is none."""
    factor = (found * right).sum() / (right**2).sum()
    worst = np.abs(found - factor * right).max()
    return factor if worst < 0.01 * abs(factor) * np.abs(right).max() else 0.0


@check(
    "2.4",
    "a spectrogram by hand",
    "Zeros on either side, then frames of n_fft samples that begin every hop_length samples, the "
    "window on each, and the FFT of each.",
    "With n_fft // 2 zeros before and after (`np.pad`), the middle of frame k is sample "
    "k * hop_length. `scipy.signal.get_window` has the periodic Hann window.",
    "Put the frames side by side as columns (n_fft, n_frames); the window then needs a second "
    "axis, `[:, None]`, and `np.fft.rfft` the axis 0. Last the absolute value, squared.",
)
def power_spectrogram(attempt):
    """power_spectrogram(y, *, n_fft, hop_length) → float (1 + n_fft // 2, n_frames), |STFT|²."""
    import librosa

    rng = np.random.default_rng(24)
    for n_fft, hop_length, n in ((256, 100, 2050), (128, 32, 1024)):
        y = rng.standard_normal(n)

        def power(sound, n_fft=n_fft, hop_length=hop_length, **options):
            return np.abs(librosa.stft(sound, n_fft=n_fft, hop_length=hop_length, **options)) ** 2

        right = power(y)
        n_frames = right.shape[1]
        with case(f"n_fft {n_fft}, hop_length {hop_length}, {n} samples"):
            found = call(attempt, y, n_fft=n_fft, hop_length=hop_length)
            axes = ("1 + n_fft // 2", "n_frames")
            found = need_real(found, axes=axes, why="power is the square of the absolute value")
            explain_frames(found.shape, n_fft, hop_length, n)
            found = need_array(found, shape=right.shape, axes=axes)
            if _is_like(found, right):
                continue
            if _is_like(found, right**0.5):
                raise Wrong("this is the amplitude, |STFT|: power is its square")
            if np.ptp(found - librosa.power_to_db(right, top_db=None)) < 0.1:
                raise Wrong("these are decibels: the power itself is asked")
            if _is_like(found, power(y, window="boxcar")):
                raise Wrong("there is no window: each frame is multiplied with a Hann window first")
            if _is_like(found, power(y, window=symmetric_hann(n_fft))):
                raise Wrong(
                    "its Hann window is the symmetric one, as `np.hanning` has it, which ends with "
                    'a second 0. `scipy.signal.get_window("hann", n)` is the periodic one'
                )
            for mode, name in (
                ("reflect", "mirrors the sound at its ends"),
                ("symmetric", "mirrors the sound at its ends"),
                ("edge", "repeats the first and the last sample"),
            ):
                if _is_like(found, power(y, pad_mode=mode)):
                    raise Wrong(f"the first and last frames are wrong: it {name}; zeros are asked")
            late = power(np.append(y, np.zeros(2 * n_fft)), center=False)[:, :n_frames]
            if _is_like(found, late):
                raise Wrong(
                    "frame k begins at sample k * hop_length, where its middle is needed there: "
                    "half of the zeros come before the sound"
                )
            factor = _multiple(found, right)
            if factor and abs(factor - 1) > 0.01:
                raise Wrong(
                    f"it is {factor:.4g} times the power: |STFT| squared is asked as it is, "
                    "without a scale"
                )
            off = np.abs(found - right).max(axis=0) > 1e-4 * right.max()
            raise Wrong(
                f"{off.sum()} of {n_frames} frames are wrong, the first of them frame "
                f"{off.argmax()}. Frame k is the window times n_fft samples whose middle is "
                "sample k * hop_length"
            )


def explain_frames(shape, n_fft, hop_length, n):
    """Raise Wrong for spectrograms of a shape that a known mistake has."""
    if len(shape) != 2:
        return
    n_bins, n_frames = n_fft // 2 + 1, n // hop_length + 1
    if shape in ((n_fft, n_frames), (n_frames, n_fft)):
        raise Wrong(
            f"it has {n_fft} bins, as many as n_fft: those above sr / 2 are the same again. The "
            f"FFT of real numbers (rfft) has {n_bins}"
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


def symmetric_hann(n):
    """A Hann window with a 0 at either end."""
    import librosa

    return librosa.filters.get_window("hann", n, fftbins=False)


@check(
    "2.5",
    "cepstral coefficients",
    "The shape of a spectrum, written as a sum of cosines over the bands: slow ones come first.",
    "SciPy has this transform: `scipy.fft.dct`. Over which axis do the bands lie, and which `norm` "
    "makes it orthonormal?",
    'The transform goes over axis 0, with norm "ortho". Of its n_mels rows only the first n_mfcc '
    "stay, row 0 among them.",
)
def mfcc(attempt):
    """mfcc(log_mel, *, n_mfcc) → float (n_mfcc, n_frames)."""
    from scipy.fft import dct, rfft

    rng = np.random.default_rng(25)
    for n_mels, n_frames, n_mfcc in ((40, 30, 13), (64, 25, 20)):
        log_mel = np.linspace(-20, -60, n_mels)[:, None] + rng.normal(0, 6, (n_mels, n_frames))
        cosines = np.cos(np.pi / n_mels * np.outer(np.arange(n_mels), np.arange(n_mels) + 0.5))
        every = cosines / np.linalg.norm(cosines, axis=1, keepdims=True) @ log_mel
        right = every[:n_mfcc]
        with case(f"{n_mels} bands, {n_frames} frames, n_mfcc {n_mfcc}"):
            found = call(attempt, log_mel, n_mfcc=n_mfcc)
            why = "the cosine transform of real numbers is real, unlike the FFT"
            found = need_real(found, axes=("n_mfcc", "n_frames"), why=why)
            shape = found.shape
            if shape == (n_mels, n_frames):
                raise Wrong(f"it returns all {n_mels} coefficients: the first {n_mfcc} are asked")
            if shape == (n_mels, n_mfcc) and _is_like(found, every[:, :n_mfcc]):
                raise Wrong(f"it keeps {n_mfcc} frames of each row: {n_mfcc} rows are asked")
            if shape == (n_mels, n_mfcc):
                raise Wrong(
                    f"it returns shape {shape}: {n_mfcc} coefficients for each band. The transform "
                    "goes over the bands, so that there are some for each frame"
                )
            found = need_array(found, shape=right.shape, axes=("n_mfcc", "n_frames"))
            if _is_like(found, right):
                continue
            power = 10 ** (log_mel / 10)
            for norm in ("ortho", None):
                if _is_like(found, dct(log_mel, axis=1, norm=norm)[:n_mfcc]):
                    raise Wrong("it transforms over time (axis 1): the bands are on axis 0")
                for kind in (1, 3, 4):
                    if _is_like(found, dct(log_mel, kind, axis=0, norm=norm)[:n_mfcc]):
                        raise Wrong(f"this is the DCT of type {kind}; type 2 is asked")
                for name, given in (("the power", power), ("the amplitude", power**0.5)):
                    if _is_like(found, dct(given, axis=0, norm=norm)[:n_mfcc]):
                        raise Wrong(
                            f"it transforms {name}: log_mel, in decibels, is transformed as it is"
                        )
            twice = dct(log_mel, axis=0)  # without a norm: every row is too high by a factor
            for scale in (1, 0.5, 0.5 / n_mels, 1 / n_mels):
                if _is_like(found, twice[:n_mfcc] * scale):
                    raise Wrong(
                        f"it is not orthonormal: row 0 is {found[0, 0] / right[0, 0]:.3g} times "
                        f"as high as it should be, row 1 {found[1, 0] / right[1, 0]:.3g} times"
                    )
            if _is_like(found, every[1 : n_mfcc + 1]):
                raise Wrong(
                    "it leaves out coefficient 0, the mean level: here it stays, as the first"
                )
            if _is_like(found, every[-n_mfcc:]) or _is_like(found, every[: -n_mfcc - 1 : -1]):
                raise Wrong("these are the last coefficients, the finest detail: the first stay")
            fourier = rfft(log_mel, axis=0)[:n_mfcc]
            if any(_multiple(found, part) for part in (np.abs(fourier), fourier.real)):
                raise Wrong("this is the FFT over the bands: a cosine transform (DCT) is asked")
            if _is_like(found[1:], right[1:]):
                raise Wrong(
                    f"row 0 is {found[0, 0]:.1f} in frame 0, where {right[0, 0]:.1f} is right; the "
                    'others are right. Nothing is subtracted first, and the norm is "ortho"'
                )
            worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
            raise Wrong(
                f"coefficient {worst[0]} of frame {worst[1]} is {found[worst]:.2f}, where "
                f"{right[worst]:.2f} is right"
            )


@check(
    "2.6",
    "where the middle of a spectrum is",
    "A centre of gravity: the mean of the frequencies, each with the weight of its magnitude.",
    "The sum of frequency times magnitude over the sum of magnitudes, both over the bins (axis 0); "
    "`f[:, None]` fits f to the frames.",
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
                    f"it returns {n_bins} numbers, one for each bin: go over the bins (axis 0), so "
                    f"that there is one for each of the {n_frames} frames"
                )
            if found.shape == right.shape and not np.isfinite(found[~heard]).all():
                raise Wrong(
                    f"frame {silent[0]} is silent and gives {found[silent[0]]:g}: there is nothing "
                    "to divide by. 0 is asked there"
                )
            found = need_array(found, shape=right.shape, axes=("n_frames",))
            if np.allclose(found, right, rtol=1e-3, atol=1e-6):
                continue
            if np.allclose(found[heard], right[heard], rtol=1e-3):
                raise Wrong(f"a silent frame gives {found[silent[0]]:g}, where 0 is asked")
            _explain_centroid(found, right, magnitude, f, heard)


def _explain_centroid(found, right, magnitude, f, heard):
    """Say what the numbers are that should be centres of gravity."""
    number = np.arange(len(f))
    columns = magnitude.T[heard]
    half = [np.searchsorted(column.cumsum(), column.sum() / 2) for column in columns]
    weight = magnitude[:, heard].sum(axis=0)
    many = f"{found[heard][0]:.5g} Hz in frame {heard.argmax()}"
    told = f"{many}, where {right[heard][0]:.5g} Hz is right"
    for other, name in (
        ([np.average(f, weights=c**2) for c in columns], "the weights are power: the magnitude "
         "itself is asked, not its square"),
        ([np.average(f, weights=c**0.5) for c in columns], "the weights are roots of magnitudes"),
        ([f[c.argmax()] for c in columns], "this is the peak, the frequency of the highest "
         "magnitude; all bins have their weight"),
        (right[heard] * weight, "this is the sum of frequency times magnitude: it still has to be "
         "divided by the sum of the magnitudes"),
        (right[heard] * weight / len(f), "it is divided by the number of bins: divide by the sum "
         "of their magnitudes"),
        (f[half], "this is the median, with half of the magnitudes below it; the mean is asked"),
        ([np.average(number, weights=c) for c in columns], "this is in bins: f has their "
         "frequencies"),
        ([f.mean()] * len(columns), "this is the mean of f alone: the magnitudes are its weights"),
    ):  # fmt: skip
        if np.allclose(found[heard], other, rtol=1e-3):
            raise Wrong(f"{told}: {name}")
    if np.allclose(found[heard][:-1], right[heard][:-1], rtol=1e-3):
        raise Wrong(
            f"the last frame is faint, but not silent: its centre is {right[-1]:.5g} Hz, and it "
            f"returns {found[-1]:.5g} Hz. What is added below the line must be next to nothing"
        )
    raise Wrong(told)


@check(
    "2.7",
    "a sound in pieces of one length",
    "How many pieces? One, and one more for every hop that is needed until the end is covered.",
    "Beyond the first piece n - length samples are left: so many hops, rounded up "
    "(`math.ceil`), and none where the sound is shorter than a piece.",
    "Lengthen the sound with zeros to exactly what all pieces need, (n_segments - 1) * hop + "
    "length samples; then every piece is a plain slice.",
)
def segments(attempt):
    """segments(y, *, length, hop) → float (n_segments, length), the last padded with zeros."""
    rng = np.random.default_rng(27)
    for what, n, length, hop in (
        ("it fits, without overlap", 30, 10, 10),
        ("a rest, without overlap", 34, 10, 10),
        ("it fits, with overlap", 30, 10, 5),
        ("a rest, with overlap", 32, 10, 5),
        ("one sample more than fits", 11, 10, 10),
        ("a hop that is no part of the length", 33, 10, 4),
        ("small hops, and a rest", 31, 10, 3),
        ("just one segment", 10, 10, 5),
        ("shorter than a segment", 6, 10, 5),
        ("much shorter than a segment", 3, 10, 5),
    ):
        y = rng.uniform(0.1, 1, n) * rng.choice([-1, 1], n)  # no zeros but those of the padding
        begins = [at for at in range(0, n, hop) if at == 0 or at - hop + length < n]
        right = np.array([[y[i] if i < n else 0 for i in range(b, b + length)] for b in begins])
        with case(f"{what} ({n} samples, length {length}, hop {hop})"):
            found = call(attempt, y, length=length, hop=hop)
            if isinstance(found, list | tuple) and len({np.shape(row) for row in found}) > 1:
                raise Wrong(
                    f"its segments have {', '.join(str(np.size(row)) for row in found)} samples: "
                    f"all need {length}, the last with zeros after the sound"
                )
            found = need_numbers(found, axes=("n_segments", "length"))
            if found.ndim == 2 and found.shape[1] == length:
                _explain_count(found, y, begins, hop)
            elif found.size == 0:
                raise Wrong("it returns no segment: even a short sound gives one")
            found = need_array(found, shape=right.shape, axes=("n_segments", "length"))
            if np.allclose(found, right):
                continue
            _explain_samples(found, right, y, begins)


def _explain_count(found, y, begins, hop):
    """Raise Wrong unless there are as many segments as sounds of this length have."""
    n, length, count = len(y), found.shape[1], len(begins)
    have = len(found)
    told = f"it returns {have} segments, where {count} are needed"
    if have == count:
        return
    if have == 0:
        raise Wrong("it returns no segment: even a short sound gives one")
    if hop < length < n and have == -(-n // length):
        raise Wrong(
            f"{told}: segments begin every hop = {hop} samples, not every {length}, and overlap"
        )
    if have < count:
        rest = n - begins[have - 1] - length
        raise Wrong(f"{told}: the last {rest} samples are in none of them")
    if (found[count:] == 0).all():
        raise Wrong(f"{told}: what comes after is nothing but zeros")
    raise Wrong(f"{told}: after {count} of them, every sample is in one already")


def _explain_samples(found, right, y, begins):
    """Say what is wrong with segments that are as many as they should be."""
    wrong = np.flatnonzero(~np.isclose(found, right).all(axis=1))
    if len(wrong) == 1 and wrong[0] == len(right) - 1:
        last, length = found[-1], right.shape[1]
        inside = len(y) - begins[-1]  # samples of the sound in the last segment
        if np.allclose(last[length - inside :], right[-1, :inside]):
            if len(y) >= length and np.allclose(last, y[-length:]):
                raise Wrong(
                    f"the last segment begins at sample {len(y) - length}, so that it ends with "
                    f"the sound: it begins at {begins[-1]}, a hop after the one before, with zeros "
                    "at the end"
                )
            raise Wrong("in the last segment the zeros come first: they belong after the sound")
        if np.allclose(last[:inside], right[-1, :inside]):
            if np.allclose(last[inside:], y[-1]):
                raise Wrong("it is padded with the last sample, again and again: zeros are asked")
            raise Wrong(
                "after the end of the sound the last segment goes on with something: zeros are "
                "asked"
            )
    raise Wrong(
        f"{len(wrong)} of {len(right)} segments are wrong, the first of them segment {wrong[0]}: "
        f"it is the samples from {begins[wrong[0]]} on"
    )


@check(
    "2.8",
    "features on one scale",
    "What may the test part tell you before the test? Nothing: not even its mean.",
    "The mean and the standard deviation of each feature are over the training clips (axis 0). "
    "Both parts are scaled with these.",
    "A feature that is the same in all training clips has a standard deviation of 0: put 1 in its "
    "place (`np.where`), and subtracting the mean is all that happens to it.",
)
def standardise(attempt):
    """standardise(train, test) → (train, test), scaled with the mean and deviation of train."""
    rng = np.random.default_rng(28)
    for name, constant in (
        ("four features of different scales", []),
        ("a feature that is constant in training", [2]),
    ):
        centre, width = np.array([0.0, 40.0, 3.0, -1000.0]), np.array([1.0, 5.0, 2e-4, 400.0])
        train = centre + width * rng.normal(size=(50, 4))
        test = centre + width * (1 + 2 * rng.normal(size=(20, 4)))
        train[:, constant] = centre[constant]
        varied = np.delete(np.arange(4), constant)
        with case(name):
            found = _need_pair(call(attempt, train, test), "train", "test")
            axes = ("n_train", "n_features"), ("n_test", "n_features")
            a, b = (need_numbers(part, axes=ax) for part, ax in zip(found, axes, strict=True))
            if (a.shape, b.shape) == (test.shape, train.shape):
                raise Wrong("the training part comes first, then the test part")
            if (a.shape, b.shape) == (train.shape, test.shape) and not (
                np.isfinite(a[:, constant]).all() and np.isfinite(b[:, constant]).all()
            ):
                raise Wrong(
                    f"feature {constant[0]} is {centre[constant[0]]:g} in all training clips, "
                    "and comes back as NaN or infinite: it is divided by 0"
                )
            a = need_array(a, shape=train.shape, axes=axes[0])
            b = need_array(b, shape=test.shape, axes=axes[1])
            ways = [(_scaled(train, train, ddof), _scaled(test, train, ddof)) for ddof in (0, 1)]
            if any(_are_like((a, b), way) for way in ways):
                continue
            both = np.concatenate([train, test])
            if any(_are_like((a[:, varied], b[:, varied]), (u[:, varied], v[:, varied]))
                   for u, v in ways):  # fmt: skip
                value, given = b[0, constant[0]], test[0, constant[0]]
                raise Wrong(
                    f"feature {constant[0]} is {centre[constant[0]]:g} in all training clips; a "
                    f"test clip that has {given:.4g} comes back as {value:.4g}, where "
                    f"{given - centre[constant[0]]:.4g} is right: only the mean is subtracted"
                )
            for ddof in (0, 1):
                if _are_like((a, b), (_scaled(train, both, ddof), _scaled(test, both, ddof))):
                    raise Wrong(
                        "mean and deviation are of both parts together: the test part must not "
                        "have a say in how anything is scaled"
                    )
                if _are_like((a, b), (_scaled(train, train, ddof), _scaled(test, test, ddof))):
                    raise Wrong(
                        "the test part is scaled with its own mean and deviation: one and the same "
                        "clip would become something else among other clips"
                    )
            _explain_scale(a, train, varied)
            if any(np.allclose(a, way[0], rtol=1e-4, atol=1e-4) for way in ways):
                raise Wrong("the training part is right, but the test part is not scaled like it")
            raise Wrong(
                f"the training features have means {a.mean(axis=0).round(2).tolist()} and standard "
                f"deviations {a.std(axis=0).round(2).tolist()}: 0 and 1 are right"
            )


def _scaled(part, by, ddof):
    """A part with the mean of `by` subtracted, over its deviation; over 1 where that is 0."""
    spread = np.where(np.ptp(by, axis=0) > 0, by.std(axis=0, ddof=ddof), 1)
    return (part - np.average(by, axis=0)) / spread


def _explain_scale(a, train, varied):
    """Raise Wrong where the training part is scaled in one of the ways that are not asked."""
    columns, a = train[:, varied], a[:, varied]
    mean, deviation = columns.mean(axis=0), columns.std(axis=0)
    low, high = columns.min(axis=0), columns.max(axis=0)
    rows = train - train.mean(axis=1, keepdims=True)
    for other, name in (
        (columns, "the training part is as it was"),
        (columns - mean, "only the mean is subtracted: divide by the standard deviation too"),
        (columns / deviation, "the mean is not subtracted"),
        (columns - mean / deviation, "mean / deviation is subtracted: brackets are missing"),
        ((columns - mean) / deviation**2, "it is divided by the variance: its root, the standard "
         "deviation, is asked"),
        ((columns - low) / (high - low), "it goes from 0 to 1, between the lowest and the highest: "
         "one outlier squeezes all the others. Mean and standard deviation are asked"),
        (2 * (columns - low) / (high - low) - 1, "it goes from -1 to 1, between the lowest and the "
         "highest. Mean and standard deviation are asked"),
        ((columns - train.mean()) / train.std(), "mean and deviation are over all features at "
         "once: each feature has its own (axis 0)"),
        ((columns - mean) / train.std(), "the deviation is over all features at once: each has its "
         "own (axis 0)"),
        ((rows / train.std(axis=1, keepdims=True))[:, varied], "each clip is scaled by itself "
         "(axis 1): mean and deviation are over the clips (axis 0)"),
    ):  # fmt: skip
        if np.allclose(a, other, rtol=0.03, atol=1e-9):  # with either standard deviation
            raise Wrong(name)


def _are_like(pair, other):
    """Whether two pairs of arrays agree, feature by feature."""
    return all(np.allclose(x, y, rtol=1e-4, atol=1e-4) for x, y in zip(pair, other, strict=True))


def _is_like(found, right):
    """Whether two arrays of one shape agree, compared with the highest value."""
    return np.abs(found - right).max() < 1e-4 * np.abs(right).max()


def _need_pair(value, first, second):
    """Both parts of a pair, or Wrong."""
    need_value(value)
    told = f"two arrays, ({first}, {second}), are needed"
    if isinstance(value, np.ndarray) and len(np.atleast_1d(value)) != 2:
        raise Wrong(f"it returns one array of shape {value.shape}: {told}")
    if not isinstance(value, tuple | list | np.ndarray):
        raise Wrong(f"it returns a {type(value).__name__}: {told}")
    if len(value) != 2:
        raise Wrong(f"it returns {len(value)} things: {told}")
    return value[0], value[1]


def need_real(value, *, axes, why):
    """`value` as a float array of any shape, or Wrong. why: no complex numbers, for the message."""
    try:
        is_complex = np.iscomplexobj(value)
    except ValueError:  # rows of different lengths
        is_complex = False
    if is_complex:
        raise Wrong(f"it returns complex numbers: {why}")
    return need_numbers(value, axes=axes)
