"""The quality of recordings: what each file's samples tell, and what is wrong with a data set.

Built in 01_eda.
"""

import hashlib

import numpy as np
import pandas as pd

from helpers import files

# What `measure` finds in one file. Levels: dB re full scale; shares: 0 … 1.
MEASURES = np.dtype(
    [
        ("peak", "f4"),
        ("rms_db", "f4"),
        ("clipped_share", "f4"),
        ("silent_share", "f4"),
        ("padding_s", "f4"),
        ("offset", "f4"),
        ("content", "S32"),  # the same for the same samples, whatever the format
    ]
)
FLOOR = 1e-5  # amplitude that stands for nothing: -100 dB
SILENCE = 1e-4  # amplitude below which 16 bits have only noise: -80 dB
WINDOW_S = 0.05  # in which silence is looked for

FINE_STEP = 0.05  # of the peak: what is rounded more finely than that draws a crest

# When a measure is a fault.
CLIPPED = 0.002
SILENT = 0.001  # peak: -60 dB
FAINT = 0.01  # peak: -40 dB
MOSTLY_SILENT = 0.5
OFFSET = 0.02
TOLERANCE_S = 0.1  # of the length that the data set's table gives

FAULTS = ["file", "fault", "detail"]


def measure(frames, *, sr):
    """Level, clipping, silence and content of a sound.

    frames: float32 (n_samples, channels), full scale ±1. sr: Hz. Returns an array of shape () and
    dtype MEASURES.
    """
    level = np.abs(frames).max(axis=1)
    content = hashlib.blake2b(f"{sr} {frames.shape}".encode(), digest_size=16)
    content.update(np.ascontiguousarray(frames))
    rms = np.sqrt(np.mean(np.square(frames, dtype=np.float64)))
    n = max(1, round(WINDOW_S * sr))
    loudest = np.maximum.reduceat(level, np.arange(0, len(level), n))
    sounding = np.flatnonzero(level >= SILENCE)
    padding = len(level) - 1 - sounding[-1] if sounding.size else len(level)
    return np.array(
        (
            level.max(),
            20 * np.log10(max(rms, FLOOR)),
            max(clipped_share(channel) for channel in frames.T),
            np.mean(loudest < SILENCE),
            padding / sr,
            np.abs(frames.mean(axis=0)).max(),
            content.hexdigest(),
        ),
        MEASURES,
    )


def clipped_share(y, *, run=3):
    """Share of samples in flat tops: runs of at least `run` samples at the sound's own maximum.

    y: float (n_samples,). A sound that was clipped and turned down afterwards is clipped too, so
    full scale does not matter. The crest of a low tone is flat as well, in whole numbers; but then
    the next step down is about as full as the top. Copies in a lossy format lose their flat tops;
    there, samples at or beyond full scale count. Returns float; 0 in silence.
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
    """Which of some sounds are the same.

    contents: a hash per sound, as `measure` gives it. Returns a list of lists of positions, one for
    each content that is there more than once.
    """
    contents = pd.Series(list(contents))
    again = contents[contents.duplicated(keep=False)]
    return [list(rows) for rows in again.groupby(again, sort=False).groups.values()]


def faults(table, *, errors, listed=None, root=None):
    """Everything that is wrong with a data set: a row per file and fault.

    table: DataFrame, the clip table with the columns of MEASURES. errors: the table `files.ERRORS`
    of what is not in it, as `data.clip_table` gives it. listed: DataFrame with the index of `table`
    and the columns `listed_s` (length according to the data set, s, or NaN) and `problem` (what is
    wrong with its entry, or ""); None: there is no such table. root: folder that files are named
    from. Returns a DataFrame FAULTS, sorted.
    """
    names = [files.short_path(path, root=root) for path in table["path"]]
    found = []

    def add(fault, rows, detail):
        found.extend((names[i], fault, detail(table.iloc[i])) for i in np.flatnonzero(rows))

    silent, faint = table["peak"] < SILENT, table["peak"] < FAINT
    add("silent", silent, lambda row: f"its loudest sample is {_db(row.peak)}")
    add("faint", faint & ~silent, lambda row: f"its loudest sample is {_db(row.peak)}")
    add(
        "mostly silence",
        ~silent & (table["silent_share"] > MOSTLY_SILENT),
        lambda row: f"{row.silent_share:.0%} of {row.duration_s:.2f} s",
    )
    add(
        "clipped",
        table["clipped_share"] > CLIPPED,
        lambda row: f"{row.clipped_share:.2%} of its samples",
    )
    add("offset", table["offset"] > OFFSET, lambda row: f"mean of its samples {row.offset:.3f}")
    for same in duplicates(table["content"]):
        first = table.iloc[same[0]]
        if first.peak == 0:  # zeros are like any others: these files are silent, not copied
            continue
        for i in same[1:]:
            again, notes = table.iloc[i], [f"the same sound as {names[same[0]]}"]
            notes += [f"which is {first.label}"] if again.label != first.label else []
            notes += ["another fold"] if again.fold != first.fold else []
            found.append((names[i], "duplicate", ", ".join(notes)))
    found = pd.DataFrame(found, columns=FAULTS)
    found = pd.concat([found, contradictions(table, errors=errors, listed=listed, root=root)])
    return found.sort_values(FAULTS[1::-1], ignore_index=True)


def contradictions(table, *, errors, listed=None, root=None):
    """What is wrong with a data set before anything is decoded: files that cannot be read, and
    what its table and its files do not agree on.

    As `faults`, but table needs no columns of MEASURES.
    """
    names = [files.short_path(path, root=root) for path in table["path"]]
    found = list(errors[["file", "fault", "reason"]].itertuples(index=False, name=None))
    if listed is not None:
        off = table["duration_s"] - listed["listed_s"]
        for i in np.flatnonzero(off.abs() > TOLERANCE_S):
            told = f"{table['duration_s'].iloc[i]:.2f} s, listed {listed['listed_s'].iloc[i]:.2f} s"
            found.append((names[i], "wrong length", told))
        for i in np.flatnonzero(listed["problem"] != ""):
            found.append((names[i], "metadata", listed["problem"].iloc[i]))
    return pd.DataFrame(found, columns=FAULTS).sort_values(FAULTS[1::-1], ignore_index=True)


def _db(amplitude):
    return f"{20 * np.log10(amplitude):.0f} dB" if amplitude >= FLOOR else "zero"
