"""The heartbeat: a file or a URL that shows somebody else that turns are taken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from penstock.disk import write_file
from penstock.notify.ways import post, reason_of, within

EVERY_S = 60.0


class Heartbeat:
    """Beats at most once a minute, and only when a turn was taken since."""

    def __init__(self, target: str, root: Path, *, begun: float) -> None:
        self.target, self.root, self.due = target, root, begun
        self.seen: float | None = None

    def is_due(self, turned: float) -> bool:
        """Whether a turn was taken that nobody was shown."""
        seen, self.seen = self.seen, turned
        return turned >= self.due or (seen is not None and turned < seen)  # by a clock that was put back

    def beat(self, turned: float, limit_s: float) -> str | None:
        """Write the file, or get the URL; return why that failed."""
        self.due = turned + EVERY_S
        try:
            within(limit_s, lambda: self._show(turned))
        except (OSError, ValueError) as error:
            where = "the URL" if "://" in self.target else self.target
            return reason_of(
                error, [self.target] if "://" in self.target else [], f"{where} cannot be reached or written"
            )
        return None

    def _show(self, turned: float) -> None:
        if "://" in self.target:
            post(self.target, None)
        else:
            moment = datetime.fromtimestamp(turned, UTC)
            write_file(self.root / Path(self.target).expanduser(), f"{moment:%Y-%m-%dT%H:%M:%SZ}\n".encode())
