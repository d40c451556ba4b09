"""Synthetic speakers who babble, in the layout of LibriSpeech.

Each speaker is recorded in two sessions. Each session has its own room, noise and microphone, drawn
independently of the speaker: a network that learns these fails on the other session.
"""

from dataclasses import fields

import numpy as np

from helpers.env import item_rng
from helpers.synthesis import speech
from helpers.synthesis.wildlife import SR, gain
from helpers.synthesis.write import write_clip, write_csv

VERSION = 1  # raise it when the files change: older samples are then built again
SIZES = {  # utterances: in each of the two sessions
    "small": dict(speakers=24, utterances=(8, 4)),
    "full": dict(speakers=40, utterances=(14, 6)),
}
MEDIAN_S, SHORTEST_S, LONGEST_S = 3.4, 1.6, 7.0  # length of an utterance


def build_speakers(folder, *, size, seed, progress):
    """Fill an empty folder in the layout of LibriSpeech; see `Generator`.

    Adds the answer key (speakers.csv, sessions.csv) and one file whose second half is missing.
    """
    n_speakers, plan = SIZES[size]["speakers"], SIZES[size]["utterances"]
    rng = item_rng(seed, "speakers")
    speakers = np.sort(rng.choice(np.arange(19, 9000), n_speakers, replace=False)).tolist()
    numbers = rng.choice(np.arange(100, 300_000), (n_speakers, len(plan)), replace=False)
    speaker_rows, session_rows = [], []
    with progress(total=n_speakers * sum(plan)) as bar:
        for speaker, sessions in zip(speakers, np.sort(numbers).tolist(), strict=True):
            talker = speech.Talker.draw(item_rng(seed, "talker", speaker))
            speaker_rows.append([speaker, *_key(talker).values()])
            for session, n_utterances in zip(sessions, plan, strict=True):
                channel = speech.Channel.draw(item_rng(seed, "channel", session))
                session_rows.append([speaker, session, *_key(channel).values()])
                place = folder / str(speaker) / str(session)
                for k in range(n_utterances):
                    y = _utterance(item_rng(seed, "utterance", session, k), talker, channel)
                    write_clip(place / f"{place.parent.name}-{place.name}-{k:04}.flac", y, SR, 1)
                    bar.update()
    write_csv(folder / "speakers.csv", ("speaker", *_key(talker)), speaker_rows)
    write_csv(folder / "sessions.csv", ("speaker", "session", *_key(channel)), session_rows)
    _add_cut_off(sorted(folder.rglob("*.flac"))[rng.integers(n_speakers * sum(plan))])


def _utterance(rng, talker, channel):
    """A recorded utterance (n_samples,)."""
    seconds = MEDIAN_S * np.exp(rng.normal(0, 0.4))
    y = speech.utterance(rng, talker, seconds=np.clip(seconds, SHORTEST_S, LONGEST_S))
    return speech.record(rng, y, channel=channel) * gain(rng.normal(0, 1.5))  # distance


def _key(drawn):
    """The numbers of a `Talker` or `Channel` that the answer key gives: {name: number}."""
    numbers = {f.name: getattr(drawn, f.name) for f in fields(drawn) if f.type is float}
    return {name: float(f"{number:.4g}") for name, number in numbers.items()}


def _add_cut_off(path):
    """Add a copy of a file without its second half to the same session."""
    content = path.read_bytes()
    number = len(list(path.parent.iterdir()))
    cut_off = path.with_name(f"{path.stem.rpartition('-')[0]}-{number:04}.flac")
    cut_off.write_bytes(content[: len(content) // 2])
