"""Players and ipywidgets panels, to look and listen.

Panels show pictures and players as values of widgets, not in an `Output` widget, which redirects
the kernel's messages: a batch run may then wait for a message for ever.
"""

import base64
import html
import io

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import soundfile as sf
from IPython.display import HTML

from helpers import audio
from helpers.display import plots
from helpers.features import Frontend

ALL_FFTS = tuple(2**k for k in range(7, 14))  # 128 … 8192
ALL_HOPS = tuple(2**k for k in range(5, 12))  # 32 … 2048


def interactive(figure):
    """A plotly figure as HTML that includes plotly: it works offline and in exported pages."""
    return HTML(figure.to_html(full_html=False, include_plotlyjs=True))


def players(sounds, *, sr, titles, columns=4):
    """Players side by side, as HTML. The level of a sound is not changed.

    sounds: list of float (n_samples,), full scale ±1. sr: Hz. titles: one for each.
    """
    cells, columns = [], min(columns, max(1, len(sounds)))
    for y, title in zip(sounds, titles, strict=True):
        content = base64.b64encode(_wav(y, sr)).decode()
        cells.append(
            f'<figure style="margin: 0"><figcaption>{html.escape(title)}</figcaption>'
            f'<audio controls preload="metadata" style="width: 100%; height: 2.2em" '
            f'src="data:audio/wav;base64,{content}"></audio></figure>'
        )
    grid = f"display: grid; grid-template-columns: repeat({columns}, 1fr); gap: 0.6em 1em"
    return HTML(f'<div style="{grid}">{"".join(cells)}</div>')


def detections(load, events, frontend, *, before_s=3.0, after_s=4.0, sr=16000):
    """A panel that shows and plays each detection with the sound around it.

    load, events: as in `detection.Counts`, events not empty. frontend: `Frontend` of the picture.
    before_s, after_s: seconds shown around the middle of a call. sr: rate of the sound, Hz. Returns
    a widget; a sound is decoded when it is chosen.
    """
    recording = widgets.Dropdown(options=sorted(set(events["clip_name"])), description="Recording")
    number = widgets.BoundedIntText(min=1, max=1, value=1, description="Call")
    picture = widgets.Image(format="png")
    player = widgets.Audio(format="wav", autoplay=False, loop=False)

    def show(*_):
        mine = events[events["clip_name"] == recording.value].reset_index(drop=True)
        number.max = len(mine)  # ipywidgets lowers a value above max
        event = mine.iloc[number.value - 1]
        start = max(0.0, (event["start_s"] + event["end_s"]) / 2 - before_s)
        part = {"start_s": start, "duration_s": before_s + after_s}
        name = recording.value
        figure, axis = plt.subplots(figsize=(9, 3), layout="constrained")
        power = frontend.power(load(name, sr=frontend.sr, **part))
        plots.spectrogram(axis, power, frontend, start_s=start)
        axis.axvspan(event["start_s"], event["end_s"], fill=False, ec="white", ls="--")
        title = f"{name}, call {number.value} of {len(mine)}: {event['score']:.2f}"
        axis.set_title(title)
        picture.value = _png(figure)
        player.value = _wav(load(name, sr=sr, **part), sr)

    recording.observe(show, "value")
    number.observe(show, "value")
    show()
    return widgets.VBox([widgets.HBox([recording, number]), picture, player])


def clips(table, *, sr=22050, seconds=10.0):
    """A panel that plays any clip and shows its spectrogram with any settings.

    table: clip table, not empty. sr: rate of sound and picture, Hz. seconds: longer clips are cut
    to this. Returns a widget; a clip is decoded when it is chosen.
    """
    wide = {"layout": widgets.Layout(width="27em"), "style": {"description_width": "6.5em"}}
    label = widgets.Dropdown(options=sorted(set(table["label"])), description="Class", **wide)
    clip = widgets.Dropdown(description="Clip", **wide)
    n_fft = widgets.SelectionSlider(options=ALL_FFTS, value=2048, description="FFT size", **wide)
    hop = widgets.SelectionSlider(options=ALL_HOPS, value=256, description="Hop length", **wide)
    wide["continuous_update"] = False
    n_mels = widgets.IntSlider(min=0, max=256, step=8, value=128, description="Mel bands", **wide)
    wide |= {"min": 0, "max": sr / 2000, "step": 0.1, "readout_format": ".1f"}
    span = widgets.FloatRangeSlider(value=(0, sr / 2000), description="Band (kHz)", **wide)
    note = widgets.HTML()
    picture = widgets.Image(format="png")
    player = widgets.Audio(format="wav", autoplay=False, loop=False)
    sounds = {}  # of the clip that is shown, so that it is decoded once

    def show(*_):
        if clip.value not in sounds:
            sounds.clear()
            try:
                sounds[clip.value] = audio.load(clip.value, sr=sr, duration_s=seconds)
            except audio.AudioError as error:
                note.value = f"This clip cannot be read: {html.escape(error.reason)}"
                picture.value = player.value = b""
                return
            player.value = _wav(sounds[clip.value], sr)
        low, high = span.value
        shape = {"n_fft": n_fft.value, "hop_length": hop.value, "n_mels": n_mels.value}
        try:
            frontend = Frontend(sr=sr, fmin=1000 * low, fmax=min(1000 * high, sr / 2), **shape)
        except ValueError:
            frontend = None
        if frontend is None or frontend.n_bands < 2:
            note.value = "Too few frequencies lie in this band: make it wider, or the FFT larger."
            picture.value = b""
            return
        note.value = (
            f"A window of {1000 * n_fft.value / sr:.0f} ms separates frequencies that are "
            f"{sr / n_fft.value:.0f} Hz apart; a frame every {1000 * frontend.hop_s:.1f} ms; "
            f"{frontend.n_bands} {'mel' if n_mels.value else 'linear'} bands."
        )
        if frontend.n_empty_bands:
            note.value += (
                f" <b>{frontend.n_empty_bands} of them are empty</b>, too narrow for this FFT: "
                "black stripes that are not harmonics. Take fewer bands."
            )
        picture.value = _png(_sound_and_spectrogram(sounds[clip.value], frontend))

    def choose(*_):
        mine = table.loc[table["label"] == label.value, "path"]
        # New options choose the first clip, which shows it, except the first time.
        clip.options = [(str(path).rsplit("/", 1)[-1], path) for path in mine]
        if clip.index is None:
            clip.index = 0

    for knob in (clip, n_fft, hop, n_mels, span):
        knob.observe(show, "value")
    label.observe(choose, "value")
    choose()
    knobs = [widgets.HBox([label, clip]), widgets.HBox([n_fft, hop]), widgets.HBox([n_mels, span])]
    return widgets.VBox([*knobs, note, picture, player])


def _sound_and_spectrogram(y, frontend):
    """A figure of the waveform and, below it, the spectrogram."""
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(9, 4.6), sharex=True, height_ratios=(1, 3), layout="constrained"
    )
    top.plot(np.arange(len(y)) / frontend.sr, y, lw=0.4, color=plots.OTHER)
    top.set(ylabel="amplitude", ylim=(-1, 1))
    power = frontend.power(y)
    image = plots.spectrogram(bottom, power / max(power.max(), 1e-12), frontend)
    bottom.set_xlim(0, len(y) / frontend.sr)
    figure.colorbar(image, ax=[top, bottom], label="power (dB re maximum)")
    return figure


def _png(figure):
    """Close a figure and return it as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


def _wav(y, sr):
    """A sound as the bytes of a WAV file."""
    buffer = io.BytesIO()
    sf.write(buffer, y, sr, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
