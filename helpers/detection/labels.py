"""Label files for Audacity and Raven."""

from pathlib import Path

import pandas as pd

from helpers import files


def write_labels(folder, events, names, *, low_hz, high_hz, label):
    """Write label files for each recording: for Audacity, and a selection table for Raven.

    events: DataFrame `clip_name, start_s, end_s, score`. names: all counted recordings; one without
    calls gets files without entries. low_hz, high_hz: band of the boxes, Hz. label: name of a call.
    Writes <stem>.audacity.txt and <stem>.raven.txt; where two recordings differ only in the suffix,
    <name>.audacity.txt and <name>.raven.txt.
    """
    folder = Path(folder)
    stems = [Path(name).stem for name in names]
    for name in names:
        mine = events[events["clip_name"] == name].reset_index(drop=True)
        base = Path(name).stem if stems.count(Path(name).stem) == 1 else name
        lines = []
        for event in mine.itertuples():
            lines += [
                f"{event.start_s:.3f}\t{event.end_s:.3f}\t{label} {event.score:.2f}",
                f"\\\t{low_hz:.1f}\t{high_hz:.1f}",  # Audacity's second line: the frequency range
            ]
        files.write_text(folder / f"{base}.audacity.txt", "".join(f"{line}\n" for line in lines))
        raven = {
            "Selection": mine.index + 1,
            "View": "Spectrogram 1",
            "Channel": 1,
            "Begin Time (s)": mine["start_s"].round(3),
            "End Time (s)": mine["end_s"].round(3),
            "Low Freq (Hz)": low_hz,
            "High Freq (Hz)": high_hz,
            "Species": label,
            "Score": mine["score"].round(3),
        }
        with files.atomic_path(folder / f"{base}.raven.txt") as temporary:
            pd.DataFrame(raven).to_csv(temporary, sep="\t", index=False)
