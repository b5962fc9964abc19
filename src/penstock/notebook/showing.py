"""One output of a cell that is replaced as the work goes on, and saved with the notebook as it was last."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import Any

from penstock.display import visible
from penstock.status import Status


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
class Text:
    """A line, for people."""

    line: str

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": visible(self.line), "text/html": f"<div>{escape(visible(self.line))}</div>"}
