"""Count calls in a folder of recordings, however many there are, with a trained model.

    python tools/count.py recordings --model model.keras --output runs/counted
    python tools/count.py recordings --model model.keras --output runs/counted --scheduler local
    python tools/count.py recordings --model model.keras --output runs/counted \\
                          --scheduler tcp://10.0.0.5:8786

The folder is read with all that are below it. In the output folder, results/recordings and
results/events are tables in parts (Parquet, or --format csv) with each recording's count and each
call's time; results/errors.csv lists what could not be read. Run again with the same --output, it
counts what is new, has changed or could not be read, also after it was killed. Exit status: 0 all
counted, 1 some recordings could not be read or it could not go on, 2 the command made no sense,
130 stopped by Ctrl-C.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where a file name could hide a package

from helpers import env, files
from helpers.data import sounds_below
from helpers.data.layouts import DataError
from tools.batch.cluster import open_pool
from tools.batch.options import add_options, open_output
from tools.command_line import exit_status
from tools.running.summary import human_seconds


def count(arguments):
    """Do what the command line says; returns the exit status. Raises UsageError and others."""
    from tools.batch import recordings  # what it imports takes seconds

    folder = Path(os.path.abspath(arguments.folder))
    paths = sounds_below(folder)
    model = recordings.read_model(arguments.model)
    settings = {} if arguments.threshold is None else {"threshold": arguments.threshold}
    output = open_output(arguments.output, marker="ledger.sqlite")
    places = [folder, model.path]
    with open_pool(arguments.scheduler, places=places, n_workers=arguments.jobs) as pool:
        tally = recordings.count_folder(
            folder,
            paths,
            model=model,
            settings=settings,
            pool=pool,
            output=output,
            kind=arguments.format,
        )
    good = tally.n_recordings - tally.n_failed
    earlier = f" ({tally.n_earlier} of them earlier)" * bool(tally.n_earlier)
    print(f"{tally.n_calls} calls in {good} of {tally.n_recordings} recordings{earlier}")
    if tally.sound_s:
        print(
            f"{human_seconds(tally.sound_s)} of sound in {human_seconds(tally.seconds)}, "
            f"{tally.sound_s / tally.seconds:.0f} times real time"
        )
    results = files.short_path(output / "results")
    print(f"tables: {results}")
    if tally.n_failed:
        print(f"{tally.n_failed} could not be read: {results}/errors.csv", file=sys.stderr)
    return 1 if tally.n_failed else 0


def fraction(text):
    """A type for argparse: a number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise ValueError
    return value


def main(argv=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Count calls in a folder of recordings with a trained model.",
        epilog="Run again with the same --output to go on, or to count what has come since.",
    )
    parser.add_argument("folder", type=Path, help="recordings, also in folders below")
    parser.add_argument("--model", type=Path, required=True, help="a model.keras of notebook 05")
    parser.add_argument("--threshold", type=fraction, help="least score of a call (the model's)")
    add_options(parser)
    arguments = parser.parse_args(argv)
    env.setup()
    from helpers.models import ModelError  # imports Keras: set-up comes first

    return exit_status("count", partial(count, arguments), unusable=[DataError, ModelError])


if __name__ == "__main__":
    sys.exit(main())
