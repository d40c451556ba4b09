"""Synthesis of the capuchinbird's call and of background sounds, and the functions they share.

All sounds consist of gliding tones, noise bands and clicks. All random numbers come from the
generator `rng` that the caller passes. n: number of samples; sr: sample rate in Hz.
"""

from dataclasses import dataclass, field, fields, replace
from functools import partial

import numpy as np
from scipy import signal

SR = 16_000

# Animal voices: pitch in Hz, relative glide, number of harmonics, formant in Hz, length of a note
# in s, notes in a phrase, phrases per second, roughness 0 … 1.
VOCAL = {
    "songbird": ((2000, 5500), 0.5, 2, 3000, (0.05, 0.25), (3, 9), 0.6, 0.0),
    "quail": ((1100, 1900), 0.4, 2, 1500, (0.2, 0.9), (1, 3), 0.35, 0.0),
    "owl": ((320, 900), 0.15, 3, 500, (0.25, 1.2), (2, 5), 0.25, 0.05),
    "dove": ((380, 620), 0.12, 4, 500, (0.3, 1.0), (2, 4), 0.35, 0.2),
    "crow": ((260, 520), 0.2, 12, 1400, (0.2, 0.5), (2, 5), 0.3, 0.9),
    "gull": ((450, 950), 0.35, 7, 1600, (0.3, 0.9), (2, 6), 0.3, 0.3),
    "magpie": ((250, 700), 0.3, 9, 2000, (0.04, 0.12), (5, 14), 0.5, 0.8),
    "chirp": ((700, 2600), 0.6, 2, 1500, (0.04, 0.18), (4, 16), 1.0, 0.1),
    "squawk": ((150, 650), 0.25, 14, 1200, (0.1, 1.0), (1, 5), 1.2, 0.4),
}


def gain(db):
    """Amplitude factor of a level in dB."""
    return np.exp(db * np.log(10) / 20)


def rms(y):
    """Root-mean-square level of y; 0 if y is empty."""
    return float(np.sqrt(np.mean(np.square(y)))) if len(y) else 0.0


def slow(rng, n, sr, rate_hz):
    """Smooth random curve (n,), standard deviation about 1. rate_hz: random values per second."""
    points = rng.standard_normal(int(n / sr * rate_hz) + 3)
    return np.interp(np.arange(n) * rate_hz / sr, np.arange(len(points)), points)


def fade(y, sr, seconds):
    """Fade y in and out in place, `seconds` at each end. Returns y."""
    k = min(int(seconds * sr), len(y) // 2)
    if k:
        ramp = np.sin(np.linspace(0, np.pi / 2, k)) ** 2
        y[:k] *= ramp
        y[-k:] *= ramp[::-1]
    return y


def filtered(y, hz, sr, *, order=1, kind="lowpass"):
    """y through a Butterworth filter. hz: cut-off frequency, or (low, high) of a band."""
    return signal.sosfilt(signal.butter(order, hz, kind, fs=sr, output="sos"), y)


def smooth(y, weight):
    """Exponential moving average of y. weight: of the newest sample, 0 … 1."""
    return signal.lfilter([weight], [1, weight - 1], y)


def noise_band(rng, centre_hz, width_hz, n, sr):
    """Band of noise (n,) with unit RMS. centre_hz: number, or (n,) for a centre that moves."""
    noise = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    noise = filtered(noise, width_hz / 2, sr, order=3)
    y = (noise * np.exp(2j * np.pi * np.cumsum(np.broadcast_to(centre_hz, n)) / sr)).real
    return y / (rms(y) + 1e-12)


def harmonics(f0_hz, weights, sr):
    """Sum (n,) of the harmonics of f0_hz (n,). weights: a number or (n,) for each harmonic."""
    turn = np.exp(2j * np.pi * np.cumsum(f0_hz) / sr)
    partial, y = np.ones_like(turn), np.zeros(len(turn))
    for k, weight in enumerate(weights, 1):
        partial = partial * turn
        if k * f0_hz[0] < 0.45 * sr:
            y += weight * partial.imag
    return y


def add(y, start, part):
    """Add `part` to y in place, from sample `start` on. Samples outside y are dropped."""
    lo, hi = max(start, 0), min(start + len(part), len(y))
    if lo < hi:
        y[lo:hi] += part[lo - start : hi - start]


def drawn(draw):
    """A dataclass field of a `Drawn`: draw(rng) returns a random value."""
    return field(metadata={"draw": draw})


def uniform(low, high):
    """A dataclass field of a `Drawn` with values between low and high."""
    return drawn(lambda rng: rng.uniform(low, high))


class Drawn:
    """A dataclass whose fields can be drawn at random."""

    @classmethod
    def draw(cls, rng, **draws):
        """An object with fields drawn in order. draws: functions of rng for some of the fields."""
        draws = {f.name: draws.get(f.name) or f.metadata["draw"] for f in fields(cls)}
        return cls(**{name: draw(rng) for name, draw in draws.items()})


@dataclass(frozen=True)
class Voice(Drawn):
    """The properties of one capuchinbird's call: a growl, a stack of harmonics, a noisy tail.

    Ranges as measured on the 217 real clips: growl relative to stack (median of a source) mostly
    -5 to 1 dB, harmonics 1.9 to 2.4 s.
    """

    f0_hz: float = drawn(lambda rng: float(np.clip(rng.normal(132, 6), 112, 160)))
    growl_s: float = uniform(0.9, 1.45)  # length of the growl, at whose end the harmonics begin
    stack_s: float = uniform(1.9, 2.4)
    tail_s: float = uniform(0.25, 0.45)
    upper_hz: float = uniform(1500, 1800)  # above this frequency the harmonics get weaker
    weights: tuple  # amplitude of each harmonic, relative to the strongest
    growl: float = drawn(lambda rng: gain(rng.uniform(-5, 1)))  # RMS relative to the stack
    growl_hz: float = uniform(650, 780)  # centre of its band
    # Amplitude of a higher band of the growl, relative to the main band.
    upper_growl: float = drawn(
        lambda rng: gain(rng.uniform(-16, -8) if rng.random() < 0.25 else -32)
    )
    fall: float = uniform(0.03, 0.08)  # relative fall of the pitch at the end of the stack

    @classmethod
    def draw(cls, rng):
        envelope = np.array([0.005, 0.03, 0.2, 0.4, 0.6, 1, 0.5, 0.9, 0.45, 0.7, 0.9, 0.4, 0.3])
        weights = np.r_[envelope, 0.1 * 0.75 ** np.arange(6)] * gain(rng.normal(0, 4, 19))
        return super().draw(rng, weights=lambda rng: tuple(weights / weights.max()))

    def vary(self, rng):
        """Another call of the same bird."""
        return replace(
            self,
            f0_hz=self.f0_hz * rng.normal(1, 0.008),
            growl_s=self.growl_s * rng.uniform(0.9, 1.08),
            stack_s=self.stack_s * rng.uniform(0.92, 1.06),
            weights=tuple(np.array(self.weights) * gain(rng.normal(0, 1.5, len(self.weights)))),
            growl=self.growl * gain(rng.normal(0, 1.5)),
        )

    @property
    def duration_s(self):
        return self.growl_s + self.stack_s + self.tail_s


def call(rng, voice, *, sr=SR):
    """One capuchinbird call without echoes: float64 (round(voice.duration_s * sr),).

    The stack of harmonics begins at voice.growl_s and has unit RMS.
    """
    y = np.zeros(round(voice.duration_s * sr))
    step = round(voice.growl_s * sr)

    n = step + round(0.1 * sr)
    t = np.arange(n) / step - 1  # -1 at the start, 0 at the step
    level = np.where(t < 0, (1 + t) ** 0.8, np.exp(-t * voice.growl_s / 0.03))
    growl = noise_band(rng, voice.growl_hz * (1 + 0.14 * t), 260, n, sr)
    growl += 0.08 * noise_band(rng, 950, 400, n, sr)
    growl += voice.upper_growl * noise_band(rng, 1350, 600, n, sr)
    y[:n] = voice.growl * level * (1 + 0.3 * slow(rng, n, sr, 25)) * growl

    n = round((voice.stack_s + 0.1) * sr)
    x = np.arange(n) / sr / voice.stack_s  # 0 to 1 over the stack
    f0 = voice.f0_hz * (1 - 0.12 * np.exp(-x / 0.012) - 0.015 * x - voice.fall * x**7)
    hop = sr // 200
    frame = x[::hop]
    weights = []
    for k, weight in enumerate(voice.weights, 1):
        end = 1 - 0.07 * np.clip((k * voice.f0_hz - 900) / 800, 0, 1)  # high harmonics end earlier
        cut = min(1, gain(-0.08 * (k * voice.f0_hz - voice.upper_hz)))
        shimmer = gain(1.5 * slow(rng, len(frame), 200, 4))
        curve = weight * cut * shimmer / (1 + np.exp((frame - end) / 0.015))
        weights.append(np.interp(x, frame, curve))
    stack = harmonics(f0, weights, sr) * np.minimum(1, x / 0.012)
    stack /= rms(stack[: round(0.8 * voice.stack_s * sr)])
    add(y, step, stack)

    n = round((voice.tail_s + 0.05) * sr)
    t = np.arange(n) / sr
    burst = np.clip(t / 0.06, 0, 1) * np.clip(1.3 - t / voice.tail_s, 0, 1)
    burst *= 0.8 * voice.growl * noise_band(rng, 1.06 * voice.growl_hz, 240, n, sr)
    add(y, len(y) - n, burst)
    return fade(y, sr, 0.03)


def _vocal(kind, rng, n, sr):
    """Phrases of similar notes: harmonic tones with gliding pitch and rough amplitude."""
    pitch, glide, n_harmonics, formant, length, notes, rate, rough = VOCAL[kind]
    y = np.zeros(n)
    k = np.arange(1, n_harmonics + 1)
    for _ in range(max(1, rng.poisson(rate * n / sr))):
        f0, seconds = rng.uniform(*pitch), rng.uniform(*length)
        bend, level = rng.uniform(-glide, glide, 2), gain(rng.uniform(-20, 0))
        weights = np.exp(-0.5 * ((k * f0 - formant) / (0.6 * formant)) ** 2) + 0.1 / k
        at = rng.uniform(-0.5, n / sr)
        for _ in range(rng.integers(notes[0], notes[1], endpoint=True)):
            m = round(seconds * rng.uniform(0.8, 1.2) * sr)
            x = np.linspace(0, 1, m)
            note = harmonics(f0 * (1 + bend[0] * x + bend[1] * x * (1 - x)), weights, sr)
            if rough:
                note *= 1 + rough * slow(rng, m, sr, 200)
            add(y, round(at * sr), level * np.sin(np.pi * x) ** 0.5 * note)
            at += m / sr * rng.uniform(1.15, 1.8)
    return y


def _crickets(rng, n, sr):
    """One to three tones with the slow rhythm of chirps and the fast one of wing beats."""
    t, y = np.arange(n) / sr, np.zeros(n)
    for _ in range(rng.integers(1, 4)):
        beat, chirp = rng.uniform(20, 45), rng.uniform(0.6, 3)
        gate = np.sin(2 * np.pi * chirp * t + rng.uniform(0, 6)) > rng.uniform(-0.9, 0.5)
        pulses = 0.5 + 0.5 * np.sin(2 * np.pi * beat * t)
        tone = np.sin(2 * np.pi * rng.uniform(2400, 5200) * t + 0.5 * slow(rng, n, sr, 60))
        y += rng.uniform(0.3, 1) * tone * pulses * smooth(gate, 0.02)
    return y


def _cicadas(rng, n, sr):
    t = np.arange(n) / sr
    swell = 1.2 + np.sin(2 * np.pi * rng.uniform(0.3, 9) * t)
    return swell * noise_band(rng, rng.uniform(3000, 5500), rng.uniform(400, 1500), n, sr)


def _rain(rng, n, sr):
    """Dense clicks with squared exponential strength, through a band-pass filter."""
    clicks = rng.exponential(1, n) ** 2 * (rng.random(n) < rng.uniform(500, 4000) / sr)
    clicks *= rng.choice([-1, 1], n)
    band_hz = rng.uniform(400, 1200), rng.uniform(3000, 7000)
    return filtered(clicks, band_hz, sr, kind="bandpass") * (1 + 0.2 * slow(rng, n, sr, 0.5))


def _wind(rng, n, sr):
    cutoff_hz, noise = rng.uniform(120, 450), rng.standard_normal(n)
    return filtered(noise, cutoff_hz, sr) * np.exp(0.5 * slow(rng, n, sr, 0.6))


def _hiss(rng, n, sr):
    return signal.lfilter([1], [1, -0.6], rng.standard_normal(n))


def _frogs(rng, n, sr):
    """Croaks: irregular series of decaying tones."""
    y = np.zeros(n)
    decay = np.arange(round(0.03 * sr)) / sr
    for _ in range(max(1, rng.poisson(1.2 * n / sr))):
        ring = np.sin(2 * np.pi * rng.uniform(500, 1600) * decay) * np.exp(-decay / 0.006)
        at, rate, level = rng.uniform(0, n / sr), rng.uniform(18, 60), rng.uniform(0.2, 1)
        for pulse in range(int(rate * rng.uniform(0.2, 0.9))):
            add(y, round((at + (pulse + rng.normal(0, 0.15)) / rate) * sr), level * ring)
    return y


def _chatter(rng, n, sr):
    """A noisy flock: quick chirps and squawks in the frequency band of the capuchinbird's call."""
    flock = sum(_vocal(kind, rng, n, sr) for kind in ("chirp", "squawk", "chirp", "magpie"))
    return flock * np.exp(0.5 * slow(rng, n, sr, 0.3)) + 0.03 * rng.standard_normal(n)


KINDS = dict(crickets=_crickets, cicadas=_cicadas, rain=_rain, wind=_wind, frogs=_frogs)
KINDS |= dict(chatter=_chatter, hiss=_hiss) | {kind: partial(_vocal, kind) for kind in VOCAL}


def background(rng, kind, *, n_samples, sr=SR):
    """One kind of background sound: float64 (n_samples,) with unit RMS.

    kind: key of KINDS (insects, weather, flock, birds); ValueError for any other.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown background {kind!r}: choose one of {', '.join(KINDS)}")
    y = KINDS[kind](rng, n_samples, sr)
    return y / (rms(y) or 1)


def mixture(rng, kinds, n, sr):
    """Sum (n,) of several kinds of background, the first one loudest. Unit RMS."""
    y = sum(
        gain(-rng.uniform(4, 14) * (i > 0)) * background(rng, kind, n_samples=n, sr=sr)
        for i, kind in enumerate(kinds)
    )
    return y / (rms(y) or 1)
