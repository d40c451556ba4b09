"""Synthetic capuchin data set: clips and forest recordings in the real layout, and answer key.

Calls, background sounds and reverberation are computed at 16 kHz and then resampled to the rates
of the real files. Each source and recording has its own random generator, so that none depends on
the order in which they are made.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import signal

from helpers.env import item_rng
from helpers.synthesis.wildlife import SR, Voice, add, call, fade, filtered, gain, mixture, rms
from helpers.synthesis.write import shares_of, write_clip, write_csv

VERSION = 2  # raise it when the files change: older samples are then built again
STEP_AFTER_CENTRE_S = 0.22  # the real key gives a time this long before the harmonics begin
CALL_BAND_HZ = (500, 1700)

SIZES = {
    "small": dict(sources=20, positives=60, sounds=16, negatives=120, recordings=8, seconds=60),
    "full": dict(sources=44, positives=217, sounds=33, negatives=593, recordings=24, seconds=180),
}

# (sample rate, channels) of the files of each source, in turn. The shares are those of real clips.
FORMATS = ((44100, 1), (48000, 2), (44100, 2), (48000, 2), (44100, 1), (11025, 1), (48000, 1))
FORMATS += ((48000, 2), (44100, 2), (44100, 1), (48000, 1))

# Sounds without calls: name, number of clips relative to the others, kinds of background.
NEGATIVES = """
crickets-chirping-noise 22 crickets hiss|birds-singing-in-forest-sounds 57 songbird hiss
crow-cawing-sound-effect 16 crow|rain-thunder-and-crickets-sound-effect 48 rain crickets wind
tawny-owl-sounds 10 owl hiss|cicadas-noise-sound-effect 4 cicadas|dove-bird-sounds 10 dove hiss
magpies-and-crows-cawing-sound-effect 22 crow magpie wind|night-insect-sounds 53 crickets cicadas
robin-chirping 34 songbird|flock-of-pigeons-cooing-sound-effect 7 dove dove wind
pond-bird-call-sound-effect 1 frogs magpie|screech-owl-sounds-at-night 8 owl crickets
sparrow-sound-effect 52 songbird magpie|seagull-sound-in-distance 2 gull wind
afternoon-birds-song-in-forest 35 songbird crickets hiss|Crickets-chirping 11 crickets
Crickets-chirping-at-night 14 crickets wind|bobwhite-quail-sound 21 quail hiss
cardinal-bird-call 4 songbird hiss|corncrake-sound 3 frogs hiss
cricket-sounds-for-sleep 60 crickets rain|crickets-chirping-crickets-sound 30 crickets crickets
crickets-sound-effect 35 crickets hiss|curlew-sound 5 quail wind|dove-bird-call-sound 3 dove wind
dove-sound-effect 3 dove|forest-birds-and-insects-sound-effect 5 songbird cicadas
killdeer-sound 10 gull songbird|magpie-call-sound-effect 2 magpie hiss|pheasant-sound 4 crow hiss
rooster-call-sound 1 gull crow|spooky-owl-sound-effect 1 owl wind
"""
NEGATIVES = [entry.split() for entry in NEGATIVES.strip().replace("\n", "|").split("|")]

# Two neighbouring recordings have the same background: one of BACKGROUNDS. SCENES gives the
# schedules of calls in the one and in the other.
BACKGROUNDS = (
    *(("crickets", "hiss"), ("hiss", "songbird"), ("chatter", "hiss"), ("rain", "crickets")),
    *(("wind", "owl"), ("hiss",), ("chatter", "cicadas"), ("frogs", "wind")),
    *(("cicadas", "songbird"), ("wind", "hiss"), ("chatter", "wind"), ("dove", "crow", "hiss")),
)
SCENES = (("none", "sparse"), ("chorus", "loud"), ("none", "few"), ("none", "bouts"))
# Calls in a group, seconds between calls in a group, seconds between groups: (least, most) each.
SCHEDULES = {
    "sparse": ((1, 1), (0, 0), (5, 40)),
    "few": ((1, 1), (0, 0), (5, 25)),
    "loud": ((1, 1), (0, 0), (2, 14)),
    "bouts": ((2, 3), (-0.1, 0.5), (8, 25)),
    "chorus": ((12, 25), (0, 2), (6, 12)),
}
MAX_CALLS = 25
# Least level of a call above the background, both in CALL_BAND_HZ; 20 to 37 in real recordings.
MARGIN_DB = (14, 24)


def _band_rms(y):
    return rms(filtered(y, CALL_BAND_HZ, SR, order=3, kind="bandpass"))


@dataclass(frozen=True)
class Source:
    """How one bird is recorded: its voice, the echoes, the background and the recorder."""

    voice: Voice
    impulse: np.ndarray  # (n_taps,), from the bird to the microphone
    kinds: tuple  # of background
    snr_db: float
    level_dbfs: float  # RMS of the call in CALL_BAND_HZ
    highpass_hz: float

    @classmethod
    def draw(cls, seed, pool, i):
        rng = item_rng(seed, pool, i)
        distance = rng.uniform(0, 1)
        tap = np.arange(round(0.5 * SR))
        wet = 0.06 * distance**2 * rng.standard_normal(len(tap))
        impulse = (tap == 0) + wet * np.exp(-tap / SR / rng.uniform(0.05, 0.05 + 0.15 * distance))
        lowpass = signal.butter(1, 7000 - 5000 * distance, fs=SR)
        kinds = rng.permutation(["hiss", "wind", "songbird", "crickets", "rain", "cicadas"])
        return cls(
            voice=Voice.draw(rng),
            impulse=signal.lfilter(*lowpass, impulse),
            kinds=("hiss", *kinds[: rng.integers(0, 3)].tolist()),
            snr_db=rng.uniform(4, 36) - 4 * distance,
            level_dbfs=rng.uniform(-40, -12) - 6 * distance,
            highpass_hz=float(rng.choice([20, 40, 200, 350])),
        )

    def record(self, rng, voices, steps_s, n, *, snr_db=None):
        """Calls whose harmonics begin at steps_s, with background: (n,), unit RMS of the first."""
        dry = np.zeros(n)
        for voice, step_s in zip(voices, steps_s, strict=True):
            add(dry, round((step_s - voice.growl_s) * SR), call(rng, voice))
        wet = signal.fftconvolve(dry, self.impulse)[:n]
        first, stack = round(steps_s[0] * SR), round(voices[0].stack_s * 0.8 * SR)
        wet /= _band_rms(wet[first : first + stack])
        noise = mixture(rng, self.kinds, n, SR)
        noise /= max(_band_rms(noise), 0.3)
        y = wet + noise / gain(self.snr_db if snr_db is None else snr_db)
        return filtered(y, self.highpass_hz, SR, order=4, kind="highpass")


def _positives(folder, seed, i, xc, n_clips):
    """Write the clips of a source. They begin and end at half seconds; some calls are cut."""
    rng, source = item_rng(seed, "positive", i), Source.draw(seed, "source", i)
    rate, channels = FORMATS[i % len(FORMATS)]
    voices = [source.voice.vary(rng) for _ in range(n_clips)]
    lengths = [voice.duration_s + rng.uniform(0.3, 3) for voice in voices]
    *onsets, end = np.cumsum([2.0, *lengths])
    steps = [onset + voice.growl_s for onset, voice in zip(onsets, voices, strict=True)]
    y = source.record(rng, voices, steps, round((end + 4) * SR)) * gain(source.level_dbfs)
    y /= max(1, np.abs(y).max() / 0.98)
    for k, (onset, voice) in enumerate(zip(onsets, voices, strict=True)):
        start = np.round(2 * (onset + rng.uniform(-0.5, 0.7))) / 2
        end = np.round(2 * (onset + voice.duration_s - rng.uniform(-0.4, 1))) / 2
        end = start + np.clip(end - start, 2, 5)
        part = y[round(start * SR) : round(end * SR)]
        write_clip(folder / f"XC{xc}-{k}.wav", part, rate, channels, spread=i % 3)


def _negatives(folder, seed, i, name, kinds, n_clips):
    """Write the clips of a sound without calls."""
    rng = item_rng(seed, "negative", i)
    seconds = np.round(3 + np.minimum(rng.exponential(0.08, n_clips), 0.9), 1)
    y = mixture(rng, kinds, round(seconds.sum() * SR) + SR, SR)
    y *= gain(rng.uniform(-42, -14))
    y /= max(1, np.abs(y).max() / 0.98)
    ends = np.round(np.cumsum(seconds) * SR).astype(int)
    for k, part in enumerate(np.split(y, ends)[:-1]):
        write_clip(folder / f"{name}-{k}.wav", part, 44100, 2, spread=int(i % 4))


@lru_cache(maxsize=2)
def _background(seed, i, n):
    """A repeated loop (n,) that fades in and out; every second one has some digital silence."""
    rng, kinds = item_rng(seed, "bed", i), BACKGROUNDS[i % len(BACKGROUNDS)]
    loop = mixture(rng, kinds, min(round(rng.uniform(25, 50) * SR), n), SR)
    loop *= gain(rng.uniform(-52, -30) + 14 * (kinds[0] == "chatter"))
    fade(loop, SR, rng.choice([0.01, 0.5, 3]))
    if i % 2:
        cut = rng.uniform(0, 0.7) * len(loop)
        loop[round(cut) : round(cut + rng.uniform(2, 8) * SR)] = 0
    return np.tile(loop, n // len(loop) + 1)[:n]


def _schedule(rng, scene, birds, seconds):
    """The calls of a recording, in order: [(bird, voice, start in seconds)]."""
    calls, (size, gap, pause) = [], SCHEDULES[scene]
    at = rng.uniform(0.5, min(pause[1], 0.2 * seconds))
    while len(calls) < MAX_CALLS:
        for _ in range(rng.integers(size[0], size[1], endpoint=True)):
            bird = birds[rng.integers(len(birds))]
            voice = bird.voice.vary(rng)
            if at + voice.duration_s > seconds - 0.5 or len(calls) == MAX_CALLS:
                return calls
            calls.append((bird, voice, at))
            at += voice.duration_s + rng.uniform(*gap)
        at += rng.uniform(*pause)
    return calls


def _recording(path, seed, i, seconds, n_sources):
    """Write a recording. Returns the times that the key gives for its calls, in seconds."""
    rng, scene = item_rng(seed, "recording", i), SCENES[i // 2 % len(SCENES)][i % 2]
    y = np.roll(_background(seed, i // 2, round(seconds * SR)), rng.integers(seconds * SR))
    background, centres = y.copy(), []
    known = [Source.draw(seed, "source", int(rng.integers(n_sources)))]
    birds = [Source.draw(seed, "new source", 10 * i + k) for k in range(2)] + known
    for bird, voice, onset in _schedule(rng, scene, birds, seconds) if scene != "none" else ():
        lead, end = rng.uniform(0.1, 1.2, 2)
        n = round((lead + voice.duration_s + end) * SR)
        part = bird.record(rng, [voice], [lead + voice.growl_s], n, snr_db=rng.uniform(15, 38))
        start = round((onset - lead) * SR)
        around = background[max(start, 0) : start + n]
        floor = 20 * np.log10(_band_rms(around) + 1e-4) + rng.uniform(*MARGIN_DB)
        loud = scene == "loud" and rng.random() < 0.5
        level = rng.uniform(0, 8) if loud else rng.uniform(-45, -14)
        add(y, start, fade(part, SR, 0.1) * gain(max(level, floor)))
        centres.append(onset + voice.growl_s - STEP_AFTER_CENTRE_S)
    write_clip(path, y, 48000, 2, spread=i // 2 % 5)
    return centres


def build_capuchin(folder, *, size, seed, progress):
    """Fill an empty folder in the layout of the real data set; see `Generator`."""
    plan = SIZES[size]
    rng = item_rng(seed, "plan")
    xc = np.sort(rng.choice(np.arange(3000, 600_000), plan["sources"], replace=False))
    clips = shares_of(rng.exponential(1, plan["sources"]), plan["positives"])
    sounds = NEGATIVES[: plan["sounds"]]
    shares = shares_of([sound[1] for sound in sounds], plan["negatives"])
    counts, calls = [], []
    with progress(total=plan["sources"] + plan["sounds"] + plan["recordings"]) as bar:
        for i, n_clips in enumerate(clips):
            _positives(folder / "Parsed_Capuchinbird_Clips", seed, i, xc[i], n_clips)
            bar.update()
        for i, (name, _, *kinds) in enumerate(sounds):
            part = folder / "Parsed_Not_Capuchinbird_Clips"
            _negatives(part, seed, i, name, kinds, shares[i])
            bar.update()
        for i in range(plan["recordings"]):
            path = folder / "Forest Recordings" / f"recording_{i:02d}.flac"
            centres = _recording(path, seed, i, plan["seconds"], plan["sources"])
            counts.append((path.name, len(centres)))
            calls += [(path.name, f"{centre:.2f}") for centre in centres]
            bar.update()
    write_csv(folder / "counts.csv", ("clip_name", "call_count"), counts)
    write_csv(folder / "calls.csv", ("clip_name", "centre_s"), calls)
