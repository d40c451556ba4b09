"""Markdown and the HTML that notebooks bring, made fit for a page of the website."""

import re

from bs4 import BeautifulSoup
from nbconvert.filters import markdown2html

HEADINGS = re.compile(r"h[1-6]")
TASK = re.compile(r"Exercise (\d+)\.(\d+)")
PUNCTUATION = re.compile(r"[^\w\- ]")


def read_html(text):
    """HTML as a tree that can be searched and changed."""
    return BeautifulSoup(text, "html.parser")


def read_markdown(text):
    """Markdown as a tree of HTML."""
    tree = read_html(markdown2html(text))
    for link in tree.select("a.anchor-link"):
        link.decompose()
    return tree


def slug(text):
    """The anchor of a heading, the same that GitHub gives it."""
    return PUNCTUATION.sub("", text.strip().lower()).replace(" ", "-")


def polish(tree, *, source, page, site_map):
    """Make a tree part of a page: anchors, links, badges, tables that scroll. Changes it.

    source: the file of the repository that it comes from. page: its place on the site.
    """
    _name_headings(tree)
    for image in tree.find_all("img"):
        address = image.get("src", "")
        if address.startswith("http") and image.parent.name == "a":
            image.replace_with(image.get("alt") or address)  # a badge: its words will do
        else:
            image["src"] = site_map.resolve(address, source=source, page=page) or address
            image["loading"] = "lazy"
    for link in tree.find_all("a", href=True):
        address = site_map.resolve(link["href"], source=source, page=page)
        if address is None:
            link.unwrap()
        else:
            link["href"] = address
    for style in tree.select("style[scoped]"):
        style.decompose()  # pandas': the site has its own for tables
    for player in tree.find_all("audio"):
        words = player.find_previous_sibling("figcaption") or player.find_previous(HEADINGS)
        player["aria-label"] = f"Sound: {words.get_text().strip()}" if words else "Sound"
    for table in tree.find_all("table"):
        _tidy_table(table)
        table.wrap(tree.new_tag("div", attrs={"class": "wide"}))
    for paragraph in tree.find_all("p"):
        first = paragraph.find("strong")
        if first and (task := TASK.match(first.get_text())) and not first.previous_sibling:
            paragraph["class"], paragraph["id"] = "task", f"exercise-{task[1]}-{task[2]}"


def _name_headings(tree):
    taken = set()
    for heading in tree.find_all(HEADINGS):
        base = name = slug(heading.get_text()) or "section"
        k = 0
        while name in taken:
            k += 1
            name = f"{base}-{k}"
        taken.add(name)
        heading["id"] = name


def _tidy_table(table):
    """Mend its head: no empty one, and no line of its own for what the rows are called by."""
    del table["border"]
    head = table.find("thead")
    lines = [line.find_all(["th", "td"]) for line in head.find_all("tr")] if head else []
    if len(lines) > 1 and len(lines[-1]) == len(lines[-2]):  # as pandas names an index
        pairs = [
            (above, name.get_text(strip=True)) for above, name in zip(*lines[-2:], strict=True)
        ]
        if not any(above.get_text(strip=True) and name for above, name in pairs):
            for above, name in pairs:
                above.string = above.get_text(strip=True) or name
            lines[-1][0].parent.decompose()
    if head and not head.get_text(strip=True):
        head.decompose()
        for row in table.find_all("tr"):
            if first := row.find("td"):
                first.name = "th"
                first["scope"] = "row"


def headings(tree, *levels):
    """[(level, anchor, text)] of the headings of a polished tree."""
    return [
        (int(heading.name[1]), heading["id"], " ".join(heading.get_text().split()))
        for heading in tree.find_all([f"h{level}" for level in levels])
    ]


def sections(tree):
    """A document as (its beginning, [(anchor, tree), …]), cut at the headings of level 2."""
    parts = [("", read_html(""))]
    for node in list(tree.contents):
        if node.name == "h2":
            parts.append((node["id"], read_html("")))
        parts[-1][1].append(node.extract())
    return parts[0][1], parts[1:]


def until_table(tree):
    """What a section says up to and with its first table, without its heading, as HTML."""
    kept = []
    for node in tree.contents:
        if node.name == "h2":
            continue
        kept.append(str(node))
        if node.name == "div" and node.find("table"):
            break
    return "".join(kept)


def facts(tree):
    """{first column: HTML of the second} of the first table of a section."""
    table = tree.find("table")
    rows = table.find_all("tr") if table else []
    cells = [row.find_all(["th", "td"]) for row in rows]
    return {pair[0].get_text(strip=True): pair[1].decode_contents() for pair in cells if pair[1:]}
