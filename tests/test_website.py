"""tools/website.py: whole pages, links that lead somewhere, nothing loaded, clear refusals."""

import base64
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tiny_series import METRICS, write_helpers, write_notebook

from tools import website
from tools.run import main as run_series
from tools.website import main

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PICTURE = base64.b64encode(PNG).decode()
SOUND = b"RIFF of a sound"
LIBRARY = "/* a library */" + "x = 1;" * 20_000
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
WIDGETS = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
README = """# Sounds, in notebooks

What this is. ![A picture](docs/bird.png)

## Begin

See [the first](notebooks/01_first.ipynb), [its tasks](notebooks/exercises/01_first.ipynb),
[a program](tools/run.py), [what we reach](#results) and [more](docs/more.md#a-detail).

## Results

Full runs.

| method | right |
|---|---|
| ours | 97 |

And much later, a last word.
"""
MORE = """# More

[![All is well](https://example.org/badge.svg)](https://example.org/tests)

## A detail

[Back](../README.md#begin)
"""
DATA = """# Where sound comes from

## birds

| | |
|---|---|
| what | calls of a *bird* |
| licence | free |
"""
PANDAS = """<div><style scoped>.dataframe th { color: red; }</style>
<table border="1" class="dataframe">
<thead><tr><th></th><th>n</th></tr><tr><th>fold</th><th></th></tr></thead>
<tbody><tr><th>1</th><td>7</td></tr></tbody></table></div>"""


def shown(**data):
    return new_output("display_data", {name.replace("_", "/", 1): v for name, v in data.items()})


def first_lesson():
    """Cells with every kind of output that the series has."""
    title = (
        "# 01 · First things\n\n"
        "[![Open in Colab](https://colab.research.google.com/badge.svg)](https://colab.research."
        "google.com/github/someone/sounds/blob/main/notebooks/01_first.ipynb)\n\n"
        "Listen *before* you count; see [birds](../data_README.md#birds)."
    )
    sound = base64.b64encode(SOUND).decode()
    audio = f'<audio controls><source src="data:audio/wav;base64,{sound}"></audio>'
    plot = f'<div><script type="text/javascript">{LIBRARY}</script><script>draw()</script></div>'
    return [
        new_markdown_cell(title),
        new_markdown_cell("**You will learn** to see [results](../README.md#results)."),
        new_code_cell("import os\nimport sys"),
        new_code_cell("SEED = 0", metadata={"tags": ["parameters"]}),
        new_code_cell("SEED = 1", metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell("## Look\n\n**Exercise 1.1: double.** Return twice x.\n\n## Look"),
        new_code_cell("def double(x):\n    return 2 * x"),
        new_code_cell(
            "axis.set(xlabel='time (s)')\nplots.two_waves(x)", outputs=[shown(image_png=PICTURE)]
        ),
        new_code_cell("sound", outputs=[shown(text_html=audio), shown(text_html=PANDAS)]),
        new_code_cell("plot", outputs=[shown(text_html=plot)]),
        new_code_cell(
            "panel",
            outputs=[new_output("display_data", {VIEW: {"model_id": "box"}, "text/plain": "VBox"})],
        ),
        new_code_cell(
            "link",
            outputs=[shown(text_markdown="[The report](runs/a/01_first/report/index.html)")],
        ),
        new_code_cell("print()", outputs=[new_output("stream", name="stdout", text="a < b\n")]),
    ]


def panel():
    """The state of a panel with a knob, a picture and a sound."""

    def buffer(data):
        return [{"data": base64.b64encode(data).decode(), "path": ["value"], "encoding": "base64"}]

    state = {
        "box": {
            "model_name": "VBoxModel",
            "state": {"children": ["IPY_MODEL_knob", "IPY_MODEL_image", "IPY_MODEL_audio"]},
        },
        "knob": {
            "model_name": "DropdownModel",
            "state": {"description": "Class", "_options_labels": ["cat", "owl"], "index": 1},
        },
        "image": {"model_name": "ImageModel", "state": {"format": "png"}, "buffers": buffer(PNG)},
        "audio": {"model_name": "AudioModel", "state": {"format": "wav"}, "buffers": buffer(SOUND)},
    }
    return {WIDGETS: {"state": state}}


def write_run(root, name, cells, *, run="a", metadata=None, source="synthetic"):
    """A notebook of the series, and a complete run of it with a report, as run.py leaves it."""
    notebooks, folder = root / "notebooks", root / "runs" / run / name
    (folder / "report").mkdir(parents=True, exist_ok=True)
    (notebooks / "exercises").mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata or {}), folder / f"{name}.ipynb")
    own = [c for c in cells if "injected-parameters" not in c.metadata.get("tags", [])]
    plain = [new_code_cell(c.source, metadata=c.metadata) if "outputs" in c else c for c in own]
    nbformat.write(new_notebook(cells=plain), notebooks / f"{name}.ipynb")
    for cell in plain:
        if cell.source.startswith("def "):
            cell.metadata["nbgrader"] = {"solution": True, "grade_id": "exercise-1-1"}
    nbformat.write(new_notebook(cells=plain), notebooks / "exercises" / f"{name}.ipynb")
    metrics = {"dataset": "birds", "source": source, "seed": 0, "accuracy": 0.43217}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    record = {
        "fingerprint": "",
        "seconds": 83.0,
        "peak_memory_mib": 9.0,
        "parameters": {"OUTPUT_DIR": f"runs/{run}/{name}"},
    }
    (folder / "complete.json").write_text(json.dumps(record))
    (folder / "report" / "bird.png").write_bytes(PNG)
    (folder / "report" / "model.keras").write_bytes(b"weights")
    (folder / "report" / "index.html").write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Report</title></head>'
        '<body>\n<h1>Report</h1><img src="bird.png" alt="A bird"></body></html>'
    )
    (root / "runs" / run / "run.json").write_text('{"profile": "smoke", "sweep": {}}')


def write_series(root, *, repository="https://github.com/OWNER/sounds"):
    """A repository of two lessons with texts, tasks and a complete run `a`."""
    (root / "docs").mkdir(parents=True)
    (root / "tools").mkdir()
    (root / "tools" / "run.py").write_text("")
    (root / "docs" / "bird.png").write_bytes(PNG)
    (root / "docs" / "more.md").write_text(MORE)
    (root / "README.md").write_text(README)
    (root / "data_README.md").write_text(DATA)
    (root / "pyproject.toml").write_text(
        '[project]\nversion = "1.dev0"\n'
        f'[tool.series]\nrepository = "{repository}"\nbranch = "main"\n'
    )
    write_run(root, "01_first", first_lesson(), metadata={"widgets": panel()})
    write_run(root, "02_second", second_lesson())
    return root


def second_lesson():
    plot = f"<script>{LIBRARY}</script>"
    return [
        new_markdown_cell("# 02 · Second things\n\nAfter [the first](01_first.ipynb#look)."),
        new_code_cell("plot", outputs=[shown(text_html=plot)]),
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = write_series(tmp_path_factory.mktemp("series"))
    assert main([], root=root) == 0
    return root / "dist" / "site"


@pytest.fixture
def root(tmp_path):
    return write_series(tmp_path)


def tree(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(site):
    found = sorted(site.rglob("*.html"))
    assert len(found) >= 9
    return found


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Nesting(HTMLParser):
    """Whether every element that a page opens is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.faults = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")


def test_every_page_is_whole_and_says_what_it_is(site):
    titles = []
    for path in pages(site):
        parser = Nesting()
        parser.feed(path.read_text(encoding="utf-8"))
        parser.close()
        assert (parser.faults, parser.open) == ([], []), path
        page = tree(path)
        titles.append(page.title.get_text())
        assert page.html["lang"] == "en" and titles[-1], path
        levels = [int(heading.name[1]) for heading in page.find_all(["h1", "h2", "h3", "h4"])]
        assert levels[0] == 1 and levels.count(1) == 1, path
        assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), (path, levels)
        ids = [element["id"] for element in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), path
        for image in page.find_all("img"):
            assert image.get("alt") or image.find_parent(attrs={"aria-hidden": "true"}), image
    assert len(set(titles)) >= 8, "reports of two lessons may be called the same"


def test_every_link_leads_to_a_file_of_the_site_or_an_address_outside(site):
    n_inside = 0
    for path in pages(site):
        for element in tree(path).find_all(["a", "img", "audio", "source", "script", "link"]):
            address = element.get("href") or element.get("src")
            if not address or (parts := urlsplit(address)).scheme:
                continue
            assert not address.startswith("/"), (path, address)
            target = path.parent / unquote(parts.path) if parts.path else path
            assert target.is_file(), (path, address)
            if parts.fragment:
                assert tree(target).find(id=parts.fragment), (path, address)
            n_inside += 1
    assert n_inside > 100


def test_pages_load_nothing_from_the_network(site):
    for path in pages(site):
        for element in tree(path).find_all(["img", "audio", "source", "script", "link", "iframe"]):
            address = element.get("src") or element.get("href") or ""
            assert not urlsplit(address).netloc, (path, address)
    for path in site.rglob("*.css"):
        assert "http" not in path.read_text() and "@import" not in path.read_text()


def test_links_of_the_repository_become_those_of_the_site(site):
    def links(page):
        return {a.get_text(): a["href"] for a in tree(site / page).find_all("a")}

    guide = links("guide.html")
    assert guide["the first"] == "lessons/01_first.html"
    assert guide["its tasks"] == "downloads/exercises/01_first.ipynb"
    assert guide["what we reach"] == "results.html#results"
    assert guide["more"] == "docs/more.html#a-detail"
    assert "a program" not in guide, "a file that nobody can open here is text"
    assert "a program" in tree(site / "guide.html").get_text()
    first = links("lessons/01_first.html")
    assert first["birds"] == "../data.html#birds"
    assert first["results"] in ("../results.html", "../results.html#results")
    assert first["The report"] == "01_first/run/report/index.html"
    assert links("lessons/02_second.html")["the first"] == "01_first.html#look"
    more = links("docs/more.html")
    assert more == more | {
        "Back": "../guide.html#begin",
        "All is well": "https://example.org/tests",
    }
    assert links("lessons/01_first/run/report/index.html") == {
        "← Back to the lesson": "../../../01_first.html"
    }


def test_a_published_repository_opens_what_has_no_page(tmp_path, capsys):
    root = write_series(tmp_path, repository="https://github.com/someone/sounds")
    assert main([], root=root) == 0
    said = capsys.readouterr().out
    program = "https://github.com/someone/sounds/blob/main/tools/run.py"
    assert program in said and "names no repository" not in said
    assert tree(root / "dist/site/guide.html").find("a", href=program)
    lesson = tree(root / "dist/site/lessons/01_first.html")
    (button,) = (a for a in lesson.select("a.button") if a.get_text() == "Open in Colab")
    assert button["href"].endswith("01_first.ipynb") and not button.find("img")


def test_an_unpublished_repository_is_told_and_nothing_opens_there(root, capsys):
    assert main([], root=root) == 0
    assert "names no repository of yours" in capsys.readouterr().out
    assert "colab" not in (root / "dist/site/lessons/01_first.html").read_text()


def test_pictures_and_sounds_become_files_beside_the_lesson(site):
    lesson = tree(site / "lessons/01_first.html")
    folder = site / "lessons/01_first"
    image = lesson.select_one(".output a.figure img")
    assert (site / "lessons" / image["src"]).read_bytes() == PNG
    assert image["alt"] == "Figure 1, in “Look”: two waves; time (s)" and image["width"] == "1"
    assert [path.read_bytes() for path in sorted(folder.glob("sound-*.wav"))] == [SOUND, SOUND]
    assert "base64" not in (site / "lessons/01_first.html").read_text()
    assert lesson.find("audio")["aria-label"] == "Sound: Look"


def test_a_library_is_there_once_for_all_pages(site):
    (script,) = (site / "assets").glob("script-*.js")
    assert script.read_text() == LIBRARY
    for name in ("01_first", "02_second"):
        page = tree(site / f"lessons/{name}.html")
        assert page.find("script", src=f"../assets/{script.name}")
        assert len((site / f"lessons/{name}.html").read_bytes()) < 20_000
    assert "draw()" in (site / "lessons/01_first.html").read_text()


def test_a_panel_shows_how_it_stood(site):
    panel = tree(site / "lessons/01_first.html").select_one(".panel")
    assert panel.dt.get_text() == "Class" and panel.dd.get_text() == "owl"
    assert panel.img and panel.audio and "open the notebook" in panel.get_text()


def test_solutions_and_imports_are_folded_and_the_rest_is_not(site):
    cells = tree(site / "lessons/01_first.html").select("details.code")
    states = {cell.summary.get_text(): cell.has_attr("open") for cell in cells}
    assert states["Imports · 2 lines"] is False
    assert states["A solution of exercise 1.1 · 2 lines"] is False
    assert states["Parameters · 1 line"] and states["Parameters of this run · 1 line"]
    assert sum(states.values()) == len(states) - 2


def test_tables_of_pandas_are_tidied_and_scroll_by_themselves(site):
    lesson = tree(site / "lessons/01_first.html")
    table = lesson.select_one("table.dataframe")
    assert table.parent["class"] == ["wide"]
    assert [th.get_text() for th in table.thead.find_all("th")] == ["fold", "n"]
    assert not lesson.find("style", scoped=True)


def test_the_way_through_the_lessons_and_through_a_page(site):
    first, second = (tree(site / f"lessons/{n}.html") for n in ("01_first", "02_second"))
    assert {a["href"] for a in first.select("a[rel=next]")} == {"02_second.html"}
    assert {a["href"] for a in second.select("a[rel=prev]")} == {"01_first.html"}
    contents = [a["href"] for a in first.select("nav.contents a")]
    assert contents == ["#look", "#look-1", "#files-of-this-run"]
    assert first.find(id="exercise-1-1").get_text().startswith("Exercise 1.1")


def test_start_page_has_a_card_for_each_lesson_and_data_set(site):
    start = tree(site / "index.html")
    assert "What this is." in start.get_text() and start.find("img", src="assets/bird.png")
    first, second, birds = start.select(".card")
    assert first.h3.get_text() == "01 · First things" and "1 min 23 s" in first.get_text()
    assert "Listen before you count" in first.get_text()
    assert "You will learn to see results" in first.get_text()
    assert first.img["src"].startswith("lessons/01_first/figure-")
    downloads = [a["href"] for a in first.find_all("a", download=True)]
    assert downloads == ["downloads/01_first.ipynb", "downloads/exercises/01_first.ipynb"]
    assert not second.img and "exercises" not in second.get_text()
    assert birds.h3.a["href"] == "data.html#birds" and "calls of a bird" in birds.get_text()
    assert "97" in start.get_text() and "a last word" not in start.get_text()


def test_results_tell_full_runs_from_the_one_shown(site):
    page = tree(site / "results.html")
    real = page.find(id="results").find_parent("section")
    run = page.find(id="run").find_parent("section")
    assert "97" in real.get_text() and "a last word" in real.get_text()
    assert "0.432" in run.get_text() and "0.432" not in real.get_text()
    assert "Profile smoke, data synthetic" in run.get_text()


def test_files_of_a_run_are_taken_along_if_they_can_be_read(site):
    folder = site / "lessons/01_first/run"
    assert (folder / "report/bird.png").read_bytes() == PNG
    assert not list(site.rglob("*.keras")) and not list(site.rglob("complete.json"))
    files = tree(site / "lessons/01_first.html").select(".files li")
    (model,) = (file for file in files if "model.keras" in file.get_text())
    assert "not on this site" in model.get_text() and not model.a


def test_the_same_run_gives_the_same_bytes(root):
    one, two = root / "sites" / "one", root / "sites" / "two"
    for output in (one, two, one):
        assert main(["--output", str(output)], root=root) == 0
        assert bytes_of(output) == bytes_of(one)
    assert {path.name for path in one.parent.iterdir()} == {"one", "two"}, "nothing is left over"


BROKEN = {
    "[gone](docs/gone.md)": "guide.html: docs/gone.md leads nowhere",
    "[gone](data_README.md#fish)": "guide.html: data.html#fish names a place",
    "[gone](#nothing)": "guide.html: #nothing names a place",
    "[gone](../outside.html)": "guide.html: ../outside.html leads nowhere",
    "[gone](/top.html)": "guide.html: /top.html begins with /",
    "![far](https://example.org/a.png)": "guide.html loads https://example.org/a.png from",
    "<script src='//cdn.org/a.js'></script>": "guide.html loads //cdn.org/a.js from the network",
    "<p style='background: url(http://a.org/b)'>x</p>": "guide.html loads http://a.org/b from",
    "<style>@import 'far.css';</style>": "guide.html: far.css leads nowhere",
}


def test_broken_links_are_named_and_the_site_before_stays(root, capsys):
    assert main([], root=root) == 0
    site = root / "dist" / "site"
    before = bytes_of(site)
    (site.parent / "outside.html").touch()  # there, but not on the site
    texts = "\n\n".join(["## Begin", *BROKEN])
    (root / "README.md").write_text(README.replace("## Begin\n", texts))
    capsys.readouterr()
    assert main([], root=root) == 1
    first, *faults = capsys.readouterr().err.splitlines()
    assert first.startswith("website: links are broken") and "left as it was" in first
    assert len(faults) == len(BROKEN)
    for fault, expected in zip(sorted(faults), sorted(BROKEN.values()), strict=True):
        assert fault.startswith(f"  {expected}")
    assert bytes_of(site) == before
    assert {path.name for path in site.parent.iterdir()} == {"site", "outside.html"}


def test_what_stops_a_build_leaves_the_site_before(root, monkeypatch):
    assert main([], root=root) == 0
    site = root / "dist" / "site"
    before = bytes_of(site)

    def interrupted(*arguments, site, **options):
        (site / "index.html").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(website, "write_pages", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main([], root=root)
    assert bytes_of(site) == before
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_a_stop_between_the_two_folders_brings_the_old_one_back(root, monkeypatch):
    assert main([], root=root) == 0
    site = root / "dist" / "site"
    before = bytes_of(site)
    rename = Path.rename

    def interrupted(self, target):
        if self.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main([], root=root)
    assert bytes_of(site) == before
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def refused(arguments, root, capsys):
    """What is said where there is no new site: one line."""
    assert main(arguments, root=root) == 1
    error = capsys.readouterr().err
    assert error.startswith("website: ") and error.count("\n") == 1
    assert not (root / "dist").exists()
    return error


def test_without_a_run_it_says_how_to_make_one(root, capsys):
    (root / "runs").rename(root / "elsewhere")
    assert "python tools/run.py --profile smoke" in refused([], root, capsys)
    assert "is no folder of a run" in refused(["--run", str(root / "docs")], root, capsys)


def test_an_incomplete_or_failed_run_is_refused_by_notebook(root, capsys):
    run = root / "runs" / "a"
    (run / "01_first" / "complete.json").unlink()
    (run / "02_second" / "complete.json").write_text("{")
    (run / "summary.csv").write_text(
        "notebook,status,reason\n01_first,failed,ZeroDivisionError in cell [3]\n02_second,ok,\n"
    )
    for arguments in ([], ["--run", str(run)]):
        error = refused(arguments, root, capsys)
        assert "01_first failed: ZeroDivisionError in cell [3]" in error
        assert "02_second did not run" in error


def test_a_sweep_is_refused(root, capsys):
    (root / "runs/a/run.json").write_text('{"profile": "smoke", "sweep": {"SEED": "0,1"}}')
    assert "holds a sweep" in refused(["--run", str(root / "runs/a")], root, capsys)
    assert "no complete run" in refused([], root, capsys)


def test_the_newest_complete_run_is_taken(root, capsys):
    for k, name in enumerate(("b", "c"), start=1):
        write_run(root, "01_first", first_lesson(), run=name)
        write_run(root, "02_second", second_lesson(), run=name)
        os.utime(root / "runs" / name / "run.json", (2e9 + k, 2e9 + k))
    (root / "runs/c/02_second/complete.json").unlink()
    assert main([], root=root) == 0
    assert json.loads((root / "dist/site/site.json").read_text())["run"] == "b"
    assert "runs/b" in capsys.readouterr().out


def test_no_other_files_are_ever_replaced(root, capsys):
    mine = root / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    assert "holds other files" in refused(["--output", str(mine)], root, capsys)
    assert (mine / "letter.txt").read_text() == "dear"
    assert "is no folder" in refused(["--output", str(root / "README.md")], root, capsys)
    error = refused(["--output", str(root / "README.md" / "site")], root, capsys)
    assert "cannot be written" in error


def test_notebooks_that_changed_and_real_data_are_told(root, capsys):
    write_run(root, "02_second", second_lesson(), source="local")
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Another")]), root / "notebooks/01_first.ipynb"
    )
    assert main([], root=root) == 0
    said = capsys.readouterr().out
    assert "note: 01_first has changed since it ran" in said and "02_second has changed" not in said
    assert "note: 02_second ran on real data" in said


def test_a_run_of_the_series_becomes_a_site(tmp_path, capsys):
    """What run.py leaves today is what this reads."""
    write_helpers(tmp_path)
    write_notebook(tmp_path, "01_tiny", "print('heard')", METRICS)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nversion = "1.dev0"\n[tool.series]\nrepository = "r"\nbranch = "b"\n'
    )
    assert run_series(["--output", str(tmp_path / "runs" / "site")], root=tmp_path) == 0
    assert main([], root=tmp_path) == 0
    page = tree(tmp_path / "dist/site/lessons/01_tiny.html")
    assert page.h1.get_text() == "Title" and "heard" in page.get_text()
    assert "0.988" in (tmp_path / "dist/site/results.html").read_text()
    write_notebook(tmp_path, "02_bad", "1 / 0", METRICS)
    assert run_series(["--output", str(tmp_path / "runs" / "site")], root=tmp_path) == 1
    capsys.readouterr()
    assert main([], root=tmp_path) == 1
    assert "02_bad failed: ZeroDivisionError" in capsys.readouterr().err
