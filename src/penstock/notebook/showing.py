"""One output of a cell that is replaced as the work goes on, and saved with the notebook as it was last."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from penstock.status import Status


class Display:
    """Shows a status; outside of IPython the last one alone."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown: dict[str, Any] = {}

    def show(self, status: Status) -> None:
        """Replace what is shown, if it has changed."""
        seen = {**status.to_json(), "turned": None}
        if seen == self._shown or "IPython" not in sys.modules:
            return
        self._shown = seen
        display: Any = import_module("IPython.display").display
        if self._handle is None:
            self._handle = display(status, display_id=True)
        else:
            self._handle.update(status)
