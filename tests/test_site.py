"""tools/website.py: whole pages of what ran, nothing loaded, nothing left over, clear refusals."""

import base64
import json
import re
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tiny_series import METRICS, write_helpers, write_notebook

from tools import website
from tools.run import main as run_series
from tools.website import main

# MyST's own use of Sphinx, which Sphinx 11 will no longer have.
pytestmark = pytest.mark.filterwarnings("ignore:'myst_parser")

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
PNG = base64.b64decode(PICTURE)
SOUND = b"RIFF of a sound"
URI = f"data:audio/wav;base64,{base64.b64encode(SOUND).decode()}"
LIBRARY = "/* a library */" + "x = 1;" * 20_000
STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
BADGE = "[![Open in Colab](https://colab.example/badge.svg)](https://colab.example/{}/01.ipynb)"
README = """# Sounds, in notebooks

What this is. ![A picture](docs/bird.png)

## Begin

See [the first](notebooks/01_first.ipynb), [what we reach](#results), [more](docs/more.md#a-detail).

## Results

Full runs.

| method | right |
|---|---|
| ours | 97 |

And much later, a last word.
"""
DATA = """# Where sound comes from

## birds

| | |
|---|---|
| what | calls of a *bird* |
| licence | free |

## YAMNet

No data set.
"""


def shown(**data):
    return new_output("display_data", {name.replace("_", "/", 1): v for name, v in data.items()})


def code(source, *outputs, tags=()):
    return new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))


def first_lesson():
    """Cells with every kind of output that the series has. None of them would run."""
    plot = f"<div><script>{LIBRARY}</script><script>draw()</script></div>"
    plot = f"<script>window.settings = 1;</script>{plot}"
    return [
        new_markdown_cell(
            f"# 01 · First things\n\n{BADGE.format('someone')}\n\n"
            "Listen *before* you count; see [birds](../data_README.md#birds)."
        ),
        new_markdown_cell("**You will learn** to see [results](../README.md#results)."),
        code("import nothing_there"),
        code("SEED = 0", tags=["parameters"]),
        code("SEED = 1", tags=["injected-parameters"]),
        new_markdown_cell("## Look\n\nThe energy is $E = \\sum x^2$. Return twice x."),
        code("def double(x):\n    return 2 * x"),
        code("two_waves(x)", shown(image_png=PICTURE)),
        code("sound", shown(text_html=f'<audio controls src="{URI}"></audio>')),
        code("plot", shown(text_html=plot)),
        code("panel", new_output("display_data", {VIEW: {"model_id": "box"}, "text/plain": "Box"})),
        code("link", shown(text_markdown="[The report](runs/site/01_first/report/index.html)")),
        code("print()", new_output("stream", name="stdout", text="a < b\n")),
    ]


def panel():
    """The state of a panel with a knob, a picture and a sound."""

    def value(data):
        return [{"data": base64.b64encode(data).decode(), "path": ["value"], "encoding": "base64"}]

    children = ["IPY_MODEL_knob", "IPY_MODEL_image", "IPY_MODEL_audio"]
    models = {
        "box": {"model_name": "VBoxModel", "state": {"children": children}},
        "knob": {"model_name": "DropdownModel", "state": {"description": "Class"}},
        "image": {"model_name": "ImageModel", "state": {}, "buffers": value(PNG)},
        "audio": {"model_name": "AudioModel", "state": {}, "buffers": value(SOUND)},
    }
    return {STATE: {"state": models}}


def write_run(root, name, cells, *, metadata=None, source="synthetic"):
    """A notebook of the series, and a complete run of it with a report, as run.py leaves it."""
    notebooks, folder = root / "notebooks", root / "runs" / "site" / name
    (folder / "report").mkdir(parents=True, exist_ok=True)
    (notebooks / "exercises").mkdir(parents=True, exist_ok=True)
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    executed = new_notebook(cells=cells, metadata=language | (metadata or {}))
    nbformat.write(executed, folder / f"{name}.ipynb")
    own = [c for c in cells if "injected-parameters" not in c.metadata.get("tags", [])]
    plain = [new_code_cell(c.source, metadata=c.metadata) if "outputs" in c else c for c in own]
    nbformat.write(new_notebook(cells=plain), notebooks / f"{name}.ipynb")
    for cell in plain:
        if cell.source.startswith("def "):
            cell.metadata["nbgrader"] = {"solution": True, "grade_id": "exercise-1-1"}
    nbformat.write(new_notebook(cells=plain), notebooks / "exercises" / f"{name}.ipynb")
    metrics = {"dataset": "birds", "source": source, "seed": 0, "accuracy": 0.43217}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    parameters = {"OUTPUT_DIR": f"runs/site/{name}"}
    record = {"seconds": 83.0, "peak_memory_mib": 9.0, "parameters": parameters}
    (folder / "complete.json").write_text(json.dumps({"fingerprint": "", **record}))
    (folder / "report" / "bird.png").write_bytes(PNG)
    (folder / "report" / "model.keras").write_bytes(b"weights")
    (folder / "report" / "index.html").write_text('<h1>Report</h1><img src="bird.png" alt="">')


def write_series(root):
    """A repository of two lessons with texts, tasks and a complete run."""
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "bird.png").write_bytes(PNG)
    (root / "docs" / "more.md").write_text("# More\n\n## A detail\n\n[Back](../README.md#begin)\n")
    (root / "README.md").write_text(README)
    (root / "data_README.md").write_text(DATA)
    write_run(root, "01_first", first_lesson(), metadata={"widgets": panel()})
    plot = shown(text_html=f"<script>{LIBRARY}</script>")
    second = new_markdown_cell("# 02 · Second things\n\nAfter [the first](01_first.ipynb#look).")
    write_run(root, "02_second", [second, code("plot", plot)])
    return root


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
    assert len(found) >= 8
    return found


def links(page):
    return {a.get_text(): a["href"] for a in tree(page).find_all("a", href=True)}


def bytes_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_address_leads_to_a_file_of_the_site_and_nothing_is_loaded(site):
    n_inside = 0
    for path in pages(site):
        assert str(site.parent.parent) not in path.read_text(), "no path of this machine"
        for element in tree(path).find_all(["a", "img", "audio", "source", "script", "link"]):
            address = element.get("href") or element.get("src") or ""
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                assert element.name == "a", (path, address)
            elif address:
                target = path.parent / unquote(parts.path) if parts.path else path
                assert not address.startswith("/") and target.is_file(), (path, address)
                if parts.fragment:
                    assert tree(target).find(id=parts.fragment), (path, address)
                n_inside += 1
    assert n_inside > 100
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(https?:)?//", path.read_text()), path


def test_start_page_has_a_card_for_each_lesson_and_data_set(site):
    start = tree(site / "index.html")
    assert start.h1.get_text().startswith("Sounds, in notebooks")
    assert "What this is." in start.get_text() and start.find("img", alt="A picture")
    first, second, birds = start.select(".card")
    assert first.select_one(".rubric a")["href"] == "notebooks/01_first.html"
    assert first.select_one(".picture img")["src"] == "_images/01_first.png"
    for words in ("01 · First things", "Listen before you count", "learn to see", "1 min 23 s"):
        assert words in first.get_text()
    downloads = [a["href"].split("/")[-1] for a in first.find_all("a", download=True)]
    assert downloads == ["01_first.ipynb"] * 2 and "with 1 exercises" in first.get_text()
    assert not second.img
    assert birds.a["href"] == "data_README.html#birds" and "calls of a bird" in birds.get_text()
    assert "97" in start.table.get_text() and "a last word" not in start.get_text()


def test_links_of_the_repository_become_those_of_the_site(site):
    guide = links(site / "README.html")
    assert guide["the first"] == "notebooks/01_first.html" and guide["what we reach"] == "#results"
    assert guide["more"] == "docs/more.html#a-detail"
    lesson = links(site / "notebooks/01_first.html")
    assert lesson["birds"] == "../data_README.html#birds"
    assert lesson["The report"] == "../runs/01_first/report/index.html"
    assert lesson["Open in Colab"] == "https://colab.example/someone/01.ipynb"
    assert not list(site.rglob("*.keras")), "no weights"


def test_notebooks_to_download_are_those_without_outputs(site):
    found = sorted(site.glob("_downloads/*/01_first.ipynb"))
    notebooks = [nbformat.read(path, as_version=4) for path in found]
    assert len(notebooks) == 2
    assert not any(cell.get("outputs") for notebook in notebooks for cell in notebook.cells)
    assert sum("nbgrader" in str(notebook) for notebook in notebooks) == 1


def test_outputs_are_shown_as_they_were(site):
    text = (site / "notebooks/01_first.html").read_text()
    page = tree(site / "notebooks/01_first.html")
    assert (
        "a < b" in page.get_text()
        and "draw()" in text
        and "settings = 1" in text
        and "base64" not in text
    )
    figure, of_panel = page.select(".cell_output img")
    assert (site / "notebooks" / figure["src"]).read_bytes() == PNG
    assert (figure["width"], figure["height"]) == ("1", "1") and "Look" in figure["alt"]
    for sound in (sounds := page.find_all("audio")):
        assert (site / "notebooks" / sound["src"]).read_bytes() == SOUND
    assert len(sounds) == 2 and of_panel and "open the notebook" in page.get_text()
    assert page.find("math").find("msup")


def test_a_library_is_there_once_for_all_pages(site):
    (script,) = (site / "_media").glob("*.js")
    assert script.read_text() == LIBRARY
    for name in ("01_first", "02_second"):
        page = site / f"notebooks/{name}.html"
        assert tree(page).find("script", src=f"../_media/{script.name}")
        assert len(page.read_bytes()) < 50_000


def test_solutions_and_set_up_are_folded_and_the_rest_is_not(site):
    page = tree(site / "notebooks/01_first.html")
    folded = {d.pre.get_text().strip(): d.summary.get_text() for d in page.select("details")}
    assert list(folded) == ["import nothing_there", "def double(x):\n    return 2 * x"]
    assert "A solution" in folded["def double(x):\n    return 2 * x"]
    assert "SEED = 1" in page.get_text()


def test_search_finds_the_words_of_lessons(site):
    index = (site / "searchindex.js").read_text()
    assert "notebooks/01_first" in index and '"listen"' in index


def test_the_same_run_gives_the_same_bytes_and_nothing_is_left_of_an_earlier_site(root):
    one, two = root / "sites" / "one", root / "sites" / "two"
    assert main(["--output", str(one)], root=root) == 0
    before = bytes_of(one)
    (one / "of an earlier site.html").touch()
    for output in (one, two):
        assert main(["--output", str(output)], root=root) == 0
        assert bytes_of(output) == before
    assert {path.name for path in one.parent.iterdir()} == {"one", "two"}


BROKEN = {
    "[gone](docs/gone.md)": "docs/gone.md",
    "[gone](data_README.md#fish)": "fish",
    "[gone](#nothing)": "nothing",
    "![far](https://example.org/a.png)": "README.html would load https://example.org/a.png",
    "<script src='//cdn.org/a.js'></script>": "README.html would load //cdn.org/a.js",
}


def test_faults_are_named_and_the_site_before_stays(root, capsys):
    assert main([], root=root) == 0
    site = root / "dist" / "site"
    before = bytes_of(site)
    (root / "README.md").write_text("\n\n".join([README, *BROKEN]))
    assert main([], root=root) == 1
    said = capsys.readouterr().err
    for expected in BROKEN.values():
        assert expected in said
    assert "prevent a new site" in said and said.count("WARNING") == 3
    assert bytes_of(site) == before
    assert [path.name for path in site.parent.iterdir()] == ["site"]


def test_what_stops_a_build_leaves_the_site_before(root, monkeypatch):
    assert main([], root=root) == 0
    site = root / "dist" / "site"
    before = bytes_of(site)

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(website, "build_main", interrupted)
    assert main([], root=root) == 130
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
    error = refused([], root, capsys)
    assert "python tools/run.py --profile smoke --output" in error and "01_first: did not" in error


def test_an_outdated_or_failed_notebook_is_named(root, capsys):
    run = root / "runs" / "site"
    other = new_notebook(cells=[new_markdown_cell("# Another")])
    nbformat.write(other, root / "notebooks" / "02_second.ipynb")
    assert "02_second: has changed since it ran" in (error := refused([], root, capsys))
    assert "01_first" not in error
    (run / "01_first" / "complete.json").unlink()
    (run / "summary.csv").write_text("notebook,status,reason\n01_first,failed,a fault in cell 3\n")
    assert "01_first: failed a fault in cell 3" in refused(["--run", str(run)], root, capsys)


def test_no_other_files_are_ever_replaced(root, capsys):
    mine = root / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    for place in (mine, root / "README.md"):
        assert "is not an earlier site" in refused(["--output", str(place)], root, capsys)
    error = refused(["--output", str(root / "README.md" / "site")], root, capsys)
    assert "cannot be written" in error
    assert (mine / "letter.txt").read_text() == "dear"
    assert (root / "README.md").read_text() == README


def test_sounds_of_real_data_are_told(root, capsys):
    write_run(root, "01_first", first_lesson(), source="local")
    assert main([], root=root) == 0
    said = capsys.readouterr().out
    assert "note: 01_first shows real data" in said and "02_second" not in said


def test_a_run_of_the_series_becomes_a_site(tmp_path, capsys):
    """What run.py leaves today is what this reads."""
    write_helpers(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Tiny")
    write_notebook(tmp_path, "01_tiny", "print('heard')", METRICS)
    run = str(tmp_path / "runs" / "site")
    assert run_series(["--output", run], root=tmp_path) == 0
    assert main([], root=tmp_path) == 0
    page = tree(tmp_path / "dist/site/notebooks/01_tiny.html")
    assert page.h1.get_text().startswith("Title") and "heard" in page.get_text()
    write_notebook(tmp_path, "02_bad", "1 / 0", METRICS)
    assert run_series(["--output", run], root=tmp_path) == 1
    capsys.readouterr()
    assert main([], root=tmp_path) == 1
    assert "02_bad: failed ZeroDivisionError" in capsys.readouterr().err
