"""The series on Kaggle: a bundle to look at, and the official client to send it.

    python tools/kaggle.py bundle --owner NAME      write dist/kaggle/
    python tools/kaggle.py push [NN ...]            send it, after showing what that will do

A notebook on Kaggle is one file, and has no network unless its owner says so: the package travels
as a data set of its own, which the notebooks' set-up cell finds.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where this file hides the package kaggle

import nbformat
import yaml

from helpers.data import DATASETS
from helpers.files import replaced_folder
from tools.command_line import UsageError
from tools.series.notebooks import find_notebooks, select

SLUG = "audio-notebooks-helpers"
TITLE = "Audio notebooks: the helper package"
SUBTITLE = "What the notebooks on deep learning for audio share"
PACKAGE = "helpers"  # the bundle's folder with the package; beside it one for each notebook
# What `helpers` needs and Kaggle's image has not; each is installed without what it depends on.
LACKING = ("mir_eval",)
READY_WITHIN_S = 300  # a data set takes Kaggle half a minute to unpack


class KaggleError(Exception):
    """What keeps a bundle from being made or sent, and what to do."""


# --- the bundle -------------------------------------------------------------------------------


def bundle(output, *, owner, weights=(), lacking=LACKING, root=ROOT):
    """Write the bundle, whole or not at all; returns its files, sorted, relative to `output`.

    owner: a Kaggle user name. weights: files of one's own that travel with the package. lacking:
    packages that do so, from the index. Raises KaggleError.
    """
    if output.exists() and not (output / PACKAGE / "dataset-metadata.json").is_file():
        raise KaggleError(f"{output} is there already and is no bundle: give another --output")
    if missing := [str(path) for path in weights if not Path(path).is_file()]:
        raise KaggleError(f"no such file: {', '.join(missing)}")
    try:
        with replaced_folder(output) as made:
            _write_package(made / PACKAGE, owner=owner, weights=weights, lacking=lacking, root=root)
            owned = any(Path(path).name.startswith("yamnet") for path in weights)
            for name, extras in read_extras(root).items():
                _write_notebook(made, name, extras, owner=owner, has_weights=owned, root=root)
    except OSError as error:
        raise KaggleError(f"{output} cannot be written: {error.strerror or error}") from None
    return sorted(p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file())


def read_extras(root):
    """{notebook: {"data", "models", "gpu"}} from notebooks/kaggle.yaml. Raises KaggleError."""
    extras = yaml.safe_load((root / "notebooks" / "kaggle.yaml").read_text(encoding="utf-8"))
    names = list(find_notebooks(root))
    if list(extras) != names:
        raise KaggleError(f"notebooks/kaggle.yaml must name {', '.join(names)}, in this order")
    return extras


def _write_package(folder, *, owner, weights, lacking, root):
    """The data set with the package: its wheel, those that Kaggle lacks, weights, metadata."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        # Elsewhere: setuptools leaves a folder behind, and would find the last build's files in it.
        shutil.copytree(root / "helpers", Path(place, "helpers"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(root / name, place)
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, place)
    if lacking:
        pins = root / "constraints.txt"
        download = ("download", "--no-deps", "--only-binary", ":all:", "--dest", folder)
        _pip(*download, "--constraint", pins, *lacking)
    for path in weights:
        shutil.copy(path, folder)
    metadata = {
        "id": f"{owner}/{SLUG}",
        "title": TITLE,
        "subtitle": SUBTITLE,
        "licenses": [{"name": "other"}],
        "keywords": [],
    }
    _write_json(folder / "dataset-metadata.json", metadata)


def _pip(*arguments):
    # Without the time of day in them, the same sources give the same wheel.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--disable-pip-version-check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise KaggleError(
            f"pip {arguments[0]} failed: {reason}. Without a network, --offline leaves out "
            f"{', '.join(LACKING)}."
        )


def _write_notebook(made, name, extras, *, owner, has_weights, root):
    """A notebook's folder, and in it one for its exercises: Kaggle knows one file to a folder."""
    slugs = [DATASETS[key].kaggle for key in extras.get("data", [])]
    for inside, words in ((".", ""), ("exercises", ", tasks")):
        source = root / "notebooks" / inside / f"{name}.ipynb"
        if not source.is_file():
            continue
        folder = made / name / inside
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder)
        heading = nbformat.read(source, as_version=4).cells[0].source.splitlines()[0]
        title = heading.removeprefix("# ") + words
        metadata = {
            "id": f"{owner}/{slug(title)}",
            "title": title,
            "code_file": source.name,
            "language": "python",
            "kernel_type": "notebook",
            "is_private": True,
            "enable_gpu": extras.get("gpu", False) and inside == ".",
            "enable_tpu": False,
            "enable_internet": False,
            "dataset_sources": [f"{owner}/{SLUG}", *slugs],
            "competition_sources": [],
            "kernel_sources": [],
            "model_sources": [] if has_weights else extras.get("models", []),
        }
        _write_json(folder / "kernel-metadata.json", metadata)


def slug(title):
    """What Kaggle makes of a title for an address."""
    from slugify import slugify  # what the official client goes by

    return slugify(title)


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# --- sending it -------------------------------------------------------------------------------


def kernels(folder, names):
    """The folders of a bundle that are a notebook each, of the notebooks named."""
    places = [place for name in names for place in (folder / name, folder / name / "exercises")]
    return [place for place in places if (place / "kernel-metadata.json").is_file()]


def official_client():
    """The official client, signed in. Raises KaggleError if it knows of no account."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):  # a page on how to get an account: docs/ has it
            import kaggle

            kaggle.api.authenticate()
    except SystemExit:
        raise KaggleError(
            "no Kaggle account is known here: run `kaggle auth login`, or put the API token from "
            "kaggle.com/settings/api where the client looks for it (docs/kaggle_and_colab.md)"
        ) from None
    return kaggle.api


def push(folder, names, *, client, confirm):
    """Send the package and some notebooks of a bundle, which Kaggle then runs.

    client: see `official_client`. confirm: called with what will be done, a list of lines; False
    ends it. Yields a line for each thing done. Raises KaggleError.
    """
    from requests.exceptions import RequestException

    package = folder / PACKAGE
    places = kernels(folder, names)
    if not (package / "dataset-metadata.json").is_file() or not places:
        raise KaggleError(f"{folder} is no bundle of these notebooks: run `bundle` first")
    owned = _read_json(package / "dataset-metadata.json")["id"]
    try:
        is_new = not _is_there(client, owned)
        lines = [f"data set {owned}: {'create it, private' if is_new else 'a new version'}"]
        wanted = {place: _read_json(place / "kernel-metadata.json") for place in places}
        for kernel in wanted.values():
            gpu = ", with a GPU" * kernel["enable_gpu"]
            lines.append(f"notebook {kernel['id']}: send it, and have it run{gpu}")
        if not confirm(lines):
            return
        if is_new:
            done = client.dataset_create_new(str(package), quiet=True, dir_mode="skip")
        else:
            note = "version " + next(package.glob("audio_notebooks-*.whl")).name.split("-")[1]
            done = client.dataset_create_version(str(package), note, quiet=True)
        _need(done, owned)
        yield f"data set {owned}: sent"
        _wait_until_ready(client, owned)
        for place, kernel in wanted.items():
            done = client.kernels_push(str(place))
            _need(done, kernel["id"])
            for what in ("invalidDatasetSources", "invalidModelSources"):
                if refused := getattr(done, what, None):
                    yield f"notebook {kernel['id']}: Kaggle does not know {', '.join(refused)}"
            yield f"notebook {kernel['id']}: version {done.versionNumber}, {done.url}"
    except RequestException as error:
        answer = getattr(error, "response", None)
        reason = f"it answered {answer.status_code}" if answer is not None else "no connection"
        raise KaggleError(f"Kaggle did not do it: {reason} ({error})") from None
    except ValueError as error:  # what the client finds wrong with the metadata
        raise KaggleError(str(error)) from None


def _is_there(client, dataset):
    from requests.exceptions import HTTPError

    try:
        client.dataset_status(dataset)
    except HTTPError as error:
        # Of what is private to others, and of what is not there, Kaggle says the same.
        if error.response is not None and error.response.status_code in (403, 404):
            return False
        raise
    return True


def _wait_until_ready(client, dataset):
    end = time.monotonic() + READY_WITHIN_S
    while str(client.dataset_status(dataset)) != "ready":
        if time.monotonic() > end:
            raise KaggleError(
                f"data set {dataset} is not ready after {READY_WITHIN_S} s: push again later"
            )
        time.sleep(5)


def _need(done, what):
    if done is None or getattr(done, "error", ""):
        raise KaggleError(f"{what} was refused: {getattr(done, 'error', 'no reason given')}")


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


# --- the command line -------------------------------------------------------------------------


def _own_name():
    """The user name that the official client is told, by the environment or its file; or ""."""
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR", Path.home() / ".kaggle"))
    with contextlib.suppress(OSError, ValueError):
        return _read_json(folder / "kaggle.json").get("username", "")
    return ""


def _ask(lines):
    print("This will be done:", *lines, sep="\n  ")
    try:
        return input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # nobody is there to answer
        raise KaggleError("nothing was sent: with --yes nobody is asked") from None


def _tell(lines):
    print("This is done:", *lines, sep="\n  ")
    return True


def _parser():
    parser = argparse.ArgumentParser(description="The series on Kaggle.")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("bundle", help="write the package and the notebooks for Kaggle")
    making.add_argument("--owner", help="your Kaggle user name; default: what its client knows")
    making.add_argument(
        "--weights", nargs="+", default=[], metavar="FILE", help="your own, to travel along"
    )
    making.add_argument(
        "--offline", action="store_true", help=f"leave out {', '.join(LACKING)}, from the index"
    )
    making.add_argument("--output", type=Path, help="default: dist/kaggle")
    sending = commands.add_parser("push", help="send a bundle, after showing what will be done")
    sending.add_argument("notebooks", nargs="*", metavar="NN", help="default: all")
    sending.add_argument("--yes", action="store_true", help="do not ask")
    sending.add_argument("--bundle", type=Path, help="default: dist/kaggle")
    return parser


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "bundle":
            owner = arguments.owner or os.environ.get("KAGGLE_USERNAME") or _own_name()
            if not owner:
                raise KaggleError("whose is it? Give your Kaggle user name: --owner NAME")
            folder = arguments.output or root / "dist" / "kaggle"
            lacking = () if arguments.offline else LACKING
            weights = arguments.weights
            print(
                *bundle(folder, owner=owner, weights=weights, lacking=lacking, root=root), sep="\n"
            )
            print(f"Look at {os.path.relpath(folder)}, then: python tools/kaggle.py push")
        else:
            folder = arguments.bundle or root / "dist" / "kaggle"
            names = select(arguments.notebooks, find_notebooks(root))
            confirm = _tell if arguments.yes else _ask
            for line in push(folder, names, client=official_client(), confirm=confirm):
                print(line)
    except (KaggleError, UsageError) as error:
        print(f"kaggle: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
