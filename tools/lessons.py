"""Executed notebooks as lessons of the website: what to read, and the files that go with it."""

import ast
import base64
import hashlib
import html
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from tools.markup import headings, polish, read_html, read_markdown
from tools.running.execution import Result
from tools.running.faults import WIDGETS

PAGES = Path(__file__).resolve().parent / "pages"
WIDGET = "application/vnd.jupyter.widget-view+json"
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/svg+xml": ".svg"}
DATA_URI = re.compile(r'\bsrc="data:((image|audio)/[\w.+-]+);base64,([^"]+)"')
SCRIPT = re.compile(r"<script(?: type=\"text/javascript\")?>(.*?)</script>", re.DOTALL)
LARGE_SCRIPT = 100_000  # characters: a library, which the pages share
STRIP = 1.6  # width over height of a picture that nobody could read as narrow as a telephone
LABELLED = re.compile(r"(set_)?(title|suptitle|xlabel|ylabel)")
EXERCISE = re.compile(r"exercise-(\d+)-(\d+)")


@dataclass(frozen=True)
class Lesson:
    """A notebook of the series as the site shows it; HTML as it stands on the lesson's page.

    title: plain text. lead, learn: HTML, "" if the notebook does not say. headings: [(level,
    anchor, text)]. figure: one to know it by, a place on the site, or "". exercises: how many.
    badges: [(words, address)] of where a published notebook opens.
    """

    name: str
    result: Result
    title: str
    lead: str
    learn: str
    body: str
    headings: list
    figure: str
    exercises: int
    badges: list = field(default_factory=list)

    @property
    def page(self):
        """Its place on the site."""
        return page_of_lesson(self.name)


def page_of_lesson(name):
    """Where the lesson of a notebook lies on the site."""
    return f"lessons/{name}.html"


def read_lesson(result, *, exercises, site, site_map):
    """Make the Lesson of a complete run of a notebook, and write its pictures and sounds.

    exercises: the notebook with tasks in place of solutions, or None. site: the folder of the site.
    """
    name = result.name
    notebook = nbformat.read(result.folder / f"{name}.ipynb", as_version=4)
    solutions = _solutions(notebook, exercises)
    files = _Files(name, site=site, site_map=site_map)
    _name_cells(notebook, solutions)
    _take_out_files(notebook, files)
    exporter = HTMLExporter(
        template_name="cells", extra_template_basedirs=[str(PAGES)], exclude_anchor_links=True
    )
    # A widget's view has become HTML; what would run in the page only is left to its text.
    exporter.config.NbConvertBase.display_data_priority = [
        "text/html",
        "text/markdown",
        "text/latex",
        "text/plain",
    ]
    body, _ = exporter.from_notebook_node(notebook)
    tree = read_html(body)
    page = page_of_lesson(name)
    badges = _take_badges(tree)
    polish(tree, source=f"notebooks/{name}.ipynb", page=page, site_map=site_map)
    title, lead, learn = _introduction(tree)
    return Lesson(
        name=name,
        result=result,
        title=title or name,
        lead=lead,
        learn=learn,
        body=str(tree),
        headings=headings(tree, 2, 3),
        figure=files.richest,
        exercises=len(solutions),
        badges=badges,
    )


def is_outdated(result, notebook):
    """Whether a notebook is another than the one that ran."""
    executed = nbformat.read(result.folder / f"{result.name}.ipynb", as_version=4)
    now = nbformat.read(notebook, as_version=4)
    return [cell.source for cell in _own(executed)] != [cell.source for cell in now.cells]


def _own(notebook):
    """The cells of an executed notebook without the one that papermill put in."""
    return [
        cell
        for cell in notebook.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]


def _solutions(notebook, exercises):
    """{id of a cell: number of the exercise that it solves}, by the notebook with the tasks."""
    if exercises is None:
        return {}
    tasks, own = nbformat.read(exercises, as_version=4).cells, _own(notebook)
    if len(tasks) != len(own):
        return {}  # of another version
    found = {}
    for task, cell in zip(tasks, own, strict=True):
        mark = task.metadata.get("nbgrader", {})
        if mark.get("solution") and (match := EXERCISE.fullmatch(mark.get("grade_id", ""))):
            found[cell.get("id")] = f"{match[1]}.{match[2]}"
    return found


def _name_cells(notebook, solutions):
    """Give each code cell the words that fold it. Folded are imports, and solutions: try first."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        n_lines = len(cell.source.strip().splitlines())
        lines = "1 line" if n_lines == 1 else f"{n_lines} lines"
        label, folded = "Code", False
        if "injected-parameters" in tags:
            label = "Parameters of this run"
        elif "parameters" in tags:
            label = "Parameters"
        elif cell.metadata.get("jupyter", {}).get("source_hidden"):
            label, folded = "Set-up", True
        elif cell.cell_type == "code" and _is_import(cell.source):
            label, folded = "Imports", True
        elif number := solutions.get(cell.get("id")):
            label, folded = f"A solution of exercise {number}", True
        cell.metadata.lesson = {"label": f"{label} · {lines}", "folded": folded}


def _is_import(code):
    """Whether a cell does nothing but import, and call what it has imported."""
    try:
        statements = ast.parse(code).body
    except SyntaxError:  # a magic
        return False
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    calls = [
        node
        for node in statements
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ]
    return len(imports) > len(calls) and len(imports) + len(calls) == len(statements)


class _Files:
    """The pictures, sounds and scripts that a notebook's outputs hold, written to the site."""

    def __init__(self, name, *, site, site_map):
        self.name, self.site, self.site_map = name, site, site_map
        self.counts = {"image": 0, "audio": 0}
        self.figures = {}  # place on the site: bytes

    @property
    def richest(self):
        """The figure that says most, a place on the site, or "": it takes the most bytes."""
        return max(self.figures, key=self.figures.get, default="")

    def keep(self, data, mime):
        """Write a picture or a sound; returns its address on the lesson's page."""
        kind = mime.split("/")[0]
        self.counts[kind] += 1
        stem = {"image": "figure", "audio": "sound"}[kind]
        suffix = SUFFIXES.get(mime) or "." + mime.split("/")[1].removeprefix("x-")
        address = f"{self.name}/{stem}-{self.counts[kind]:02}{suffix}"
        # As if it lay beside the notebook: links to it are found like all others.
        self.site_map.pages[f"notebooks/{address}"] = f"lessons/{address}"
        if kind == "image":
            self.figures[f"lessons/{address}"] = len(data)
        _write(self.site / "lessons" / address, data)
        return address

    def picture(self, data, mime, *, alt):
        """HTML of a picture that opens in its full size."""
        address = self.keep(data, mime)
        words = html.escape(f"Figure {self.counts['image']}, {alt}")
        width, height = _size(data)
        size = f' width="{width}" height="{height}"' if width else ""
        strip = " strip" if width > STRIP * height else ""
        return (
            f'<a class="figure{strip}" href="{address}">'
            f'<img src="{address}" alt="{words}"{size}></a>'
        )

    def keep_script(self, text):
        """Write a script that pages share; returns its address on the lesson's page."""
        data = text.encode("utf-8")
        address = f"assets/script-{hashlib.sha256(data).hexdigest()[:12]}.js"
        _write(self.site / address, data)
        return f"../{address}"


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _size(data):
    """(width, height) of a PNG in pixels, (0, 0) of anything else."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return 0, 0
    return struct.unpack(">II", data[16:24])


def _take_out_files(notebook, files):
    """Make each output text or HTML that names its pictures and sounds, which become files."""
    widgets = notebook.metadata.pop("widgets", {}).get(WIDGETS, {}).get("state", {})
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = read_markdown(cell.source).find_all(["h1", "h2", "h3"])
            section = " ".join(found[-1].get_text().split()) if found else section
        alt = f"in “{section}”{_labels(cell.source) if cell.cell_type == 'code' else ''}"
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if WIDGET in data:
                data["text/html"] = _panel(data[WIDGET]["model_id"], widgets, files, alt=alt)
            elif "text/html" in data:
                data["text/html"] = _without_large(data["text/html"], files)
            else:
                for mime in SUFFIXES:
                    if mime in data:
                        content = data[mime]
                        svg = mime.endswith("xml")
                        raw = content.encode("utf-8") if svg else base64.b64decode(content)
                        data["text/html"] = files.picture(raw, mime, alt=alt)
                        break


def _labels(code):
    """What a cell's figures show, in its own words: what of `plots` it calls, titles and axes."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:  # a magic
        return ""
    plotted, written = [], []
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", "")
        if getattr(getattr(node.func, "value", None), "id", "") == "plots":
            plotted.append(name.replace("_", " "))
        values = [word.value for word in node.keywords if LABELLED.fullmatch(word.arg or "")]
        values += node.args[:1] if LABELLED.fullmatch(name) else []
        written += [value.value for value in values if isinstance(value, ast.Constant)]
    texts = [text for text in [*plotted, *written] if text and isinstance(text, str)]
    return f": {'; '.join(dict.fromkeys(texts))}" if texts else ""


def _without_large(text, files):
    """HTML of an output, its libraries, pictures and sounds taken out of it."""

    def script(match):
        if len(match[1]) < LARGE_SCRIPT:
            return match[0]
        return f'<script src="{files.keep_script(match[1])}"></script>'

    def uri(match):
        return f'src="{files.keep(base64.b64decode(match[3]), match[1])}"'

    return DATA_URI.sub(uri, SCRIPT.sub(script, text))


def _panel(model, widgets, files, *, alt):
    """A panel of widgets as it stood when the run ended: its picture, its sound, its knobs."""
    knobs, shown = [], []

    def visit(model):
        known = widgets.get(model.removeprefix("IPY_MODEL_"), {})
        state = known.get("state", {})
        buffers = {tuple(b["path"]): base64.b64decode(b["data"]) for b in known.get("buffers", ())}
        kind, value = known.get("model_name", ""), buffers.get(("value",))
        if kind == "ImageModel" and value:
            mime = f"image/{state.get('format', 'png')}"
            shown.append(files.picture(value, mime, alt=alt))
        elif kind == "AudioModel" and value:
            address = files.keep(value, f"audio/{state.get('format', 'wav')}")
            shown.append(f'<audio controls preload="metadata" src="{address}"></audio>')
        elif kind in ("HTMLModel", "LabelModel") and state.get("value"):
            shown.append(f"<p>{state['value']}</p>")
        elif state.get("description"):
            knobs.append((state["description"], _setting(state)))
        for child in state.get("children", ()):
            visit(child)

    visit(model)
    items = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in knobs
    )
    return (
        '<div class="panel"><p class="soft">A panel with knobs, as it stood when the run ended: '
        f"open the notebook to turn them.</p><dl>{items}</dl>{''.join(shown)}</div>"
    )


def _setting(state):
    """What a widget is set to, in words."""
    if (options := state.get("_options_labels")) and state.get("index") is not None:
        return str(options[state["index"]])
    value = state.get("value", "")
    return " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def _take_badges(tree):
    """Take the paragraph of badges out of the first cell: [(words, address)]."""
    first = tree.find("section", class_="text")
    for paragraph in first.find_all("p") if first else ():
        images = paragraph.find_all("img")
        if images and not paragraph.get_text(strip=True):
            paragraph.extract()
            links = [(image.get("alt", ""), image.find_parent("a")) for image in images]
            return [(words, link["href"]) for words, link in links if words and link]
    return []


def _introduction(tree):
    """(title, lead, learn) of a polished lesson; the title is taken out of it."""
    title, lead, learn = "", "", ""
    if heading := tree.find("h1"):
        title = " ".join(heading.get_text().split())
        if following := heading.find_next_sibling("p"):
            lead = _without_links(following)
        heading.extract()
    for paragraph in tree.find_all("p"):
        first = paragraph.find("strong")
        if first and first.get_text() == "You will learn":
            learn = _without_links(paragraph)
            break
    return title, lead, learn


def _without_links(tag):
    """HTML of what a tag holds, fit for any page."""
    copy = read_html(tag.decode_contents())
    for link in copy.find_all("a"):
        link.unwrap()
    return str(copy)
