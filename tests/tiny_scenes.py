"""Sounds and mixers of scenes for tests, in which it is plain where the calls are."""

import numpy as np

from helpers.detection import SceneMixer
from helpers.features import Frontend

FRONTEND = Frontend(n_mels=24)
MARK = 11  # the band that is loud in a marked call's landmark frame, and only there
EASY_FRONTEND = Frontend(n_mels=17)
EASY_TURN = 20  # landmark of the easy call, frames


def marked_call(n_frames=60, turn=20, level=1.0):
    """A call whose landmark frame stands out: all its power there lies in one band."""
    rng = np.random.default_rng((n_frames, turn))
    power = rng.uniform(0.5, 1, (n_frames, FRONTEND.n_bands)).astype(np.float32)
    power[:, MARK] = 1e-3
    power[turn] = 1e-3
    power[turn, MARK] = FRONTEND.n_bands
    return power * np.float32(level)


def easy_mixer(**changes):
    """Scenes of a loud call: low bands before its landmark, high bands after it."""
    call = np.full((60, 17), 1e-3, np.float32)
    call[:EASY_TURN, 2:5] = 1
    call[EASY_TURN:, 10:13] = 1
    rng = np.random.default_rng(0)
    beds = [[rng.standard_gamma(4.0, (90, 17)).astype(np.float32) for _ in range(2)]]
    easy = {"level_db": (25.0, 35.0), "counterexamples": 0.0, "augment": False, "gap_s": 0.5}
    return SceneMixer([call], [EASY_TURN], beds, EASY_FRONTEND).with_settings(**{**easy, **changes})
