"""Explorers: small ipywidgets panels to look and listen. Without ipywidgets nothing is lost."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import Audio, display

from helpers import audio, plots


def detections(paths, events, frontend, *, before_s=3.0, after_s=4.0, sr=16000):
    """A panel to go through all detections: see each in its surroundings, and hear it.

    paths: the recordings. events: DataFrame `clip_name, start_s, end_s, score`. frontend:
    `Frontend` of the picture. Returns a widget; only what is looked at is decoded.
    """
    by_name = {path.name: path for path in paths}
    names = sorted(set(events["clip_name"]))
    recording = widgets.Dropdown(options=names, description="Recording")
    which = widgets.BoundedIntText(min=1, max=1, value=1, description="Call")
    output = widgets.Output()

    def show(*_):
        mine = events[events["clip_name"] == recording.value].reset_index(drop=True)
        which.max = max(1, len(mine))
        if mine.empty:
            return
        event = mine.iloc[which.value - 1]
        start = max(0.0, (event["start_s"] + event["end_s"]) / 2 - before_s)
        path = by_name[recording.value]
        y = audio.load(path, sr=sr, start_s=start, duration_s=before_s + after_s)
        low = audio.load(path, sr=frontend.sr, start_s=start, duration_s=before_s + after_s)
        with output:
            output.clear_output(wait=True)
            figure, axis = plt.subplots(figsize=(9, 3), layout="constrained")
            plots.spectrogram(axis, frontend.power(low).T, frontend, start_s=start)
            axis.axvspan(event["start_s"], event["end_s"], fill=False, ec="white", ls="--")
            axis.set_title(
                f"{recording.value}, call {which.value} of {len(mine)}, score {event['score']:.2f}"
            )
            plt.show()
            display(Audio(y, rate=sr))

    recording.observe(show, "value")
    which.observe(show, "value")
    show()
    return widgets.VBox([widgets.HBox([recording, which]), output])
