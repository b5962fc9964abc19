"""What can go wrong, by who has to act.

PenstockError
├── DefinitionError        edit the file
├── SiteError              the place where jobs run
│   ├── OutOfReach         nothing there can be asked or changed for now
│   │   ├── Unreachable    wait, or fix the connection
│   │   └── AuthNeeded     log in
│   ├── QueryFailed        transient: a question without an answer, never a "no"
│   ├── SiteFull           wait: the site takes no more jobs for now
│   └── SubmitRejected     permanent: the site said no
└── LedgerError            the record
    ├── NothingYet         nothing has been run in the campaign
    ├── Held               another conductor has the campaign
    └── Corrupt            the file is damaged

A failed unit is data, not an exception. Each message is one sentence: the thing, the place, the remedy.
"""

from __future__ import annotations

from pathlib import Path


class PenstockError(Exception):
    """Something a person must know; `exit_code` is the command's."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback, which tells nobody what to do."""
        return [f"{type(self).__name__}: {self}"]


class DefinitionError(PenstockError):
    """The definition or the command line is wrong; `file` and `line` say where."""

    exit_code = 2

    def __init__(self, message: str, *, file: Path | None = None, line: int | None = None) -> None:
        self.message, self.file, self.line = message, file, line
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(place + message)


class SiteError(PenstockError):
    """The place where jobs run failed."""

    exit_code = 3


class OutOfReach(SiteError):
    """Nobody gets through to the site for now; what is there goes on."""


class Unreachable(OutOfReach):
    """The site does not answer."""


class AuthNeeded(OutOfReach):
    """The site wants a person to log in."""


class QueryFailed(SiteError):
    """A question to the scheduler failed; it changes no state."""


class SiteFull(SiteError):
    """The scheduler accepts no more jobs from us until some have finished."""


class SubmitRejected(SiteError):
    """The scheduler refused a job for good."""


class LedgerError(PenstockError):
    """The record cannot be read or written."""


class NothingYet(LedgerError):
    """There is no record yet."""


class Held(LedgerError):
    """Another running conductor holds the campaign."""

    exit_code = 4


class Corrupt(LedgerError):
    """The ledger's file is damaged."""
