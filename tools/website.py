"""The executed series as a website that needs no server and no network: dist/site/index.html.

    python tools/website.py                    of the newest complete run under runs/
    python tools/website.py --run runs/site    of a certain run
    make site                                  runs what is not complete yet, in the smoke profile

The site is checked before it takes the place of the one before: every link leads somewhere, and no
page loads anything from the network. Exit status: 0 all well, 1 there is no new site, and why.
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where a file name could hide a package

from helpers.files import human_size, replaced_folder
from tools.lessons import is_outdated
from tools.links import check_links
from tools.run import MARKER
from tools.running.execution import earlier_result
from tools.series.notebooks import find_notebooks
from tools.webpages import write_pages

RECORD = "site.json"  # tells a site's folder from any other, and what the site was made from
SHOWN_FAULTS = 20


class SiteError(Exception):
    """Why there is no new site, in one line, and what to do."""


def complete_run(run, series):
    """{name: Result} of every notebook of a run. Raises SiteError where one is not complete."""
    if not (run / MARKER).is_file():
        raise SiteError(f"{run} is no folder of a run: python tools/run.py --output {run}")
    if _marker(run).get("sweep"):
        raise SiteError(f"{run} holds a sweep, many runs of each notebook: give another --run")
    found = {name: earlier_result(run / name, name=name) for name in series}
    if missing := [name for name in series if found[name] is None]:
        reasons = _reasons(run)
        said = "; ".join(f"{name} {reasons.get(name, 'did not run')}" for name in missing)
        raise SiteError(f"{run} is not complete: {said}")
    return {name: result for name, (result, _) in found.items()}


def newest_run(runs, series):
    """The folder in `runs` that was last asked for and has every notebook. Raises SiteError."""
    asked = sorted(runs.glob(f"*/{MARKER}"), key=lambda path: path.stat().st_mtime, reverse=True)
    faults = []
    for marker in asked:
        try:
            complete_run(marker.parent, series)
            return marker.parent
        except SiteError as error:
            faults.append(str(error))
    newest = f" (the newest: {faults[0]})" if faults else ""
    raise SiteError(
        f"there is no complete run of the series in {runs}: python tools/run.py --profile smoke"
        f"{newest}"
    )


def _marker(run):
    try:
        marker = json.loads((run / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) else {}


def _reasons(run):
    """{notebook: what its row in the run's summary says}."""
    try:
        with open(run / "summary.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row.get("status") != "ok"]
    except OSError:
        return {}
    return {row["notebook"]: f"{row['status']}: {row['reason']}".strip(": ") for row in rows}


def build_site(run, *, output, root):
    """Build the site of a complete run; returns (notes, external addresses). Raises SiteError."""
    series = find_notebooks(root)
    if not series:
        raise SiteError("there are no notebooks yet: run `make build` first")
    results = complete_run(run, series)
    _need_replaceable(output)
    try:
        with replaced_folder(output) as site:
            notes, external = _write_site(site, results, run=run, output=output, root=root)
    except OSError as error:
        raise SiteError(f"the site cannot be written to {output}: {error}") from None
    outdated = [name for name in series if is_outdated(results[name], series[name])]
    notes += [f"{name} has changed since it ran: the site shows it as it was" for name in outdated]
    real = [name for name, result in results.items() if result.metrics["source"] != "synthetic"]
    if real:
        notes.append(
            f"{', '.join(real)} ran on real data, whose sounds are on the pages now: read the "
            "licences in data_README.md before you publish them"
        )
    return notes, external


def _write_site(site, results, *, run, output, root):
    """Write a site into a new folder and check it; returns as `build_site`. Raises SiteError."""
    profile = _marker(run).get("profile", "")
    notes = write_pages(results, site=site, run=run.name, profile=profile, root=root)
    record = {"run": run.name, "profile": profile, "lessons": list(results)}
    (site / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    faults, external = check_links(site)
    if faults:
        more = f"\n  and {len(faults) - SHOWN_FAULTS} more" * (len(faults) > SHOWN_FAULTS)
        shown = "".join(f"\n  {fault}" for fault in faults[:SHOWN_FAULTS])
        raise SiteError(f"links are broken; {output} is left as it was:{shown}{more}")
    return notes, external


def _need_replaceable(output):
    """Raises SiteError where there is something else than an earlier site."""
    if output.exists() and not output.is_dir():
        raise SiteError(f"{output} is no folder: give another --output")
    if output.exists() and any(output.iterdir()) and not (output / RECORD).is_file():
        raise SiteError(f"{output} holds other files than a site: give another --output")


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make a website of the executed series.")
    parser.add_argument("--run", type=Path, help="default: the newest complete one under runs/")
    parser.add_argument("--output", type=Path, help="default: dist/site")
    arguments = parser.parse_args(argv)
    output = Path(os.path.abspath(arguments.output or root / "dist" / "site"))
    try:
        run = arguments.run or newest_run(root / "runs", find_notebooks(root))
        run = Path(os.path.abspath(run))
        notes, external = build_site(run, output=output, root=root)
    except SiteError as error:
        print(f"website: {error}", file=sys.stderr)
        return 1
    for note in notes:
        print(f"note: {note}")
    files = [path for path in output.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    size = human_size(sum(path.stat().st_size for path in files))
    print(f"{len(external)} addresses outside, which were not tried:")
    for address in external:
        print(f"  {address}")
    print(f"{pages} pages, {len(files)} files, {size}, from {os.path.relpath(run)}:")
    print(os.path.relpath(output / "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
