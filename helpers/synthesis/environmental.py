"""Sounds of the classes of UrbanSound8K and ESC-10, and a cat, each made by its own mechanism.

What differs between sources (the pitch of a dog, the tune of a siren) is drawn once for each
recording, so that all slices of a recording sound alike.
"""

from inspect import isgenerator

import numpy as np
from scipy import signal

from helpers.synthesis.wildlife import add, filtered, gain, harmonics, noise_band, rms, slow, smooth

URBANSOUND8K = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
# The classes of ESC-10 and their numbers in ESC-50.
ESC10 = dict(dog=0, rooster=1, rain=10, sea_waves=11, crackling_fire=12)
ESC10 |= dict(crying_baby=20, sneezing=21, clock_tick=38, helicopter=40, chainsaw=41)


def recording(rng, kind, *, n_samples, sr):
    """One source without background sounds: float64 (n_samples,), unit RMS of its louder half.

    rng: numpy Generator. kind: key of KINDS; ValueError for any other. sr: Hz.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
    y = KINDS[kind](rng, n_samples, sr)
    if isgenerator(y):  # of events: (number of the first sample, samples)
        events, y = y, np.zeros(n_samples)
        for event in events:
            add(y, *event)
    level = np.sort(np.abs(y))
    return y / (rms(level[len(level) // 2 :]) + 1e-12)


def _resonate(y, sr, resonances):
    """Filter y with parallel resonances (formants): (frequency Hz, bandwidth Hz, weight) each."""
    out = np.zeros_like(y)
    for frequency, bandwidth, weight in resonances:
        if frequency < 0.45 * sr:
            r = np.exp(-np.pi * bandwidth / sr)
            a = [1, -2 * r * np.cos(2 * np.pi * frequency / sr), r * r]
            out += weight * signal.lfilter([1 - r], a, y)
    return out


def _through(f, resonances_hz):
    """Gain (n,) of moving resonances, Hz (k, n), at the moving frequency f, Hz (n,)."""
    return (1 / np.sqrt(1 + ((f - resonances_hz) / 125) ** 2)).sum(axis=0)


def _pulses(rng, n, sr, rate_hz, *, jitter):
    """Pulses of 0.7 to 1, about rate_hz times a second. jitter: relative SD of the intervals."""
    gaps = sr / rate_hz * rng.normal(1, jitter, int(n / sr * rate_hz * 1.3) + 2).clip(0.3, 3)
    y, at = np.zeros(n), np.cumsum(gaps).astype(int)
    at = at[at < n]
    y[at] = rng.uniform(0.7, 1, len(at))
    return y


def _events(rng, n, sr, pause_s):
    """Generate the sample numbers of random events, pause_s seconds apart on average."""
    at = rng.uniform(0.05, 0.5 + 0.3 * pause_s)
    while at < n / sr:
        yield round(at * sr)
        at += 0.15 * pause_s + rng.exponential(0.85 * pause_s)


def _air_conditioner(rng, n, sr):
    """Air in ducts, a fan's blades, and a compressor humming at the mains frequency."""
    cutoff_hz, noise = rng.uniform(250, 1200), rng.standard_normal(n)
    air = filtered(noise, cutoff_hz, sr)
    air *= 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(8, 40) * np.arange(n) / sr)
    hum = harmonics(np.full(n, rng.choice([100.0, 120.0])), 1 / np.arange(1, 9) ** 1.5, sr)
    return air / rms(air) + gain(rng.uniform(-15, 0)) * hum / rms(hum)


def _car_horn(rng, n, sr):
    """Blasts of a chord of two or three steady tones."""
    root = rng.uniform(330, 480)
    weights = 0.8 ** np.arange(14) * gain(rng.normal(0, 4, 14))
    blast = rng.uniform(0.25, 1.2)
    for start in _events(rng, n, sr, blast + rng.uniform(0.6, 3)):
        m = round(blast * rng.uniform(0.5, 1.6) * sr)
        bend = 1 - 0.03 * np.exp(-np.arange(m) / sr / 0.03)
        ratios = (1, 1.26, 1.5)[: 2 + (root > 400)]
        chord = sum(harmonics(root * ratio * bend, weights, sr) for ratio in ratios)
        edge = np.minimum(np.arange(m), m - np.arange(m))  # samples from the nearer end
        yield start, chord * np.minimum(1, edge / (0.02 * sr))


def _children_playing(rng, n, sr):
    """Many high voices that call, shriek and laugh over each other, far and near."""
    y = np.zeros(n)
    for _ in range(rng.poisson(3.5 * n / sr) + 1):
        m = round(rng.uniform(0.12, 0.7) * sr)
        x = np.linspace(0, 1, m)
        f0 = rng.uniform(260, 620)
        f0 = f0 * np.exp(rng.normal(0, 0.25) * x + rng.uniform(0, 0.4) * x * (1 - x))
        voice = harmonics(f0 * (1 + 0.02 * slow(rng, m, sr, 30)), 0.85 ** np.arange(16), sr)
        vowel = [(rng.uniform(500, 1100), 150, 1), (rng.uniform(1300, 2900), 200, 0.8)]
        vowel.append((3900, 350, 0.4))
        voice = _resonate(voice, sr, vowel) * np.sin(np.pi * x) ** 0.6
        add(y, rng.integers(-m, n), gain(rng.uniform(-24, 0)) * voice / (rms(voice) + 1e-9))
    return y + 0.05 * rms(y) * rng.standard_normal(n)


def _dog_bark(rng, n, sr):
    """Short, rough bursts whose pitch rises and falls, through the resonances of a throat."""
    f0, length = rng.uniform(140, 650), rng.uniform(0.09, 0.3)
    throat = [(f * rng.uniform(0.9, 1.1), 180, w) for f, w in ((700, 1), (1500, 0.8), (2900, 0.4))]
    burst_of, pause = rng.integers(1, 5), rng.uniform(0.7, 2.5)
    for start in _events(rng, n, sr, pause):
        for k in range(burst_of):
            m = round(length * rng.uniform(0.85, 1.2) * sr)
            x = np.linspace(0, 1, m)
            tone = harmonics(f0 * (0.8 + 0.9 * x * (1 - x) * 2), 0.9 ** np.arange(20), sr)
            rough = tone * (1 + 0.6 * slow(rng, m, sr, 180))
            rough += 0.5 * rms(tone) * rng.standard_normal(m)
            bark = _resonate(rough, sr, throat) * np.minimum(1, x / 0.06) * (1 - x) ** 1.5
            yield start + round(k * length * 1.9 * sr), bark / (rms(bark) + 1e-9)


def _meow(rng, n, sr):
    """A cry that rises and falls; its resonances move as the mouth opens and closes."""
    peak_hz, rise, length = rng.uniform(450, 900), rng.uniform(0.2, 0.45), rng.uniform(0.35, 1.1)
    closed = np.array([[rng.uniform(450, 800)], [rng.uniform(1300, 2000)], [3600]])
    opened = closed * np.array([[rng.uniform(1.5, 2.2)], [rng.uniform(1.1, 1.5)], [1.1]])
    lean, breath, pause = rng.uniform(0.6, 1.2), gain(rng.uniform(-24, -8)), rng.uniform(0.3, 2.5)
    at = rng.uniform(0.05, 0.6)
    while at < n / sr:
        m = round(length * rng.uniform(0.75, 1.3) * sr)
        x = np.linspace(0, 1, m)
        arch = np.sin(np.pi * x**lean)
        f0 = peak_hz * rng.uniform(0.92, 1.05) * (1 - rise * (1 - arch))
        f0 = f0 * (1 + 0.01 * slow(rng, m, sr, 9))
        mouth = closed + (opened - closed) * arch
        weights = [0.8**k * _through(k * f0, mouth) for k in range(1, int(0.4 * sr / f0.max()) + 1)]
        voice = harmonics(f0, weights, sr) * (1 + 0.15 * slow(rng, m, sr, 60))
        air = noise_band(rng, mouth[1], 1500, m, sr)
        cry = (voice / rms(voice) + breath * air) * np.minimum(1, x / 0.08) * (1 - x**3)
        yield round(at * sr), cry / rms(cry)
        at += m / sr + 0.15 + rng.exponential(pause)


def _drilling(rng, n, sr):
    """The whine of a motor that slows down under load, and grinding noise at the same rate."""
    speed = rng.uniform(180, 420) * (1 - rng.uniform(0.03, 0.2) * np.abs(slow(rng, n, sr, 0.8)))
    whine = harmonics(speed, 0.9 ** np.arange(22) * gain(rng.normal(0, 5, 22)), sr)
    grind = noise_band(rng, rng.uniform(2200, 5200), rng.uniform(1500, 3500), n, sr)
    grind *= 1 + 0.5 * np.sign(np.sin(2 * np.pi * np.cumsum(speed) / sr))
    on = smooth(slow(rng, n, sr, 0.7) > rng.uniform(-2, -0.4), 0.002)
    return on * (whine / rms(whine) + gain(rng.uniform(-8, 6)) * grind / rms(grind))


def _engine_idling(rng, n, sr):
    """Cylinders that fire unevenly, 18 to 48 times a second, through exhaust and body."""
    firing = _pulses(rng, n, sr, rng.uniform(18, 48), jitter=rng.uniform(0.01, 0.06))
    body = [(rng.uniform(50, 110), 25, 1), (rng.uniform(130, 260), 50, 0.7)]
    body.append((rng.uniform(350, 700), 120, 0.35))
    engine = _resonate(firing, sr, body)
    rattle = smooth(firing, 0.05) * rng.standard_normal(n)
    noise = filtered(rng.standard_normal(n), 900, sr)
    return engine / rms(engine) + 0.15 * rattle / rms(rattle) + 0.12 * noise / rms(noise)


def _gun_shot(rng, n, sr):
    """A sudden blast that decays, and its echoes."""
    decay_s, cutoff_hz = rng.uniform(0.03, 0.15), rng.uniform(600, 3500)
    n_echoes = rng.integers(1, 5)
    echoes = [(rng.uniform(0.05, 0.5), gain(rng.uniform(-22, -8))) for _ in range(n_echoes)]
    for start in _events(rng, n, sr, rng.uniform(1.2, 4)):
        m = round(1.5 * sr)
        t = np.arange(m) / sr
        blast = rng.standard_normal(m) * (np.exp(-t / decay_s) + 0.08 * np.exp(-t / 0.5))
        blast = filtered(blast, cutoff_hz, sr)
        blast += 0.6 * np.sin(2 * np.pi * rng.uniform(50, 90) * t) * np.exp(-t / 0.06)
        for delay, weight in [(0, 1), *echoes]:
            yield start + round(delay * sr), weight * blast


def _jackhammer(rng, n, sr):
    """Blows 11 to 30 times a second that ring in steel and stone, with rests in between."""
    blows = _pulses(rng, n, sr, rng.uniform(11, 30), jitter=0.03)
    bands = ((300, 800), 1), ((1200, 2400), 0.9), ((3000, 5500), 0.7)
    steel = [(rng.uniform(*band), rng.uniform(60, 250), weight) for band, weight in bands]
    ring = _resonate(blows, sr, steel)
    dust = smooth(blows, 0.02) * rng.standard_normal(n)
    compressor = harmonics(np.full(n, rng.uniform(45, 80)), 0.7 ** np.arange(8), sr)
    on = smooth(slow(rng, n, sr, 0.4) > -1.2, 0.002)
    hammer = on * (ring / rms(ring) + 0.6 * dust / rms(dust))
    return hammer + gain(rng.uniform(-24, -10)) * compressor / rms(compressor)


def _siren(rng, n, sr):
    """A tone that sweeps: slowly (wail), quickly (yelp), or between two notes (hi-lo)."""
    t = np.arange(n) / sr
    kind = rng.choice(["wail", "yelp", "hi-lo"])
    low, high = rng.uniform(420, 700), rng.uniform(900, 1600)
    if kind == "hi-lo":
        f0 = np.where((t / rng.uniform(0.9, 1.3)) % 1 < 0.5, low, low * rng.uniform(1.25, 1.4))
    else:
        cycle = (t / (rng.uniform(3, 6) if kind == "wail" else rng.uniform(0.25, 0.45))) % 1
        f0 = low * (high / low) ** (1 - np.abs(2 * cycle - 1))
    f0 = f0 * (1 + rng.uniform(-0.03, 0.03) * np.tanh((t - rng.uniform(0, t[-1])) / 2))  # Doppler
    weights = 0.45 ** np.arange(9) * gain(rng.normal(0, 3, 9))
    return harmonics(f0, weights, sr) * (1 + 0.25 * slow(rng, n, sr, 1.5))


def _street_music(rng, n, sr):
    """A plucked melody over sustained chords, on a beat, in one key."""
    beat = rng.uniform(0.22, 0.5)
    key = 110 * 2 ** (rng.integers(12) / 12)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16, 19, 21])
    plucked = 0.75 ** np.arange(14) * gain(rng.normal(0, 4, 14))
    held = 0.6 ** np.arange(10) * gain(rng.normal(0, 4, 10))
    for i in range(int(n / sr / beat) + 1):
        start = round(i * beat * sr)
        if i % 4 == 0:
            m = round(4.2 * beat * sr)
            step = rng.choice([0, 5, 7, 9])
            for third in (0, 4, 7):
                tone = harmonics(np.full(m, key * 2 ** ((step + third) / 12)), held, sr)
                yield start, 0.35 * tone * np.sin(np.linspace(0, np.pi, m)) ** 0.4
        if rng.random() < 0.75:
            m = round(1.2 * sr)
            tone = harmonics(np.full(m, 2 * key * 2 ** (rng.choice(scale) / 12)), plucked, sr)
            yield start, tone * np.exp(-np.arange(m) / sr / 0.3)


def _rooster(rng, n, sr):
    """Crows of four notes, the last one long and falling, through the resonances of a throat."""
    f0 = rng.uniform(420, 700)
    throat = [(rng.uniform(900, 1400), 250, 1), (rng.uniform(2200, 3000), 350, 0.7)]
    notes = [(0.16, 0.8), (0.12, 1.1), (0.2, 1.25), (rng.uniform(0.7, 1.3), 1.35)]
    for start in _events(rng, n, sr, rng.uniform(3, 7)):
        for seconds, pitch in notes:
            m = round(seconds * rng.uniform(0.9, 1.1) * sr)
            x = np.linspace(0, 1, m)
            bend = 1 + 0.15 * x * (1 - x) - 0.25 * x**3
            tone = harmonics(f0 * pitch * bend, 0.9 ** np.arange(14), sr)
            crow = _resonate(tone * (1 + 0.3 * slow(rng, m, sr, 90)), sr, throat)
            yield start, crow * np.sin(np.pi * x) ** 0.4
            start += m + round(0.03 * sr)


def _rain(rng, n, sr):
    """Drops of all sizes, 1000 to 6000 a second, on leaves or on a roof."""
    drops = rng.exponential(1, n) ** 2 * (rng.random(n) < rng.uniform(1000, 6000) / sr)
    roof = [(rng.uniform(600, 2500), 900, 1), (rng.uniform(3000, 6500), 2500, 1)]
    rain = _resonate(drops * rng.choice([-1, 1], n), sr, roof)
    return rain / rms(rain) + gain(rng.uniform(-20, -6)) * rng.standard_normal(n)


def _sea_waves(rng, n, sr):
    """Noise that swells every few seconds and has more high frequencies where it is loud."""
    t, every = np.arange(n) / sr, rng.uniform(4, 9)
    swell = np.sin(np.pi * (t / every + 0.15 * slow(rng, n, sr, 0.2) + rng.random())) ** 2
    deep, band_hz = filtered(rng.standard_normal(n), 400, sr), (500, rng.uniform(2500, 6000))
    surf = filtered(rng.standard_normal(n), band_hz, sr, kind="bandpass")
    return (0.2 + swell) * deep / rms(deep) + 1.2 * swell**2 * surf / rms(surf)


def _crackling_fire(rng, n, sr):
    """Random sparks, short decaying noise each, over a low rumble."""
    y = 0.02 * smooth(rng.standard_normal(n), 0.05)
    for start in rng.integers(0, n, rng.poisson(rng.uniform(6, 25) * n / sr)):
        t = np.arange(round(0.02 * sr)) / sr
        spark = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.0004, 0.004))
        add(y, start, rng.exponential(1) ** 1.5 * spark)
    return y


def _crying_baby(rng, n, sr):
    """Cries of about a second in a high voice that rises and falls, and gasps in between."""
    f0, length = rng.uniform(340, 520), rng.uniform(0.6, 1.3)
    throat = [(rng.uniform(900, 1300), 200, 1), (rng.uniform(2600, 3600), 300, 0.9)]
    at = rng.uniform(0, 1)
    while at < n / sr:
        m = round(length * rng.uniform(0.8, 1.2) * sr)
        x = np.linspace(0, 1, m)
        bend = 1 + 0.35 * np.sin(np.pi * x) + 0.02 * slow(rng, m, sr, 12)
        tone = harmonics(f0 * bend, 0.92 ** np.arange(18), sr) * (1 + 0.3 * slow(rng, m, sr, 60))
        cry = _resonate(tone, sr, throat) * np.sin(np.pi * x) ** 0.5
        yield round(at * sr), cry / (rms(cry) + 1e-9)
        gasp = noise_band(rng, 2500, 2000, round(0.2 * sr), sr)
        yield round((at + 1.15 * m / sr) * sr), 0.1 * gasp * np.hanning(len(gasp))
        at += 1.4 * m / sr + rng.uniform(0.05, 0.4)


def _sneezing(rng, n, sr):
    """An audible breath in, then a burst of noise through the nose."""
    nose_hz = rng.uniform(900, 2200)
    for start in _events(rng, n, sr, rng.uniform(2, 5)):
        breath = noise_band(rng, 1200, 900, round(rng.uniform(0.3, 0.6) * sr), sr)
        yield start, 0.12 * breath * np.linspace(0, 1, len(breath)) ** 2
        m = round(rng.uniform(0.25, 0.5) * sr)
        burst = rng.standard_normal(m) * np.exp(-np.arange(m) / sr / 0.1)
        voice = harmonics(np.full(m, rng.uniform(150, 350)), 0.8 ** np.arange(12), sr)
        burst += 0.5 * voice * np.exp(-np.arange(m) / sr / 0.12)
        sneeze = _resonate(burst, sr, [(nose_hz, 600, 1), (2.3 * nose_hz, 900, 0.8)])
        yield start + len(breath), sneeze / (rms(sneeze) + 1e-9)


def _clock_tick(rng, n, sr):
    """Two short sounds, tick and tock, in turn at a steady rate."""
    rate, y, ticks = rng.choice([1.0, 2.0, 4.0, 5.0]), np.zeros(n), []
    for _ in range(2):
        bell = [(rng.uniform(1200, 6500), rng.uniform(80, 300), w) for w in (1, 0.7, 0.5)]
        ticks.append(_resonate(np.r_[1.0, np.zeros(round(0.08 * sr))], sr, bell))
    for i in range(int(n / sr * rate) + 1):
        add(y, round((i + rng.normal(0, 0.004)) / rate * sr), ticks[i % 2])
    return y + 0.02 * np.abs(y).max() * rng.standard_normal(n)


def _helicopter(rng, n, sr):
    """Rotor blades that hit the air 9 to 22 times a second, and the whine of a turbine."""
    slap = _pulses(rng, n, sr, rng.uniform(9, 22), jitter=0.005)
    rotor = _resonate(slap, sr, [(rng.uniform(60, 140), 40, 1), (rng.uniform(250, 500), 120, 0.5)])
    air = smooth(slap, 0.003) * noise_band(rng, 700, 900, n, sr)
    turbine = harmonics(np.full(n, rng.uniform(700, 1500)), [1, 0.3, 0.2], sr)
    passing = np.exp(0.5 * slow(rng, n, sr, 0.2))
    return passing * (rotor / rms(rotor) + 0.7 * air / rms(air) + 0.08 * turbine)


def _chainsaw(rng, n, sr):
    """A small two-stroke motor whose speed changes, and the buzz of the chain in the wood."""
    speed = rng.uniform(70, 130) * np.exp(0.3 * slow(rng, n, sr, 0.6))
    motor = harmonics(speed, gain(rng.normal(-3, 5, 40)), sr)
    buzz = noise_band(rng, rng.uniform(1800, 3500), 2500, n, sr)
    buzz *= 1 + np.sin(2 * np.pi * np.cumsum(speed) / sr)
    return motor / rms(motor) + gain(rng.uniform(-10, 0)) * buzz / rms(buzz)


SOUNDS = (
    *(_air_conditioner, _car_horn, _chainsaw, _children_playing, _clock_tick, _crackling_fire),
    *(_crying_baby, _dog_bark, _drilling, _engine_idling, _gun_shot, _helicopter, _jackhammer),
    *(_meow, _rain, _rooster, _sea_waves, _siren, _sneezing, _street_music),
)
KINDS = {sound.__name__.removeprefix("_"): sound for sound in SOUNDS}
