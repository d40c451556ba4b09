"""Training scenes: calls mixed over backgrounds."""

from dataclasses import dataclass, replace

import numpy as np

from helpers.augmentation import SILENCE, coloured_noise, equalise, mix, warp

CALL_LABEL = "capuchin"  # of the clips that hold one call
LEAST_LEVEL = 1e-4  # of a background, re its mean power: below, the most of it is silence
PITCH = 0.25  # natural logarithm of the largest factor between the pitches of two birds


def counterexample(rng, call, *, turn, frequencies):
    """Something that is nearly a call and must not be counted, made from one.

    The growl alone; the tail without its growl; a call that breaks off soon after its turn; played
    backwards; much too fast; much too high or low; a few whistles that switch at the turn; a few
    narrow bands of the call and nothing between them.
    call: (n_frames, n_bands), n_frames at least 2. turn: frame in which the growl turns into the
    tail, which may lie at the very end of a clip. Returns (n_frames', n_bands).
    """
    kind = rng.integers(10)  # whistles and narrow bands twice as often as any other
    tail, most = len(call) - turn, len(call) - 1
    if kind == 0:
        return call[: min(most, max(4, turn - 2 - int(rng.integers(0, 1 + turn // 2))))]
    if kind == 1:
        return call[max(1, min(most - 7, turn + 3 + int(rng.integers(0, 1 + tail // 2)))) :]
    if kind == 2:
        return call[: min(most, turn + max(3, int(tail * rng.uniform(0.1, 0.35))))]
    if kind == 3:
        return call[::-1]
    if kind == 4:
        return warp(call, frequencies=frequencies, stretch=1 / rng.uniform(1.6, 4))
    if kind == 5:
        pitch = rng.uniform(1.9, 2.6)  # far from what PITCH makes of a call
        pitch = pitch if rng.random() < 0.5 else 1 / pitch
        return warp(call, frequencies=frequencies, pitch=pitch)
    return _whistles(rng, call, turn=turn) if kind < 8 else _narrow_bands(rng, call)


def _whistles(rng, call, *, turn):
    """A whistle before the turn; two to six more from the turn on, that may die away quickly."""
    n_frames, n_bands = call.shape
    width = max(1, n_bands // 40)
    level = call.mean(axis=1, keepdims=True)
    sound = 1e-3 * call
    first = rng.integers(n_bands)
    for i, band in enumerate((first, first, *rng.integers(n_bands, size=rng.integers(2, 7)))):
        start, stop = (0, turn) if i == 0 else (turn, n_frames)
        decay = np.exp(-np.arange(stop - start) / rng.uniform(8, 80))[:, None] if i else 1.0
        bands = slice(max(0, band - width), band + width + 1)
        sound[start:stop, bands] += level[start:stop] * decay * 10 ** rng.uniform(-1, 1)
    return sound


def _narrow_bands(rng, call):
    """One to three slits through which the call is heard: its rhythm, and no chord."""
    n_bands = call.shape[1]
    width = max(1, n_bands // 40)
    gain = np.full(n_bands, 1e-3, np.float32)
    for band in rng.integers(n_bands, size=rng.integers(1, 4)):
        gain[max(0, band - width) : band + width + 1] = 1
    return call * gain


@dataclass(frozen=True)
class SceneSettings:
    """What scenes are like. Ranges are (low, high); probabilities lie between 0 and 1.

    level_db: call above background, dB. call_share: probability that a scene has calls.
    gap_s: mean pause between two calls, s. counterexamples: share of the calls replaced by one.
    augment: also warp, equalise, fade and mix backgrounds.
    """

    level_db: tuple = (0.0, 45.0)
    call_share: float = 0.8
    gap_s: float = 1.5
    touching: float = 0.3
    counterexamples: float = 0.5
    augment: bool = True


# To choose and to judge on: as in training, but with calls that a listener would hear, and pauses.
HELD_OUT = SceneSettings(level_db=(10.0, 40.0), call_share=0.5, gap_s=8.0, counterexamples=0.5)


class SceneMixer:
    """Mixes scenes of calls over backgrounds. Taught in 05_capuchin_call_counter.

    calls: list of (n_frames, n_bands) power, one call each. turns: frame of each call's landmark.
    backgrounds: list of lists of power: the clips of one source together, because a background
    goes on with its own clips. frontend: the `Frontend` they were extracted with.
    """

    def __init__(self, calls, turns, backgrounds, frontend, settings=None):
        if not calls or not backgrounds:
            raise ValueError("scenes need at least one call and one background")
        self.calls, self.turns, self.backgrounds = calls, turns, backgrounds
        self.frontend = frontend
        self.frequencies = frontend.frequencies
        self.settings = settings or SceneSettings()

    @classmethod
    def from_table(cls, table, powers, turns, frontend, settings=None, *, positive=CALL_LABEL):
        """A mixer of the clips of a table.

        table: clip table with `label` and `group`. powers, turns: one per row (turns of
        other labels are not looked at). positive: label of the calls.
        """
        rows = range(len(table))
        is_call = (table["label"] == positive).to_numpy()
        groups = table["group"].to_numpy()
        backgrounds = {}
        for i in rows:
            if not is_call[i]:
                backgrounds.setdefault(groups[i], []).append(powers[i])
        calls = [i for i in rows if is_call[i]]
        return cls(
            [powers[i] for i in calls],
            [int(turns[i]) for i in calls],
            list(backgrounds.values()),
            frontend,
            settings,
        )

    def with_settings(self, **changes):
        """The same clips with other settings, fields of `SceneSettings`."""
        settings = replace(self.settings, **changes)
        return SceneMixer(self.calls, self.turns, self.backgrounds, self.frontend, settings)

    def scene(self, rng, *, n_frames):
        """One scene: (power (n_frames, n_bands), turns), the landmarks of its calls in frames.

        turns: list of float, some a little outside the scene, where a call is cut off by its edge.
        """
        settings, frames = self.settings, self._frames
        scene = self._background(rng, n_frames)
        # Digital silence has no level: a call over it is as loud as over the mean background.
        level = np.median(scene.mean(axis=1))
        level = level if level > LEAST_LEVEL else 1.0
        turns = []
        end = n_frames + frames(2.0)
        at = end
        if rng.random() < settings.call_share:
            at = int(rng.integers(-frames(3.6), frames(4.8)))
        while at < end:
            sound, turn = self._sound(rng)
            level_db = rng.uniform(*settings.level_db)
            scene = mix(scene, sound, at=at, level_db=level_db, level=level)
            if turn is not None:
                turns.append(at + turn)
            pause = rng.integers(0, frames(0.4))
            if rng.random() >= settings.touching:
                pause += rng.exponential(settings.gap_s / self.frontend.hop_s)
            at += len(sound) + int(pause)
        if settings.augment:
            scene *= np.float32(10 ** rng.uniform(-5, 3))
        return scene, turns

    def _frames(self, seconds):
        return max(1, round(seconds / self.frontend.hop_s))

    def _background(self, rng, n_frames):
        bed = self._bed(rng, n_frames)
        if self.settings.augment and rng.random() < 0.3:
            bed += self._bed(rng, n_frames) * np.float32(10 ** rng.uniform(-1.5, 0.5))
        if rng.random() < 0.5:
            noise = coloured_noise(rng, n_frames=n_frames, n_bands=bed.shape[1])
            bed += noise * np.float32(10 ** rng.uniform(-2, 1))
        if not self.settings.augment:
            return bed
        bed = equalise(rng, bed)
        if rng.random() < 0.15:  # a gap, down to digital silence
            start = int(rng.integers(n_frames))
            length = int(rng.integers(self._frames(0.2), self._frames(6.0)))
            bed[start : start + length] *= np.float32(10 ** rng.uniform(-12, -1))
        if rng.random() < 0.2:  # fades
            knots = [0, int(rng.integers(n_frames)), n_frames]
            gain = np.interp(np.arange(n_frames), knots, rng.uniform(-2, 0.5, 3))
            bed *= (10 ** gain[:, None]).astype(np.float32)
        return bed

    def _bed(self, rng, n_frames):
        """Clips of one source in random order, on and on: (n_frames, n_bands), mean power 1."""
        source = self.backgrounds[rng.integers(len(self.backgrounds))]
        pitch, stretch = 1.0, 1.0
        if self.settings.augment and rng.random() < 0.5:
            pitch, stretch = np.exp(rng.uniform(-0.4, 0.4, 2))
        pieces, n = [], 0
        while n < n_frames:
            piece = source[rng.integers(len(source))]
            piece = warp(piece, frequencies=self.frequencies, pitch=pitch, stretch=stretch)
            if self.settings.augment and rng.random() < 0.3:
                piece = piece[::-1]
            pieces.append(piece)
            n += len(piece)
        start = int(rng.integers(n - n_frames + 1))
        bed = np.concatenate(pieces)[start : start + n_frames]
        return bed / (bed.mean() + SILENCE)

    def _sound(self, rng):
        """A call and its landmark, or a counterexample and None."""
        i = rng.integers(len(self.calls))
        call, turn = self.calls[i], self.turns[i]
        if self.settings.augment:
            pitch, stretch = np.exp(rng.uniform(-PITCH, PITCH)), np.exp(rng.uniform(-0.1, 0.1))
            call = warp(call, frequencies=self.frequencies, pitch=pitch, stretch=stretch)
            call = equalise(rng, call, spread_db=3.0)
            turn = min(round(turn * stretch), len(call) - 1)
        if rng.random() < self.settings.counterexamples and len(call) > 1:
            call = counterexample(rng, call, turn=turn, frequencies=self.frequencies)
            turn = None
        if self.settings.augment and rng.random() < 0.5 and len(call) > 2:
            # Cut hard, or faded in and out.
            width = min(int(rng.integers(1, 1 + self._frames(0.36))), len(call) // 2)
            ramp = (np.linspace(0, 1, width + 1)[1:, None] ** 2).astype(np.float32)
            call = call.copy()
            call[:width] *= ramp
            call[-width:] *= ramp[::-1]
        return call, turn
