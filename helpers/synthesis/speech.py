"""Synthesis of people who babble: speech sounds without meaning, recorded in a room.

Source-filter model: pulses of the vocal folds and noise of the breath pass through the moving
resonances of the vocal tract. A `Talker` is one person; a `Channel` is the room, the noise and the
microphone of one session.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from helpers.synthesis.wildlife import SR, Drawn, drawn, gain, harmonics, rms, slow, uniform

STEP_S = 0.008  # time between two positions of the mouth

TRACT_CM = 17.0  # length of the vocal tract with the resonances below
# The first four resonances in Hz, of vowels and of places of articulation of consonants.
VOWELS = (
    *((285, 2240, 2980, 3520), (395, 1960, 2570, 3480), (545, 1800, 2490, 3450)),
    *((675, 1690, 2420, 3430), (735, 1230, 2520, 3400), (575, 870, 2470, 3350)),
    *((440, 1040, 2260, 3320), (310, 880, 2240, 3310), (620, 1210, 2440, 3400)),
    *((480, 1340, 1720, 3250), (500, 1480, 2490, 3480)),
)
NEUTRAL = np.array([500, 1500, 2500, 3500])  # the resonances of a uniform tube
PLACES = {
    "lips": (320, 880, 2240, 3350),
    "teeth": (320, 1720, 2620, 3520),
    "palate": (290, 2180, 2880, 3560),
    "velum": (310, 1960, 2180, 3380),
    "side": (350, 1120, 2680, 3480),
    "curled": (350, 1190, 1660, 3180),
    "rounded": (310, 690, 2230, 3300),
}
FIFTH_HZ = 4450  # the fifth resonance does not move
WIDTHS_HZ = np.array([70, 90, 130, 190, 260])  # bandwidths of the five
OFFSETS = (0.06, 0.05, 0.06, 0.07, 0.08)  # relative standard deviation between persons

# Parts of consonants: seconds, place ("vowel": that of the neighbouring vowel), levels of voice,
# breath and friction, centre of the friction in Hz and its width in octaves.
CLOSED = (0.06, "vowel", 0, 0, 0, 3000, 1)
BREATHY, VOICED = (0.035, "vowel", 0, 0.35, 0, 3000, 1), (0.01, "vowel", 0.6, 0.1, 0, 3000, 1)
BURSTS = (("lips", 0.4, 1100, 1), ("teeth", 0.7, 4200, 0.7), ("velum", 0.7, 2000, 0.5))
BURSTS = [(0.015, place, 0, 0, *friction) for place, *friction in BURSTS]
NASALS = [[(0.07, place, 0.4, 0, 0, 3000, 1)] for place in ("lips", "teeth")]
FRICATIVES = [[(0.1, "teeth", 0, 0, 0.5, 6000, 0.4)], [(0.1, "palate", 0, 0, 0.55, 3300, 0.5)]]
FRICATIVES += [[(0.08, "lips", 0, 0, 0.12, 4500, 1.5)]]
CONSONANTS = [[CLOSED, burst, release] for burst in BURSTS for release in (BREATHY, VOICED)]
CONSONANTS += FRICATIVES + NASALS
CONSONANTS += [[(0.07, "teeth", 0.4, 0, 0.25, 6000, 0.4)], [(0.06, "vowel", 0, 0.3, 0, 3000, 1)]]
APPROXIMANTS = ("side", "curled", "palate", "rounded")
CONSONANTS += [[(0.06, place, 0.6, 0, 0, 3000, 1)] for place in APPROXIMANTS]
FINAL_CONSONANTS = NASALS + FRICATIVES

# Men, women and children, who overlap: share, (mean and standard deviation of) pitch in Hz and
# semitones, and of the length of the vocal tract in cm.
KINDS = ((0.45, 120, 3.2, 16.8, 0.9), (0.45, 200, 2.8, 14.6, 0.9), (0.1, 270, 2.2, 12.6, 0.7))


@dataclass(frozen=True)
class Talker(Drawn):
    """How one person speaks."""

    f0_hz: float  # mean pitch
    spread_st: float = uniform(1.2, 3.2)  # range of the pitch, semitones
    jitter: float = uniform(0.003, 0.02)  # relative variation of the pulses in time
    shimmer: float = uniform(0.02, 0.12)  # relative variation of the pulses in strength
    breath_db: float = uniform(-34, -10)  # noise of the breath at 4 kHz, relative to the pulses
    slope_db: float = uniform(-2, 5)  # loss of the pulses per octave above 500 Hz
    tract_cm: float  # length of the vocal tract, which scales all resonances
    offsets: tuple = drawn(lambda rng: tuple(rng.normal(1, OFFSETS)))  # factors on the resonances
    widths: tuple = drawn(lambda rng: tuple(2 ** rng.normal(0, 0.4, 5)))  # and their bandwidths
    sibilance: float = uniform(-0.4, 0.3)  # pitch of the friction, in octaves relative to the mean
    clarity: float = uniform(0.7, 1.1)  # distance of vowels from the neutral one; 1 is usual
    syllables_per_s: float = uniform(3.4, 6.2)
    phrase: float = uniform(5, 12)  # syllables between two pauses
    pause_s: float = uniform(0.15, 0.45)

    @classmethod
    def draw(cls, rng):
        kind = rng.choice(len(KINDS), p=[share for share, *_ in KINDS])
        _, f0_hz, spread_st, tract_cm, spread_cm = KINDS[kind]
        return super().draw(
            rng,
            f0_hz=lambda rng: f0_hz * 2 ** (rng.normal(0, spread_st) / 12),
            tract_cm=lambda rng: rng.normal(tract_cm, spread_cm),
        )


def utterance(rng, talker, *, seconds, sr=SR):
    """Phrases of syllables with pauses of digital silence in between and at both ends.

    rng: numpy Generator. talker: `Talker`. seconds: length, at least 1; less raises ValueError.
    sr: Hz, at least 16000. Returns float64 (round(seconds * sr),), unit RMS where it is not 0.
    """
    if seconds < 1:
        raise ValueError(f"{seconds=}: give at least 1")
    n, hop = round(seconds * sr), round(STEP_S * sr)
    mouth = _mouth(rng, talker, -(-n // hop))
    steps = np.arange(len(mouth))
    at = (np.arange(len(mouth) * hop) + 0.5) / hop - 0.5  # samples, in steps
    voice, breath, friction = (np.interp(at, steps, mouth[:, i]) for i in (VOICE, BREATH, FRICTION))
    f0 = talker.f0_hz * 2 ** (np.interp(at, steps, mouth[:, PITCH]) / 12)

    air = np.diff(rng.standard_normal(len(at)), prepend=0) / np.sqrt(2)  # mostly high frequencies
    source = voice * _pulses(rng, talker, f0, sr) + (gain(talker.breath_db) * voice + breath) * air
    spectra = _spectra(source, hop) * _tract(talker, mouth[:, FORMANTS], hop, sr)
    voiced = mouth[:, VOICE] > 0.5 * mouth[:, VOICE].max()
    spectra /= np.sqrt(np.mean(np.abs(spectra[voiced]) ** 2) / (0.75 * hop))  # 0.75: the window's
    hissing = mouth[:, FRICTION] > 0
    hiss = _spectra(friction * rng.standard_normal(len(at)), hop)[hissing]
    spectra[hissing] += hiss * _bands(talker, mouth[hissing], hop, sr)

    y = _overlapped(spectra, hop)[: len(at)]
    y = (y * np.repeat(mouth[:, VOICE:CENTRE].any(axis=1), hop))[:n]
    return y / rms(y[y != 0])


# --- movements of the mouth -----------------------------------------------------------------------

# Columns of a step: four resonances in Hz, three levels, centre and width of the friction in
# octaves (above 1 Hz), pitch in semitones above the mean.
FORMANTS, VOICE, BREATH, FRICTION, CENTRE, WIDTH, PITCH = slice(0, 4), 4, 5, 6, 7, 8, 9
SILENCE = (*NEUTRAL, 0, 0, 0, np.log2(3000), 1, 0)
# The tongue is slow: standard deviation, in steps, of the smoothing of the columns.
SMOOTHING = ((FORMANTS, 2.5), (slice(VOICE, CENTRE), 0.8), (slice(CENTRE, PITCH), 1), (PITCH, 6))


def _mouth(rng, talker, n_steps):
    """Positions (n_steps, 10) during phrases of syllables, with glides in between."""
    end = n_steps * STEP_S - rng.uniform(0.08, 0.25)
    parts = [(rng.uniform(0.08, 0.25), SILENCE)]
    time = parts[0][0]
    while time < end - 0.4:
        n_syllables = 2 + rng.poisson(talker.phrase - 2)
        for k in range(n_syllables):
            x = k / n_syllables  # pitch and level fall towards the end of a phrase
            pitch = talker.spread_st * (0.7 - 1.4 * x + rng.normal(0, 0.6))
            parts += _syllable(rng, talker, pitch=pitch, level=gain(2 - 4 * x))
        parts.append((talker.pause_s * rng.uniform(0.6, 1.5), SILENCE))
        time = sum(seconds for seconds, _ in parts)
    ends = np.cumsum([seconds for seconds, _ in parts])
    at = (np.arange(n_steps) + 0.5) * STEP_S
    mouth = np.array([row for _, row in parts])[np.searchsorted(ends, at).clip(max=len(ends) - 1)]
    mouth[at > end] = SILENCE
    for columns, width in SMOOTHING:
        mouth[:, columns] = gaussian_filter1d(mouth[:, columns], width, axis=0, mode="nearest")
    mouth[:, PITCH] += 0.3 * slow(rng, n_steps, 1 / STEP_S, 3)
    return mouth


def _syllable(rng, talker, *, pitch, level):
    """Often a consonant, one or two vowels, sometimes a consonant: [(seconds, row), …]."""
    stressed = rng.random() < 0.4
    clarity = talker.clarity * (1 if stressed else 0.75)
    vowels = rng.choice(VOWELS, 1 + (rng.random() < 0.25), replace=False)
    vowels = NEUTRAL + clarity * (vowels - NEUTRAL)
    vowel_s = (0.16 if stressed else 0.11) * rng.uniform(0.7, 1.4) / len(vowels)
    start = CONSONANTS[rng.integers(len(CONSONANTS))] if rng.random() < 0.9 else ()
    end = FINAL_CONSONANTS[rng.integers(len(FINAL_CONSONANTS))] if rng.random() < 0.2 else ()
    parts = [(vowels[0], *part) for part in start]
    parts += [(vowel, vowel_s, "vowel", 1, 0, 0, 3000, 1) for vowel in vowels]
    parts += [(vowels[-1], *part) for part in end]

    faster = rng.uniform(0.75, 1.25) / talker.syllables_per_s / sum(part[1] for part in parts)
    level *= gain(rng.normal(2 if stressed else -1, 1.5))
    pitch += talker.spread_st * (0.3 if stressed else -0.2)
    rows = []
    for vowel, seconds, place, *levels, hz, width in parts:
        formants = PLACES.get(place, vowel)
        row = (*formants, *(level * x for x in levels), np.log2(hz), width, pitch)
        rows.append((faster * seconds, row))
    return rows


def _pulses(rng, talker, f0, sr):
    """Pulses (n,) of the vocal folds at the pitch f0 (n,), Hz, with a flat spectrum, unit power."""
    turns = np.cumsum(f0) / sr
    k = np.arange(1, int(turns[-1]))
    at = np.interp(k + rng.normal(0, talker.jitter, len(k)), turns, np.arange(len(f0)))
    strength = rng.normal(1, talker.shimmer, len(k)) * np.sqrt(sr / f0[at.astype(int)])
    whole, part = at.astype(int), at % 1  # a pulse between two samples is split
    y = np.bincount(whole, strength * (1 - part), len(f0) + 1)
    return (y + np.bincount(whole + 1, strength * part, len(f0) + 1))[:-1]


# --- moving filters, frame by frame ---------------------------------------------------------------


def _spectra(y, hop):
    """Spectra of windows of two steps, padded by two steps for the response of the filters."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, (hop // 2, hop)), 2 * hop)[::hop]
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)) ** 2
    return fft.rfft(frames[: len(y) // hop] * window, 4 * hop, axis=1)


def _overlapped(spectra, hop):
    """Sound (n,) of the spectra that `_spectra` returns: inverse transform and overlap-add."""
    frames = fft.irfft(spectra, 4 * hop, axis=1).reshape(len(spectra), 4, hop)
    y = np.zeros((len(spectra) + 3, hop))
    for k in range(4):
        y[k : k + len(frames)] += frames[:, k]
    return y.ravel()[hop // 2 :]


def _tract(talker, formants, hop, sr):
    """Frequency response of vocal folds and vocal tract: complex (n_steps, 2 * hop + 1)."""
    hz = fft.rfftfreq(4 * hop, 1 / sr)
    formants = np.column_stack([formants, np.full(len(formants), FIFTH_HZ)])
    formants *= TRACT_CM / talker.tract_cm * np.array(talker.offsets)
    radius = np.exp(-np.pi * WIDTHS_HZ * np.array(talker.widths) / sr)
    turn = -2 * radius * np.cos(2 * np.pi * formants / sr)
    # Resonances in series: the response is 1 over the product of their polynomials, whose values
    # on the unit circle are the Fourier transform of its coefficients.
    denominator = np.zeros((len(formants), 1 + 2 * len(radius)))
    denominator[:, 0] = 1
    for k, r in enumerate(radius):
        once, twice = (np.roll(denominator, shift, axis=1) for shift in (1, 2))
        denominator += turn[:, [k]] * once + r**2 * twice
    numerator = np.prod(1 + turn + radius**2, axis=1, keepdims=True)  # gain 1 at 0 Hz
    folds = (hz / talker.f0_hz) / (1 + (hz / talker.f0_hz) ** 2)
    folds *= gain(-talker.slope_db * np.log2(np.maximum(hz, 500) / 500))
    return numerator * folds / fft.rfft(denominator, 4 * hop, axis=1)


def _bands(talker, mouth, hop, sr):
    """Spectra (n_steps, 2 * hop + 1) of the friction noise of consonants, unit power."""
    octaves = np.log2(fft.rfftfreq(4 * hop, 1 / sr)[1:])
    centre = mouth[:, CENTRE, None] + talker.sibilance + 0.5 * np.log2(TRACT_CM / talker.tract_cm)
    bands = np.exp(-2 * ((octaves - centre) / mouth[:, WIDTH, None]) ** 2)
    bands /= np.sqrt(np.mean(bands**2, axis=1, keepdims=True))
    return np.pad(bands, ((0, 0), (1, 0)))


# --- room, noise and microphone -------------------------------------------------------------------


@dataclass(frozen=True)
class Channel(Drawn):
    """How a session is recorded: room, noise, microphone, level."""

    low_hz: float = uniform(50, 150)  # the microphone passes low_hz to high_hz
    high_hz: float = uniform(5500, 7800)
    tilt_db: float = drawn(lambda rng: rng.normal(0, 0.5))  # its gain per octave above 1 kHz
    peaks: tuple = drawn(lambda rng: (_peak(rng), _peak(rng)))  # its resonances
    room: int = drawn(lambda rng: int(rng.integers(2**31)))  # seed of the echoes
    room_s: float = uniform(0.1, 0.35)  # reverberation time
    direct_db: float = uniform(8, 20)  # direct sound relative to the echoes
    snr_db: float = drawn(lambda rng: rng.triangular(12, 30, 35))  # without the pauses of speech
    noise_db: float = uniform(1, 6)  # loss of the noise per octave
    hum_hz: float = drawn(lambda rng: float(rng.choice([0, 0, 50, 60])))  # of the mains; 0: none
    hum_db: float = uniform(-10, 3)  # relative to the noise
    level_db: float = uniform(-30, -21)  # of the speech, relative to full scale


def _peak(rng):
    """A resonance of a microphone: (Hz, width in octaves, dB)."""
    return 2 ** rng.uniform(8.5, 12.3), rng.uniform(0.3, 1), rng.uniform(-3, 3)


def record(rng, y, *, channel, sr=SR):
    """An utterance as recorded through a channel, with noise in its pauses as well.

    rng: numpy Generator, for the noise. y: float64 (n,), 0 in its pauses; see `utterance`.
    channel: `Channel`. sr: Hz. Returns float64 (n,), full scale ±1.
    """
    echoes = _echoes(channel, sr)
    n_fft = fft.next_fast_len(len(y) + len(echoes), real=True)
    hz = fft.rfftfreq(n_fft, 1 / sr)
    response = _microphone(channel, hz)
    noise = rng.standard_normal(len(y))
    noise = fft.irfft(fft.rfft(noise, n_fft) * gain(-channel.noise_db * _octaves(hz)), n_fft)
    noise = noise[: len(y)] / rms(noise)
    if channel.hum_hz:
        hum = harmonics(np.full(len(y), channel.hum_hz), 1 / np.arange(1, 9), sr)
        noise += gain(channel.hum_db) * hum / rms(hum)
    speech = fft.irfft(fft.rfft(y, n_fft) * fft.rfft(echoes, n_fft) * response, n_fft)[: len(y)]
    noise = fft.irfft(fft.rfft(noise, n_fft) * response, n_fft)[: len(y)]
    noise *= gain(-channel.snr_db) / rms(noise)
    return gain(channel.level_db) * (speech / rms(speech[y != 0]) + noise)


def _octaves(hz):
    """Octaves above 1 kHz; below 50 Hz, those of 50 Hz."""
    return np.log2(np.maximum(hz, 50) / 1000)


def _echoes(channel, sr):
    """Impulse response (n,) of the room: direct sound 1, then echoes that decay."""
    rng = np.random.default_rng(channel.room)
    t = np.arange(round(channel.room_s * sr)) / sr
    echoes = rng.standard_normal(len(t)) * gain(-60 * t / channel.room_s)
    echoes[: round(0.003 * sr)] = 0  # the nearest wall is half a metre away
    echoes *= gain(-channel.direct_db) / np.sqrt(np.sum(echoes**2))
    echoes[0] = 1
    return echoes


def _microphone(channel, hz):
    """Amplitude response (n,) of the microphone at frequencies hz (n,), about 1 at 1 kHz."""
    db = channel.tilt_db * _octaves(hz)
    for peak_hz, octaves, peak_db in channel.peaks:
        db += peak_db * np.exp(-0.5 * ((_octaves(hz) - np.log2(peak_hz / 1000)) / octaves) ** 2)
    with np.errstate(divide="ignore"):
        low = 1 + (channel.low_hz / hz) ** 6
    return gain(db) / np.sqrt(low * (1 + (hz / channel.high_hz) ** 12))
