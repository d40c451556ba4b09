"""HTML pages that need no other file, and numbers as people write them."""

import base64
from functools import cache
from pathlib import Path

import jinja2


@cache
def _templates():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"seconds": human_seconds, "memory": human_memory, "value": human_value}
    return environment


def render(template, **values):
    """A page from a file in tools/templates. Values are escaped; each template needs a `title`."""
    return _templates().get_template(template).render(values)


def data_uri(png):
    """The bytes of a PNG file as an address that an <img> can hold."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def human_seconds(seconds):
    """12 -> "12 s", 83 -> "1 min 23 s", 5000 -> "1 h 23 min"; None -> "–"."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def human_memory(mib):
    """256 -> "256 MiB", 1536 -> "1.5 GiB"; None -> "–"."""
    if mib is None:
        return "–"
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def human_value(value):
    """A metric or a parameter: 0.98765 -> "0.988", 12345 -> "12,345", True -> "yes"."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            is_long = value.is_integer() or abs(value) >= 1000
            return f"{value:,.0f}" if is_long else f"{value:.3g}"
    return str(value) if value != "" else "(empty)"
