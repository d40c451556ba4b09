"""Figures of the series: every axis has its unit, every function returns the figure."""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.stats import norm
from sklearn import metrics

from helpers import evaluation, features

# Each colour has one meaning in all figures: a call or an error, other sounds, the answer key.
CALL, OTHER, KEY = "#c8553d", "#3d6b8c", "#2a9d4a"
WRITTEN_SHARES, WRITTEN_NAMES = 5, 60  # classes of a confusion matrix for which there is room


def use_style():
    """Set the style of all figures of a notebook."""
    # A file name may hold two dollar signs: do not read it as a formula.
    style = {"figure.dpi": 96, "axes.grid": False, "text.parse_math": False}
    sns.set_theme(style="whitegrid", context="notebook", rc=style)


def spectrogram(axis, power, frontend, *, start_s=0.0, hop_s=None, range_db=60.0):
    """Band power in decibels over time and frequency.

    power: float (n_frames, n_bands). start_s: time of the first frame, s. hop_s: time from frame to
    frame, s; None: the front end's. range_db: from maximum to black, dB. Returns the image.
    """
    db = features.to_db(power).T
    top = db.max()
    times = start_s + np.arange(db.shape[1] + 1) * (hop_s or frontend.hop_s)
    f = frontend.frequencies / 1000
    lowest, highest = 1.5 * f[0] - 0.5 * f[1], 1.5 * f[-1] - 0.5 * f[-2]
    edges = np.concatenate([[lowest], (f[1:] + f[:-1]) / 2, [highest]])
    limits = {"vmin": top - range_db, "vmax": top}
    image = axis.pcolormesh(times, edges, db, cmap="magma", rasterized=True, **limits)
    axis.set(xlabel="time (s)", ylabel="frequency (kHz)")
    return image


def waveforms(sounds, *, sr, titles, colours=None, columns=4):
    """A panel for each waveform.

    sounds: list of float (n_samples,), full scale ±1. sr: Hz. colours: one for each, or None.
    """
    figure, axes = _panels(len(sounds), columns, size=(3.6, 1.9))
    colours = colours or [OTHER] * len(sounds)
    for axis, y, title, colour in zip(axes.flat, sounds, titles, colours, strict=False):
        axis.plot(np.arange(len(y)) / sr, y, lw=0.4, color=colour)
        axis.set_title(title, fontsize=9)
    _label(axes, len(sounds), x="time (s)", y="amplitude\n(full scale ±1)")
    return figure


def spectrograms(powers, frontend, *, titles, marks=None, columns=4):
    """A panel for each spectrogram.

    powers: list of float (n_frames, n_bands). marks: time of a dashed line in each, s, or None.
    """
    figure, axes = _panels(len(powers), columns, size=(3.6, 2.2))
    marks = marks or [None] * len(powers)
    for axis, power, title, mark in zip(axes.flat, powers, titles, marks, strict=False):
        image = spectrogram(axis, power / power.max(), frontend)
        axis.set_title(title, fontsize=9)
        axis.set(xlabel="", ylabel="")
        if mark is not None:
            axis.axvline(mark, color="white", lw=1, ls="--")
    _label(axes, len(powers), x="time (s)", y="frequency (kHz)")
    figure.colorbar(image, ax=axes, label="power (dB re maximum)", shrink=0.9, pad=0.01)
    return figure


def gallery(sounds, powers, frontend, *, titles, columns=5, alike=False):
    """A pair of panels for each sound: its waveform, and below it its spectrogram.

    sounds: list of float (n_samples,), full scale ±1, at frontend.sr. powers: list of
    (n_frames, n_bands). alike: all have the same scales, to be compared; else each has its own.
    """
    rows = -(-len(sounds) // columns)
    largest = max(np.abs(y).max() for y in sounds)
    longest = max(len(y) for y in sounds) / frontend.sr
    strongest = max(power.max() for power in powers)
    heights = [1, 2.2] * rows
    figure, axes = _panels(2 * rows * columns, columns, size=(2.8, 1.45), height_ratios=heights)
    tops, bottoms = axes[::2].flat, axes[1::2].flat
    for axis in (*tops[len(sounds) :], *bottoms[len(sounds) :]):
        axis.axis("off")
    for top, bottom, y, power, title in zip(tops, bottoms, sounds, powers, titles, strict=False):
        seconds = longest if alike else len(y) / frontend.sr
        loudest = 1.05 * (largest if alike else np.abs(y).max()) or 1.0
        top.plot(np.arange(len(y)) / frontend.sr, y, lw=0.3, color=OTHER)
        top.set(xlim=(0, seconds), xticklabels=[], ylim=(-loudest, loudest))
        top.set_title(title, fontsize=9)
        reference = strongest if alike else power.max()
        image = spectrogram(bottom, power / max(reference, 1e-12), frontend)
        image.set_clim(-60, 0)
        bottom.set_facecolor("black")
        bottom.set(xlim=(0, seconds), ylabel="")
        bottom.set_xlabel("time (s)", fontsize=8)
    for top, bottom in zip(axes[::2, 0], axes[1::2, 0], strict=True):
        top.set_ylabel("amplitude", fontsize=8)
        bottom.set_ylabel("frequency (kHz)", fontsize=8)
    figure.colorbar(image, ax=axes, label="power (dB re maximum)", shrink=0.7, pad=0.01)
    return figure


def spectral_envelopes(levels, labels, frequencies, *, shown, columns=4):
    """A panel for each class: median and quartiles of its clips' spectra, and the median of all.

    levels: float (n_clips, n_bands), dB. labels: (n_clips,). frequencies: Hz (n_bands,). shown:
    the classes, in order.
    """
    columns = min(columns, len(shown))
    figure, axes = _panels(len(shown), columns, size=(12 / columns, 2), sharex=True, sharey=True)
    of_all = np.median(levels, axis=0)
    for axis, name in zip(axes.flat, shown, strict=False):
        low, middle, high = np.percentile(levels[labels == name], [25, 50, 75], axis=0)
        axis.fill_between(frequencies, low, high, color=OTHER, alpha=0.3, lw=0)
        axis.plot(frequencies, middle, color=OTHER, lw=1.4)
        axis.plot(frequencies, of_all, color="0.6", lw=0.8, ls="--")
        axis.set_title(name, fontsize=9)
        axis.set_xscale("log")
        axis.set_xticks([100, 1000, 10000], ["0.1", "1", "10"])
        axis.minorticks_off()
    _label(axes, len(shown), x="frequency (kHz)", y="band power (dB)")
    return figure


def learning_curves(histories, *, title):
    """Training and validation loss of each fold. histories: DataFrame `fold, epoch, loss, …`."""
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for fold, history in histories.groupby("fold"):
        in_legend = ("training scenes", "held-out scenes") if fold == 0 else (None, None)
        _losses(axis, history, names=in_legend)
    axis.set(xlabel="epoch", ylabel="loss (binary cross-entropy)", title=title)
    axis.set_ylim(0)
    axis.legend()
    return figure


def network_curves(histories, *, columns=4):
    """A panel for each network: training and validation loss. All share their axes.

    histories: {name: DataFrame epoch, loss, validation_loss, …}.
    """
    n = len(histories)
    figure, axes = _panels(n, columns, size=(3.2, 2.3), sharex=True, sharey=True)
    for axis, (name, history) in zip(axes.flat, histories.items(), strict=False):
        _losses(axis, history, names=("training", "validation"))
        axis.set_title(name, fontsize=10)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())  # the default one writes formulas
    _label(axes, n, x="epoch", y="loss (nats)")
    axes[0, 0].legend(fontsize=8)
    return figure


def confusion_matrix(truth, guess, *, labels, title):
    """Confusion matrix by scikit-learn, coloured by the shares of each true class.

    truth, guess: bool or int (n,), index of the label. labels: name of each class. Counts and
    shares are written for few classes, and no names for more than 60.
    """
    n = len(labels)
    truth, guess = np.asarray(truth, int), np.asarray(guess, int)
    size = min(12.0, 3.0 + 0.18 * n)
    figure, axis = plt.subplots(figsize=(size + 0.8, size), layout="constrained")
    written = n <= WRITTEN_SHARES
    counts = metrics.confusion_matrix(truth, guess, labels=range(n))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    display = metrics.ConfusionMatrixDisplay(shares, display_labels=labels)
    colours = {"cmap": "Blues", "im_kw": {"vmin": 0, "vmax": 1}, "colorbar": False}
    display.plot(include_values=written, ax=axis, **colours)
    if written:
        for text, count, share in zip(display.text_.flat, counts.flat, shares.flat, strict=True):
            text.set_text(f"{count}\n{share:.1%}")
    else:
        axis.tick_params(labelsize=8)
        axis.tick_params(axis="x", rotation=90)
    if n > WRITTEN_NAMES:
        axis.set(xticks=[], yticks=[])
    axis.set(xlabel="predicted class", ylabel="true class", title=title)
    figure.colorbar(display.im_, ax=axis, label="share of the true class", shrink=0.7)
    return figure


def detection_error_tradeoff(curves):
    """DET curves by scikit-learn: misses over false alarms at every threshold.

    curves: {name: (scores, is_target)}. The dot on each curve is its equal error rate.
    """
    figure, axis = plt.subplots(figsize=(6.2, 5.4), layout="constrained")
    limits = norm.ppf([0.0008, 0.85])
    axis.plot(limits, limits, color="0.7", lw=0.8, ls=":")
    for k, (name, (scores, is_target)) in enumerate(curves.items()):
        rate, _ = evaluation.equal_error_rate(scores, is_target)
        metrics.DetCurveDisplay.from_predictions(
            is_target, scores, name=f"{name}: EER {rate:.1%}", ax=axis, color=f"C{k}", lw=1.6
        )
        at = norm.ppf(np.clip(rate, 1e-4, 1 - 1e-4))
        axis.plot(at, at, "o", mfc="none", color=f"C{k}")
    axis.set(xlim=limits, ylim=limits)
    axis.set_xlabel("false alarms (share of pairs of two speakers)")
    axis.set_ylabel("misses (share of pairs of one speaker)")
    axis.legend(fontsize=9)
    return figure


def _panels(n, columns, *, size, **options):
    """(figure, axes (n_rows, columns)) for n panels of `size` (width, height) inches each."""
    rows = -(-n // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows),
        squeeze=False, layout="constrained", **options,
    )  # fmt: skip
    for k, axis in enumerate(axes.flat):
        axis.tick_params(labelsize=8)
        if k >= n:
            axis.axis("off")
    return figure, axes


def _label(axes, n, *, x, y):
    """Name the axes of n panels: x below the lowest panel of each column, y left of each row."""
    for axis in axes.flat[max(0, n - axes.shape[1]) : n]:
        axis.set_xlabel(x, fontsize=9)
        axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel(y, fontsize=9)


def _losses(axis, history, *, names):
    """Loss per epoch in training (solid) and validation (dashed). names: of both in the legend."""
    epoch, (solid, dashed) = history["epoch"], names
    axis.plot(epoch, history["loss"], ".-", color=OTHER, lw=1.4, label=solid)
    axis.plot(epoch, history["validation_loss"], ".--", color=CALL, lw=1.4, label=dashed)
