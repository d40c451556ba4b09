"""Count calls in a folder of any number of recordings with a trained model.

    python tools/count.py recordings --model model.keras --output runs/counted

results/recordings has the count of each recording, with remarks on what is odd about it,
results/events the time of each call, and results/errors.csv the files that could not be read.
"""

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from helpers import env, files
from helpers.data import search_sounds
from helpers.data.folders import DataError
from tools.batch.cluster import open_pool
from tools.command_line import add_batch_options, exit_status, open_output
from tools.pages import human_seconds


def count(arguments):
    """Run the command; returns the exit status. Raises UsageError, DataError and others."""
    from tools.batch import call_counts  # its imports take seconds

    folder = Path(os.path.abspath(arguments.folder))
    paths, faults = search_sounds(folder)
    model = call_counts.read_model(arguments.model)
    settings = {} if arguments.threshold is None else {"threshold": arguments.threshold}
    output = open_output(arguments.output, marker="ledger.sqlite")
    options = {"settings": settings, "output": output, "kind": arguments.format}
    options |= {"channel": arguments.channel, "salvage": arguments.salvage, "faults": faults}
    places = [folder, model.path]
    with open_pool(arguments.scheduler, places=places, n_workers=arguments.jobs) as pool:
        tally = call_counts.count_folder(folder, paths, model=model, pool=pool, **options)
    n_counted = tally.n_recordings - tally.n_failed
    earlier = f" ({tally.n_earlier} of them earlier)" * bool(tally.n_earlier)
    print(f"{tally.n_calls} calls in {n_counted} of {tally.n_recordings} recordings{earlier}")
    if tally.sound_s:
        speed = f"{tally.sound_s / tally.seconds:.0f} times real time"
        print(f"{human_seconds(tally.sound_s)} of sound in {human_seconds(tally.seconds)}, {speed}")
    results = files.short_path(output / "results")
    print(f"tables: {results}")
    if tally.n_remarks:
        print(f"{tally.n_remarks} with a remark: see the column `remarks` of {results}/recordings")
    for fault in faults:
        print(f"{fault.file}: {fault.reason}", file=sys.stderr)
    if tally.n_failed:
        print(f"{tally.n_failed} could not be read: {results}/errors.csv", file=sys.stderr)
    return 1 if tally.n_failed or any(fault.kind == "damaged" for fault in faults) else 0


def fraction(text):
    """A type for argparse: a number between 0 and 1, both excluded."""
    value = float(text)
    if not 0 < value < 1:
        raise ValueError
    return value


def channel(text):
    """A type for argparse: "mean", "each" or the number of a channel."""
    if text in ("mean", "each"):
        return text
    if int(text) < 1:
        raise ValueError
    return int(text)


def main(argv=None):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Count calls in a folder of recordings with a trained model.",
        epilog="The same command again continues a stopped run, or counts new recordings.",
    )
    parser.add_argument("folder", type=Path, help="recordings, also in folders inside it")
    parser.add_argument("--model", type=Path, required=True, help="a model.keras of notebook 05")
    parser.add_argument(
        "--threshold", type=fraction, help="lowest score of a call (default: the model's own)"
    )
    parser.add_argument(
        "--channel",
        type=channel,
        default="mean",
        help="mean of all channels (default), the number of one (the first is 1), or each",
    )
    parser.add_argument(
        "--salvage",
        action="store_true",
        help="count what can be decoded of damaged recordings; results/damage.csv lists the rest",
    )
    add_batch_options(parser)
    arguments = parser.parse_args(argv)
    env.setup()
    from helpers.models import ModelError  # imports Keras: set-up comes first

    return exit_status("count", count, arguments, unusable=[DataError, ModelError])


if __name__ == "__main__":
    sys.exit(main())
