"""Training scenes: calls mixed over backgrounds."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from helpers.augmentation import SILENCE, coloured_noise, equalise, mix, warp

LEAST_LEVEL = 1e-4  # of a background, re its mean power: below, the most of it is silence
PITCH = 0.25  # natural logarithm of the largest factor between the pitches of two birds


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

    calls: list of (n_frames, n_bands) power, one call each. landmarks: a frame of
    each call. backgrounds: list of lists of power: the clips of one source together, because a
    background goes on with its own clips. frontend: the `Frontend` they were extracted with.
    counterexample: see `CallProfile`; None: there are none.
    """

    def __init__(
        self, calls, landmarks, backgrounds, frontend, settings=None, *, counterexample=None
    ):
        if not calls or not backgrounds:
            raise ValueError("scenes need at least one call and one background")
        self.calls, self.landmarks, self.backgrounds = calls, landmarks, backgrounds
        self.frontend = frontend
        self.frequencies = frontend.frequencies
        self.settings = settings or SceneSettings()
        self.counterexample = counterexample

    @classmethod
    def from_table(cls, table, powers, landmarks, frontend, settings=None, *, profile):
        """A mixer of the clips of a table.

        table: clip table with `label` and `group`. powers, landmarks: one per row (landmarks of
        other labels are not looked at). profile: `CallProfile` of the calls.
        """
        rows = range(len(table))
        is_call = (table["label"] == profile.label).to_numpy()
        groups = table["group"].to_numpy()
        backgrounds = {}
        for i in rows:
            if not is_call[i]:
                backgrounds.setdefault(groups[i], []).append(powers[i])
        calls = [i for i in rows if is_call[i]]
        return cls(
            [powers[i] for i in calls],
            [int(landmarks[i]) for i in calls],
            list(backgrounds.values()),
            frontend,
            settings,
            counterexample=profile.counterexample,
        )

    def with_settings(self, **changes):
        """The same clips with other settings, fields of `SceneSettings`."""
        settings = replace(self.settings, **changes)
        changed = copy(self)
        changed.settings = settings
        return changed

    def scene(self, rng, *, n_frames):
        """One scene: (power (n_frames, n_bands), landmarks).

        landmarks: of its calls, frames; list of float. Some lie a little outside the scene, where
        its edge cuts off a call.
        """
        settings, frames = self.settings, self._frames
        scene = self._background(rng, n_frames)
        # Digital silence has no level: a call over it is as loud as over the mean background.
        level = np.median(scene.mean(axis=1))
        level = level if level > LEAST_LEVEL else 1.0
        landmarks = []
        end = n_frames + frames(2.0)
        at = end
        if rng.random() < settings.call_share:
            at = int(rng.integers(-frames(3.6), frames(4.8)))
        while at < end:
            sound, landmark = self._sound(rng)
            level_db = rng.uniform(*settings.level_db)
            scene = mix(scene, sound, at=at, level_db=level_db, level=level)
            if landmark is not None:
                landmarks.append(at + landmark)
            pause = rng.integers(0, frames(0.4))
            if rng.random() >= settings.touching:
                pause += rng.exponential(settings.gap_s / self.frontend.hop_s)
            at += len(sound) + int(pause)
        if settings.augment:
            scene *= np.float32(10 ** rng.uniform(-5, 3))
        return scene, landmarks

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
        call, landmark = self.calls[i], self.landmarks[i]
        if self.settings.augment:
            pitch, stretch = np.exp(rng.uniform(-PITCH, PITCH)), np.exp(rng.uniform(-0.1, 0.1))
            call = warp(call, frequencies=self.frequencies, pitch=pitch, stretch=stretch)
            call = equalise(rng, call, spread_db=3.0)
            landmark = min(round(landmark * stretch), len(call) - 1)
        wanted = rng.random() < self.settings.counterexamples and len(call) > 1
        if wanted and self.counterexample:
            call = self.counterexample(rng, call, landmark=landmark, frequencies=self.frequencies)
            landmark = None
        if self.settings.augment and rng.random() < 0.5 and len(call) > 2:
            # Cut hard, or faded in and out.
            width = min(int(rng.integers(1, 1 + self._frames(0.36))), len(call) // 2)
            ramp = (np.linspace(0, 1, width + 1)[1:, None] ** 2).astype(np.float32)
            call = call.copy()
            call[:width] *= ramp
            call[-width:] *= ramp[::-1]
        return call, landmark
