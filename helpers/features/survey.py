"""One pass over a data set: every clip is decoded once, for all that EDA and features ask of it."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from helpers import audio
from helpers.audio import quality
from helpers.features import cache, descriptors
from helpers.features.frontend import Frontend

FORMAT = 1  # raise it whenever the numbers in a cache file would change
FRONTEND = Frontend(sr=22050, n_fft=2048, hop_length=512, n_mels=64)


@dataclass(frozen=True)
class Survey:
    """What a pass over a data set found, a row for each clip that could be read.

    table: the clip table, with the sample format and the columns of `quality.MEASURES`.
    features: `descriptors.COLUMNS`, same index. powers: list of float32 (n_frames, n_bands), time
    first. frontend: the `Frontend` of features and powers.
    """

    table: pd.DataFrame
    features: pd.DataFrame
    powers: list
    frontend: Frontend


def survey_clips(
    table, *, frontend=FRONTEND, root=None, cache_dir=None, n_threads=None, progress=True
):
    """Measure, describe and transform every clip of a table; kept for the next time.

    table: clip table, see `data.clip_table`. frontend: as in `descriptors.over_time`, with 13 mel
    bands at least. root: folder that the files in errors are named from. cache_dir,
    n_threads: see `cache.compute`.
    Returns (Survey, errors): errors is the table `files.ERRORS` of clips that cannot be decoded
    to their end; they are not in the survey.
    """

    def work(path):
        frames, info = audio.load_frames(path)
        y = audio.mono(frames, info, sr=frontend.sr)
        spectrogram = frontend.spectrogram(y)
        return (
            quality.measure(frames, sr=info.sample_rate),
            np.array(info.subtype.encode()),
            descriptors.summary(y, frontend, power=spectrogram),
            frontend.bands(spectrogram),
        )

    recipe = {"survey": FORMAT, **asdict(frontend)}
    found, errors = cache.compute(
        work,
        table["path"],
        recipe=recipe,
        desc="Survey",
        cache_dir=cache_dir,
        root=root,
        n_threads=n_threads,
        progress=progress,
    )
    is_whole = np.array([arrays is not None for arrays in found], bool)
    table = table[is_whole].reset_index(drop=True)
    found = [arrays for arrays in found if arrays is not None]
    measures = pd.DataFrame(np.array([arrays[0] for arrays in found], quality.MEASURES))
    measures["content"] = [arrays[0]["content"].item().decode() for arrays in found]
    table = pd.concat([table, measures], axis=1)
    table["subtype"] = [arrays[1].item().decode() for arrays in found]
    columns = list(descriptors.COLUMNS)
    numbers = np.array([arrays[2] for arrays in found]).reshape(-1, len(columns))
    features = pd.DataFrame(numbers, columns=columns)
    return Survey(table, features, [arrays[3] for arrays in found], frontend), errors
