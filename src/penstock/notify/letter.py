"""A letter: what one notice says, once for all tries, and how each way writes it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

from penstock.display import visible
from penstock.host import hostname

LONGEST = 160  # characters of a subject


class Draft(NamedTuple):
    """What a letter is made of: a subject, the lines of its text, and the same for programs."""

    subject: str
    lines: list[str]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """What one notice says; `id` stays the same however often it is sent."""

    id: str
    kind: str
    campaign: str
    folder: str
    host: str
    at: float
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The same as plain data, for programs."""

    @classmethod
    def new(cls, kind: str, draft: Draft, *, campaign: str, folder: Path, at: float) -> Letter:
        """Write a letter; whatever a name in it is made of, each line stays one line."""
        subject = visible(f"[{campaign}] {draft.subject}")
        if len(subject) > LONGEST:
            subject = f"{subject[: LONGEST - 1]}…"
        lines = [*draft.lines, "", f"penstock on {hostname()}, in {folder}"]
        text = "".join(f"{visible(line)}\n" for line in lines)
        made = f"penstock.{int(at)}.{secrets.token_hex(8)}"
        return cls(made, kind, campaign, visible(str(folder)), hostname(), at, subject, text, draft.facts)

    @classmethod
    def from_json(cls, text: str) -> Letter:
        """Read it from the outbox."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """Write it for the outbox."""
        return json.dumps(asdict(self))

    def to_mail(self, sender: str, to: Sequence[str]) -> EmailMessage:
        """Write it as an e-mail; raises ValueError if a header would become two."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = Address("penstock", addr_spec=sender)
        mail["To"] = ", ".join(to)
        mail["Subject"] = self.subject
        mail["Date"] = format_datetime(datetime.fromtimestamp(self.at, UTC))
        mail["Message-ID"] = f"<{self.id}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from who is on holiday
        mail.set_content(self.text)
        return mail

    def to_post(self) -> bytes:
        """Write it as JSON; `text` is what chat programs show."""
        told = asdict(self)
        facts, text = told.pop("facts"), f"{self.subject}\n{self.text}"
        return json.dumps({**told, **facts, "text": text}).encode()

    def to_variables(self) -> dict[str, str]:
        """Return what a program finds in its environment."""
        return {
            "PENSTOCK_NOTICE_ID": self.id,
            "PENSTOCK_NOTICE_KIND": self.kind,
            "PENSTOCK_NOTICE_SUBJECT": self.subject,
        }
