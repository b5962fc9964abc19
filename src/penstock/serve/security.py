"""Who is let in: whoever has the token, from an address that is ours; and what browsers may do with a page."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN = "token"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, browsers do not say where a form of ours comes from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
CLOSED = "This page is not for everybody: open the address that `penstock serve` printed, with its token.\n"


ENTER = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={0}"><title>penstock</title>
<a href="{0}">Go on</a>
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """What is derived from the token: none of it tells what that is."""

    token: str
    port: int

    def derived(self, what: str) -> str:
        """Return a secret of its own for a use."""
        return hmac.new(self.token.encode(), what.encode(), hashlib.sha256).hexdigest()

    @property
    def cookie(self) -> str:
        """The name of the cookie; browsers do not tell ports of a host apart."""
        return f"penstock_{self.port}"

    @property
    def session(self) -> str:
        """What the cookie has."""
        return self.derived("session")

    @property
    def csrf(self) -> str:
        """What every form of ours has."""
        return self.derived("form")


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in what may come in, and says what browsers may do with what goes out."""

    app: App
    keys: Keys
    hosts: Collection[str]
    """With their ports, as browsers write them."""
    scheme: str = "http"
    root: str = ""
    """What stands before each address where people see us; the proxy may leave it out."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope = self.within(scope)
        reply = self.turned_away(scope)
        if reply is None:
            await self.app(scope, receive, guarded(send))
        else:
            await answer(guarded(send), *reply)

    def within(self, scope: Scope) -> Scope:
        """Return a request without what stands before each address."""
        inside = f"{scope['path']}/".startswith(f"{self.root}/")
        return {**scope, "path": scope["path"].removeprefix(self.root) or "/"} if inside else scope

    def turned_away(self, scope: Scope) -> tuple[int, dict[str, str], str] | None:
        """Return the answer to what is not let in, or not yet; None: it may come in."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        named = [value.lower() for name, value in headers if name == "host"]
        if len(named) != 1 or named[0] not in self.hosts:
            return 403, {}, "This server is not called so.\n"
        given = dict(headers)
        if scope["method"] not in ("GET", "HEAD") and given.get("origin") not in self.origins:
            return 403, {}, "This request comes from another page.\n"
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        told = [value for name, value in query if name == TOKEN]
        if told:
            return self.greeted(scope, given, told, [pair for pair in query if pair[0] != TOKEN])
        if self.is_known(given):
            return None
        return 403, {}, CLOSED

    @property
    def origins(self) -> set[str]:
        """Where forms of ours come from."""
        return {f"{self.scheme}://{host}" for host in self.hosts}

    def greeted(
        self, scope: Scope, headers: Mapping[str, str], told: list[str], query: list[tuple[str, str]]
    ) -> tuple[int, dict[str, str], str]:
        """Give a cookie for the token, and lead to the same page without it."""
        if len(told) != 1 or not same(told[0], self.keys.token) or scope["method"] != "GET":
            return 403, {}, CLOSED
        secure = "; Secure" if self.scheme == "https" else ""
        cookie = (
            f"{self.keys.cookie}={self.keys.session}; Path={self.root}/; HttpOnly; SameSite=Strict{secure}"
        )
        path = quote("/" + scope["path"].lstrip("/"))
        place = self.root + path + (f"?{urlencode(query)}" if query else "")
        if (
            headers.get("sec-fetch-site") == "cross-site"
        ):  # a redirect would still be theirs, and not get the cookie
            page = ENTER.format(escape(place))
            return 200, {"content-type": "text/html; charset=utf-8", "set-cookie": cookie}, page
        return 303, {"location": place, "set-cookie": cookie}, ""

    def is_known(self, headers: dict[str, str]) -> bool:
        """Whether a request has our cookie, or the token as a program sends it."""
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.keys.cookie and same(value, self.keys.session):
                return True
        kind, _, value = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and same(value.strip(), self.keys.token)


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that does not tell how much of them agrees."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def guarded(send: Send) -> Send:
    """Add the headers that every answer has, where it has none of its own."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            there = {name.lower() for name, _ in own}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
            message = {**message, "headers": [*own, *more]}
        await send(message)

    return sending


async def answer(send: Send, status: int, headers: dict[str, str], text: str) -> None:
    """Send a short answer."""
    body = text.encode()
    given = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), **headers}
    listed = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body})
