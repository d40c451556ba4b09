"""What the commands share: errors and exit statuses, options, output folders."""

import os
import shutil
import sqlite3
import sys
from pathlib import Path

from tools.batch.tables import FORMATS

ROOT = Path(__file__).resolve().parents[1]


class UsageError(Exception):
    """A command that cannot be carried out as it was written; nothing has run."""


class CommandError(Exception):
    """A command that failed while it ran; the message is one line for the user."""


def positive(kind):
    """A type for argparse: an int or a float (kind) greater than 0."""

    def number(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    number.__name__ = "positive number"  # argparse shows it in its message
    return number


def add_parameter_option(parser, *, of):
    """Add the option -p NAME VALUE. of: what the parameter belongs to, for the help text."""
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help=f"set a parameter {of}; VALUE is YAML; repeatable",
    )


def add_batch_options(parser):
    """Add --output, --format, --scheduler and --jobs."""
    parser.add_argument(
        "--output", type=Path, required=True, help="a new folder, or the folder of an earlier run"
    )
    parser.add_argument(
        "--format", choices=FORMATS, default=FORMATS[0], help=f"of the tables ({FORMATS[0]})"
    )
    add_pool_options(parser, help="number of threads or processes here (one per core)")


def add_pool_options(parser, *, help, jobs=None):
    """Add --scheduler and --jobs. help, jobs: help text and default of --jobs."""
    places = "local: processes on this machine; tcp://HOST:8786: a Dask scheduler"
    parser.add_argument("--scheduler", default="", help=f"{places}; default: threads here")
    parser.add_argument("--jobs", type=positive(int), default=jobs, help=help)


def check_output(path, *, marker):
    """Raise UsageError unless a folder is new, empty, or holds the file `marker` of a run."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder")
    if path.exists() and any(path.iterdir()) and not (path / marker).exists():
        raise UsageError(
            f"{path} holds other files: choose a new folder, or the folder of an earlier run"
        )


def open_output(path, *, marker):
    """Check an output folder (see `check_output`) and create it; returns its absolute Path."""
    path = Path(os.path.abspath(path))
    check_output(path, marker=marker)
    path.mkdir(parents=True, exist_ok=True)
    for unfinished in path.glob(".results.*"):  # of a run that was killed while writing them
        shutil.rmtree(unfinished, ignore_errors=True)
    return path


def exit_status(name, run, arguments, *, unusable=(), **options):
    """Call `run(arguments, **options)`; turn an error into one line and an exit status.

    0: done; 1: failed; 2: a wrong command; 130: Ctrl-C. name: the command's. unusable: exceptions
    that count as usage errors.
    """
    try:
        return run(arguments, **options)
    except (UsageError, *unusable) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (CommandError, OSError, sqlite3.Error) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped; run the same command again to continue", file=sys.stderr)
        return 130
