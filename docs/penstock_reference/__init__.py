"""The pages of the reference, made from the code each time the documentation is built."""

from collections.abc import Callable
from pathlib import Path

from penstock_reference import api, commands, definition, events, faults, ledger, states

PAGES: dict[str, Callable[[], str]] = {
    "commands": commands.render_page,
    "definition": definition.render_page,
    "states": states.render_page,
    "errors": faults.render_page,
    "python": api.render_page,
    "events": events.render_page,
    "ledger": ledger.render_page,
}


def write_pages(folder: Path) -> None:
    """Write all pages into `folder`; an unchanged page is left alone, so that Sphinx need not read it again."""
    folder.mkdir(exist_ok=True)
    for name, render in PAGES.items():
        page, text = folder / f"{name}.md", render()
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")
