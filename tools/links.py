"""Links of a website: from the repository's files to its pages, and whether each leads there."""

import os
import posixpath
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

ADDRESS = re.compile(r"url\(\s*[\"']?([^\"')]+)[\"']?\s*\)|@import\s+[\"']([^\"']+)[\"']")
LOADED = {"src", "poster", "data", "srcset"}  # attributes that a browser follows by itself


@dataclass
class SiteMap:
    """Where what the repository holds lies on the site; all paths posix, from the top of each.

    pages: {file: its place on the site}. sections: {(file, anchor): page}, of a file that is spread
    over several pages. repository: address of a folder to show the files that have no page, or "".
    """

    root: Path
    repository: str = ""
    pages: dict = field(default_factory=dict)
    sections: dict = field(default_factory=dict)

    def resolve(self, href, *, source, page):
        """A link of the file `source` as it has to stand on `page`; None: it leads off the site.

        What is in no map and in no repository stays as it is, for `broken_links` to find.
        """
        parts = urlsplit(href)
        if parts.scheme or parts.netloc:
            return href
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        if not parts.path:
            return self._to_section(source, parts.fragment, page=page) if anchor else href
        given = unquote(parts.path)
        # Outputs name files from where the kernel ran, the root; texts from where they stand.
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(source), given))
        for target in (beside, posixpath.normpath(given)):
            if (target, parts.fragment) in self.sections:
                return self._to_section(target, parts.fragment, page=page)
            if target in self.pages:
                return relative(self.pages[target], page=page) + anchor
        for target in (beside, posixpath.normpath(given)):
            if not target.startswith("..") and (self.root / target).exists():
                return f"{self.repository}/{quote(target)}{anchor}" if self.repository else None
        return href

    def _to_section(self, source, fragment, *, page):
        there = self.sections.get((source, fragment), page)
        return f"#{fragment}" if there == page else f"{relative(there, page=page)}#{fragment}"


def relative(place, *, page):
    """The address of a place on the site as a page names it: good in any folder, and from disk."""
    return quote(posixpath.relpath(place, posixpath.dirname(page) or "."))


class _References(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.in_style = False

    def handle_starttag(self, tag, attrs):
        self.in_style = tag == "style"
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.ids.add(value)
            elif name == "srcset":
                self.loads += [part.split()[0] for part in value.split(",") if part.strip()]
            elif name in LOADED or (name == "href" and tag in ("link", "image", "use")):
                self.loads.append(value)
            elif name == "href":
                self.links.append(value)
            elif name == "style":
                self.loads += _addresses(value)

    def handle_data(self, data):
        if self.in_style:
            self.loads += _addresses(data)


def _addresses(css):
    return [first or second for first, second in ADDRESS.findall(css)]


def check_links(site):
    """Whether every link of the pages in a folder leads somewhere in it.

    Returns (faults, external): a line for each link that leads nowhere and each thing that a page
    would load from the network, and the addresses outside that pages link to, which are not tried.
    """
    pages = {}
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.suffix == ".html":
            pages[name] = _References()
            pages[name].feed(path.read_text(encoding="utf-8"))
            pages[name].close()
        elif path.suffix == ".css":
            pages[name] = _References()
            pages[name].loads = _addresses(path.read_text(encoding="utf-8"))
    faults, external = [], set()
    for name, found in pages.items():
        for address in found.loads:
            if address.startswith("data:"):
                continue
            if _is_external(address):
                faults.append(f"{name} loads {_short(address)} from the network")
            elif fault := _fault(address, name, pages=pages, site=site):
                faults.append(f"{name}: {_short(address)} {fault}")
        for address in found.links:
            if _is_external(address):
                external.add(address)
            elif fault := _fault(address, name, pages=pages, site=site):
                faults.append(f"{name}: {_short(address)} {fault}")
    return list(dict.fromkeys(faults)), sorted(external)


def _is_external(address):
    parts = urlsplit(address)
    return bool(parts.scheme or parts.netloc)


def _fault(address, name, *, pages, site):
    parts = urlsplit(address)
    if parts.path.startswith("/"):
        return "begins with /: it would lead elsewhere where the site lies in a folder"
    place = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
    target = place if parts.path else name
    if target.startswith("..") or not os.path.isfile(site / target):
        return "leads nowhere"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        return "names a place that the page does not have"
    return ""


def _short(address):
    return address if len(address) <= 100 else f"{address[:99]}…"
