"""From facts to HTML: the pages by name, the templates, and how addresses are written."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import urlencode

from penstock import __version__
from penstock.display import count, show_bytes, show_duration, show_time, visible
from penstock.extras import need
from penstock.ledger import Ledger
from penstock.record.rows import ProductRow
from penstock.serve.drawing import parts_of
from penstock.serve.groups import PAGE, read_grid
from penstock.serve.unit import read_unit
from penstock.serve.views import (
    LISTED,
    Asked,
    Head,
    closings,
    jobs,
    listing,
    overview,
    pictures,
    pictures_of,
    problems,
    usage,
)
from penstock.status import STATES
from penstock.status.model import show_left

HERE = Path(__file__).parent
STATIC, TEMPLATES = HERE / "static", HERE / "templates"

#: state → the sign beside its word, so that colour is never all that tells it
SIGNS = {
    "waiting": "○",
    "ready": "◔",
    "queued": "◑",
    "running": "▶",
    "done": "✓",
    "failed": "✕",
    "blocked": "⊘",
    "vetoed": "–",
    "gone": "∅",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a campaign: its title, what reads its facts, and whether it stands in the navigation."""

    title: str
    read: Callable[[Ledger, Head, Asked], Any]
    listed: bool = True


#: name in addresses → page; the template has the same name, of the first one `overview`
PAGES: Mapping[str, Page] = {
    "": Page("Overview", overview),
    "groups": Page("Groups", read_grid),
    "units": Page("Units", listing),
    "problems": Page("Problems", problems),
    "jobs": Page("Jobs", jobs),
    "closing": Page("Closing", closings),
    "pictures": Page("Pictures", pictures),
    "usage": Page("Usage", usage),
    "unit": Page("Unit", read_unit, listed=False),
}


class Links(Protocol):
    """How the addresses of a page are written; None for what has no page."""

    live: ClassVar[bool]

    def asset(self, name: str) -> str: ...
    def home(self) -> str | None: ...
    def page(self, campaign: str, page: str = "", /, **asked: Any) -> str | None: ...
    def unit(self, campaign: str, unit: str, /, **asked: Any) -> str | None: ...
    def opens(self, address: str) -> bool: ...
    def product(self, campaign: str, product: ProductRow, part: str = "") -> str | None: ...


@dataclass(frozen=True, slots=True)
class LiveLinks:
    """Addresses of the server."""

    root: str = ""
    """What stands before each of them, without a slash at its end: a proxy may show other things beside us."""
    live: ClassVar[bool] = True

    def asset(self, name: str) -> str:
        """Return the address of a style, script or icon, which changes with its content."""
        return f"{self.root}/static/{name}?{digest_of(name)}"

    def home(self) -> str:
        """Return the address of the list of campaigns."""
        return f"{self.root}/"

    def page(self, campaign: str, page: str = "", /, **asked: Any) -> str:
        """Return the address of a page."""
        kept = {key: value for key, value in asked.items() if value not in (None, "", 0)}
        return f"{self.root}/c/{campaign}/{page}" + (f"?{urlencode(kept)}" if kept else "")

    def unit(self, campaign: str, unit: str, /, **asked: Any) -> str:
        """Return the address of a unit."""
        return self.page(campaign, "unit", unit=unit, **asked)

    def opens(self, address: str) -> bool:
        """Whether a picture may be a page of its own: here it is in a sandbox."""
        return True

    def events(self, campaign: str, page: str, query: str) -> str:
        """Return where it is told what is new on a page; that of all campaigns has no name."""
        place = f"c/{campaign}/events/{page}" if campaign else "events"
        return f"{self.root}/{place}" + (f"?{query}" if query else "")

    def product(self, campaign: str, product: ProductRow, part: str = "") -> str:
        """Return the address of a product's bytes, or of a `part` of a folder; the record names it and not its path."""
        names = {"stage": product.stage, "unit": product.unit, "product": product.name, "part": part}
        return self.page(campaign, "product", **names)


@dataclass(frozen=True, slots=True)
class Shell:
    """What a page is shown in: addresses, and what may be asked of the server."""

    links: Links
    allowed: Collection[str] = ()
    """Actions that are switched on."""
    csrf: str = ""
    fragment: bool = False
    """Only what changes, for a page that is open already."""
    said: str = ""
    """The answer to a request."""


def render_page(name: str, head: Head, view: Any, asked: Asked, shell: Shell, **values: Any) -> str:
    """Return a page of a campaign as HTML."""
    given: dict[str, Any] = {
        "page": name,
        "title": PAGES[name].title,
        "head": head,
        "view": view,
        "asked": asked,
        **values,
    }
    return render(f"{name or 'overview'}.html", shell, **given)


def render(template: str, shell: Shell, **values: Any) -> str:
    """Return HTML of a template; all texts in it are escaped and without control characters."""
    layout = "fragment.html" if shell.fragment else "base.html"
    given: dict[str, Any] = {
        "layout": layout,
        "shell": shell,
        "link": shell.links,
        "head": None,
        "page": None,
        "asked": {},
        **values,
    }
    return str(environment().get_template(template).render(**given))


@cache
def environment() -> Any:
    """Return the templates; raises DefinitionError without the extra."""
    jinja = need("jinja2", "web")
    found = jinja.Environment(
        loader=jinja.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja.StrictUndefined, finalize=inert, auto_reload=False,
    )  # fmt: skip
    found.filters.update(
        duration=show_duration,
        size=show_bytes,
        count=count,
        iso=iso,
        clock=clock,
        multiline=multiline,
        number=number,
        rate=rate,
        stamp=stamp,
    )
    found.globals.update(
        pages=PAGES, signs=SIGNS, states=STATES, parts_of=parts_of, show_left=show_left, pictures_of=pictures_of,
        version=__version__, sizes={"groups": PAGE, "units": LISTED}, zip=zip, now=time.time,
        show_duration=show_duration, show_bytes=show_bytes,
    )  # fmt: skip
    return found


def compile_templates() -> None:
    """Compile all templates, which takes longer than a page may."""
    for path in TEMPLATES.iterdir():
        environment().get_template(path.name)


def inert(value: Any) -> Any:
    """Make control characters and bidirectional marks of every text visible; nothing is written for None."""
    if value is None:
        return ""
    return visible(value) if type(value) is str else value


def multiline(text: str) -> Any:
    """Return a text that keeps its lines, each of them inert, as HTML."""
    escape = need("markupsafe", "web").escape
    return escape("\n").join(escape(visible(line.expandtabs())) for line in text.split("\n"))


def iso(seconds: float) -> str:
    """Write a time for programs."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(seconds: float, now: float) -> str:
    """Write a time as the terminal does, in UTC."""
    return show_time(seconds, now=now)


def number(value: float) -> str:
    """Write a number with separators of thousands."""
    return f"{value:,}"


def rate(value: float) -> str:
    """Write a number of which three digits are known."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def stamp(seconds: float) -> str:
    """Write a time with its date, in UTC: the page may be looked at on another day."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


@cache
def digest_of(name: str) -> str:
    """Return a few letters that change with the content of a file of ours."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:8]
