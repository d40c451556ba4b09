"""Choose a threshold on held-out scenes, and estimate the uncertainty of a count.

Scenes that are mixed from clips a network was not trained on have known calls. The threshold is
chosen on them, and never on the recordings that are to be counted.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from helpers import parallel
from helpers.detection.events import find_events
from helpers.evaluation import centres, match_events

FALSE_ALARM_COST = 4.0  # a missed call costs 1
THRESHOLDS = expit(np.linspace(-4, 5, 73))  # 0.018 to 0.993, with evenly spaced logits


@dataclass(frozen=True)
class ScoredScene:
    """A scene with known calls. score: (n_steps,). true_s: times of its calls, s. length_s: s."""

    score: np.ndarray
    true_s: np.ndarray
    length_s: float


def held_out_scenes(
    cross_fit, *, per_fold, length_s=60.0, seed=0, fainter_db=0.0, noise_db=None, progress=True
):
    """Scenes of the clips of each fold, scored by the detector that was not trained on them.

    cross_fit: `detection.CrossFit`. per_fold: scenes per fold. length_s: of a scene, s. fainter_db:
    attenuation of the calls, dB. noise_db: level of added white noise, dB re the background; None:
    no noise. The same seed gives the same scenes. Returns list of `ScoredScene`.
    """
    scenes = []
    pairs = list(zip(cross_fit.detectors, cross_fit.mixers, strict=True))
    bar = parallel.progress_bar(
        total=per_fold * len(pairs), desc="Scenes", unit="scene", disable=not progress
    )
    for fold, (detector, mixer) in enumerate(pairs):
        hop_s = detector.frontend.hop_s
        low, high = mixer.settings.level_db
        mixer = mixer.with_settings(level_db=(low - fainter_db, high - fainter_db))
        for i in range(per_fold):
            rng = np.random.default_rng((seed, fold, i))
            power, landmarks = mixer.scene(rng, n_frames=round(length_s / hop_s))
            if noise_db is not None:
                level = np.median(power.mean(axis=1)) * 10 ** (noise_db / 10)
                noise = rng.standard_gamma(1.0, power.shape, dtype=np.float32)
                power = power + noise * np.float32(level)
            true_s = np.array(landmarks) * hop_s
            true_s = true_s[(true_s >= 0) & (true_s < length_s)]
            scenes.append(ScoredScene(detector.score(power), true_s, length_s))
            bar.update()
    bar.close()
    return scenes


@dataclass(frozen=True)
class ThresholdErrors:
    """Errors at every threshold in every scene.

    thresholds: (n_thresholds,). missed, false_alarms: int (n_thresholds, n_scenes).
    """

    thresholds: np.ndarray
    missed: np.ndarray
    false_alarms: np.ndarray


def threshold_errors(scenes, *, step_s, settings, thresholds=THRESHOLDS):
    """Missed calls and false alarms of every scene at every threshold: `ThresholdErrors`.

    scenes: list of `ScoredScene`. settings: `EventSettings`, whose threshold is replaced by each of
    thresholds: increasing, in (0, 1).
    """
    tried = [replace(settings, threshold=float(threshold)) for threshold in thresholds]
    each = np.array([_hits(scenes, step_s=step_s, settings=chosen) for chosen in tried])
    hits, true, false_alarms = each.swapaxes(0, 1)
    return ThresholdErrors(np.asarray(thresholds), true - hits, false_alarms)


def threshold_curve(errors):
    """Mean errors per scene at every threshold.

    errors: `ThresholdErrors`. Returns a DataFrame with a row per threshold: `threshold`, means of
    `missed`, `false_alarms`, `cost` (a false alarm costs FALSE_ALARM_COST) and `count_error`
    (absolute), and `standard_error` of the cost.
    """
    missed, false_alarms = errors.missed, errors.false_alarms
    cost = missed + FALSE_ALARM_COST * false_alarms
    means = {
        "threshold": errors.thresholds,
        "missed": missed.mean(axis=1),
        "false_alarms": false_alarms.mean(axis=1),
        "cost": cost.mean(axis=1),
        "standard_error": cost.std(axis=1) / np.sqrt(cost.shape[1]),
        "count_error": np.abs(false_alarms - missed).mean(axis=1),
    }
    return pd.DataFrame(means)


def _hits(scenes, *, step_s, settings):
    """Per scene: hits, true calls and false alarms, three int arrays (n_scenes,)."""
    found = [centres(find_events(s.score, step_s=step_s, settings=settings)) for s in scenes]
    hits = np.array([len(match_events(s.true_s, f)) for s, f in zip(scenes, found, strict=True)])
    true = np.array([len(s.true_s) for s in scenes])
    return hits, true, np.array([len(f) for f in found]) - hits


def choose_threshold(errors, *, false_alarm_cost=FALSE_ALARM_COST, n_resamples=200, seed=0):
    """The threshold with the least cost on held-out scenes: (threshold, low, high).

    errors: `ThresholdErrors`. false_alarm_cost: cost of a false alarm, where a missed call costs 1.
    It is above 1 because new recordings hold sounds that no training set has, so that there most
    errors are false alarms. The minimum of a flat, noisy curve would change with every scene, so
    scenes are resampled n_resamples times, and each resample chooses a threshold (the middle of
    several equally cheap ones). The result is their mean, in logits; low, high: 95 % of them.
    """
    cost = errors.missed + false_alarm_cost * errors.false_alarms
    n_scenes = cost.shape[1]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_scenes, np.full(n_scenes, 1 / n_scenes), n_resamples)
    costs = cost @ drawn.T
    first, last = costs.argmin(axis=0), len(costs) - 1 - costs[::-1].argmin(axis=0)
    choices = (logit(errors.thresholds)[first] + logit(errors.thresholds)[last]) / 2
    low, high = np.quantile(choices, [0.025, 0.975])
    return tuple(float(expit(x)) for x in (choices.mean(), low, high))


def corrected_total(n_found, minutes, scenes, *, step_s, settings, n_resamples=2000, seed=0):
    """95 % interval of the true number of calls behind a count, from the errors on scenes.

    n_found: calls counted. minutes: length of the recordings, min. scenes: list of `ScoredScene`.
    The count is corrected by the recall and the false alarms per minute (Poisson) of resampled
    scenes; this assumes that scenes and recordings are alike. Returns (low, high), int, or None if
    the scenes hold no calls.
    """
    hits, true, false = _hits(scenes, step_s=step_s, settings=settings)
    if not true.sum():
        return None
    rng = np.random.default_rng(seed)
    length = np.array([s.length_s for s in scenes]) / 60
    totals = []
    for _ in range(n_resamples):
        i = rng.integers(len(scenes), size=len(scenes))
        recall = max(hits[i].sum(), 0.5) / max(true[i].sum(), 1)
        alarms = rng.poisson(false[i].sum() / length[i].sum() * minutes)
        real = max(n_found - alarms, 0)
        # The calls found are a binomial share of N. If all N are equally likely beforehand, the
        # number of missed calls has this distribution. It may be above 0 even if none was found.
        missed = rng.negative_binomial(real + 1, min(recall, 1 - 1e-9))
        totals.append(real + missed)
    low, high = np.quantile(totals, [0.025, 0.975])
    return int(np.floor(low)), int(np.ceil(high))


def margins(scores, *, step_s, settings):
    """The range of thresholds, in steps of 0.01, that leaves each recording's count unchanged.

    scores: dict clip_name → (n_steps,). settings: `EventSettings` with the threshold in use.
    Returns a DataFrame `clip_name, low, high` (thresholds).
    """
    grid, threshold = np.linspace(0.01, 0.99, 99), settings.threshold
    tried = [replace(settings, threshold=t) for t in (*grid, threshold)]
    rows = []
    for name, score in scores.items():
        counted = np.array([len(find_events(score, step_s=step_s, settings=s)) for s in tried])
        other = grid[counted[:-1] != counted[-1]]
        below, above = other[other < threshold], other[other > threshold]
        low = below.max() + 0.01 if len(below) else 0.0
        high = above.min() - 0.01 if len(above) else 1.0
        rows.append((name, min(low, threshold), max(high, threshold)))
    return pd.DataFrame(rows, columns=["clip_name", "low", "high"])
