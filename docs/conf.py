"""How Sphinx makes the site. `tools/site.py` lays the pages out in build/site-src and calls it."""

import os
import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
# autodoc imports the package and what it needs. They come last, so that Sphinx finds its own libraries first.
sys.path += [str(ROOT), *os.environ.get("SITE_IMPORTS", "").split(os.pathsep)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

project = "Below Random"
author = "The Below Random authors"
release = PROJECT["version"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
smartquotes_action = "D"  # dashes, and no other quotation marks than were typed
default_role = "py:obj"  # `evaluate` in a docstring leads to evaluate

# What is stored is shown: nothing runs.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # its default loads scripts from two other hosts
myst_heading_anchors = 3

autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True  # one list of attributes
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True

html_title = project
html_theme = "sphinx_book_theme"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_extra_path = ["sawtooth.gif", "sawtooth.png"]  # 01 names them in HTML, where Sphinx does not look
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]  # it changes what must be there first
html_context = {"default_mode": "auto"}
html_sourcelink_suffix = ""  # a notebook is downloaded under its own name
html_use_index = html_domain_indices = False
html_theme_options = {
    "repository_url": PROJECT["urls"]["Repository"],
    "repository_branch": f"v{PROJECT['version']}",  # the release that a notebook's first cell installs
    "path_to_docs": "",
    "use_repository_button": True,
    "home_page_in_toc": True,
    "show_navbar_depth": 2,
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
        "notebook_interface": "jupyterlab",
    },
    "navbar_persistent": [],  # the search stands in the sidebar
    "search_bar_text": "Search",
    "extra_footer": "Text and figures: CC BY 4.0. Code: BSD 3-Clause.",
}


def keep_colons(_app: object, what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in the first line of a property for its type."""
    if what in {"attribute", "data", "property"}:
        lines.insert(0, "")


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before Napoleon
