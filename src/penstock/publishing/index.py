"""Index pages: what a folder has, for people with a browser. No scripts, no network, no times."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from os import fsencode
from urllib.parse import quote

from penstock.display import show_bytes, visible
from penstock.transports.protocol import Entry

PAGE = "index.html"
MARK = b"<!doctype html>\n<!-- An index page of penstock, which replaces it when files change. -->\n"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.3rem}table{border-collapse:collapse}"
    "td{padding:.15rem 2rem .15rem 0;border-bottom:1px solid #ddd}td+td{text-align:right;color:#666}"
)


def is_shown(name: str) -> bool:
    """Whether a name stands on its folder's page."""
    return not name.startswith(".") and name != PAGE


def write_page(folder: str, names: Mapping[str, Entry]) -> bytes:
    """Return the page of a folder; `names` are those in it, of which hidden ones are left out.

    A name is text and the end of a relative address, whatever is in it.
    """
    shown = sorted(filter(is_shown, names), key=lambda name: (not names[name].is_folder, fsencode(name)))
    rows = [row("..", "", is_folder=True)] if folder else []
    rows += [row(name, size_of(names[name]), is_folder=names[name].is_folder) for name in shown]
    title = escape(visible(folder or "Files"))
    text = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n<table>\n{''.join(rows)}</table>\n"
    )
    return MARK + text.encode("utf-8", "backslashreplace")


def size_of(entry: Entry) -> str:
    """Return the size of a file, in words."""
    return "" if entry.is_folder else show_bytes(entry.size)


def row(name: str, size: str, *, is_folder: bool) -> str:
    """Return the line of a name."""
    end = "/" if is_folder else ""
    address = f"{quote(fsencode(name))}{end}" if name == ".." else f"./{quote(fsencode(name))}{end}"
    return f'<tr><td><a href="{address}">{escape(visible(name))}{end}</a></td><td>{size}</td></tr>\n'
