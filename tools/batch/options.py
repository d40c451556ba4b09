"""Options and output folder of the commands that work on thousands of files."""

import os
import shutil
from pathlib import Path

from tools.batch.partitions import FORMATS
from tools.command_line import need_own, positive

SCHEDULER = (
    "local: processes on this machine; tcp://HOST:8786: a Dask scheduler; default: threads here"
)


def add_options(parser):
    """The options --output, --format, --scheduler and --jobs of a command line."""
    parser.add_argument(
        "--output", type=Path, required=True, help="a new folder, or that of an earlier run"
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="of the tables")
    parser.add_argument("--scheduler", default="", help=SCHEDULER)
    parser.add_argument("--jobs", type=positive(int), help="threads or processes here (one a core)")


def open_output(path, *, marker):
    """Make the output folder, or take up an earlier one, see `need_own`.

    Returns its absolute Path. Raises UsageError, OSError.
    """
    path = Path(os.path.abspath(path))
    need_own(path, marker=marker)
    path.mkdir(parents=True, exist_ok=True)
    for left_over in path.glob(".results.*"):  # of a run that was killed as it wrote them
        shutil.rmtree(left_over, ignore_errors=True)
    return path
