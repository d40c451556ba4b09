"""Work on many files at once, with a progress bar."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_limits

from helpers import env
from helpers.files import FileError


def progress_bar(iterable=None, **kwargs):
    """A tqdm bar as text on the standard output, which also shows in HTML, on Kaggle and in a log.

    It is updated at most twice a second. tools/run.py sets another interval by TQDM_MININTERVAL.
    """
    from tqdm import tqdm

    if "TQDM_MININTERVAL" not in os.environ:
        kwargs.setdefault("mininterval", 0.5)
    return tqdm(iterable, file=sys.stdout, **kwargs)


def map_files(work, paths, *, desc, unit, n_threads=None, progress=True):
    """Do `work(path)` for every file, with a progress bar. n_threads: None: one per core.

    Returns a list with each result, or the `FileError` that was raised. soundfile, soxr and
    scipy.fft release the interpreter lock, so that threads use all cores; matrix products may then
    not start more threads of their own.
    """

    def one(path):
        try:
            return work(path)
        except FileError as error:
            return error

    options = dict(total=len(paths), desc=desc, unit=unit, disable=not progress)
    with ThreadPoolExecutor(n_threads or env.cpu_count()) as pool, threadpool_limits(1):
        return list(progress_bar(pool.map(one, paths), **options))
