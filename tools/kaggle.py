"""The series on Kaggle: write a bundle to look at, then send it with the official client.

A notebook on Kaggle is a single file, without network unless its owner allows it. So the package
travels as a data set, where the set-up cell of the notebooks finds it.
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
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # without tools/, where this file hides the package kaggle
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import nbformat
import yaml

from helpers.data import DATASETS
from helpers.files import replaced_folder
from tools.command_line import ROOT, CommandError, exit_status
from tools.series.notebooks import find_notebooks, select

SLUG = "audio-notebooks-helpers"
PACKAGE = "helpers"  # the bundle's folder with the package, beside one folder for each notebook
# What `helpers` needs and Kaggle's image lacks; installed without dependencies.
MISSING_PACKAGES = ("mir_eval",)
READY_WITHIN_S = 300  # Kaggle takes about half a minute to unpack a data set


def bundle(output, *, owner, weights=(), packages=MISSING_PACKAGES, root=ROOT):
    """Write the bundle, whole or not at all; returns its files, sorted, relative to `output`.

    owner: a Kaggle user name. weights: the user's own files. packages: names of packages to
    download from the index. Raises CommandError.
    """
    if output.exists() and not (output / PACKAGE / "dataset-metadata.json").is_file():
        raise CommandError(f"{output} exists and is not a bundle: choose another --output")
    if missing := [str(path) for path in weights if not Path(path).is_file()]:
        raise CommandError(f"no such file: {', '.join(missing)}")
    try:
        with replaced_folder(output) as folder:
            shared = {"owner": owner, "weights": weights, "root": root}
            _write_package(folder / PACKAGE, packages=packages, **shared)
            for name, extras in read_extras(root).items():
                _write_notebook(folder / name, extras, **shared)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror or error}") from None
    return sorted(p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file())


def read_extras(root):
    """{notebook: {"data", "models", "gpu"}} from notebooks/kaggle.yaml. Raises CommandError."""
    extras = yaml.safe_load((root / "notebooks" / "kaggle.yaml").read_text(encoding="utf-8"))
    names = list(find_notebooks(root))
    if list(extras) != names:
        raise CommandError(f"notebooks/kaggle.yaml must name {', '.join(names)}, in this order")
    return extras


def _write_package(folder, *, owner, weights, packages, root):
    """The data set with the package: its wheel, other wheels, weights, metadata."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        # In a copy: setuptools leaves a folder behind, whose old files would get into the wheel.
        shutil.copytree(root / "helpers", Path(work, "helpers"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(root / name, work)
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, work)
    if packages:
        options = ("--no-deps", "--only-binary", ":all:", "--dest", folder)
        _pip("download", *options, "--constraint", root / "constraints.txt", *packages)
    for path in weights:
        shutil.copy(path, folder)
    metadata = {
        "id": f"{owner}/{SLUG}",
        "title": "Audio notebooks: the helper package",
        "subtitle": "What the notebooks on deep learning for audio share",
        "licenses": [{"name": "other"}],
    }
    _write_json(folder / "dataset-metadata.json", metadata)


def _pip(*arguments):
    # Without the time of day, the same sources give the same wheel.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--disable-pip-version-check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        offline = f"Without a network, --offline leaves out {', '.join(MISSING_PACKAGES)}."
        raise CommandError(f"pip {arguments[0]} failed: {reason}. {offline}")


def _write_notebook(folder, extras, *, owner, weights, root):
    """A folder with a notebook, and in it one with its exercises: Kaggle wants one file each."""
    from slugify import slugify  # the official client's, to make the address from a title

    slugs = [DATASETS[key].kaggle for key in extras.get("data", [])]
    has_yamnet = any(Path(path).name.startswith("yamnet") for path in weights)
    for subfolder, suffix in ((".", ""), ("exercises", ", tasks")):
        source = root / "notebooks" / subfolder / f"{folder.name}.ipynb"
        if not source.is_file():
            continue
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / subfolder)
        heading = nbformat.read(source, as_version=4).cells[0].source.splitlines()[0]
        title = heading.removeprefix("# ") + suffix
        metadata = {
            "id": f"{owner}/{slugify(title)}",
            "title": title,
            "code_file": source.name,
            "language": "python",
            "kernel_type": "notebook",
            "is_private": True,
            "enable_gpu": extras.get("gpu", False) and subfolder == ".",
            "enable_tpu": False,
            "enable_internet": False,
            "dataset_sources": [f"{owner}/{SLUG}", *slugs],
            "model_sources": [] if has_yamnet else extras.get("models", []),
        }
        _write_json(folder / subfolder / "kernel-metadata.json", metadata)


def _write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def kernels(folder, names):
    """The folders in a bundle that hold one of the named notebooks or its exercises."""
    folders = [place for name in names for place in (folder / name, folder / name / "exercises")]
    return [place for place in folders if (place / "kernel-metadata.json").is_file()]


def official_client():
    """The official client, signed in. Raises CommandError if it has no account."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # a long text on how to get an account
            import kaggle

            kaggle.api.authenticate()
    except SystemExit:
        raise CommandError(
            "no Kaggle account is set up here: run `kaggle auth login`, or save the API token from "
            "kaggle.com/settings/api where the client looks for it (docs/kaggle_and_colab.md)"
        ) from None
    return kaggle.api


def push(folder, names, *, client, confirm):
    """Send the package and the named notebooks of a bundle, which Kaggle then runs.

    client: from `official_client`. confirm: called with a list of lines, what will be sent; nothing
    is sent if it returns False. Yields one line for each thing that was sent. Raises CommandError.
    """
    from requests.exceptions import RequestException

    package = folder / PACKAGE
    places = kernels(folder, names)
    if not (package / "dataset-metadata.json").is_file() or not places:
        raise CommandError(f"{folder} is not a bundle with these notebooks: run `bundle` first")
    dataset = _read_json(package / "dataset-metadata.json")["id"]
    try:
        is_new = not _exists(client, dataset)
        lines = [f"data set {dataset}: {'new, private' if is_new else 'a new version'}"]
        metadata = {place: _read_json(place / "kernel-metadata.json") for place in places}
        for kernel in metadata.values():
            gpu = ", with a GPU" * kernel["enable_gpu"]
            lines.append(f"notebook {kernel['id']}: runs there{gpu}")
        if not confirm(lines):
            return
        if is_new:
            answer = client.dataset_create_new(str(package), quiet=True, dir_mode="skip")
        else:
            note = "version " + next(package.glob("audio_notebooks-*.whl")).name.split("-")[1]
            answer = client.dataset_create_version(str(package), note, quiet=True)
        _check_accepted(answer, dataset)
        yield f"data set {dataset}: sent"
        _wait_until_ready(client, dataset)
        for place, kernel in metadata.items():
            answer = client.kernels_push(str(place))
            _check_accepted(answer, kernel["id"])
            for kind in ("invalidDatasetSources", "invalidModelSources"):
                if unknown := getattr(answer, kind, None):
                    yield f"notebook {kernel['id']}: Kaggle does not know {', '.join(unknown)}"
            yield f"notebook {kernel['id']}: version {answer.versionNumber}, {answer.url}"
    except RequestException as error:
        answer = error.response
        reason = "no connection" if answer is None else f"it answered {answer.status_code}"
        raise CommandError(f"Kaggle refused: {reason} ({error})") from None
    except ValueError as error:  # from the client's checks of the metadata
        raise CommandError(str(error)) from None


def _exists(client, dataset):
    from requests.exceptions import HTTPError

    try:
        client.dataset_status(dataset)
    except HTTPError as error:
        # Kaggle gives the same answer for a private data set of others and for a missing one.
        if error.response is not None and error.response.status_code in (403, 404):
            return False
        raise
    return True


def _wait_until_ready(client, dataset):
    end = time.monotonic() + READY_WITHIN_S
    while str(client.dataset_status(dataset)) != "ready":
        if time.monotonic() > end:
            late = f"is not ready after {READY_WITHIN_S} s: push again later"
            raise CommandError(f"data set {dataset} {late}")
        time.sleep(5)


def _check_accepted(answer, name):
    if answer is None or getattr(answer, "error", ""):
        raise CommandError(f"{name} was refused: {getattr(answer, 'error', 'no reason given')}")


def _ask(lines, *, is_agreed):
    print("This will be sent:", *lines, sep="\n  ")
    try:
        return is_agreed or input("Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # no terminal
        raise CommandError("nothing was sent: confirm, or add --yes") from None


def _parser():
    parser = argparse.ArgumentParser(description="Put the series on Kaggle.")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("bundle", help="write the package and the notebooks for Kaggle")
    making.add_argument("--owner", help="your Kaggle user name (default: KAGGLE_USERNAME)")
    making.add_argument("--weights", nargs="+", default=[], metavar="FILE", help="files to add")
    missing = ", ".join(MISSING_PACKAGES)
    making.add_argument("--offline", action="store_true", help=f"do not download {missing}")
    making.add_argument("--output", type=Path, help="default: dist/kaggle")
    sending = commands.add_parser("push", help="send a bundle, after a question")
    sending.add_argument("notebooks", nargs="*", metavar="NN", help="default: all")
    sending.add_argument("--yes", action="store_true", help="send without a question")
    sending.add_argument("--bundle", type=Path, help="default: dist/kaggle")
    return parser


def run(arguments, *, root):
    """Do what the command line says. Raises CommandError, UsageError."""
    if arguments.command == "bundle":
        if not (owner := arguments.owner or os.environ.get("KAGGLE_USERNAME")):
            raise CommandError("your Kaggle user name is missing: add --owner NAME")
        folder = arguments.output or root / "dist" / "kaggle"
        packages = () if arguments.offline else MISSING_PACKAGES
        files = bundle(folder, owner=owner, weights=arguments.weights, packages=packages, root=root)
        print(*files, sep="\n")
        print(f"Look at {os.path.relpath(folder)}, then: python tools/kaggle.py push")
    else:
        folder = arguments.bundle or root / "dist" / "kaggle"
        names = select(arguments.notebooks, find_notebooks(root))
        confirm = partial(_ask, is_agreed=arguments.yes)
        for line in push(folder, names, client=official_client(), confirm=confirm):
            print(line)
    return 0


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    return exit_status("kaggle", run, _parser().parse_args(argv), root=root)


if __name__ == "__main__":
    sys.exit(main())
