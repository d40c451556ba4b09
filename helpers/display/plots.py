"""Figures of the series: every axis has its unit, every function returns the figure."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.stats import norm

from helpers import evaluation, features

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
        rate, _ = evaluation.equal_error_rate(scores, is_target)
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
