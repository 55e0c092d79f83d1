"""How the pages are built: `make docs`. Nothing in them is fetched from elsewhere when they are read."""

import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]
PROJECT = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
project_copyright = f"2026 {author}"
version = release = PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "mathml", "docstrings", "report_page"]
exclude_patterns = ["_extensions"]
nitpicky = False  # types of other libraries have no pages here

html_theme = "furo"
html_title = f"lenet {version}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["lenet.css"]

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_inherit_docstrings = False  # what a class says of an inherited method, it says itself
autodoc_default_options = {"members": True, "show-inheritance": True}
default_role = "code"  # docstrings mark code as Markdown does
