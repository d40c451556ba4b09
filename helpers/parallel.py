"""Work on many files at once, with a progress bar."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from helpers import env
from helpers.files import FileError


def progress_bar(iterable=None, **kwargs):
    """A tqdm bar as the series shows it: text, on the ordinary output, twice a second at most.

    A text survives where a notebook is only read: in HTML, on Kaggle, in a log. TQDM_MININTERVAL,
    the least seconds between two updates, overrules this; tools/run.py sets it.
    """
    from tqdm import tqdm

    if "TQDM_MININTERVAL" not in os.environ:
        kwargs.setdefault("mininterval", 0.5)
    return tqdm(iterable, file=sys.stdout, **kwargs)


def map_files(work, paths, *, desc, unit, n_threads=None, progress=True):
    """Do `work(path)` for every file, with a progress bar. n_threads: None: one per core.

    Returns a list with what it returned, or the `FileError` that it raised: one bad file ends
    nothing. soundfile, soxr and scipy.fft let go of the interpreter lock, so threads use all cores;
    matrix products must not start threads of their own within each.
    """

    def one(path):
        try:
            return work(path)
        except FileError as error:
            return error

    with ThreadPoolExecutor(n_threads or env.cpu_count()) as pool, threadpool_limits(1):
        return list(
            progress_bar(
                pool.map(one, paths), total=len(paths), desc=desc, unit=unit, disable=not progress
            )
        )
