"""People who babble: what goes on in a throat, and what a room and a microphone make of it.

A source (pulses of the vocal folds, breath) passes through resonances of the vocal tract that glide
from sound to sound. A talker is drawn once and stays the same; so does a channel, which is all that
lies between the mouth and the file, for a whole session.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter1d

from helpers.synthesis.wildlife import SR, gain, harmonics, rms, slow

STEP_S = 0.008  # from one position of the mouth to the next

TRACT_CM = 17.0  # long is the vocal tract that has the resonances below
# The first four, in Hz: of vowels, and of the places where consonants are made.
VOWELS = (
    *((285, 2240, 2980, 3520), (395, 1960, 2570, 3480), (545, 1800, 2490, 3450)),
    *((675, 1690, 2420, 3430), (735, 1230, 2520, 3400), (575, 870, 2470, 3350)),
    *((440, 1040, 2260, 3320), (310, 880, 2240, 3310), (620, 1210, 2440, 3400)),
    *((480, 1340, 1720, 3250), (500, 1480, 2490, 3480)),
)
NEUTRAL = np.array([500, 1500, 2500, 3500])  # the resonances of a tube that is even all along
PLACES = {
    "lips": (320, 880, 2240, 3350),
    "teeth": (320, 1720, 2620, 3520),
    "palate": (290, 2180, 2880, 3560),
    "velum": (310, 1960, 2180, 3380),
    "side": (350, 1120, 2680, 3480),
    "curled": (350, 1190, 1660, 3180),
    "rounded": (310, 690, 2230, 3300),
}
FIFTH_HZ = 4450  # stays where it is
WIDTHS_HZ = np.array([70, 90, 130, 190, 260])  # bandwidths of the five
OFFSETS = (0.06, 0.05, 0.06, 0.07, 0.08)  # how much they differ from person to person, relative

# Consonants, part by part: seconds, place ("vowel": that of the vowel next to it), levels of voice,
# breath and friction, centre of the friction in Hz and its width in octaves.
CLOSED = (0.06, "vowel", 0, 0, 0, 3000, 1)
BREATHY, VOICED = (0.035, "vowel", 0, 0.35, 0, 3000, 1), (0.01, "vowel", 0.6, 0.1, 0, 3000, 1)
BURSTS = (
    (0.015, "lips", 0, 0, 0.4, 1100, 1),
    (0.015, "teeth", 0, 0, 0.7, 4200, 0.7),
    (0.015, "velum", 0, 0, 0.7, 2000, 0.5),
)
NASALS = (((0.07, "lips", 0.4, 0, 0, 3000, 1),), ((0.07, "teeth", 0.4, 0, 0, 3000, 1),))
FRICATIVES = (
    ((0.10, "teeth", 0, 0, 0.5, 6000, 0.4),),
    ((0.10, "palate", 0, 0, 0.55, 3300, 0.5),),
    ((0.08, "lips", 0, 0, 0.12, 4500, 1.5),),
)
CONSONANTS = (
    *((CLOSED, burst, release) for burst in BURSTS for release in (BREATHY, VOICED)),
    *FRICATIVES,
    *NASALS,
    ((0.07, "teeth", 0.4, 0, 0.25, 6000, 0.4),),
    ((0.06, "vowel", 0, 0.3, 0, 3000, 1),),
    *(((0.06, place, 0.6, 0, 0, 3000, 1),) for place in ("side", "curled", "palate", "rounded")),
)
ENDS = NASALS + FRICATIVES  # consonants that may end a syllable

# Of men, women and children: their share, their mean pitch in Hz and how much it differs in
# semitones, the length of their vocal tracts in cm and how much it differs. They overlap.
KINDS = (
    (0.45, (120, 3.2), (16.8, 0.9)),
    (0.45, (200, 2.8), (14.6, 0.9)),
    (0.10, (270, 2.2), (12.6, 0.7)),
)


@dataclass(frozen=True)
class Talker:
    """How one person speaks.

    f0_hz: mean pitch. spread_st: how far it moves, semitones. jitter, shimmer: how uneven the vocal
    folds' pulses are in time and in strength, relative. breath_db: noise of the breath at 4 kHz, re
    the pulses. slope_db: what the pulses lose per octave, beyond the usual; lax vocal folds lose
    more. tract_cm: length of the vocal tract, which scales all resonances. offsets, widths: of each
    resonance and of its bandwidth, factors. sibilance: pitch of the friction, octaves re the usual.
    clarity: how far the vowels keep from the neutral one, 1: usual. syllables_per_s: between
    pauses. phrase: syllables from pause to pause. pause_s: length of a pause.
    """

    f0_hz: float
    spread_st: float
    jitter: float
    shimmer: float
    breath_db: float
    slope_db: float
    tract_cm: float
    offsets: tuple
    widths: tuple
    sibilance: float
    clarity: float
    syllables_per_s: float
    phrase: float
    pause_s: float

    @classmethod
    def draw(cls, rng):
        kind = rng.choice(len(KINDS), p=[share for share, *_ in KINDS])
        _, (f0_hz, f0_st), (tract_cm, tract_spread_cm) = KINDS[kind]
        return cls(
            f0_hz=f0_hz * 2 ** (rng.normal(0, f0_st) / 12),
            spread_st=rng.uniform(1.2, 3.2),
            jitter=rng.uniform(0.003, 0.02),
            shimmer=rng.uniform(0.02, 0.12),
            breath_db=rng.uniform(-34, -10),
            slope_db=rng.uniform(-2, 5),
            tract_cm=rng.normal(tract_cm, tract_spread_cm),
            offsets=tuple(rng.normal(1, OFFSETS)),
            widths=tuple(2 ** rng.normal(0, 0.4, len(OFFSETS))),
            sibilance=rng.uniform(-0.4, 0.3),
            clarity=rng.uniform(0.7, 1.1),
            syllables_per_s=rng.uniform(3.4, 6.2),
            phrase=rng.uniform(5, 12),
            pause_s=rng.uniform(0.15, 0.45),
        )


def utterance(rng, talker, *, seconds, sr=SR):
    """Somebody babbles, with nothing around: syllables in phrases, and pauses of digital silence.

    rng: numpy Generator. talker: Talker. seconds: at least 1, of the whole, which begins and ends
    with a pause. sr: Hz, at least 16000. Returns float64 (round(seconds * sr),), unit RMS where it
    is not 0. Raises ValueError if there is no time to speak.
    """
    if seconds < 1:
        raise ValueError(f"{seconds=}: at least 1 is needed")
    n, hop = round(seconds * sr), round(STEP_S * sr)
    mouth = _mouth(rng, talker, -(-n // hop))
    steps = np.arange(len(mouth))
    at = (np.arange(len(mouth) * hop) + 0.5) / hop - 0.5  # of each sample, in steps
    voice, breath, friction = (np.interp(at, steps, mouth[:, i]) for i in (VOICE, BREATH, FRICTION))
    f0 = talker.f0_hz * 2 ** (np.interp(at, steps, mouth[:, PITCH]) / 12)

    air = np.diff(rng.standard_normal(len(at)), prepend=0) / np.sqrt(2)  # most of it is high
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


# --- what the mouth does --------------------------------------------------------------------------

# Of each step: four resonances in Hz, three levels, centre and width of the friction in octaves (re
# 1 Hz), pitch in semitones re the mean.
FORMANTS, VOICE, BREATH, FRICTION, CENTRE, WIDTH, PITCH = slice(0, 4), 4, 5, 6, 7, 8, 9
SILENCE = (*NEUTRAL, 0, 0, 0, np.log2(3000), 1, 0)
# How far neighbouring steps reach into each other (standard deviation): the tongue is slow.
REACH = ((FORMANTS, 2.5), (slice(VOICE, CENTRE), 0.8), (slice(CENTRE, PITCH), 1), (PITCH, 6))


def _mouth(rng, talker, n_steps):
    """Syllable after syllable, with glides in between: (n_steps, 10)."""
    end = n_steps * STEP_S - rng.uniform(0.08, 0.25)
    parts = [(rng.uniform(0.08, 0.25), SILENCE)]
    time = parts[0][0]
    while time < end - 0.4:
        n_syllables = 2 + rng.poisson(talker.phrase - 2)
        for k in range(n_syllables):
            x = k / n_syllables  # towards the end of a phrase the voice sinks and fades
            pitch = talker.spread_st * (0.7 - 1.4 * x + rng.normal(0, 0.6))
            parts += _syllable(rng, talker, pitch=pitch, level=gain(2 - 4 * x))
        parts.append((talker.pause_s * rng.uniform(0.6, 1.5), SILENCE))
        time = sum(seconds for seconds, _ in parts)
    ends = np.cumsum([seconds for seconds, _ in parts])
    at = (np.arange(n_steps) + 0.5) * STEP_S
    mouth = np.array([row for _, row in parts])[np.searchsorted(ends, at).clip(max=len(ends) - 1)]
    mouth[at > end] = SILENCE
    for columns, reach in REACH:
        mouth[:, columns] = gaussian_filter1d(mouth[:, columns], reach, axis=0, mode="nearest")
    mouth[:, PITCH] += 0.3 * slow(rng, n_steps, 1 / STEP_S, 3)
    return mouth


def _syllable(rng, talker, *, pitch, level):
    """A consonant or none, one or two vowels, perhaps a consonant: [(seconds, row), …]."""
    stressed = rng.random() < 0.4
    clarity = talker.clarity * (1 if stressed else 0.75)
    vowels = rng.choice(VOWELS, 1 + (rng.random() < 0.25), replace=False)
    vowels = NEUTRAL + clarity * (vowels - NEUTRAL)
    vowel_s = (0.16 if stressed else 0.11) * rng.uniform(0.7, 1.4) / len(vowels)
    start = CONSONANTS[rng.integers(len(CONSONANTS))] if rng.random() < 0.9 else ()
    end = ENDS[rng.integers(len(ENDS))] if rng.random() < 0.2 else ()
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
    """The vocal folds' pulses at a pitch f0 (n,), Hz: white above it, unit power. Returns (n,)."""
    turns = np.cumsum(f0) / sr
    k = np.arange(1, int(turns[-1]))
    at = np.interp(k + rng.normal(0, talker.jitter, len(k)), turns, np.arange(len(f0)))
    strength = rng.normal(1, talker.shimmer, len(k)) * np.sqrt(sr / f0[at.astype(int)])
    whole, part = at.astype(int), at % 1  # a pulse between two samples is shared out to both
    y = np.bincount(whole, strength * (1 - part), len(f0) + 1)
    return (y + np.bincount(whole + 1, strength * part, len(f0) + 1))[:-1]


# --- filters that move, frame by frame ------------------------------------------------------------


def _spectra(y, hop):
    """Spectra of frames of two steps around each step, with as much room for what rings on."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, (hop // 2, hop)), 2 * hop)[::hop]
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop)) ** 2
    return fft.rfft(frames[: len(y) // hop] * window, 4 * hop, axis=1)


def _overlapped(spectra, hop):
    """Sound (n,) of spectra, as `_spectra` makes them, of frames that overlap."""
    frames = fft.irfft(spectra, 4 * hop, axis=1).reshape(len(spectra), 4, hop)
    y = np.zeros((len(spectra) + 3, hop))
    for k in range(4):
        y[k : k + len(frames)] += frames[:, k]
    return y.ravel()[hop // 2 :]


def _tract(talker, formants, hop, sr):
    """What vocal folds and vocal tract let pass: complex (n_steps, 2 * hop + 1)."""
    hz = fft.rfftfreq(4 * hop, 1 / sr)
    formants = np.column_stack([formants, np.full(len(formants), FIFTH_HZ)])
    formants *= TRACT_CM / talker.tract_cm * np.array(talker.offsets)
    radius = np.exp(-np.pi * WIDTHS_HZ * np.array(talker.widths) / sr)
    turn = -2 * radius * np.cos(2 * np.pi * formants / sr)
    # Resonances one after the other: a polynomial in the denominator, whose values on the unit
    # circle are the Fourier transform of its coefficients.
    below = np.zeros((len(formants), 1 + 2 * len(radius)))
    below[:, 0] = 1
    for k, r in enumerate(radius):
        below += turn[:, [k]] * np.roll(below, 1, axis=1) + r**2 * np.roll(below, 2, axis=1)
    above = np.prod(1 + turn + radius**2, axis=1, keepdims=True)
    folds = (hz / talker.f0_hz) / (1 + (hz / talker.f0_hz) ** 2)
    folds *= gain(-talker.slope_db * np.log2(np.maximum(hz, 500) / 500))
    return above * folds / fft.rfft(below, 4 * hop, axis=1)


def _bands(talker, mouth, hop, sr):
    """Bands of noise that a narrow place in the mouth makes: (n_steps, 2 * hop + 1), unit power."""
    octaves = np.log2(fft.rfftfreq(4 * hop, 1 / sr)[1:])
    centre = mouth[:, CENTRE, None] + talker.sibilance + 0.5 * np.log2(TRACT_CM / talker.tract_cm)
    bands = np.exp(-2 * ((octaves - centre) / mouth[:, WIDTH, None]) ** 2)
    bands /= np.sqrt(np.mean(bands**2, axis=1, keepdims=True))
    return np.pad(bands, ((0, 0), (1, 0)))


# --- between the mouth and the file ---------------------------------------------------------------


@dataclass(frozen=True)
class Channel:
    """How a session is recorded: room, noise, microphone, level.

    low_hz, high_hz: band that passes. tilt_db: what it adds per octave, from 1 kHz on. peaks:
    resonances of the microphone, (Hz, octaves, dB) each. room: seed of its echoes. room_s: its
    reverberation time. direct_db: the voice itself, re its echoes. snr_db: speech, where it sounds,
    re noise and hum. noise_db: what the noise loses per octave. hum_hz: of the mains, 0: none.
    hum_db: re the noise. level_db: of the speech, re full scale.
    """

    low_hz: float
    high_hz: float
    tilt_db: float
    peaks: tuple
    room: int
    room_s: float
    direct_db: float
    snr_db: float
    noise_db: float
    hum_hz: float
    hum_db: float
    level_db: float

    @classmethod
    def draw(cls, rng):
        return cls(
            low_hz=rng.uniform(50, 150),
            high_hz=rng.uniform(5500, 7800),
            tilt_db=rng.normal(0, 0.5),
            peaks=tuple(
                (2 ** rng.uniform(8.5, 12.3), rng.uniform(0.3, 1), rng.uniform(-3, 3))
                for _ in range(2)
            ),
            room=int(rng.integers(2**31)),
            room_s=rng.uniform(0.1, 0.35),
            direct_db=rng.uniform(8, 20),
            snr_db=rng.triangular(12, 30, 35),
            noise_db=rng.uniform(1, 6),
            hum_hz=float(rng.choice([0, 0, 50, 60])),
            hum_db=rng.uniform(-10, 3),
            level_db=rng.uniform(-30, -21),
        )


def record(rng, y, *, channel, sr=SR):
    """An utterance as a session's channel leaves it; its noise is heard in the pauses as well.

    rng: numpy Generator, of the noise. y: float64 (n,), 0 in its pauses, see `utterance`. channel:
    Channel. sr: Hz, of y. Returns float64 (n,), re full scale.
    """
    echoes = _echoes(channel, sr)
    n_fft = fft.next_fast_len(len(y) + len(echoes), real=True)
    hz = fft.rfftfreq(n_fft, 1 / sr)
    passes = _passes(channel, hz)
    noise = rng.standard_normal(len(y))
    noise = fft.irfft(fft.rfft(noise, n_fft) * gain(-channel.noise_db * _octaves(hz)), n_fft)
    noise = noise[: len(y)] / rms(noise)
    if channel.hum_hz:
        hum = harmonics(np.full(len(y), channel.hum_hz), 1 / np.arange(1, 9), sr)
        noise += gain(channel.hum_db) * hum / rms(hum)
    heard = fft.rfft(y, n_fft) * fft.rfft(echoes, n_fft) * passes
    speech, noise = (
        fft.irfft(spectrum, n_fft)[: len(y)]
        for spectrum in (heard, fft.rfft(noise, n_fft) * passes)
    )
    noise *= gain(-channel.snr_db) / rms(noise)
    return gain(channel.level_db) * (speech / rms(speech[y != 0]) + noise)


def _octaves(hz):
    """Octaves above 1 kHz, from 50 Hz on."""
    return np.log2(np.maximum(hz, 50) / 1000)


def _echoes(channel, sr):
    """Impulse response of the room, (n,): the voice itself, then its echoes as they fade."""
    rng = np.random.default_rng(channel.room)
    t = np.arange(round(channel.room_s * sr)) / sr
    echoes = rng.standard_normal(len(t)) * gain(-60 * t / channel.room_s)
    echoes[: round(0.003 * sr)] = 0  # the nearest wall is half a metre away
    echoes *= gain(-channel.direct_db) / np.sqrt(np.sum(echoes**2))
    echoes[0] = 1
    return echoes


def _passes(channel, hz):
    """What the microphone lets pass, re 1 kHz about: float (n,) at frequencies in Hz (n,)."""
    db = channel.tilt_db * _octaves(hz)
    for peak_hz, octaves, peak_db in channel.peaks:
        db += peak_db * np.exp(-0.5 * ((_octaves(hz) - np.log2(peak_hz / 1000)) / octaves) ** 2)
    with np.errstate(divide="ignore"):
        low = 1 + (channel.low_hz / hz) ** 6
    return gain(db) / np.sqrt(low * (1 + (hz / channel.high_hz) ** 12))
