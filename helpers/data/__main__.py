"""Command line: python -m helpers.data list | get NAME | check NAME [FOLDER]"""

import argparse
import os
import sys
from pathlib import Path

from helpers import files
from helpers.data import download, locate, validate
from helpers.data.folders import DataError
from helpers.data.registry import DATASETS


def main(argv=None):
    """Run a command. Returns the exit status: 0, 1 where something is wrong, 130 if stopped."""
    arguments = _parser().parse_args(argv)
    try:
        is_fine = arguments.run(arguments)
        sys.stdout.flush()
        return 0 if is_fine else 1
    except DataError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"stopped; {download.AGAIN}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has closed the pipe, as `… | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser():
    parser = argparse.ArgumentParser(prog="python -m helpers.data", description=__doc__)
    add = parser.add_subparsers(dest="command", required=True).add_parser
    add("list", help="list the data sets and where they are").set_defaults(run=_list)

    get = add("get", help="download a data set, then check it")
    get.add_argument("name")
    get.add_argument("--to", metavar="FOLDER", help="default: data/NAME")
    get.add_argument("--url", default="", help="address of a zip file to download instead")
    get.add_argument("--sha256", default="", help="checksum of that zip file")
    get.set_defaults(run=_get)

    check = add("check", help="check whether a data set is complete and its files can be read")
    check.add_argument("name")
    check.add_argument("folder", nargs="?", default="", help="default: the place where it is found")
    check.add_argument("--decode", action="store_true", help="decode every file to its end")
    check.add_argument("--csv", metavar="FILE", help="write all faults to a table")
    check.set_defaults(run=_check)
    return parser


def _list(arguments):
    rows = [("name", "title", "where it is", "published", "from", "licence")]
    for name, entry in DATASETS.items():
        published = entry.content or "–"
        rows.append((name, entry.title, _place(name), published, entry.source, entry.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    print("\nDownload one from Kaggle or as a zip file: python -m helpers.data get NAME")
    print("For the others, and notes on each: data_README.md")
    return True


def _place(name):
    """Where a data set is, in words."""
    try:
        found = locate.find(name)
    except DataError:
        return "the folder of this name in AUDIO_DATA does not hold it"
    return f"{files.short_path(found.root)} ({found.source})" if found else "not here"


def _get(arguments):
    entry = locate.lookup(arguments.name)
    folder = Path(arguments.to or locate.default_folder(entry.name)).expanduser()
    try:
        found = locate.find(entry.name, folder)
        has_clips = not entry.list_clips(found.root)[0].empty
    except locate.DataNotFoundError:
        has_clips = False
    if has_clips:
        print(f"{entry.title} is in {files.short_path(folder)} already: nothing is downloaded.")
    else:
        root = download.get(entry, folder, url=arguments.url, sha256=arguments.sha256)
        found = locate.Dataset(entry.name, root, "local")
    result = validate.inspect(found)
    print(validate.report(result))
    if not result.is_fine:
        short = files.short_path(found.root)
        print(f"To download it again, move {short} away first.", file=sys.stderr)
    return result.is_fine


def _check(arguments):
    entry = locate.lookup(arguments.name)
    result = validate.inspect(_to_check(entry, arguments.folder), decode=arguments.decode)
    print(validate.report(result))
    if arguments.csv:
        try:
            files.write_table(result.faults, arguments.csv)
        except OSError as error:
            short = files.short_path(arguments.csv)
            raise DataError(f"{short} cannot be written: {files.os_reason(error)}") from None
    return result.is_fine


def _to_check(entry, folder):
    """The data set to check, with all of its parts or else with one of them."""
    first = None
    for require in (tuple(entry.parts), *((part,) for part in entry.parts)):
        try:
            if found := locate.find(entry.name, folder, require=require):
                return found
        except locate.DataNotFoundError as error:
            first = first or error
    advice = "download it by hand (see data_README.md)"
    if entry.is_downloadable:
        advice = f"get it with `python -m helpers.data get {entry.name}` (see data_README.md)"
    raise first or DataError(f"{entry.title}: not found: give its folder, or {advice}")


if __name__ == "__main__":
    raise SystemExit(main())
