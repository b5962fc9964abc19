"""`[notify.NAME]` as people write it, and the channels that it comes to."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from penstock.channels import Channel, Command, Mail, Secret, Webhook
from penstock.config.fieldtypes import Duration, Line, Texts, listed
from penstock.config.places import Places
from penstock.config.tables import Table
from penstock.config.urls import check_url

PORTS = {"starttls": 587, "tls": 465, "none": 25}
DIGEST = "digest"

_ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]+@[^\s@<>,;:\"\\()\[\]]+")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def check_address(given: str) -> str:
    """Refuse what is no plain address."""
    if not (_ADDRESS.fullmatch(given) and given.isascii() and given.isprintable()):
        raise ValueError(f"{given!r} is not an address such as anna@lab.example")
    return given


def check_clock(given: str) -> str:
    """Refuse what is no hour of a day."""
    if not _CLOCK.fullmatch(given):
        raise ValueError(f'{given!r} is not an hour of the day such as "07:00"')
    return given


def refuse_written(given: Any) -> Any:
    """Refuse a secret that is written out, without telling it."""
    if isinstance(given, str):
        raise ValueError('a secret is never written here: say where it is, such as { file = "…" }')
    return given


Address = Annotated[str, AfterValidator(check_address)]
Kind = Literal["failure", "recovery", "deadline"]


class SecretTable(Table):
    """Where a secret is; none is in the definition, which the record keeps."""

    file: Annotated[str | None, Field(description="a file, only yours to read, whose first line it is")] = (
        None
    )
    variable: Annotated[str | None, Field(description="an environment variable")] = None
    command: Annotated[Texts, Field(description="a command whose first line of output it is")] = []

    @model_validator(mode="after")
    def _one(self) -> "SecretTable":
        if sum(map(bool, (self.file, self.variable, self.command))) != 1:
            raise ValueError("a secret needs one of `file`, `variable` and `command`")
        return self

    def secret(self) -> Secret:
        """Return where it is."""
        return Secret(self.file, self.variable, tuple(self.command))


class ChannelTable(Table):
    """`[notify.NAME]`: how people are told what happens."""

    to: Annotated[
        list[Address],
        BeforeValidator(listed, json_schema_input_type=str | list[str]),
        Field(description="by e-mail: the addresses"),
    ] = []
    sender: Annotated[Address | None, Field(alias="from", description="of mails: the sender's address")] = (
        None
    )
    server: Annotated[
        Line | None, Field(description="of mails: the server that takes them, or `server:port`")
    ] = None
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="of mails: how the connection is secured; the port is 587, 465 or 25"),
    ] = "starttls"
    user: Annotated[str | None, Field(description="of mails: the account at the server")] = None
    password: Annotated[
        SecretTable | None,
        BeforeValidator(refuse_written, json_schema_input_type=SecretTable | None),
        Field(description="of mails: where its password is"),
    ] = None
    url: Annotated[str | None, Field(description="by a webhook: the URL that JSON is posted to")] = None
    secret_url: Annotated[
        SecretTable | None,
        BeforeValidator(refuse_written, json_schema_input_type=SecretTable | None),
        Field(description="by a webhook whose URL nobody should know: where it is"),
    ] = None
    command: Annotated[
        Texts, Field(description="by a program: an argv list; the message is on its standard input")
    ] = []
    on: Annotated[
        list[Kind],
        BeforeValidator(listed, json_schema_input_type=str | list[str]),
        Field(description="what it tells: failure, recovery, deadline"),
    ] = ["failure", "recovery", "deadline"]
    every: Annotated[Duration, Field(description="at most one notice of each kind in this time [1h]")] = (
        3600.0
    )
    digest: Annotated[
        Annotated[str, AfterValidator(check_clock)] | None,
        Field(description='when to send a daily digest, such as "07:00"; UTC'),
    ] = None

    @model_validator(mode="after")
    def _one_way(self) -> "ChannelTable":
        if sum(map(bool, (self.to, self.url, self.secret_url, self.command))) != 1:
            raise ValueError("a channel needs one of `to`, `url`, `secret_url` and `command`")
        if self.to and not (self.sender and self.server):
            raise ValueError("mails need `from` and `server` beside `to`")
        if not self.to and (self.sender or self.server or self.user or self.password):
            raise ValueError("`from`, `server`, `user` and `password` go with `to`")
        if bool(self.user) != bool(self.password):
            raise ValueError("`user` and `password` go together")
        if self.password and self.security == "none":
            raise ValueError('a password is sent over a secure connection only; remove security = "none"')
        if self.url:
            check_url(self.url)
        _server(self)
        return self


def _server(table: ChannelTable) -> tuple[str, int]:
    host, _, port = (table.server or "").partition(":")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{table.server!r} is not a server such as mail.lab.example or mail.lab.example:587")
    return host, int(port) if port else PORTS[table.security]


def channels_of(tables: Mapping[str, ChannelTable]) -> dict[str, Channel]:
    """Return the channels of a definition."""
    return {
        name: Channel(
            name,
            _way(table),
            on=(*table.on, *([DIGEST] if table.digest else [])),
            every_s=table.every,
            digest=table.digest,
        )
        for name, table in tables.items()
    }


def _way(table: ChannelTable) -> Mail | Webhook | Command:
    if table.command:
        return Command(tuple(table.command))
    if table.secret_url:
        return Webhook(table.secret_url.secret())
    if table.url:
        return Webhook(table.url)
    password = table.password.secret() if table.password else None
    return Mail(tuple(table.to), str(table.sender), *_server(table), table.security, table.user, password)


def check_heartbeat(heartbeat: str | None, places: Places) -> str | None:
    """Refuse a heartbeat that is a URL in the clear."""
    if heartbeat and "://" in heartbeat:
        try:
            check_url(heartbeat)
        except ValueError as error:
            raise places.error(("campaign", "heartbeat"), str(error)) from None
    return heartbeat
