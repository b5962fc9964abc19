"""Starting the server: where it listens, by which names it may be called, and its token."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from penstock.errors import DefinitionError
from penstock.extras import need
from penstock.serve.campaigns import Shown
from penstock.serve.tokens import token_of

HERE = "127.0.0.1"
EVERYWHERE = ("0.0.0.0", "::")
USUAL = {"http": 80, "https": 443}
PROXY = re.compile(r"https?://[^\s/?#@]+(/[\w.~-]+)*/?", re.ASCII)
OWN = (
    "c",
    "api",
    "events",
    "metrics",
    "openapi.json",
    "static",
)  # below such a name of a proxy nobody could tell which one is meant


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server is reached."""

    bind: str = HERE
    port: int = 0
    """0: a free one."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxy: str | None = None
    """Where people see us behind a proxy that speaks TLS with them, such as https://lab.example.org/penstock."""
    token_file: Path | None = None
    """What keeps the token; None: it is a new one each time."""

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise DefinitionError("--tls-cert and --tls-key belong together: name both")
        if self.proxy is not None and not PROXY.fullmatch(self.proxy):
            raise DefinitionError(
                f"{self.proxy} is no address of a proxy: write it like https://lab.example.org or"
                " https://lab.example.org/penstock"
            )
        if not is_loopback(self.bind) and not (self.tls_cert or self.proxy):
            raise DefinitionError(
                f"{self.bind} can be reached by others: give --tls-cert and --tls-key, or the address of a proxy with"
                " --behind-proxy"
            )
        if (first := self.root.partition("/")[2].partition("/")[0]) in OWN:
            raise DefinitionError(
                f"/{first} is where pages of ours are: let the proxy show us below another name"
            )

    @property
    def scheme(self) -> str:
        """How browsers reach it."""
        return urlsplit(self.proxy).scheme if self.proxy else "https" if self.tls_cert else "http"

    @property
    def root(self) -> str:
        """What stands before each address, without a slash at its end."""
        return urlsplit(self.proxy).path.rstrip("/") if self.proxy else ""

    def names(self, port: int) -> Collection[str]:
        """Return the names by which browsers may call it, with the port where they write it."""
        if self.proxy:
            return [urlsplit(self.proxy).netloc.lower()]
        hosts = {bracketed(self.bind), *((HERE, "localhost", "[::1]") if is_loopback(self.bind) else ())}
        if self.bind in EVERYWHERE:
            hosts = {socket.gethostname(), socket.getfqdn()}
        suffix = "" if port == USUAL[self.scheme] else f":{port}"
        return sorted(f"{host.lower()}{suffix}" for host in hosts)

    def address(self, port: int) -> str:
        """Return the address that people open."""
        if self.proxy:
            return self.proxy.rstrip("/")
        names = self.names(port)
        own = (socket.gethostname() if self.bind in EVERYWHERE else bracketed(self.bind)).lower()
        return f"{self.scheme}://{next((name for name in names if name.startswith(own)), min(names))}"


def is_loopback(bind: str) -> bool:
    """Whether only this machine reaches an address."""
    return bind in ("localhost", "::1") or bind.startswith("127.")


def bracketed(host: str) -> str:
    """Write an address as it stands in URLs."""
    return f"[{host}]" if ":" in host else host


def listen(listening: Listening) -> socket.socket:
    """Open the port; raises DefinitionError if it cannot be had."""
    family = socket.AF_INET6 if ":" in listening.bind else socket.AF_INET
    door = socket.socket(family)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((listening.bind, listening.port))
        door.listen()
    except (OSError, UnicodeError) as error:
        door.close()
        why = getattr(error, "strerror", None) or error
        raise DefinitionError(
            f"{listening.bind}:{listening.port} cannot be listened at ({why}): choose another --port or --bind"
        ) from error
    return door


def run(
    campaigns: Mapping[str, Shown],
    listening: Listening,
    allowed: Collection[str],
    *,
    tell: Callable[[str], None],
) -> None:
    """Serve until a signal ends it; `tell` is given the address, with the token if no file keeps that."""
    uvicorn = need("uvicorn", "web")
    need("starlette", "web")
    need("jinja2", "web")
    from penstock.serve.app import Site, make_app
    from penstock.serve.pages import LiveLinks, compile_templates
    from penstock.serve.security import Keys

    with listen(listening) as door:
        port, token = door.getsockname()[1], token_of(listening.token_file)
        site = Site(campaigns, Keys(token, port), allowed, LiveLinks(listening.root))
        app = make_app(site, listening.names(port), scheme=listening.scheme)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, ws="none",
            lifespan="off", timeout_graceful_shutdown=1, limit_concurrency=500, ssl_certfile=listening.tls_cert,
            ssl_keyfile=listening.tls_key,
        )  # fmt: skip
        compile_templates()  # or whoever looks first waits for it
        kept = listening.token_file
        told = f"?token={token}" if kept is None else f"?token=TOKEN with the token that {kept} keeps"
        tell(f"{listening.address(port)}/{told}")
        uvicorn.Server(config).run(sockets=[door])
