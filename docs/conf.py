"""How Sphinx builds these pages; the reference is made from the code first."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from penstock_reference import write_pages  # noqa: E402
from penstock_reference.docstrings import unfence  # noqa: E402

from penstock import __version__  # noqa: E402

write_pages(HERE / "reference")

project = "penstock"
author = "The penstock developers"
project_copyright = "2026, The penstock developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
default_role = "code"  # docstrings write names between single backticks
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
suppress_warnings = ["misc.highlighting_failure"]  # `…` in shown JSON

html_theme = "furo"
html_title = f"penstock {release}"


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", unfence)
