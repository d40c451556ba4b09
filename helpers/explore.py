"""Explorers: small ipywidgets panels to look and listen.

They show pictures and players as values of widgets, not through an `Output` widget: that one
redirects the kernel's messages, which can leave a batch run waiting for one that never comes.
"""

import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
import soundfile as sf

from helpers import audio, plots


def detections(paths, events, frontend, *, before_s=3.0, after_s=4.0, sr=16000):
    """A panel to go through all detections: see each in its surroundings, and hear it.

    paths: dict clip_name → Path, as in `counting.Counts`. events: DataFrame `clip_name, start_s,
    end_s, score`, not empty. frontend: `Frontend` of the picture. sr: rate of the sound, Hz.
    Returns a widget; only what is looked at is decoded.
    """
    recording = widgets.Dropdown(options=sorted(set(events["clip_name"])), description="Recording")
    number = widgets.BoundedIntText(min=1, max=1, value=1, description="Call")
    picture = widgets.Image(format="png")
    player = widgets.Audio(format="wav", autoplay=False, loop=False)

    def show(*_):
        mine = events[events["clip_name"] == recording.value].reset_index(drop=True)
        number.max = len(mine)  # a number beyond it becomes the last
        event = mine.iloc[number.value - 1]
        start = max(0.0, (event["start_s"] + event["end_s"]) / 2 - before_s)
        part = {"start_s": start, "duration_s": before_s + after_s}
        path = paths[recording.value]
        figure, axis = plt.subplots(figsize=(9, 3), layout="constrained")
        power = frontend.power(audio.load(path, sr=frontend.sr, **part)).T
        plots.spectrogram(axis, power, frontend, start_s=start)
        axis.axvspan(event["start_s"], event["end_s"], fill=False, ec="white", ls="--")
        axis.set_title(
            f"{recording.value}, call {number.value} of {len(mine)}: {event['score']:.2f}"
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)
        picture.value = buffer.getvalue()
        buffer = io.BytesIO()
        sf.write(buffer, audio.load(path, sr=sr, **part), sr, format="WAV", subtype="PCM_16")
        player.value = buffer.getvalue()

    recording.observe(show, "value")
    number.observe(show, "value")
    show()
    return widgets.VBox([widgets.HBox([recording, number]), picture, player])
