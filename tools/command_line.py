"""What the commands share: usage errors, exit statuses, options, output folders."""

import sqlite3
import sys


class UsageError(Exception):
    """A command that cannot be carried out; nothing has been run."""


class CommandError(Exception):
    """A command that failed while it ran; the message is one line for the user."""


def add_parameter_option(parser, *, of):
    """The option -p NAME VALUE of a command line. of: what it is a parameter of."""
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help=f"a parameter {of}; VALUE is YAML; repeatable",
    )


def positive(kind):
    """A type for argparse: int or float, above 0."""

    def number(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value

    number.__name__ = "positive number"  # argparse's message names it
    return number


def need_own(path, *, marker):
    """See that a folder is new, empty, or of an earlier run, which a file `marker` in it tells.

    Raises UsageError.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is no folder")
    if path.exists() and any(path.iterdir()) and not (path / marker).exists():
        raise UsageError(f"{path} holds other files: give a new folder, or one of an earlier run")


def exit_status(name, work, *, unusable=()):
    """Do `work`, which returns the exit status; an error becomes one line and a status of its own.

    name: of the command. unusable: exceptions that mean that the command makes no sense.
    """
    try:
        return work()
    except (UsageError, *unusable) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except (CommandError, OSError, sqlite3.Error) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped; the same command goes on from here", file=sys.stderr)
        return 130
