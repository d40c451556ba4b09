"""Figures of scores, events and counts."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from scipy.special import logit

from helpers import features
from helpers.display.plots import CALL, KEY, OTHER


def timeline(events, durations, *, key=None):
    """All recordings, one line each: calls found, and the key's where there is one.

    events: DataFrame `clip_name, start_s, end_s, score`. durations: dict clip_name → s.
    key: DataFrame `clip_name, centre_s`, or None.
    """
    names = sorted(durations)
    longest = max(durations.values(), default=1.0)
    scale, unit = (60.0, "min") if longest > 600 else (1.0, "s")
    figure, axis = plt.subplots(figsize=(12, 0.8 + 0.28 * len(names)), layout="constrained")
    for row, name in enumerate(names):
        axis.hlines(row, 0, durations[name] / scale, color="0.8", lw=1, zorder=1)
        mine = events[events["clip_name"] == name]
        middle = (mine["start_s"] + mine["end_s"]) / 2 / scale
        axis.scatter(middle, np.full(len(mine), row), marker="|", s=110, lw=2, color=CALL, zorder=3)
        if key is not None:
            true = key.loc[key["clip_name"] == name, "centre_s"] / scale
            axis.scatter(
                true, np.full(len(true), row), s=60, facecolor="none", edgecolor=KEY, zorder=2
            )
        axis.text(longest / scale * 1.01, row, len(mine), va="center", fontsize=9)
    axis.scatter([], [], marker="|", s=110, lw=2, color=CALL, label="call found")
    if key is not None:
        axis.scatter([], [], s=60, facecolor="none", edgecolor=KEY, label="call in the key")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncol=2, frameon=False, fontsize=9)
    axis.set_title("Calls per recording (count at the right)", loc="left", fontsize=11)
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.set(xlabel=f"time ({unit})", ylim=(len(names) - 0.4, -0.6))
    axis.set_xlim(0, longest / scale * 1.06)
    sns.despine(ax=axis, left=True)
    return figure


def counted_recording(power, score, events, frontend, *, step_s, threshold, title, key=None):
    """One recording: its spectrogram above, the score, the threshold and the calls below it.

    power: (n_frames, n_bands). score: (n_steps,). events: this recording's. key: centres, s.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(12, 4.6), sharex=True, height_ratios=(2, 1), layout="constrained"
    )
    thin = max(1, len(power) // 4000)  # a screen has no more columns than that
    shown = power[: len(power) // thin * thin].reshape(-1, thin, power.shape[1]).mean(axis=1)
    times = np.linspace(0, len(power) * frontend.hop_s, len(shown) + 1)
    db = features.to_db(shown).T
    top.pcolormesh(
        times,
        frontend.frequencies / 1000,
        np.pad(db, ((0, 0), (0, 1)), mode="edge"),
        vmin=db.max() - 60,
        cmap="magma",
        shading="nearest",
        rasterized=True,
    )
    top.set(ylabel="frequency (kHz)", title=title)
    bottom.plot(np.arange(len(score)) * step_s, score, color="0.3", lw=0.8)
    bottom.axhline(threshold, color="0.5", lw=0.8, ls=":")
    for event in events.itertuples():
        bottom.axvspan(event.start_s, event.end_s, color=CALL, alpha=0.25, lw=0)
        top.plot(
            (event.start_s + event.end_s) / 2,
            frontend.frequencies[-1] / 1000 * 0.97,
            "v",
            color=CALL,
        )
    if key is not None and len(key):
        bottom.plot(key, np.full(len(key), 1.06), "o", mfc="none", color=KEY, label="key", ms=6)
        bottom.legend(loc="upper right", fontsize=8)
    bottom.set(xlabel="time (s)", ylabel="score", ylim=(0, 1.14))
    return figure


def threshold_curve(curve, *, threshold, low, high):
    """Errors on held-out scenes over the threshold, and what they cost.

    curve: see `detection.threshold_curve`. threshold, low, high: the one chosen, and the range of
    choices, see `choose_threshold`.
    """
    figure, axis = plt.subplots(figsize=(9, 3.8), layout="constrained")
    at = logit(curve["threshold"])
    axis.fill_between(
        at,
        curve["cost"] - curve["standard_error"],
        curve["cost"] + curve["standard_error"],
        color="0.85",
        lw=0,
        label="± one standard error",
    )
    axis.plot(at, curve["cost"], color="0.2", label="cost")
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
    """The range of thresholds that leaves each recording's count as it is.

    margins: DataFrame `clip_name, low, high` (thresholds), as from `detection.margins`.
    """
    figure, axis = plt.subplots(figsize=(9, 0.9 + 0.26 * len(margins)), layout="constrained")
    rows = np.arange(len(margins))
    axis.hlines(rows, margins["low"], margins["high"], color=OTHER, lw=6, alpha=0.8)
    axis.axvline(threshold, color=KEY, label=f"threshold: {threshold:.2f}")
    axis.set_yticks(rows, margins["clip_name"], fontsize=9)
    axis.set(xlabel="threshold on the score", xlim=(0, 1), ylim=(len(margins) - 0.4, -0.6))
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9)
    sns.despine(ax=axis, left=True)
    return figure
