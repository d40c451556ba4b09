"""The executed series as a website that needs no server and no network: dist/site/index.html.

This script prepares the texts and the executed notebooks. Sphinx and MyST-NB make the pages, see
docs/conf.py, and check the links.
"""

import argparse
import base64
import contextlib
import hashlib
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import jinja2
import nbformat
import pandas as pd
from nbformat.v4 import new_output
from sphinx.cmd.build import build_main

from helpers.files import replaced_folder
from tools.command_line import ROOT, CommandError, exit_status
from tools.pages import human_seconds
from tools.running.notebook_job import earlier_result
from tools.series.notebooks import find_notebooks

DOCS = ROOT / "docs"
TEXTS = ("README.md", "data_README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
BADGE = re.compile(r"\[!\[([^]]*)\]\(https?:[^)]*\)\]\(([^)]*)\)")
LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
LEARN = re.compile(r"^\*\*You will learn\*\*.*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)
UP_TO_TABLE = re.compile(r".*?^\|.*?\n(?!\|)", re.DOTALL | re.MULTILINE)
FACTS = re.compile(r"^\| (\w+) \| (.*) \|$", re.MULTILINE)
DATA_URI = re.compile(r'src="data:\w+/(?:x-)?(\w+)[^,"]*;base64,([^"]+)"')
SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
LIBRARY = 100_000  # characters of a script that is a library, which pages share
LOADED = re.compile(r'<(?!a\b)[^<>]*\s(?:src|href)=["\']((?:https?:)?//[^"\']*)')
MARKER = ".buildinfo"  # Sphinx writes it into each site


def complete_run(run, series):
    """{name: (Result, executed notebook)} of a run.

    Raises CommandError if a notebook is missing, failed, or has changed since it ran.
    """
    statuses, found, faults = {}, {}, []
    with contextlib.suppress(OSError):
        rows = pd.read_csv(run / "summary.csv", index_col=0, dtype=str, na_filter=False)
        statuses = (rows["status"] + " " + rows["reason"]).to_dict()
    for name, path in series.items():
        earlier = earlier_result(run / name, name=name)
        if earlier is None:
            faults.append(f"{name}: {statuses.get(name, 'did not run')}")
            continue
        executed = nbformat.read(run / name / f"{name}.ipynb", as_version=4)
        now = nbformat.read(path, as_version=4)
        if [cell.source for cell in _own_cells(executed)] != [cell.source for cell in now.cells]:
            faults.append(f"{name}: has changed since it ran")
        found[name] = earlier[0], executed
    if faults:
        command = f"python tools/run.py --profile smoke --output {run}"
        raise CommandError("; ".join([f"{run} is not a complete run: {command}", *faults]))
    return found


def _own_cells(executed):
    """The cells of an executed notebook without the one that papermill adds."""
    return [c for c in executed.cells if "injected-parameters" not in c.metadata.get("tags", [])]


def write_sources(source, notebooks, *, site, root):
    """Write what Sphinx reads into the folder `source`.

    notebooks: from `complete_run`. site: folder for files that pages only link to.
    """
    shutil.copytree(root / "docs", source / "docs")
    ignore = shutil.ignore_patterns("source")
    shutil.copytree(root / "notebooks", source / "downloads", ignore=ignore)
    for path in filter(Path.is_file, (root / name for name in TEXTS)):
        shutil.copy(path, source)
    texts = {}
    for path in sorted([*source.glob("*.md"), *source.glob("docs/*.md")]):
        text = BADGE.sub(r"[\1](\2)", path.read_text(encoding="utf-8"))
        texts[path.relative_to(source).as_posix()] = text
        path.write_text(text, encoding="utf-8")
    (source / "notebooks").mkdir()
    lessons = []
    for name, (result, notebook) in notebooks.items():
        for page in result.folder.glob("*/index.html"):  # reports that the notebook wrote
            place = site / "runs" / name / page.parent.name
            shutil.copytree(page.parent, place, ignore=shutil.ignore_patterns("*.keras", "*.npz"))
        lessons.append(_prepare_texts(notebook, result, downloads=source / "downloads"))
        if figure := _prepare_outputs(notebook, result, media=site / "_media"):
            lessons[-1]["figure"] = f"notebooks/{name}.png"
            (source / "notebooks" / f"{name}.png").write_bytes(figure)
        nbformat.write(notebook, source / "notebooks" / f"{name}.ipynb")

    beginning = texts["README.md"].partition("\n## ")[0]
    results = texts["README.md"].partition("\n## Results\n")[2].partition("\n## ")[0]
    results = UP_TO_TABLE.match(results)
    data = [  # the table under the heading of each data set, with its name
        dict(FACTS.findall(section)) | {"name": section.partition("\n")[0]}
        for section in texts.get("data_README.md", "").split("\n## ")[1:]
    ]
    template = (DOCS / "_templates" / "index.md").read_text(encoding="utf-8")
    page = jinja2.Template(template, trim_blocks=True).render(
        beginning=beginning,
        lessons=lessons,
        results=results[0] if results else "",
        data=[card for card in data if "what" in card],
        texts=texts,
    )
    (source / "index.md").write_text(page, encoding="utf-8")


def _prepare_texts(notebook, result, *, downloads):
    """Add links below the title of an executed notebook; fold its set-up and its solutions.

    downloads: folder of the notebooks without outputs. Returns the texts of its card.
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
    links = [f"Ran in {human_seconds(result.seconds)} on {kind} data"]
    links += [f"[notebook](path:/downloads/{name}.ipynb)"]
    if tasks:
        words = f"the same with {n_exercises} exercises"
        links += [f"[{words}](path:/downloads/exercises/{name}.ipynb)"]
    links += [f"[{words}]({address})" for words, address in BADGE.findall(own[0].source)]
    title, *text = filter(str.strip, BADGE.sub("", own[0].source).split("\n\n"))
    own[0].source = "\n\n".join([title, " · ".join(links), *text])
    learn = LEARN.search("\n\n".join(cell.source for cell in own))
    return {
        "name": name,
        "title": title.removeprefix("# "),
        "lead": LINK.sub(r"\1", text[0]) if text else "",
        "learn": LINK.sub(r"\1", learn[0]) if learn else "",
        "links": " · ".join(links),
    }


def _prepare_outputs(notebook, result, *, media):
    """Move sounds and libraries from outputs to files in `media`; replace panels of widgets.

    Returns the largest picture as the bytes of a PNG file, or b"".
    """
    media.mkdir(exist_ok=True)
    widgets = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    run_folder = f"]({result.parameters.get('OUTPUT_DIR')}/"

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
            if html := data.get("text/html"):
                for script in SCRIPT.findall(html):
                    if len(script) > LIBRARY:
                        html = html.replace(f">{script}<", f" {moved(script.encode(), 'js')}><")
                html = DATA_URI.sub(lambda m: moved(base64.b64decode(m[2]), m[1]), html)
                data["text/html"] = html
            if markdown := data.get("text/markdown"):
                data["text/markdown"] = markdown.replace(run_folder, f"](run:{result.name}/")
            figures.append(base64.b64decode(data.get("image/png", "")))
    return max(figures, key=len)


def _without_panel(output, widgets):
    """[output]; for a panel of widgets, outputs with the pictures and sounds in it."""
    if VIEW not in output.get("data", {}):
        return [output]
    words = "*A panel with controls, at the end of the run: open the notebook to use them.*"
    shown, models = [{"text/markdown": words}], [output["data"][VIEW]["model_id"]]
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


def _run_sphinx(source, pages):
    """Make the pages. Raises CommandError if Sphinx warns, or a page needs the network."""
    options = ["-q", "-n", "-W", "--no-color", "-c", str(DOCS), "-d", f"{pages}.doctrees"]
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        status = build_main([*options, "-b", "html", str(source), str(pages)])
    faults = [printed.getvalue().replace(f"{source}{os.sep}", "").strip()] if status else []
    for path in sorted(pages.rglob("*.html")):
        for address in LOADED.findall(path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(pages).as_posix()} would load {address[:100]}")
    if faults:
        raise CommandError("\n".join(["these errors prevent a new site:", *faults]))


def run(arguments, *, root):
    """Run the command; returns the exit status. Raises CommandError."""
    output = Path(os.path.abspath(arguments.output or root / "dist" / "site"))
    notebooks = complete_run(arguments.run or root / "runs" / "site", find_notebooks(root))
    if not notebooks:
        raise CommandError("there are no notebooks yet: run `make build` first")
    is_empty = output.is_dir() and not any(output.iterdir())
    if output.exists() and not is_empty and not (output / MARKER).is_file():
        raise CommandError(f"{output} is not an earlier site: choose another --output")
    try:
        with replaced_folder(output) as site, tempfile.TemporaryDirectory() as work:
            source, pages = Path(work) / "source", Path(work) / "html"
            write_sources(source, notebooks, site=site, root=root)
            _run_sphinx(source, pages)
            shutil.copytree(pages, site, dirs_exist_ok=True)
    except OSError as error:
        raise CommandError(f"the site cannot be written to {output}: {error}") from None
    for name, (result, _) in notebooks.items():
        if result.metrics["source"] != "synthetic":
            print(f"note: {name} shows real data: read its licence before you publish")
    print(os.path.relpath(output / "index.html"))
    return 0


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make a website of the executed series.")
    parser.add_argument("--run", type=Path, help="default: runs/site")
    parser.add_argument("--output", type=Path, help="default: dist/site")
    return exit_status("website", run, parser.parse_args(argv), root=root)


if __name__ == "__main__":
    sys.exit(main())
