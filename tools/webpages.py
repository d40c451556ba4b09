"""The pages of the website: lessons, results, data sets, guide, and the start page."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import jinja2
from pygments.formatters import HtmlFormatter
from tqdm import tqdm

from helpers.env import human_size
from tools.build import read_settings
from tools.lessons import PAGES, page_of_lesson, read_lesson
from tools.links import SiteMap, relative
from tools.markup import facts, headings, polish, read_markdown, sections, slug, until_table
from tools.running.summary import human_seconds, human_value
from tools.series.notebooks import find_notebooks

NOBODY = "/OWNER/"  # in the address of a repository that is not published yet
UNPUBLISHED = (
    "pyproject.toml names no repository of yours, so no lesson opens on Kaggle or Colab: "
    "set it in [tool.series], then `make build`"
)
RESULTS = "results"  # the chapter of the README that has a page of its own
PICTURES = {".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp"}
READABLE = PICTURES | {".html", ".csv", ".txt", ".json"}
LARGEST = 2 * 2**20  # bytes of a file of a run that the site takes along


@dataclass(frozen=True)
class Kept:
    """A file that a run wrote. name: in its folder. page: its place on the site, "": left out."""

    name: str
    size: int
    page: str


def write_pages(results, *, site, run, profile, root):
    """Write every page of the site and what goes with it; returns notes for who builds it.

    results: {notebook: Result}, complete. site: an empty folder. run: the name of the run.
    """
    settings = read_settings(root)
    is_published = NOBODY not in f"{settings['repository']}/"
    blob = f"{settings['repository']}/blob/{settings['ref']}" if is_published else ""
    site_map = SiteMap(root, repository=blob)
    texts = _lay_out(site, site_map)
    kept = {name: _keep_files(result, site, site_map) for name, result in results.items()}
    lessons = [
        read_lesson(result, exercises=_exercises(root, name), site=site, site_map=site_map)
        for name, result in tqdm(results.items(), desc="lessons", unit="lesson", disable=None)
    ]

    title, readme = _read_document("README.md", "index.html", site_map)
    beginning, chapters = sections(readme)
    real = next((chapter for anchor, chapter in chapters if anchor == RESULTS), None)
    guide = [chapter for anchor, chapter in chapters if anchor != RESULTS]
    data_title, data = _read_document("data_README.md", "data.html", site_map)
    documents = [
        (page, document_title or Path(source).stem, tree)
        for source, page in texts.items()
        for document_title, tree in [_read_document(source, page, site_map)]
    ]
    environment = _environment(
        series_title=title or root.name,
        lessons=lessons,
        documents=documents,
        profile=profile,
        run_name=run,
        is_published=is_published,
        has_data=bool(data.contents),
        has_guide=bool(guide),
    )

    def write(template, page, **values):
        text = environment.get_template(template).render(
            page=page, to=lambda place: relative(place, page=page), **values
        )
        path = site / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def write_document(page, title, trees):
        contents = [entry for tree in trees for entry in headings(tree, 2)]
        body = "".join(map(str, trees))
        write("document.html.j2", page, title=title, body=body, contents=contents)

    first = until_table(real) if real else ""
    write("start.html.j2", "index.html", beginning=beginning, real=first, cards=_cards(data))
    write("results.html.j2", "results.html", real=_without_heading(real) if real else "")
    if guide:
        write_document("guide.html", "How to use it", guide)
    if data.contents:
        write_document("data.html", data_title or "The data sets", [data])
    for page, document_title, tree in documents:
        write_document(page, document_title, [tree])
    around = [None, *lessons, None]
    for before, lesson, after in zip(around, lessons, around[2:], strict=False):
        files = kept[lesson.name]
        neighbours = {"before": before, "after": after}
        write("lesson.html.j2", lesson.page, lesson=lesson, kept=files, **neighbours)
    _write_assets(site)
    return [] if is_published else [UNPUBLISHED]


def _lay_out(site, site_map):
    """Copy what is to be had as it is, and map all that has a place; returns {text: its page}.

    The texts are those in docs/.
    """
    root = site_map.root
    copies, documents = {}, {}
    for name, notebook in find_notebooks(root).items():
        site_map.pages[f"notebooks/{name}.ipynb"] = page_of_lesson(name)
        copies[notebook] = f"downloads/{name}.ipynb"
        if exercises := _exercises(root, name):
            copies[exercises] = f"downloads/exercises/{name}.ipynb"
            site_map.pages[f"notebooks/exercises/{name}.ipynb"] = copies[exercises]
    for path in sorted((root / "docs").glob("*")):
        source = f"docs/{path.name}"
        if path.suffix == ".md":
            documents[source] = site_map.pages[source] = f"docs/{path.stem}.html"
        elif path.suffix.lower() in PICTURES:
            copies[path] = site_map.pages[source] = f"assets/{path.name}"
    for path, place in copies.items():
        _copy(path, site / place)
    site_map.pages |= {"README.md": "index.html", "data_README.md": "data.html"}
    page = "index.html"  # of what stands before the first chapter
    for heading in read_markdown(_text(root / "README.md")).find_all(["h2", "h3"]):
        anchor = slug(heading.get_text())
        if heading.name == "h2":
            page = "results.html" if anchor == RESULTS else "guide.html"
        site_map.sections["README.md", anchor] = page
    return documents


def _exercises(root, name):
    """The notebook with tasks in place of solutions, or None."""
    path = root / "notebooks" / "exercises" / f"{name}.ipynb"
    return path if path.is_file() else None


def _keep_files(result, site, site_map):
    """Copy what a person can read of a run's files; returns a Kept for each file."""
    own = {f"{result.name}.ipynb", f"{result.name}.html", "complete.json"}
    kept = []
    for path in sorted(result.folder.rglob("*")):
        name = path.relative_to(result.folder).as_posix()
        if not path.is_file() or name in own or path.name.startswith("."):
            continue
        size, place = path.stat().st_size, ""
        if path.suffix.lower() in READABLE and size <= LARGEST:
            place = f"lessons/{result.name}/run/{name}"
            site_map.pages[f"{result.parameters.get('OUTPUT_DIR', '')}/{name}"] = place
            _copy(path, site / place)
            if path.suffix == ".html":
                _add_way_back(site / place, relative(page_of_lesson(result.name), page=place))
        kept.append(Kept(name, size, place))
    return kept


def _add_way_back(path, address):
    """A run's own page knows nothing of the site: give it a link to its lesson."""
    text = path.read_text(encoding="utf-8")
    link = f'<p><a href="{address}">← Back to the lesson</a></p>'
    path.write_text(text.replace("<body>", f"<body>\n{link}", 1), encoding="utf-8")


def _copy(path, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)


def _text(path):
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _read_document(source, page, site_map):
    """(title, polished tree without it) of a text of the repository; empty if there is none."""
    tree = read_markdown(_text(site_map.root / source))
    polish(tree, source=source, page=page, site_map=site_map)
    heading = tree.find("h1")
    title = " ".join(heading.extract().get_text().split()) if heading else ""
    return title, tree


def _without_heading(chapter):
    return "".join(str(node) for node in chapter.contents if node.name != "h2")


def _cards(data):
    """[(anchor, name, what it is, licence)] of the data sets, by the table under each heading."""
    found = []
    for heading in data.find_all("h2"):
        following = heading.find_next_sibling()
        known = facts(following) if following else {}
        if "what" in known:
            name = " ".join(heading.get_text().split())
            found.append((heading["id"], name, known["what"], known.get("licence", "")))
    return found


def _environment(**shared):
    """The templates, with what all of them may use."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"seconds": human_seconds, "value": human_value, "size": human_size}
    environment.globals |= shared
    return environment


def _write_assets(site):
    for name in ("site.css", "site.js", "icon.svg"):
        _copy(PAGES / name, site / "assets" / name)
    day, night = (
        HtmlFormatter(style=style).get_style_defs(".highlight")
        for style in ("default", "github-dark")
    )
    colours = f"{day}\n@media (prefers-color-scheme: dark) {{\n{night}\n}}\n"
    (site / "assets" / "code.css").write_text(colours, encoding="utf-8")
    (site / ".nojekyll").touch()  # for GitHub Pages: take the files as they are
