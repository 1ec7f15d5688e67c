"""Sphinx: Markdown pages (MyST), the API from docstrings, the theme furo. ``bash scripts/docs.sh`` builds them."""

import converse_basicsr
from converse_basicsr.compat import load_basicsr

load_basicsr()  # before autodoc imports what derives from BasicSR's classes; one line where it is not installed

project = "converse-basicsr"
version = release = converse_basicsr.__version__
author = "the authors of converse-basicsr"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

smartquotes = False  # 'nearest' stays a string of Python
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Options", "params_style")]
default_role = "literal"  # `x` in docstrings is code

html_theme = "furo"
html_title = f"{project} {version}"
html_show_sphinx = False
html_copy_source = False
