"""Settings of Sphinx for the website; `tools/website.py` prepares texts and notebooks."""

from docutils import nodes
from latex2mathml.converter import convert

extensions = ["myst_nb", "sphinx.ext.githubpages"]
exclude_patterns = ["downloads", "docs/_templates"]

html_theme = "furo"
html_title = "Deep learning for audio"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/icon.svg"
html_use_index = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_math_renderer = "mathml"
highlight_language = "none"
pygments_dark_style = "github-dark"

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath"]
# "run:" links from the page of a notebook to the files of its run.
myst_url_schemes = {"http": None, "https": None, "mailto": None, "run": "../runs/{{path}}"}

nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
nb_render_markdown_format = "myst"


def add_sizes(app, doctree, docname):
    """Add the size of each picture, so that a page does not move while pictures load."""
    for image in doctree.findall(nodes.image):
        if "://" not in image["uri"] and image["uri"].lower().endswith(
            (".png", ".jpg", ".jpeg", ".gif", ".webp")
        ):
            image["scale"] = 100  # makes Sphinx read the size from the file
            image["loading"] = "lazy"


def write_mathml(writer, node):
    """Write a formula as MathML, which browsers show without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    writer.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def setup(app):
    app.connect("doctree-resolved", add_sizes)
    app.add_html_math_renderer("mathml", (write_mathml, None), (write_mathml, None))
