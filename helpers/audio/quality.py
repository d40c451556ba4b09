"""Measure the quality of recordings, and list the faults of a data set. Built in 01_eda."""

import hashlib

import numpy as np
import pandas as pd

from helpers import files

# The results of `measure`. Levels: dB relative to full scale; shares: 0 … 1.
# padding_s: silence at the end; content: hash of the samples, the same in every lossless format.
LEVELS = ("peak", "rms_db", "clipped_share", "silent_share", "padding_s", "offset")
MEASURES = np.dtype([*((name, "f4") for name in LEVELS), ("content", "S32")])
FLOOR = 1e-5  # smaller amplitudes count as zero: -100 dB
SILENCE = 1e-4  # below this amplitude 16-bit samples are only noise: -80 dB
WINDOW_S = 0.05  # silence is measured in windows of this length
FINE_STEP = 0.05  # of the peak: levels closer together than this can form the crest of a tone

# From these values on a measure is a fault.
CLIPPED = 0.002
SILENT = 0.001  # peak: -60 dB
FAINT = 0.01  # peak: -40 dB
MOSTLY_SILENT = 0.5
OFFSET = 0.02
TOLERANCE_S = 0.1  # difference from the length that the data set's table gives

FAULTS = ["file", "fault", "detail"]


def measure(frames, *, sr):
    """Level, clipping, silence and content of a sound: array of shape () and dtype MEASURES.

    frames: float32 (n_samples, channels), full scale ±1.
    """
    level = np.abs(frames).max(axis=1)
    content = hashlib.blake2b(f"{sr} {frames.shape}".encode(), digest_size=16)
    content.update(np.ascontiguousarray(frames))
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64)))
    n = max(1, round(WINDOW_S * sr))
    loudest = np.maximum.reduceat(level, np.arange(0, len(level), n))
    sounding = np.flatnonzero(level >= SILENCE)
    padding = len(level) - 1 - sounding[-1] if sounding.size else len(level)
    clipped = max(clipped_share(channel) for channel in frames.T)
    silent, offset = np.mean(loudest < SILENCE), np.abs(frames.mean(axis=0)).max()
    rms_db = 20 * np.log10(max(rms, FLOOR))
    levels = level.max(), rms_db, clipped, silent, padding / sr, offset
    return np.array((*levels, content.hexdigest()), MEASURES)


def clipped_share(y, *, run=3):
    """Share of clipped samples: those in runs of at least `run` samples at the maximum of y.

    y: float (n_samples,). Returns float; 0 in silence. Full scale does not matter, because a sound
    may have been turned down after it was clipped. Rounding makes the crests of low tones flat as
    well, but then almost as many samples are on the next lower step: these do not count. Lossy
    formats change flat tops: if a sound passes full scale, all samples there count.
    """
    level = np.abs(y)
    peak = level.max(initial=0.0)
    if peak < FLOOR:
        return 0.0
    top = level >= peak * (1 - 1e-6)
    is_top = np.concatenate([[False], top, [False]])
    edges = np.flatnonzero(is_top[1:] != is_top[:-1])
    lengths = edges[1::2] - edges[::2]
    flat = lengths[lengths >= run].sum()
    if flat and not top.all():
        step = peak - level[~top].max()
        on_next = np.count_nonzero(level >= peak - 1.5 * step) - np.count_nonzero(top)
        if step < FINE_STEP * peak and flat <= 4 * on_next:
            flat = 0
    beyond = np.count_nonzero(level >= 1.0) if peak > 1.0 else 0
    return float(max(flat, beyond) / len(y))


def duplicates(contents):
    """Groups of identical sounds: a list of positions for each content that occurs more than once.

    contents: the hash of each sound, see `measure`.
    """
    contents = pd.Series(list(contents))
    groups = contents.groupby(contents, sort=False).groups.values()
    return [list(rows) for rows in groups if len(rows) > 1]


def faults(table, *, errors, listed=None, root=None):
    """All faults of a data set: DataFrame with the columns FAULTS, sorted, a row for each fault.

    table: clip table. If it has the columns of MEASURES, these are judged as well. errors: table
    `files.ERRORS` of the files that cannot be used. listed: DataFrame with the index of `table`;
    columns `listed_s` (length that the data set's own table gives, s, or NaN) and `problem` (what
    is wrong with its row there, or ""). root: folder that files are named from.
    """
    names = [files.short_path(path, root=root) for path in table["path"]]
    found = list(errors[["file", "fault", "reason"]].itertuples(index=False, name=None))
    if "peak" in table:
        found += _sound_faults(table, names)
    if listed is not None:
        off = table["duration_s"] - listed["listed_s"]
        for i in np.flatnonzero(off.abs() > TOLERANCE_S):
            lengths = table["duration_s"].iloc[i], listed["listed_s"].iloc[i]
            found.append((names[i], "wrong length", "{:.2f} s, listed {:.2f} s".format(*lengths)))
        for i in np.flatnonzero(listed["problem"] != ""):
            found.append((names[i], "metadata", listed["problem"].iloc[i]))
    return pd.DataFrame(found, columns=FAULTS).sort_values(FAULTS[1::-1], ignore_index=True)


def _sound_faults(table, names):
    """What the MEASURES of a table show: [(file, fault, detail)]."""

    def peak_db(peak):
        return f"{20 * np.log10(peak):.0f} dB" if peak >= FLOOR else "zero"

    silent, found = table["peak"] < SILENT, []
    mostly_silent = ~silent & (table["silent_share"] > MOSTLY_SILENT)
    for fault, is_faulty, detail in (
        ("silent", silent, "its loudest sample is {0.peak_db}"),
        ("faint", ~silent & (table["peak"] < FAINT), "its loudest sample is {0.peak_db}"),
        ("mostly silence", mostly_silent, "{0.silent_share:.0%} of {0.duration_s:.2f} s"),
        ("clipped", table["clipped_share"] > CLIPPED, "{0.clipped_share:.2%} of its samples"),
        ("offset", table["offset"] > OFFSET, "mean of its samples {0.offset:.3f}"),
    ):
        rows = np.flatnonzero(is_faulty)
        shown = table.iloc[rows].assign(peak_db=table["peak"].iloc[rows].map(peak_db))
        details = map(detail.format, shown.itertuples())
        found += [(names[i], fault, text) for i, text in zip(rows, details, strict=True)]
    for same in duplicates(table["content"]):
        first = table.iloc[same[0]]
        if first.peak == 0:  # empty sounds are silent, not copies
            continue
        for i in same[1:]:
            copy, notes = table.iloc[i], [f"the same sound as {names[same[0]]}"]
            notes += [f"which is {first.label}"] if copy.label != first.label else []
            notes += ["another fold"] if copy.fold != first.fold else []
            found.append((names[i], "duplicate", ", ".join(notes)))
    return found
