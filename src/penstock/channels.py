"""How people are told: the channels of a definition, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is, which is never in the definition: one of a file, a variable, and what a command prints."""

    file: str | None = None
    variable: str | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A channel by e-mail."""

    to: tuple[str, ...]
    sender: str
    server: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A channel by POST of JSON to a URL, which may be a secret itself."""

    url: str | Secret


@dataclass(frozen=True, slots=True)
class Command:
    """A channel by a command that reads the message on its standard input."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """How people are told, and of what: kinds of news, at most one notice of each `every_s`."""

    name: str
    way: Mail | Webhook | Command
    on: tuple[str, ...] = ()
    every_s: float = 3600.0
    digest: str | None = None  # the hour, UTC, of the daily one
