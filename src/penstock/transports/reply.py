"""The reply of a command at a site."""

from __future__ import annotations

from typing import NamedTuple


class Reply(NamedTuple):
    """Exit code and text of one command; `code` None: it did not end in its time, and may still do its work."""

    code: int | None
    out: str = ""
    err: str = ""

    @property
    def words(self) -> str:
        """Its message in one line for a person: its errors, else its output."""
        text = self.err.strip() or self.out.strip()
        return " ".join(text.split())[:500] or (
            "it did not answer in time" if self.code is None else f"exit code {self.code} without output"
        )
