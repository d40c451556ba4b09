"""Everyday sounds, each made by its own mechanism: the classes of UrbanSound8K and ESC-10, a cat.

What differs from source to source (a dog's voice, a drill's teeth, a siren's tune) is drawn once
and stays for the whole recording: slices of one source resemble each other as they do in life.
"""

import numpy as np
from scipy import signal

from helpers.synthesis.wildlife import add, gain, harmonics, noise_band, rms, slow

URBAN = (
    *("air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling"),
    *("engine_idling", "gun_shot", "jackhammer", "siren", "street_music"),
)
# Of ESC-50: category → its number there, and the kind of sound that it is here.
ESC10 = {
    "dog": (0, "dog_bark"),
    "rooster": (1, "rooster"),
    "rain": (10, "rain"),
    "sea_waves": (11, "sea_waves"),
    "crackling_fire": (12, "crackling_fire"),
    "crying_baby": (20, "crying_baby"),
    "sneezing": (21, "sneezing"),
    "clock_tick": (38, "clock_tick"),
    "helicopter": (40, "helicopter"),
    "chainsaw": (41, "chainsaw"),
}


def recording(rng, kind, *, n_samples, sr):
    """A recording of one source, without its surroundings.

    rng: numpy Generator. kind: one of KINDS. sr: Hz. Returns float64 (n_samples,), unit RMS while
    it sounds. Raises ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; known: {', '.join(KINDS)}")
    y = KINDS[kind](rng, n_samples, sr)
    level = np.sort(np.abs(y))
    return y / (rms(level[len(level) // 2 :]) + 1e-12)


def _resonate(y, sr, resonances):
    """Pass y through resonances in parallel: (frequency Hz, bandwidth Hz, weight), as formants."""
    out = np.zeros_like(y)
    for frequency, bandwidth, weight in resonances:
        if frequency < 0.45 * sr:
            r = np.exp(-np.pi * bandwidth / sr)
            a = [1, -2 * r * np.cos(2 * np.pi * frequency / sr), r * r]
            out += weight * signal.lfilter([1 - r], a, y)
    return out


def _through(f, resonances_hz, width_hz=250):
    """How much of a moving tone, Hz (n,), passes resonances that move as well, Hz (k, n): (n,)."""
    return (1 / np.sqrt(1 + ((f - resonances_hz) / (width_hz / 2)) ** 2)).sum(axis=0)


def _pulses(rng, n, sr, rate_hz, *, jitter):
    """Unit pulses about rate_hz times a second, with uneven strength."""
    gaps = sr / rate_hz * rng.normal(1, jitter, int(n / sr * rate_hz * 1.3) + 2).clip(0.3, 3)
    at = np.cumsum(gaps).astype(int)
    y = np.zeros(n)
    at = at[at < n]
    y[at] = rng.uniform(0.7, 1, len(at))
    return y


def _events(rng, n, sr, pause_s):
    """Moments at which something happens: sample numbers, with exponential pauses of a mean."""
    at = rng.uniform(0.05, 0.5 + 0.3 * pause_s)
    while at < n / sr:
        yield round(at * sr)
        at += 0.15 * pause_s + rng.exponential(0.85 * pause_s)


def _air_conditioner(rng, n, sr):
    """Air in ducts, a fan's blades, and a compressor humming at the mains frequency."""
    cutoff = rng.uniform(250, 1200)
    air = signal.sosfilt(signal.butter(1, cutoff, fs=sr, output="sos"), rng.standard_normal(n))
    air *= 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(8, 40) * np.arange(n) / sr)
    hum = harmonics(np.full(n, rng.choice([100.0, 120.0])), 1 / np.arange(1, 9) ** 1.5, sr)
    return air / rms(air) + gain(rng.uniform(-15, 0)) * hum / rms(hum)


def _car_horn(rng, n, sr):
    """Two or three steady tones in a chord, switched on and off by an impatient hand."""
    root = rng.uniform(330, 480)
    weights = 0.8 ** np.arange(14) * gain(rng.normal(0, 4, 14))
    y = np.zeros(n)
    blast = rng.uniform(0.25, 1.2)
    for start in _events(rng, n, sr, blast + rng.uniform(0.6, 3)):
        m = round(blast * rng.uniform(0.5, 1.6) * sr)
        bend = 1 - 0.03 * np.exp(-np.arange(m) / sr / 0.03)
        chord = sum(
            harmonics(root * f * bend, weights, sr) for f in (1, 1.26, 1.5)[: 2 + (root > 400)]
        )
        add(
            y,
            start,
            chord * np.minimum(1, np.minimum(np.arange(m), m - np.arange(m)) / (0.02 * sr)),
        )
    return y


def _children_playing(rng, n, sr):
    """Many high voices that call, shriek and laugh over each other, far and near."""
    y = np.zeros(n)
    for _ in range(rng.poisson(3.5 * n / sr) + 1):
        m = round(rng.uniform(0.12, 0.7) * sr)
        x = np.linspace(0, 1, m)
        f0 = rng.uniform(260, 620) * np.exp(
            rng.normal(0, 0.25) * x + rng.uniform(0, 0.4) * x * (1 - x)
        )
        voice = harmonics(f0 * (1 + 0.02 * slow(rng, m, sr, 30)), 0.85 ** np.arange(16), sr)
        vowel = [
            (rng.uniform(500, 1100), 150, 1),
            (rng.uniform(1300, 2900), 200, 0.8),
            (3900, 350, 0.4),
        ]
        voice = _resonate(voice, sr, vowel) * np.sin(np.pi * x) ** 0.6
        add(y, rng.integers(-m, n), gain(rng.uniform(-24, 0)) * voice / (rms(voice) + 1e-9))
    return y + 0.05 * rms(y) * rng.standard_normal(n)


def _dog_bark(rng, n, sr):
    """Short bursts: a pitch that rises and falls, a throat that shapes it, rough at the start."""
    f0, length = rng.uniform(140, 650), rng.uniform(0.09, 0.3)
    throat = [(f * rng.uniform(0.9, 1.1), 180, w) for f, w in ((700, 1), (1500, 0.8), (2900, 0.4))]
    burst_of, pause = rng.integers(1, 5), rng.uniform(0.7, 2.5)
    y = np.zeros(n)
    for start in _events(rng, n, sr, pause):
        for k in range(burst_of):
            m = round(length * rng.uniform(0.85, 1.2) * sr)
            x = np.linspace(0, 1, m)
            tone = harmonics(f0 * (0.8 + 0.9 * x * (1 - x) * 2), 0.9 ** np.arange(20), sr)
            rough = tone * (1 + 0.6 * slow(rng, m, sr, 180)) + 0.5 * rms(
                tone
            ) * rng.standard_normal(m)
            bark = _resonate(rough, sr, throat) * np.minimum(1, x / 0.06) * (1 - x) ** 1.5
            add(y, start + round(k * length * 1.9 * sr), bark / (rms(bark) + 1e-9))
    return y


def _meow(rng, n, sr):
    """A cry that rises and falls while the mouth opens and closes: its resonances move along."""
    peak_hz, rise, length = rng.uniform(450, 900), rng.uniform(0.2, 0.45), rng.uniform(0.35, 1.1)
    closed = np.array([[rng.uniform(450, 800)], [rng.uniform(1300, 2000)], [3600]])
    opened = closed * np.array([[rng.uniform(1.5, 2.2)], [rng.uniform(1.1, 1.5)], [1.1]])
    lean, breath, pause = rng.uniform(0.6, 1.2), gain(rng.uniform(-24, -8)), rng.uniform(0.3, 2.5)
    y, at = np.zeros(n), rng.uniform(0.05, 0.6)
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
        add(y, round(at * sr), cry / rms(cry))
        at += m / sr + 0.15 + rng.exponential(pause)
    return y


def _drilling(rng, n, sr):
    """A motor's whine that sags under load, teeth grinding thousands of times a second."""
    speed = rng.uniform(180, 420) * (1 - rng.uniform(0.03, 0.2) * np.abs(slow(rng, n, sr, 0.8)))
    whine = harmonics(speed, 0.9 ** np.arange(22) * gain(rng.normal(0, 5, 22)), sr)
    grind = noise_band(rng, rng.uniform(2200, 5200), rng.uniform(1500, 3500), n, sr)
    grind *= 1 + 0.5 * np.sign(np.sin(2 * np.pi * np.cumsum(speed) / sr))
    on = slow(rng, n, sr, 0.7) > rng.uniform(-2, -0.4)
    on = signal.lfilter([0.002], [1, -0.998], on.astype(float))
    return on * (whine / rms(whine) + gain(rng.uniform(-8, 6)) * grind / rms(grind))


def _engine_idling(rng, n, sr):
    """Cylinders that fire unevenly, a few tens of times a second, through exhaust and body."""
    firing = _pulses(rng, n, sr, rng.uniform(18, 48), jitter=rng.uniform(0.01, 0.06))
    body = [
        (rng.uniform(50, 110), 25, 1),
        (rng.uniform(130, 260), 50, 0.7),
        (rng.uniform(350, 700), 120, 0.35),
    ]
    engine = _resonate(firing, sr, body)
    rattle = signal.lfilter([0.05], [1, -0.95], firing) * rng.standard_normal(n)
    noise = signal.sosfilt(signal.butter(1, 900, fs=sr, output="sos"), rng.standard_normal(n))
    return engine / rms(engine) + 0.15 * rattle / rms(rattle) + 0.12 * noise / rms(noise)


def _gun_shot(rng, n, sr):
    """A blast that is over at once, its decay, and echoes from the walls around."""
    decay, colour = rng.uniform(0.03, 0.15), rng.uniform(600, 3500)
    echoes = [
        (rng.uniform(0.05, 0.5), gain(rng.uniform(-22, -8))) for _ in range(rng.integers(1, 5))
    ]
    y = np.zeros(n)
    for start in _events(rng, n, sr, rng.uniform(1.2, 4)):
        m = round(1.5 * sr)
        t = np.arange(m) / sr
        blast = rng.standard_normal(m) * (np.exp(-t / decay) + 0.08 * np.exp(-t / 0.5))
        blast = signal.sosfilt(signal.butter(1, colour, fs=sr, output="sos"), blast)
        blast += 0.6 * np.sin(2 * np.pi * rng.uniform(50, 90) * t) * np.exp(-t / 0.06)
        for delay, weight in [(0, 1), *echoes]:
            add(y, start + round(delay * sr), weight * blast)
    return y


def _jackhammer(rng, n, sr):
    """Blows ten to thirty times a second, each ringing in steel and stone; rests in between."""
    blows = _pulses(rng, n, sr, rng.uniform(11, 30), jitter=0.03)
    bands = ((300, 800), 1), ((1200, 2400), 0.9), ((3000, 5500), 0.7)
    steel = [(rng.uniform(*band), rng.uniform(60, 250), weight) for band, weight in bands]
    ring = _resonate(blows, sr, steel)
    dust = signal.lfilter([0.02], [1, -0.98], blows) * rng.standard_normal(n)
    compressor = harmonics(np.full(n, rng.uniform(45, 80)), 0.7 ** np.arange(8), sr)
    on = signal.lfilter([0.002], [1, -0.998], (slow(rng, n, sr, 0.4) > -1.2).astype(float))
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
    """A plucked tune over held chords, on a beat, in one key."""
    beat = rng.uniform(0.22, 0.5)
    key = 110 * 2 ** (rng.integers(12) / 12)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16, 19, 21])
    plucked = 0.75 ** np.arange(14) * gain(rng.normal(0, 4, 14))
    held = 0.6 ** np.arange(10) * gain(rng.normal(0, 4, 10))
    y = np.zeros(n)
    for i in range(int(n / sr / beat) + 1):
        start = round(i * beat * sr)
        if i % 4 == 0:
            m = round(4.2 * beat * sr)
            step = rng.choice([0, 5, 7, 9])
            for third in (0, 4, 7):
                tone = harmonics(np.full(m, key * 2 ** ((step + third) / 12)), held, sr)
                add(y, start, 0.35 * tone * np.sin(np.linspace(0, np.pi, m)) ** 0.4)
        if rng.random() < 0.75:
            m = round(1.2 * sr)
            tone = harmonics(np.full(m, 2 * key * 2 ** (rng.choice(scale) / 12)), plucked, sr)
            add(y, start, tone * np.exp(-np.arange(m) / sr / 0.3))
    return y


def _rooster(rng, n, sr):
    """Cock-a-doodle-doo: four notes, the last long and falling, through a hard throat."""
    f0 = rng.uniform(420, 700)
    throat = [(rng.uniform(900, 1400), 250, 1), (rng.uniform(2200, 3000), 350, 0.7)]
    notes = [(0.16, 0.8), (0.12, 1.1), (0.2, 1.25), (rng.uniform(0.7, 1.3), 1.35)]
    y = np.zeros(n)
    for start in _events(rng, n, sr, rng.uniform(3, 7)):
        for seconds, pitch in notes:
            m = round(seconds * rng.uniform(0.9, 1.1) * sr)
            x = np.linspace(0, 1, m)
            tone = harmonics(
                f0 * pitch * (1 + 0.15 * x * (1 - x) - 0.25 * x**3), 0.9 ** np.arange(14), sr
            )
            crow = _resonate(tone * (1 + 0.3 * slow(rng, m, sr, 90)), sr, throat)
            add(y, start, crow * np.sin(np.pi * x) ** 0.4)
            start += m + round(0.03 * sr)
    return y


def _rain(rng, n, sr):
    """Drops of every size, thousands a second, on leaves or on a roof."""
    drops = rng.exponential(1, n) ** 2 * (rng.random(n) < rng.uniform(1000, 6000) / sr)
    roof = [(rng.uniform(600, 2500), 900, 1), (rng.uniform(3000, 6500), 2500, 1)]
    rain = _resonate(drops * rng.choice([-1, 1], n), sr, roof)
    return rain / rms(rain) + gain(rng.uniform(-20, -6)) * rng.standard_normal(n)


def _sea_waves(rng, n, sr):
    """Noise that swells and breaks every few seconds; the crest is brighter than the trough."""
    t, every = np.arange(n) / sr, rng.uniform(4, 9)
    swell = np.sin(np.pi * (t / every + 0.15 * slow(rng, n, sr, 0.2) + rng.random())) ** 2
    deep = signal.sosfilt(signal.butter(1, 400, fs=sr, output="sos"), rng.standard_normal(n))
    surf = signal.sosfilt(
        signal.butter(1, [500, rng.uniform(2500, 6000)], "bandpass", fs=sr, output="sos"),
        rng.standard_normal(n),
    )
    return (0.2 + swell) * deep / rms(deep) + 1.2 * swell**2 * surf / rms(surf)


def _crackling_fire(rng, n, sr):
    """Sparks at random, each a short ring of its own, over a low rumble."""
    y = 0.02 * signal.lfilter([0.05], [1, -0.95], rng.standard_normal(n))
    for start in rng.integers(0, n, rng.poisson(rng.uniform(6, 25) * n / sr)):
        t = np.arange(round(0.02 * sr)) / sr
        spark = rng.standard_normal(len(t)) * np.exp(-t / rng.uniform(0.0004, 0.004))
        add(y, start, rng.exponential(1) ** 1.5 * spark)
    return y


def _crying_baby(rng, n, sr):
    """Cries of a second, a high voice that rises and falls, with a gasp between."""
    f0, length = rng.uniform(340, 520), rng.uniform(0.6, 1.3)
    throat = [(rng.uniform(900, 1300), 200, 1), (rng.uniform(2600, 3600), 300, 0.9)]
    y, at = np.zeros(n), rng.uniform(0, 1)
    while at < n / sr:
        m = round(length * rng.uniform(0.8, 1.2) * sr)
        x = np.linspace(0, 1, m)
        bend = 1 + 0.35 * np.sin(np.pi * x) + 0.02 * slow(rng, m, sr, 12)
        tone = harmonics(f0 * bend, 0.92 ** np.arange(18), sr) * (1 + 0.3 * slow(rng, m, sr, 60))
        cry = _resonate(tone, sr, throat) * np.sin(np.pi * x) ** 0.5
        add(y, round(at * sr), cry / (rms(cry) + 1e-9))
        gasp = noise_band(rng, 2500, 2000, round(0.2 * sr), sr)
        add(y, round((at + 1.15 * m / sr) * sr), 0.1 * gasp * np.hanning(len(gasp)))
        at += 1.4 * m / sr + rng.uniform(0.05, 0.4)
    return y


def _sneezing(rng, n, sr):
    """A breath drawn in, then a burst of noise through the nose."""
    y, colour = np.zeros(n), rng.uniform(900, 2200)
    for start in _events(rng, n, sr, rng.uniform(2, 5)):
        breath = noise_band(rng, 1200, 900, round(rng.uniform(0.3, 0.6) * sr), sr)
        add(y, start, 0.12 * breath * np.linspace(0, 1, len(breath)) ** 2)
        m = round(rng.uniform(0.25, 0.5) * sr)
        burst = rng.standard_normal(m) * np.exp(-np.arange(m) / sr / 0.1)
        voice = harmonics(np.full(m, rng.uniform(150, 350)), 0.8 ** np.arange(12), sr)
        sneeze = _resonate(burst + 0.5 * voice * np.exp(-np.arange(m) / sr / 0.12), sr,
                           [(colour, 600, 1), (2.3 * colour, 900, 0.8)])  # fmt: skip
        add(y, start + len(breath), sneeze / (rms(sneeze) + 1e-9))
    return y


def _clock_tick(rng, n, sr):
    """Ticks at an even pace, tick and tock ringing differently."""
    rate = rng.choice([1.0, 2.0, 4.0, 5.0])
    ticks = [
        _resonate(np.r_[1.0, np.zeros(round(0.08 * sr))], sr,
                  [(rng.uniform(1200, 6500), rng.uniform(80, 300), w) for w in (1, 0.7, 0.5)])
        for _ in range(2)
    ]  # fmt: skip
    y = np.zeros(n)
    for i in range(int(n / sr * rate) + 1):
        add(y, round((i + rng.normal(0, 0.004)) / rate * sr), ticks[i % 2])
    return y + 0.02 * np.abs(y).max() * rng.standard_normal(n)


def _helicopter(rng, n, sr):
    """Rotor blades that slap the air a dozen times a second, over a turbine's whine."""
    slap = _pulses(rng, n, sr, rng.uniform(9, 22), jitter=0.005)
    rotor = _resonate(slap, sr, [(rng.uniform(60, 140), 40, 1), (rng.uniform(250, 500), 120, 0.5)])
    air = signal.lfilter([0.003], [1, -0.997], slap) * noise_band(rng, 700, 900, n, sr)
    turbine = harmonics(np.full(n, rng.uniform(700, 1500)), [1, 0.3, 0.2], sr)
    passing = np.exp(0.5 * slow(rng, n, sr, 0.2))
    return passing * (rotor / rms(rotor) + 0.7 * air / rms(air) + 0.08 * turbine)


def _chainsaw(rng, n, sr):
    """A small two-stroke motor, revved up and down, buzzing through the wood."""
    speed = rng.uniform(70, 130) * np.exp(0.3 * slow(rng, n, sr, 0.6))
    motor = harmonics(speed, gain(rng.normal(-3, 5, 40)), sr)
    buzz = noise_band(rng, rng.uniform(1800, 3500), 2500, n, sr)
    buzz *= 1 + np.sin(2 * np.pi * np.cumsum(speed) / sr)
    return motor / rms(motor) + gain(rng.uniform(-10, 0)) * buzz / rms(buzz)


KINDS = {
    "air_conditioner": _air_conditioner,
    "car_horn": _car_horn,
    "chainsaw": _chainsaw,
    "children_playing": _children_playing,
    "clock_tick": _clock_tick,
    "crackling_fire": _crackling_fire,
    "crying_baby": _crying_baby,
    "dog_bark": _dog_bark,
    "drilling": _drilling,
    "engine_idling": _engine_idling,
    "gun_shot": _gun_shot,
    "helicopter": _helicopter,
    "jackhammer": _jackhammer,
    "meow": _meow,
    "rain": _rain,
    "rooster": _rooster,
    "sea_waves": _sea_waves,
    "siren": _siren,
    "sneezing": _sneezing,
    "street_music": _street_music,
}
