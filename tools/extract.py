"""Measure and describe every clip of a data set, once for all notebooks.

    python tools/extract.py urbansound8k --data-dir FOLDER --output runs/features

results/features is a table of the label, source, fold, levels and the 76 descriptors of notebook 02
of each clip. cache/ keeps the features, too; notebooks 01 and 02 find them there.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from helpers import data, files
from helpers.data.folders import DataError
from helpers.features import cache
from helpers.files import write_text
from tools.batch.cluster import open_pool
from tools.command_line import UsageError, add_batch_options, exit_status, open_output

MARKER = "dataset.txt"  # marks an output folder, and names its data set


def extract(arguments):
    """Run the command; returns the exit status. Raises UsageError, DataError and others."""
    from tools.batch import clip_features  # its imports take seconds

    output = open_output(arguments.output, marker=MARKER)
    dataset = data.resolve(arguments.dataset, arguments.data_dir, require=("clips",))
    about = f"{dataset.name}: {os.path.abspath(dataset.root)}\n"
    if (output / MARKER).exists() and (output / MARKER).read_text(encoding="utf-8") != about:
        raise UsageError(f"{output} holds features of another data set: choose a new folder")
    write_text(output / MARKER, about)
    table, errors = data.clip_table(dataset)
    cache.default_folder().mkdir(parents=True, exist_ok=True)
    places = [dataset.root, cache.default_folder()]
    with open_pool(arguments.scheduler, places=places, n_workers=arguments.jobs) as pool:
        rows, errors = clip_features.extract(
            table, errors, root=dataset.root, pool=pool, output=output, kind=arguments.format
        )
    results = files.short_path(output / "results")
    print(f"{len(rows)} clips described: {results}")
    if len(errors):
        print(f"{len(errors)} with an error: {results}/errors.csv", file=sys.stderr)
    return 1 if len(errors) else 0


def main(argv=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure and describe every clip of a data set, once for all notebooks.",
        epilog="The same command again continues a stopped run, or describes new clips.",
    )
    parser.add_argument("dataset", help="its name; see `python -m helpers.data list`")
    parser.add_argument("--data-dir", default="", help="its folder (default: as in a notebook)")
    add_batch_options(parser)
    return exit_status("extract", extract, parser.parse_args(argv), unusable=[DataError])


if __name__ == "__main__":
    sys.exit(main())
