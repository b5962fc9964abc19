"""One output of a cell that is replaced as the work goes on, and saved with the notebook as it was last."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any, cast

from penstock.config.draft import Draft
from penstock.display import InNotebooks, cut, html_table, visible
from penstock.status import Status

KEYS = ("each", "runs", "after", "products", "site")  # what is shown of a stage
MOST = 60  # characters of it


class Display:
    """Shows a status, in IPython and in marimo; elsewhere nothing."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, Any] = {}

    def begin(self, campaign: str) -> None:
        """Show that the work begins, which takes a second or two."""
        self._put(Text(f"{campaign}: starting …"))

    def show(self, status: Status) -> None:
        """Replace what is shown, if it has changed."""
        seen = {**status.to_json(), "turned": None}
        if seen != self._shown:
            self._shown = seen
            self._put(status)

    def fail(self, campaign: str) -> None:
        """Show that it did not begin; the error says why."""
        self._put(Text(f"{campaign}: not started"))

    def _put(self, what: object) -> None:
        if "marimo" in sys.modules and (marimo := import_module("marimo")).running_in_notebook():
            marimo.output.replace(what)
            return
        if "IPython" not in sys.modules:
            return
        display: Any = import_module("IPython.display").display
        if self._handle is None:
            self._handle = display(what, display_id=True)
        else:
            self._handle.update(what)


@dataclass(frozen=True, slots=True)
class Text(InNotebooks):
    """A line, for people."""

    line: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": visible(self.line), "text/html": f"<div>{escape(visible(self.line))}</div>"}


def describe(draft: Draft) -> dict[str, str]:
    """Return what notebooks show of a definition: its levels, its folder, and its stages."""
    campaign: Mapping[str, Any] = draft.tables["campaign"]
    line = f"{campaign['name']}: {' → '.join(map(str, campaign['levels']))}, in {draft.root}"
    rows = [
        [name, *(cut(shown(table, key), MOST) for key in KEYS)]
        for name, table in draft.tables["stage"].items()
    ]
    text = "\n".join([visible(line), *("  " + "  ".join(filter(None, row)) for row in rows)])
    return {
        "text/plain": text,
        "text/html": f"<div>{escape(visible(line))}</div>{html_table(['stage', *KEYS], rows)}",
    }


def shown(table: Mapping[str, Any], key: str) -> str:
    """Return one thing of a stage, as it was typed; of a function its name."""
    value = table.get(key, "")
    if key == "runs":
        value = table.get("python") or table.get("command", "")
    if callable(value):
        return value.__name__
    return " ".join(map(str, cast("list[Any]", value))) if isinstance(value, (list, tuple)) else str(value)
