"""Figures of scores, events and counts."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy.special import logit

from helpers.display.plots import CALL, KEY, OTHER, spectrogram


def timeline(events, durations, *, key=None):
    """A line for each recording: the calls found, their number, and the calls of the answer key.

    events: DataFrame `clip_name, start_s, end_s, score`. durations: dict clip_name → s.
    key: DataFrame `clip_name, centre_s`, or None.
    """
    names = sorted(durations)
    rows = {name: row for row, name in enumerate(names)}
    longest = max(durations.values(), default=1.0)
    scale, unit = (60.0, "min") if longest > 600 else (1.0, "s")
    figure, axis = _lines(names, size=(12, 0.8 + 0.28 * len(names)))
    lengths = [durations[name] / scale for name in names]
    axis.hlines(range(len(names)), 0, lengths, color="0.8", lw=1, zorder=1)
    middle = (events["start_s"] + events["end_s"]) / 2 / scale
    at = events["clip_name"].map(rows)
    axis.scatter(middle, at, marker="|", s=110, lw=2, color=CALL, zorder=3, label="call found")
    if key is not None:
        true = key[key["clip_name"].isin(names)]
        at = true["clip_name"].map(rows)
        axis.scatter(
            true["centre_s"] / scale, at, s=60, fc="none", ec=KEY, zorder=2, label="call in the key"
        )
    for name, row in rows.items():
        count = sum(events["clip_name"] == name)
        axis.text(longest / scale * 1.01, row, count, va="center", fontsize=9)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=2, frameon=False, fontsize=9)
    axis.set_title("Calls per recording (count at the right)", loc="left", fontsize=11)
    axis.set(xlabel=f"time ({unit})", xlim=(0, longest / scale * 1.06))
    return figure


def counted_recording(power, score, events, frontend, *, step_s, threshold, title, key=None):
    """One recording: its spectrogram, and below it the score, the threshold and the calls.

    power: (n_frames, n_bands). score: (n_steps,), one each step_s seconds. events: DataFrame
    `start_s, end_s` of this recording. key: centres of the true calls, s, or None.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(12, 4.6), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    thin = max(1, len(power) // 4000)  # a screen has no more columns than that
    shown = power[: len(power) // thin * thin].reshape(-1, thin, power.shape[1]).mean(axis=1)
    spectrogram(top, shown, frontend, hop_s=thin * frontend.hop_s)
    top.set(xlabel="", title=title)
    bottom.plot(np.arange(len(score)) * step_s, score, color="0.3", lw=0.8)
    bottom.axhline(threshold, color="0.5", lw=0.8, ls=":")
    for event in events.itertuples():
        bottom.axvspan(event.start_s, event.end_s, color=CALL, alpha=0.25, lw=0)
        middle = (event.start_s + event.end_s) / 2
        top.plot(middle, frontend.frequencies[-1] / 1000 * 0.97, "v", color=CALL)
    if key is not None and len(key):
        bottom.plot(key, np.full(len(key), 1.06), "o", mfc="none", color=KEY, label="key", ms=6)
        bottom.legend(loc="upper right", fontsize=8)
    bottom.set(xlabel="time (s)", ylabel="score", ylim=(0, 1.14))
    return figure


def threshold_curve(curve, *, threshold, low, high):
    """Errors on held-out scenes, and their cost, over the threshold.

    curve: see `detection.threshold_curve`. threshold, low, high: see `detection.choose_threshold`.
    """
    figure, axis = plt.subplots(figsize=(9, 3.8), layout="constrained")
    at, cost, error = logit(curve["threshold"]), curve["cost"], curve["standard_error"]
    axis.fill_between(at, cost - error, cost + error, color="0.85", lw=0, label="± standard error")
    axis.plot(at, cost, color="0.2", label="cost")
    axis.plot(at, curve["missed"], color=OTHER, ls="--", label="missed calls")
    axis.plot(at, curve["false_alarms"], color=CALL, ls="--", label="false alarms")
    axis.axvline(logit(threshold), color=KEY, label=f"threshold: {threshold:.2f}")
    axis.axvspan(logit(low), logit(high), color=KEY, alpha=0.15, lw=0, label="choices of resamples")
    ticks = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99])
    axis.set_xticks(logit(ticks), ticks)
    axis.set(xlabel="threshold on the score", ylabel="per scene of one minute", ylim=(0, None))
    axis.legend(fontsize=9)
    return figure


def thresholds_per_recording(margins, *, threshold):
    """The range of thresholds that leaves each recording's count unchanged.

    margins: DataFrame `clip_name, low, high` (thresholds), see `detection.margins`.
    """
    figure, axis = _lines(margins["clip_name"], size=(9, 0.9 + 0.26 * len(margins)))
    rows = range(len(margins))
    axis.hlines(rows, margins["low"], margins["high"], color=OTHER, lw=6, alpha=0.8)
    axis.axvline(threshold, color=KEY, label=f"threshold: {threshold:.2f}")
    axis.set(xlabel="threshold on the score", xlim=(0, 1))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    return figure


def _lines(names, *, size):
    """(figure, axis) with a line for each name, from the top down."""
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.set_ylim(len(names) - 0.4, -0.6)
    sns.despine(ax=axis, left=True)
    return figure, axis
