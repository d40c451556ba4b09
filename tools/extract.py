"""Measure and describe every clip of a data set, once for all notebooks.

    python tools/extract.py urbansound8k --data-dir FOLDER --output runs/features
    python tools/extract.py urbansound8k --data-dir FOLDER --output runs/features --scheduler local
    python tools/extract.py folders --data-dir my_clips --output runs/features \\
                            --scheduler tcp://10.0.0.5:8786

In the output folder, results/features is a table in parts (Parquet, or --format csv) with a row for
each clip: label, source, fold, levels, and the 76 descriptors of notebook 02; results/errors.csv
lists what could not be read. What is computed is kept in cache/, where notebooks 01 and 02 find it.
Run again, it computes what is not there yet, also after it was killed. Exit status: 0 all done,
1 some clips could not be read or it could not go on, 2 the command made no sense, 130 stopped by
Ctrl-C.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where a file name could hide a package

from helpers import data, files
from helpers.data import layouts
from helpers.features import cache
from helpers.files import write_text
from tools.batch.cluster import open_pool
from tools.batch.options import add_options, open_output
from tools.command_line import UsageError, exit_status

MARKER = "dataset.txt"  # tells the output folder from any other, and whose features it holds


def extract(arguments):
    """Do what the command line says; returns the exit status. Raises UsageError and others."""
    from tools.batch import clips  # what it imports takes seconds

    output = open_output(arguments.output, marker=MARKER)
    dataset = data.resolve(arguments.dataset, arguments.data_dir, require=("clips",))
    about = f"{dataset.name}: {os.path.abspath(dataset.root)}\n"
    if (output / MARKER).exists() and (output / MARKER).read_text(encoding="utf-8") != about:
        raise UsageError(f"{output} holds features of another data set: give a new folder")
    write_text(output / MARKER, about)
    table, errors = data.clip_table(dataset)
    cache.default_folder().mkdir(parents=True, exist_ok=True)
    places = [dataset.root, cache.default_folder()]
    with open_pool(arguments.scheduler, places=places, n_workers=arguments.jobs) as pool:
        rows, errors = clips.extract(
            table, errors, root=dataset.root, pool=pool, output=output, kind=arguments.format
        )
    results = files.short_path(output / "results")
    print(f"{len(rows)} clips described: {results}")
    if len(errors):
        print(f"{len(errors)} with something wrong: {results}/errors.csv", file=sys.stderr)
    return 1 if len(errors) else 0


def main(argv=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure and describe every clip of a data set, once for all notebooks.",
        epilog="Run again with the same --output to go on, or to describe what has come since.",
    )
    parser.add_argument("dataset", help="its name, see `python -m helpers.data list`")
    parser.add_argument("--data-dir", default="", help="where it lies (default: as for a notebook)")
    add_options(parser)
    return exit_status(
        "extract", partial(extract, parser.parse_args(argv)), unusable=[layouts.DataError]
    )


if __name__ == "__main__":
    sys.exit(main())
