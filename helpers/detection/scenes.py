"""Training scenes: calls mixed over backgrounds."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from helpers.augmentation import SILENCE, coloured_noise, equalise, mix, warp

MIN_LEVEL = 1e-4  # median power of a background re its mean; below it, most frames are silent
GAP_S = (0.2, 6.0)  # length of a gap in the background
FADE_S = 0.36  # longest fade of a call


@dataclass(frozen=True)
class SceneSettings:
    """How scenes are mixed. Ranges are (low, high); shares are probabilities, 0 to 1.

    level_db: call above background, dB. call_share: scenes with calls. first_call_s: start of the
    first call, s; before 0 the scene's beginning cuts it off, so let it reach back by the length of
    a call. last_call_s: how long after the scene's end the last call may begin, s. gap_s: mean
    pause between calls, s. touching: share of the pauses that last at most touching_s, s.
    counterexamples: share of the calls that counterexamples replace. augment: also warp, equalise,
    fade and mix backgrounds. pitch, stretch: natural logarithm of the largest factor by which a
    call's frequencies and length change, as from one animal to another.
    """

    level_db: tuple = (0.0, 45.0)
    call_share: float = 0.8
    first_call_s: tuple = (-3.6, 4.8)
    last_call_s: float = 2.0
    gap_s: float = 1.5
    touching: float = 0.3
    touching_s: float = 0.4
    counterexamples: float = 0.5
    augment: bool = True
    pitch: float = 0.25
    stretch: float = 0.1


# For choosing and testing: as in training, but with audible calls and longer pauses.
HELD_OUT = SceneSettings(level_db=(10.0, 40.0), call_share=0.5, gap_s=8.0, counterexamples=0.5)


class SceneMixer:
    """Mixes scenes of calls over backgrounds.

    calls: list of power (n_frames, n_bands), one call each. landmarks: a frame of each call.
    backgrounds: a list of power for each source, because a background is made of one source.
    frontend: `Frontend` of the powers. settings: `SceneSettings`. counterexample: see
    `CallProfile`; None: without. Raises ValueError without calls or backgrounds.
    """

    def __init__(
        self, calls, landmarks, backgrounds, frontend, settings=None, *, counterexample=None
    ):
        if not calls or not backgrounds:
            raise ValueError("a scene needs at least one clip with a call and one without")
        self.calls, self.landmarks, self.backgrounds = calls, landmarks, backgrounds
        self.frontend = frontend
        self.frequencies = frontend.frequencies
        self.settings = settings or SceneSettings()
        self.counterexample = counterexample

    @classmethod
    def from_table(cls, table, powers, landmarks, frontend, settings=None, *, profile):
        """A mixer of the clips of a table.

        table: clip table with `label` and `group`. powers, landmarks: one per row; those of rows
        without a call may be anything. profile: `CallProfile` of the calls.
        """
        is_call = (table["label"] == profile.label).to_numpy()
        groups = table["group"].to_numpy()
        calls, backgrounds = np.flatnonzero(is_call), {}
        for i in np.flatnonzero(~is_call):
            backgrounds.setdefault(groups[i], []).append(powers[i])
        mine = [powers[i] for i in calls], [int(landmarks[i]) for i in calls]
        options = {"settings": settings, "counterexample": profile.counterexample}
        return cls(*mine, list(backgrounds.values()), frontend, **options)

    def with_settings(self, **changes):
        """A mixer of the same clips with other settings. changes: fields of `SceneSettings`."""
        changed = copy(self)
        changed.settings = replace(self.settings, **changes)
        return changed

    def scene(self, rng, *, n_frames):
        """One scene: (power (n_frames, n_bands), landmarks of its calls).

        landmarks: list of float, frames. Some may lie outside the scene, whose edges cut off calls.
        """
        settings, frames = self.settings, self._frames
        scene = self._background(rng, n_frames)
        # A background of digital silence has no level: use the level of a mean background.
        level = np.median(scene.mean(axis=1))
        level = level if level > MIN_LEVEL else 1.0
        landmarks = []
        end = n_frames + frames(settings.last_call_s)
        at = end
        if rng.random() < settings.call_share:
            at = int(rng.integers(*(round(s / self.frontend.hop_s) for s in settings.first_call_s)))
        while at < end:
            sound, landmark = self._sound(rng)
            level_db = rng.uniform(*settings.level_db)
            scene = mix(scene, sound, at=at, level_db=level_db, level=level)
            if landmark is not None:
                landmarks.append(at + landmark)
            pause = rng.integers(0, frames(settings.touching_s))
            if rng.random() >= settings.touching:
                pause += rng.exponential(settings.gap_s / self.frontend.hop_s)
            at += len(sound) + int(pause)
        if settings.augment:
            scene *= np.float32(10 ** rng.uniform(-5, 3))
        return scene, landmarks

    def _frames(self, seconds):
        return max(1, round(seconds / self.frontend.hop_s))

    def _background(self, rng, n_frames):
        bed = self._source(rng, n_frames)
        if self.settings.augment and rng.random() < 0.3:
            bed += self._source(rng, n_frames) * np.float32(10 ** rng.uniform(-1.5, 0.5))
        if rng.random() < 0.5:
            noise = coloured_noise(rng, n_frames=n_frames, n_bands=bed.shape[1])
            bed += noise * np.float32(10 ** rng.uniform(-2, 1))
        if not self.settings.augment:
            return bed
        bed = equalise(rng, bed)
        if rng.random() < 0.15:  # a gap, down to digital silence
            start = int(rng.integers(n_frames))
            length = int(rng.integers(*map(self._frames, GAP_S)))
            bed[start : start + length] *= np.float32(10 ** rng.uniform(-12, -1))
        if rng.random() < 0.2:  # fades
            knots = [0, int(rng.integers(n_frames)), n_frames]
            gain = np.interp(np.arange(n_frames), knots, rng.uniform(-2, 0.5, 3))
            bed *= (10 ** gain[:, None]).astype(np.float32)
        return bed

    def _source(self, rng, n_frames):
        """Clips of one source, joined in random order: (n_frames, n_bands), mean power 1."""
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
        joined = np.concatenate(pieces)[start : start + n_frames]
        return joined / (joined.mean() + SILENCE)

    def _sound(self, rng):
        """A call and its landmark, or a counterexample and None."""
        settings, i = self.settings, rng.integers(len(self.calls))
        call, landmark = self.calls[i], self.landmarks[i]
        if settings.augment:
            pitch = np.exp(rng.uniform(-settings.pitch, settings.pitch))
            stretch = np.exp(rng.uniform(-settings.stretch, settings.stretch))
            call = warp(call, frequencies=self.frequencies, pitch=pitch, stretch=stretch)
            call = equalise(rng, call, spread_db=3.0)
            landmark = min(round(landmark * stretch), len(call) - 1)
        replaced = rng.random() < settings.counterexamples and len(call) > 1
        if replaced and self.counterexample:
            call = self.counterexample(rng, call, landmark=landmark, frequencies=self.frequencies)
            landmark = None
        if settings.augment and rng.random() < 0.5 and len(call) > 2:  # fade in and out
            width = min(int(rng.integers(1, 1 + self._frames(FADE_S))), len(call) // 2)
            ramp = (np.linspace(0, 1, width + 1)[1:, None] ** 2).astype(np.float32)
            call = call.copy()
            call[:width] *= ramp
            call[-width:] *= ramp[::-1]
        return call, landmark
