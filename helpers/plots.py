"""Figures of the series: every axis has its unit, every function returns the figure."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.special import logit
from scipy.stats import norm

from helpers import features, verification

CALL, OTHER, KEY = "#c8553d", "#3d6b8c", "#2a9d4a"  # one colour for one thing, in all figures


def use_style():
    """The look of all figures of a notebook."""
    look = {"figure.dpi": 96, "axes.grid": False}
    look["text.parse_math"] = False  # a file name may hold two dollar signs
    sns.set_theme(style="whitegrid", context="notebook", rc=look)


def spectrogram(axis, power, frontend, *, start_s=0.0, range_db=60.0):
    """Band power in decibels over time and frequency.

    power: float (n_frames, n_bands). start_s: time of the first frame, s. range_db: what lies
    further below the maximum is black. Returns the image.
    """
    db = features.to_db(power).T
    top = db.max()
    times = start_s + np.arange(db.shape[1] + 1) * frontend.hop_s
    f = frontend.frequencies / 1000
    edges = np.concatenate(
        [[1.5 * f[0] - 0.5 * f[1]], (f[1:] + f[:-1]) / 2, [1.5 * f[-1] - 0.5 * f[-2]]]
    )
    image = axis.pcolormesh(
        times, edges, db, vmin=top - range_db, vmax=top, cmap="magma", rasterized=True
    )
    axis.set(xlabel="time (s)", ylabel="frequency (kHz)")
    return image


def waveforms(sounds, *, sr, titles, colours=None, columns=4):
    """Small multiples of waveforms. sounds: list of float (n_samples,), full scale ±1."""
    rows = -(-len(sounds) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 1.9 * rows), squeeze=False, layout="constrained"
    )
    for i, axis in enumerate(axes.flat):
        if i >= len(sounds):
            axis.axis("off")
            continue
        axis.plot(
            np.arange(len(sounds[i])) / sr,
            sounds[i],
            lw=0.4,
            color=colours[i] if colours else OTHER,
        )
        axis.set_title(titles[i], fontsize=9)
        axis.tick_params(labelsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("time (s)", fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("amplitude\n(full scale ±1)", fontsize=9)
    return figure


def spectrograms(powers, frontend, *, titles, marks=None, columns=4):
    """Small multiples of spectrograms. powers: list of (n_frames, n_bands); marks: s, or None."""
    rows = -(-len(powers) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 2.2 * rows), squeeze=False, layout="constrained"
    )
    image = None
    for i, axis in enumerate(axes.flat):
        if i >= len(powers):
            axis.axis("off")
            continue
        image = spectrogram(axis, powers[i] / powers[i].max(), frontend)
        axis.set_title(titles[i], fontsize=9)
        axis.tick_params(labelsize=8)
        axis.set(xlabel="", ylabel="")
        if marks is not None and marks[i] is not None:
            axis.axvline(marks[i], color="white", lw=1, ls="--")
    for axis in axes[-1]:
        axis.set_xlabel("time (s)", fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel("frequency (kHz)", fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=axes, label="power (dB re maximum)", shrink=0.9, pad=0.01)
    return figure


def gallery(sounds, powers, frontend, *, titles, columns=5, alike=False):
    """Small multiples: each sound's waveform with its spectrogram under it.

    sounds: list of float (n_samples,), full scale ±1, at frontend.sr. powers: list of
    (n_frames, n_bands). alike: all in the same scales, to be compared; else each in its own.
    """
    rows = -(-len(sounds) // columns)
    largest = max(np.abs(y).max() for y in sounds)
    longest = max(len(y) for y in sounds) / frontend.sr
    strongest = max(power.max() for power in powers)
    figure, axes = plt.subplots(
        2 * rows,
        columns,
        figsize=(2.8 * columns, 2.9 * rows),
        height_ratios=[1, 2.2] * rows,
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
        axis.axis("off")
    image = None
    for i, (y, power) in enumerate(zip(sounds, powers, strict=True)):
        top, bottom = axes[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]
        top.axis("on")
        bottom.axis("on")
        seconds = longest if alike else len(y) / frontend.sr
        loudest = largest if alike else np.abs(y).max()
        loudest = 1.05 * loudest if loudest > 0 else 1.0
        top.plot(np.arange(len(y)) / frontend.sr, y, lw=0.3, color=OTHER)
        top.set(xlim=(0, seconds), xticklabels=[], ylim=(-loudest, loudest))
        top.set_title(titles[i], fontsize=9)
        reference = strongest if alike else power.max()
        image = spectrogram(bottom, power / max(reference, 1e-12), frontend)
        image.set_clim(-60, 0)
        bottom.set_facecolor("black")
        bottom.set(xlim=(0, seconds), xlabel="", ylabel="")
        bottom.set_xlabel("time (s)", fontsize=8)
        if i % columns == 0:
            top.set_ylabel("amplitude", fontsize=8)
            bottom.set_ylabel("frequency (kHz)", fontsize=8)
    if image is not None:
        bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.01)
        bar.set_label("power (dB re maximum)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def spectral_envelopes(levels, labels, frequencies, *, shown, columns=4):
    """Small multiples: median and quartiles of each class's mean spectrum, over that of all clips.

    levels: float (n_clips, n_bands), dB. labels: (n_clips,). frequencies: Hz (n_bands,). shown:
    the classes, in order.
    """
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(12, 0.6 + 1.9 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    of_all = np.median(levels, axis=0)
    for i, axis in enumerate(axes.flat):
        if i >= len(shown):
            axis.axis("off")
            continue
        low, middle, high = np.percentile(levels[labels == shown[i]], [25, 50, 75], axis=0)
        axis.fill_between(frequencies, low, high, color=OTHER, alpha=0.3, lw=0)
        axis.plot(frequencies, middle, color=OTHER, lw=1.4)
        axis.plot(frequencies, of_all, color="0.6", lw=0.8, ls="--")
        axis.set_title(shown[i], fontsize=9)
        axis.set_xscale("log")
        axis.set_xticks([100, 1000, 10000], ["0.1", "1", "10"])
        axis.minorticks_off()
        axis.tick_params(labelsize=8)
        if i + columns >= len(shown):
            axis.set_xlabel("frequency (kHz)", fontsize=9)
            axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("band power (dB)", fontsize=9)
    return figure


def learning_curves(histories, *, title):
    """Training and validation loss per epoch. histories: DataFrame `fold, epoch, loss, …`."""
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for fold, history in histories.groupby("fold"):
        label = (None, None) if fold else ("training scenes", "held-out scenes")
        axis.plot(
            history["epoch"], history["loss"], color=OTHER, lw=1.2, marker=".", label=label[0]
        )
        axis.plot(
            history["epoch"],
            history["validation_loss"],
            color=CALL,
            lw=1.2,
            ls="--",
            label=label[1],
        )
    axis.set(xlabel="epoch", ylabel="loss (binary cross-entropy)", title=title)
    axis.set_ylim(0)
    axis.legend()
    return figure


def confusion_matrix(truth, guess, *, labels, title):
    """Counts of clips by true and predicted class. truth, guess: bool or int (n,)."""
    table, share = _confusion(truth, guess, len(labels))
    figure, axis = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
    sns.heatmap(
        share,
        annot=np.array(
            [
                [f"{k}\n{s:.1%}" for k, s in zip(*rows, strict=True)]
                for rows in zip(table, share, strict=True)
            ]
        ),
        fmt="",
        cmap="Blues",
        vmin=0,
        vmax=1,
        xticklabels=labels,
        yticklabels=labels,
        cbar_kws={"label": "share of the true class"},
        ax=axis,
    )
    axis.set(xlabel="predicted class", ylabel="true class", title=title)
    return figure


def confusions(truth, guess, *, labels, title):
    """Share of each true class that is taken for each other one, for many classes.

    truth, guess: int (n,). labels: name of each class; more than 60 are not written.
    """
    n = len(labels)
    _, share = _confusion(truth, guess, n)
    size = min(12.0, 3.0 + 0.18 * n)
    figure, axis = plt.subplots(figsize=(size + 0.8, size), layout="constrained")
    names = labels if n <= 60 else False
    sns.heatmap(
        share,
        cmap="Blues",
        vmin=0,
        vmax=1,
        square=True,
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"label": "share of the true class", "shrink": 0.7},
        ax=axis,
    )
    axis.tick_params(labelsize=8)
    axis.set(xlabel="predicted class", ylabel="true class", title=title)
    return figure


def _confusion(truth, guess, n):
    """Counts by true and predicted class, and as shares of the true one: two (n, n)."""
    counts = np.zeros((n, n), int)
    np.add.at(counts, (np.asarray(truth, int), np.asarray(guess, int)), 1)
    return counts, counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def network_curves(histories, *, columns=4):
    """Loss in training and validation over the epochs, a panel for each network.

    histories: {name: DataFrame epoch, loss, validation_loss, …}. All panels share their axes.
    """
    rows = -(-len(histories) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(3.2 * columns, 2.3 * rows), squeeze=False, layout="constrained",
        sharex=True, sharey=True,
    )  # fmt: skip
    for axis, name in zip(axes.flat, histories, strict=False):
        history = histories[name]
        axis.plot(history["epoch"], history["loss"], color=OTHER, lw=1.4, label="training")
        axis.plot(
            history["epoch"],
            history["validation_loss"],
            color=CALL,
            lw=1.4,
            ls="--",
            label="validation",
        )
        axis.set_title(name, fontsize=10)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())  # its own would write formulas
    for axis in axes.flat[len(histories) :]:
        axis.axis("off")
    for k in range(min(columns, len(histories))):  # the lowest panel that there is of each column
        low = axes[(len(histories) - 1 - k) // columns, k]
        low.set_xlabel("epoch")
        low.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("loss (nats)")
    axes[0, 0].legend(fontsize=8)
    return figure


def detection_error_tradeoff(curves):
    """Misses over false alarms at every threshold, on axes that make normal scores a line.

    curves: {name: (scores, is_target)}. The dot on each curve is its equal error rate.
    """
    from sklearn.metrics import det_curve

    figure, axis = plt.subplots(figsize=(6.2, 5.4), layout="constrained")
    ticks = np.array([0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
    limits = norm.ppf([0.0008, 0.85])
    for colour, (name, (scores, is_target)) in zip(
        sns.color_palette("deep"), curves.items(), strict=False
    ):
        false_alarm, miss, _ = det_curve(is_target, scores)
        rate, _ = verification.equal_error_rate(scores, is_target)
        x, y = norm.ppf(np.clip([false_alarm, miss], 1e-4, 1 - 1e-4))
        axis.plot(x, y, color=colour, lw=1.6, label=f"{name}: EER {rate:.1%}")
        axis.plot(*[norm.ppf(np.clip(rate, 1e-4, 1 - 1e-4))] * 2, "o", mfc="none", color=colour)
    axis.plot(limits, limits, color="0.7", lw=0.8, ls=":")
    labels = [f"{100 * tick:g}" for tick in ticks]
    axis.set_xticks(norm.ppf(ticks), labels)
    axis.set_yticks(norm.ppf(ticks), labels)
    axis.set(xlim=limits, ylim=limits)
    axis.set(xlabel="false alarms (% of pairs of two speakers)")
    axis.set(ylabel="misses (% of pairs of one speaker)")
    axis.legend(fontsize=9)
    return figure


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

    curve: see `validation.threshold_curve`. threshold, low, high: the one chosen, and the range of
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

    margins: DataFrame `clip_name, low, high` (thresholds), as from `validation.margins`.
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
