"""The executed series as a website that needs no server and no network: dist/site/index.html.

    python tools/website.py                              of the run in runs/site
    python tools/website.py --run RUN --output FOLDER    of another run, to another folder
    make site                                            runs what is not complete yet, then this

This prepares the texts and the executed notebooks; Sphinx and MyST-NB make pages of them, by
docs/conf.py, and check the links. Exit status: 0 all well, 1 there is no new site, and why.
"""

import argparse
import base64
import contextlib
import csv
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where a file name could hide a package

import jinja2
import nbformat
from nbformat.v4 import new_output
from sphinx.cmd.build import build_main

from helpers.files import replaced_folder
from tools.pages import human_seconds
from tools.running.execution import earlier_result
from tools.series.notebooks import find_notebooks

DOCS = ROOT / "docs"
TEXTS = ("README.md", "data_README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
WIDGETS = "application/vnd.jupyter.widget-state+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
PLACEHOLDER = "/OWNER/"  # in the address of a repository that is not published yet
BADGE = re.compile(r"\[!\[([^]]*)\]\(https?:[^)]*\)\]\(([^)]*)\)")
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
LEARN = re.compile(r"^\*\*You will learn\*\*.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)
UP_TO_TABLE = re.compile(r".*?^\|.*?\n(?!\|)", re.DOTALL | re.MULTILINE)
DATA_URI = re.compile(r'src="data:\w+/(?:x-)?(\w+)[^,"]*;base64,([^"]+)"')
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
LIBRARY = 100_000  # characters of a script that pages share
LOADED = re.compile(r'<(?!a\b)[^<>]*\s(?:src|href)=["\']((?:https?:)?//[^"\']*)')
SITE = ".buildinfo"  # Sphinx's mark in a folder that it wrote


class SiteError(Exception):
    """Why there is no new site, and what to do."""


def complete_run(run, series):
    """{name: (Result, executed notebook)} of a run.

    Raises SiteError where a notebook is missing, failed, or has changed since it ran.
    """
    reasons, found, faults = {}, {}, []
    with contextlib.suppress(OSError), open(run / "summary.csv", encoding="utf-8") as file:
        reasons = {
            row["notebook"]: f"{row['status']} {row['reason']}" for row in csv.DictReader(file)
        }
    for name, path in series.items():
        earlier = earlier_result(run / name, name=name)
        if earlier is None:
            faults.append(f"{name}: {reasons.get(name, 'did not run')}")
            continue
        executed = nbformat.read(run / name / f"{name}.ipynb", as_version=4)
        now = nbformat.read(path, as_version=4)
        if [cell.source for cell in _own_cells(executed)] != [cell.source for cell in now.cells]:
            faults.append(f"{name}: has changed since it ran")
        found[name] = earlier[0], executed
    if faults:
        command = f"python tools/run.py --profile smoke --output {run}"
        raise SiteError("; ".join([f"{run} is no complete run: {command}", *faults]))
    return found


def _own_cells(executed):
    """The cells of an executed notebook without the one that papermill put in."""
    return [c for c in executed.cells if "injected-parameters" not in c.metadata.get("tags", [])]


def write_sources(source, notebooks, *, site, root):
    """Write what Sphinx reads into the new folder `source`.

    notebooks: as from `complete_run`. site: folder for files that pages only point to.
    """
    shutil.copytree(root / "docs", source / "docs")
    shutil.copytree(
        root / "notebooks", source / "downloads", ignore=shutil.ignore_patterns("source")
    )
    for path in (root / name for name in TEXTS):
        if path.is_file():
            shutil.copy(path, source)
    texts = {}
    for path in sorted([*source.glob("*.md"), *source.glob("docs/*.md")]):
        text = BADGE.sub(r"[\1](\2)", path.read_text(encoding="utf-8"))
        texts[path.relative_to(source).as_posix()] = text
        path.write_text(text, encoding="utf-8")
    (source / "notebooks").mkdir()
    lessons = []
    for name, (result, notebook) in notebooks.items():
        for page in result.folder.glob("*/index.html"):  # what the run wrote for people to read
            place = site / "runs" / name / page.parent.name
            shutil.copytree(page.parent, place, ignore=shutil.ignore_patterns("*.keras", "*.npz"))
        lessons.append(_prepare_texts(notebook, result, downloads=source / "downloads"))
        if figure := _prepare_outputs(notebook, result, media=site / "_media"):
            lessons[-1]["figure"] = f"notebooks/{name}.png"
            (source / "notebooks" / f"{name}.png").write_bytes(figure)
        nbformat.write(notebook, source / "notebooks" / f"{name}.ipynb")

    readme = texts["README.md"]
    results = UP_TO_TABLE.match(readme.partition("\n## Results\n")[2].partition("\n## ")[0])
    template = jinja2.Template(
        (DOCS / "_templates" / "index.md").read_text(encoding="utf-8"), trim_blocks=True
    )
    page = template.render(
        beginning=readme.partition("\n## ")[0],
        lessons=lessons,
        results=results[0] if results else "",
        data=_data_cards(texts.get("data_README.md", "")),
        texts=texts,
    )
    (source / "index.md").write_text(page, encoding="utf-8")


def _data_cards(data):
    """[{name, what, licence}] of the data sets, from the table under each heading."""
    cards = []
    for section in data.split("\n## ")[1:]:
        facts = dict(re.findall(r"^\| (\w+) \| (.*) \|$", section, re.MULTILINE))
        if "what" in facts:
            cards.append({**facts, "name": section.partition("\n")[0]})
    return cards


def _prepare_texts(notebook, result, *, downloads):
    """Put links under the title of an executed notebook; fold its set-up and its solutions.

    downloads: the folder of the notebooks without outputs. Returns what the start page says of it.
    """
    own, name = _own_cells(notebook), result.name
    exercises = downloads / "exercises" / f"{name}.ipynb"
    tasks = nbformat.read(exercises, as_version=4).cells if exercises.is_file() else []
    n_exercises, is_set_up = 0, True
    for cell, task in zip(own, tasks or own, strict=False):
        is_set_up &= "parameters" not in cell.metadata.get("tags", [])
        is_solution = task.metadata.get("nbgrader", {}).get("solution", False)
        n_exercises += is_solution
        if cell.cell_type == "code" and (is_set_up or is_solution):
            words = "A solution" if is_solution else "Imports and set-up"
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
            cell.metadata["mystnb"] = {"code_prompt_show": words, "code_prompt_hide": words}
    kind = "synthetic" if result.metrics["source"] == "synthetic" else "real"
    said = [f"Ran in {human_seconds(result.seconds)} on {kind} data"]
    said += [f"[notebook](path:/downloads/{name}.ipynb)"]
    if tasks:
        words = f"the same with {n_exercises} exercises"
        said += [f"[{words}](path:/downloads/exercises/{name}.ipynb)"]
    badges = BADGE.findall(own[0].source)
    said += [f"[{words}]({address})" for words, address in badges if PLACEHOLDER not in address]
    title, *text = filter(str.strip, BADGE.sub("", own[0].source).split("\n\n"))
    own[0].source = "\n\n".join([title, " · ".join(said), *text])
    learn = LEARN.search("\n\n".join(cell.source for cell in own))
    return {
        "name": name,
        "title": title.removeprefix("# "),
        "lead": LINK.sub(r"\1", text[0]) if text else "",
        "learn": LINK.sub(r"\1", learn[0]) if learn else "",
        "said": " · ".join(said),
    }


def _prepare_outputs(notebook, result, *, media):
    """Move sounds and libraries from outputs to files in `media`, and replace panels of widgets.

    Returns the largest picture as the bytes of a PNG file, or b"".
    """
    media.mkdir(exist_ok=True)
    widgets = notebook.metadata.pop("widgets", {}).get(WIDGETS, {}).get("state", {})
    to_run = f"]({result.parameters.get('OUTPUT_DIR')}/"

    def moved(data, suffix):  # returns the attribute that names the file
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"
        (media / name).write_bytes(data)
        return f'src="../_media/{name}"'

    section, figures = "", [b""]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = (re.findall(r"^#+ (.*)", cell.source, re.MULTILINE) or [section])[-1]
            continue
        cell.metadata.setdefault("mystnb", {})["image"] = {"alt": f"A figure in “{section}”"}
        cell.outputs = [o for output in cell.outputs for o in _without_panel(output, widgets)]
        for data in (output["data"] for output in cell.outputs if "data" in output):
            html = data.get("text/html", "")
            for script in SCRIPT.findall(html):
                if len(script) > LIBRARY:
                    html = html.replace(f">{script}<", f" {moved(script.encode(), 'js')}><")
            html = DATA_URI.sub(lambda m: moved(base64.b64decode(m[2]), m[1]), html)
            markdown = data.get("text/markdown", "").replace(to_run, f"](run:{result.name}/")
            data |= {"text/html": html} if html else {}
            data |= {"text/markdown": markdown} if markdown else {}
            figures.append(base64.b64decode(data.get("image/png", "")))
    return max(figures, key=len)


def _without_panel(output, widgets):
    """[output], or if it is a panel of widgets, outputs with the pictures and sounds in it."""
    if WIDGET not in output.get("data", {}):
        return [output]
    words = "*A panel with knobs, as it stood when the run ended: open the notebook to turn them.*"
    shown, models = [{"text/markdown": words}], [output["data"][WIDGET]["model_id"]]
    for model in models:  # the list grows: each model adds its children
        widget = widgets.get(model.removeprefix("IPY_MODEL_"), {})
        models += widget.get("state", {}).get("children", [])
        for value in widget.get("buffers", []):
            if widget["model_name"] == "ImageModel":
                shown.append({"image/png": value["data"]})
            elif widget["model_name"] == "AudioModel":
                sound = f"data:audio/wav;base64,{value['data']}"
                shown.append({"text/html": f'<audio controls src="{sound}"></audio>'})
    return [new_output("display_data", data) for data in shown]


def build_site(run, *, output, root):
    """Build the site of a complete run in the folder `output`. Raises SiteError."""
    series = find_notebooks(root)
    if not series:
        raise SiteError("there are no notebooks yet: run `make build` first")
    notebooks = complete_run(run, series)
    is_empty = output.is_dir() and not any(output.iterdir())
    if output.exists() and not is_empty and not (output / SITE).is_file():
        raise SiteError(f"{output} is not an earlier site: give another --output, or remove it")
    try:
        with replaced_folder(output) as site, tempfile.TemporaryDirectory() as work:
            source, pages = Path(work) / "source", Path(work) / "html"
            write_sources(source, notebooks, site=site, root=root)
            _run_sphinx(source, pages)
            shutil.copytree(pages, site, dirs_exist_ok=True)
    except OSError as error:
        raise SiteError(f"the site cannot be written to {output}: {error}") from None
    for name, (result, _) in notebooks.items():
        if result.metrics["source"] != "synthetic":
            print(f"note: {name} shows real data: before you publish, read its licence")


def _run_sphinx(source, pages):
    """Make the pages. Raises SiteError if Sphinx warns, or a page would load from the network."""
    options = ["-q", "-n", "-W", "--no-color", "-c", str(DOCS), "-d", f"{pages}.doctrees"]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        status = build_main([*options, "-b", "html", str(source), str(pages)])
    faults = [said.getvalue().replace(f"{source}{os.sep}", "").strip()] if status else []
    for path in sorted(pages.rglob("*.html")):
        for address in LOADED.findall(path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(pages).as_posix()} would load {address[:100]}")
    if faults:
        raise SiteError("\n".join(["there are faults, and the site was not replaced:", *faults]))


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make a website of the executed series.")
    parser.add_argument("--run", type=Path, help="default: runs/site")
    parser.add_argument("--output", type=Path, help="default: dist/site")
    arguments = parser.parse_args(argv)
    output = Path(os.path.abspath(arguments.output or root / "dist" / "site"))
    try:
        build_site(arguments.run or root / "runs" / "site", output=output, root=root)
    except SiteError as error:
        print(f"website: {error}", file=sys.stderr)
        return 1
    print(os.path.relpath(output / "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
