"""One pass over a data set: each clip is decoded once, for all that EDA and features need."""

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
    """Results of a pass over a data set: one row for each clip that can be read.

    table: the clip table, with the sample format and the columns of `quality.MEASURES`.
    features: `descriptors.COLUMNS`, same index. powers: list of float32 (n_frames, n_bands).
    frontend: the `Frontend` of features and powers.
    """

    table: pd.DataFrame
    features: pd.DataFrame
    powers: list
    frontend: Frontend


def survey_clips(table, *, frontend=FRONTEND, **options):
    """Measure, describe and transform every clip of a table; kept for the next time.

    table: clip table, see `data.clip_table`. frontend: as in `descriptors.over_time`, with at least
    13 mel bands. options: root, cache_dir, n_threads, progress of `cache.compute`.
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
    found, errors = cache.compute(work, table["path"], recipe=recipe, desc="Survey", **options)
    can_be_read = np.array([arrays is not None for arrays in found], bool)
    table = table[can_be_read].reset_index(drop=True)
    found = [arrays for arrays in found if arrays is not None]
    measures = pd.DataFrame(np.array([arrays[0] for arrays in found], quality.MEASURES))
    measures["content"] = [arrays[0]["content"].item().decode() for arrays in found]
    table = pd.concat([table, measures], axis=1)
    table["subtype"] = [arrays[1].item().decode() for arrays in found]
    columns = list(descriptors.COLUMNS)
    numbers = np.array([arrays[2] for arrays in found]).reshape(-1, len(columns))
    features = pd.DataFrame(numbers, columns=columns)
    return Survey(table, features, [arrays[3] for arrays in found], frontend), errors
