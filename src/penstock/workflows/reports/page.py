"""HTML pages: a title, facts, and what a workflow has to show. No scripts, no network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 1180px; padding: 0 1rem; color: #222 }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-size: 13px; width: 100% }
table + table, table + .scroll, .scroll + .scroll { margin-top: 1.4rem }
td, th { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.good { color: #1a7f37 } td.warning { color: #9a6700 } td.left { color: #cf222e }
td.forced { color: #8250df }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem }
dt { color: #666 } dd { margin: 0 }
figure { margin: 0 0 1.4rem } img { max-width: 100%; height: auto; display: block;
  border: 1px solid #eee }
figcaption { font-size: 13px; color: #555 } .scroll { overflow-x: auto }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 1rem }
.grid figure { margin: 0 } .grid figure:target { outline: 3px solid #1f6feb }
"""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ name or title }}</title><style>{{ style }}</style></head><body>
<h1>{{ title }}</h1>
{% if facts %}<dl>{% for fact, value in facts %}<dt>{{ fact }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% endif %}"""


def write_page(
    path: Path, body: str, *, title: str, facts: Iterable[tuple[str, Any]] = (), name: str = "", **values: Any
) -> None:
    """Write a page: its `title`, its `facts`, then `body`, a Jinja template that is given `values`.

    `name` is what the browser's tab shows, where that is not the title. All values are escaped.

    >>> write_page(Path("a.html"), "<p>{{ n }} runs</p>", title="Night", facts=[("telescope", "LST-1")], n=3)
    """
    page = Environment(autoescape=True).from_string(f"{PAGE}{body}\n</body></html>")
    text = page.render(style=STYLE, title=title, name=name, facts=[*facts], **values)
    path.write_text(text, encoding="utf-8", errors="xmlcharrefreplace")
