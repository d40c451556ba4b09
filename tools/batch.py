"""What the commands over thousands of files share: options, output folder, exit status."""

import os
import shutil
import sqlite3
import sys
from pathlib import Path

from tools.cluster import ClusterError
from tools.partitions import FORMATS
from tools.series import UsageError, positive

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


def need_own(path, *, marker):
    """See that a folder is new, empty, or of an earlier run, which a file `marker` in it tells.

    Raises UsageError.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is no folder")
    if path.exists() and any(path.iterdir()) and not (path / marker).exists():
        raise UsageError(f"{path} holds other files: give a new folder, or one of an earlier run")


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


def exit_status(name, work, *, unusable=()):
    """Do `work`, which returns the exit status; an error becomes one line and a status of its own.

    name: of the command. unusable: exceptions that mean that the command makes no sense.
    """
    try:
        return work()
    except (UsageError, *unusable) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (ClusterError, OSError, sqlite3.Error) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
