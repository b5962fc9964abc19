"""The addresses of the server, and what answers them."""

from __future__ import annotations

import logging
import mimetypes
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from penstock.display import cut
from penstock.errors import DefinitionError, LedgerError, PenstockError
from penstock.ledger import Ledger
from penstock.serve.actions import ask_for
from penstock.serve.campaigns import Shown, patient
from penstock.serve.events import ALL, Key, Watch
from penstock.serve.files import SANDBOX, TYPES, file_of, find_product, open_beneath, roots_of
from penstock.serve.openapi import describe
from penstock.serve.pages import PAGES, STATIC, LiveLinks, Shell, digest_of, render, render_page
from penstock.serve.security import Door, Keys, same
from penstock.serve.views import LISTED, Head, head_of, heads_of
from penstock.status import Status
from penstock.status.metrics import render_together

TELLING = ("", "problems")  # pages that tell what failed; for all others it is not read
FRESH_S = 1.0  # for which a page that was drawn is given to others
KEPT = 64  # such pages
LONGEST_BODY, LONGEST_QUERY = 16 << 10, 4 << 10  # bytes
LONGEST_SAID = 500  # letters of an answer, which stands in an address: proxies take some 4 kB
CHUNK = 256 << 10
SAID = "said"  # in a question: the answer to a request, which is shown once
FOREVER = "private, max-age=31536000, immutable"
LINES = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(eq=False)
class Site:
    """What is served: the campaigns, what may be asked for, and the pages drawn a moment ago."""

    campaigns: Mapping[str, Shown]
    keys: Keys
    allowed: Collection[str] = ()
    links: LiveLinks = field(default_factory=LiveLinks)
    drawn: Mapping[Key, tuple[float, int, str]] = field(default_factory=dict[Key, tuple[float, int, str]])

    def draw(self, key: Key, *, said: str = "") -> tuple[int, str]:
        """Return a page as HTML with its status, as it is or was a moment ago."""
        at, status, text = self.drawn.get(key, (0.0, 0, ""))
        if said or not text or time.monotonic() - at > FRESH_S:
            status, text = self.draw_now(key, Shell(self.links, self.allowed, self.keys.csrf, said=said))
            kept = dict(list(self.drawn.items())[1 - KEPT :])
            self.drawn = kept if said else {**kept, key: (time.monotonic(), status, text)}
        return status, text

    def draw_fragments(self, keys: Sequence[Key]) -> list[str]:
        """Return what is new on pages that are open already; what stands on top is read once for each campaign."""
        shell, found = Shell(self.links, self.allowed, self.keys.csrf, fragment=True), dict[Key, str]()
        for name, group in groupby(sorted(keys), key=lambda key: key[0]):
            found |= {key: text for key, (_, text) in self.draw_all(name, list(group), shell)}
        return [found[key] for key in keys]

    def draw_now(self, key: Key, shell: Shell) -> tuple[int, str]:
        """Return a page as HTML with its status."""
        return next(iter(self.draw_all(key[0], [key], shell)))[1]

    def draw_all(self, name: str, keys: Sequence[Key], shell: Shell) -> Iterator[tuple[Key, tuple[int, str]]]:
        """Yield pages of one campaign, all of one moment of its record, as HTML with their status."""
        drawn = set[Key]()
        try:
            if name == ALL:
                yield from ((key, self.draw_home(key, shell)) for key in keys)
                return
            with self.campaigns[name].reading() as ledger:
                ledger.db.execute("BEGIN")
                told = any(page in TELLING for _, page, _ in keys)
                head = head_of(self.campaigns[name], ledger, problems=LISTED if told else 0)
                for key in keys:
                    yield key, self.draw_one(key, ledger, head, shell)
                    drawn.add(key)
        except Exception as error:
            yield from ((key, self.excuse(key, None, shell, error)) for key in keys if key not in drawn)

    def draw_home(self, key: Key, shell: Shell) -> tuple[int, str]:
        """Return the page of all campaigns as HTML with its status."""
        given = {"title": "Campaigns", "page": "", "heads": [*heads_of(self.campaigns)]}
        return 200, render("campaigns.html", shell, **given, events=self.links.events(*key))

    def draw_one(self, key: Key, ledger: Ledger, head: Head, shell: Shell) -> tuple[int, str]:
        """Return a page of a campaign as HTML with its status."""
        _, page, query = key
        try:
            with patient(ledger):  # each page has its own time, however many are drawn together
                asked = dict(parse_qsl(query))
                view = PAGES[page].read(ledger, head, asked)
                return 200, render_page(page, head, view, asked, shell, events=self.links.events(*key))
        except Exception as error:  # others draw their pages with this one
            return self.excuse(key, head, shell, error)

    def excuse(self, key: Key, head: Head | None, shell: Shell, error: Exception) -> tuple[int, str]:
        """Return a page that says why there is no other; the trace of a fault of ours is for who runs the server."""
        status, why = 500, f"this page cannot be drawn ({type(error).__name__}): see the server's terminal"
        if isinstance(error, PenstockError):
            status, why = 404 if isinstance(error, DefinitionError) else 503, str(error)
        else:
            logging.getLogger("uvicorn.error").error("%s cannot be drawn", "/".join(key), exc_info=error)
        given = {"title": PAGES[key[1]].title, "page": key[1], "head": head, "why": why}
        return status, render("error.html", shell, **given, events=self.links.events(*key))

    def shown(self, request: Request) -> Shown:
        """Return the campaign that an address names."""
        found = self.campaigns.get(request.path_params["campaign"])
        if found is None:
            raise HTTPException(404, "there is no such campaign")
        return found


def make_app(site: Site, hosts: Collection[str], *, scheme: str = "http") -> Door:
    """Return the server's application behind its door."""
    watch = Watch(site.campaigns, site.draw_fragments)
    answers = Answers(site, watch)
    routes = [
        Route("/", answers.home),
        Route("/events", answers.events),
        Route("/api", answers.api),
        Route("/openapi.json", answers.openapi),
        Route("/metrics", answers.metrics),
        Route("/api/status", answers.status),
        Route("/static/{name}", answers.static),
        Route("/c/{campaign}/product", answers.product),
        Route("/c/{campaign}/metrics", answers.metrics),
        Route("/c/{campaign}/api/status", answers.status),
        Route("/c/{campaign}/ask/{action}", answers.ask, methods=["POST"]),
        Route("/c/{campaign}/events/{page}", answers.events),
        Route("/c/{campaign}/events/", answers.events),
        Route("/c/{campaign}/{page}", answers.page),
        Route("/c/{campaign}/", answers.page),
        Route("/c/{campaign}", answers.first_page),
    ]
    handlers: Mapping[Any, Any] = {HTTPException: answers.refused}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # it does not know how a proxy is called
    return Door(app, site.keys, frozenset(hosts), scheme, site.links.root)


@dataclass(frozen=True, slots=True)
class Answers:
    """What answers each address."""

    site: Site
    watch: Watch

    async def home(self, request: Request) -> Response:
        """Show all campaigns, or the only one."""
        if len(self.site.campaigns) == 1:
            return RedirectResponse(self.site.links.page(next(iter(self.site.campaigns))), 303)
        return await self.drawn((ALL, "", ""), request)

    async def page(self, request: Request) -> Response:
        """Show a page of a campaign."""
        return await self.drawn(self.key_of(request), request)

    async def first_page(self, request: Request) -> Response:
        """Lead to the first page of a campaign."""
        return RedirectResponse(self.site.links.page(self.site.shown(request).name), 303)

    async def drawn(self, key: Key, request: Request) -> Response:
        """Draw a page beside the loop."""
        status, text = await run_in_threadpool(
            self.site.draw, key, said=request.query_params.get(SAID, "")[: 2 * LONGEST_SAID]
        )
        return HTMLResponse(text, status)

    async def events(self, request: Request) -> Response:
        """Tell what is new on a page."""
        key = self.key_of(request) if request.path_params else (ALL, "", "")
        at_once = {"x-accel-buffering": "no"}  # which proxies know, too
        return StreamingResponse(self.watch.events(key), media_type="text/event-stream", headers=at_once)

    def key_of(self, request: Request) -> Key:
        """Return which page an address is of."""
        shown, page = self.site.shown(request), request.path_params.get("page", "")
        query = "&".join(
            f"{quote(name)}={quote(value)}" for name, value in request.query_params.items() if name != SAID
        )
        if page not in PAGES or len(query) > LONGEST_QUERY:
            raise HTTPException(404, "there is no such page")
        return shown.name, page, query

    async def status(self, request: Request) -> Response:
        """Give what `penstock status --json` prints."""
        shown = self.named(request)

        def read() -> Any:
            with shown.reading() as ledger:
                return Status.read(ledger).to_json()

        return JSONResponse(await self.attempt(read))

    def named(self, request: Request) -> Shown:
        """Return the campaign of an address, of a question, or the only one."""
        if request.path_params:
            return self.site.shown(request)
        campaigns, name = self.site.campaigns, request.query_params.get("campaign", "")
        if not name and len(campaigns) == 1:
            return next(iter(campaigns.values()))
        if name not in campaigns:
            raise HTTPException(404, f"say which with ?campaign=NAME: {', '.join(campaigns)}")
        return campaigns[name]

    async def metrics(self, request: Request) -> Response:
        """Give what `penstock metrics` prints, of one campaign or of all that can be read."""
        wanted = [self.site.shown(request)] if request.path_params else [*self.site.campaigns.values()]

        def read() -> str:
            with ExitStack() as stack:
                ledgers = list[Any]()
                for shown in wanted:
                    with suppress(LedgerError) if len(wanted) > 1 else ExitStack():
                        ledgers.append(stack.enter_context(shown.reading()))
                return render_together(ledgers, time.time())

        return Response(await self.attempt(read), media_type=LINES)

    async def attempt(self, read: Callable[[], Any]) -> Any:
        """Read something beside the loop; what is wrong with the record is told."""
        try:
            return await run_in_threadpool(read)
        except DefinitionError as error:
            raise HTTPException(404, str(error)) from error
        except PenstockError as error:
            raise HTTPException(503, str(error)) from error

    async def product(self, request: Request) -> Response:
        """Give the bytes of a product that the record has."""
        shown, asked = self.site.shown(request), request.query_params

        def read() -> tuple[Path, ExitStack, BinaryIO]:
            with shown.reading() as ledger:
                names = (asked.get(name, "") for name in ("stage", "unit", "product"))
                product, roots = find_product(ledger, *names), roots_of(ledger)
            if product is None:
                raise DefinitionError("the record has no such product")
            path = file_of(product, asked.get("part", ""))
            with ExitStack() as stack:
                try:
                    stream = stack.enter_context(open_beneath(roots, path))
                except OSError as error:
                    raise DefinitionError(
                        f"{product.name} is not there, or not in the campaign's folder"
                    ) from error
                return path, stack.pop_all(), stream

        path, stack, stream = await self.attempt(read)
        suffix = path.suffix.lower()
        kind = TYPES.get(suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        manner = "inline" if suffix in TYPES else "attachment"
        headers = {
            "content-security-policy": SANDBOX,
            "content-disposition": f"{manner}; filename*=UTF-8''{quote(path.name, safe='', errors='replace')}",
        }
        return StreamingResponse(chunks(stack, stream), media_type=kind, headers=headers)

    async def ask(self, request: Request) -> Response:
        """Leave a request, and lead back to the page that it came from with the answer."""
        shown, action = self.site.shown(request), request.path_params["action"]
        if action not in self.site.allowed:
            raise HTTPException(404, "that is not switched on: `penstock serve --allow` does it")
        form = await form_of(request)
        if not same(form.get("csrf", ""), self.site.keys.csrf):
            raise HTTPException(403, "this form is not ours: load the page again")
        said = await self.attempt(lambda: ask_for(shown, action, form))
        unit = form.get("unit", "")
        self.site.drawn = {}
        place = self.site.links.page(
            shown.name, "unit" if unit else "", unit=unit, said=cut(said, LONGEST_SAID)
        )
        return RedirectResponse(place, 303)

    async def api(self, request: Request) -> Response:
        """Show all addresses."""
        given = {"title": "Addresses", "document": self.described()}
        return HTMLResponse(await run_in_threadpool(render, "api.html", Shell(self.site.links), **given))

    async def openapi(self, request: Request) -> Response:
        """Give all addresses."""
        return JSONResponse(self.described())

    def described(self) -> dict[str, Any]:
        """Return the description of all addresses."""
        return describe(self.site.campaigns, self.site.allowed, self.site.links.root)

    async def static(self, request: Request) -> Response:
        """Give a style, a script or an icon of ours."""
        name = request.path_params["name"]
        if name not in {path.name for path in STATIC.iterdir()}:
            raise HTTPException(404, "there is no such file")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        kept = {"cache-control": FOREVER} if request.url.query == digest_of(name) else {}
        return Response((STATIC / name).read_bytes(), media_type=kind, headers=kept)

    async def refused(self, request: Request, error: Exception) -> Response:
        """Say what is wrong."""
        assert isinstance(error, HTTPException)
        headers = error.headers and dict(error.headers)
        if request.url.path.startswith("/api/") or request.url.path.endswith("/api/status"):
            return JSONResponse({"error": error.detail}, error.status_code, headers=headers)
        given = {"title": str(error.status_code), "why": error.detail}
        return HTMLResponse(
            render("error.html", Shell(self.site.links), **given), error.status_code, headers=headers
        )


async def form_of(request: Request) -> QueryParams:
    """Read a short form; what is longer than any of ours is refused."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            raise HTTPException(413, "that is too long")
    return QueryParams(body.decode("utf-8", "replace"))


def chunks(stack: ExitStack, stream: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file, and close it."""
    with stack:
        while data := stream.read(CHUNK):
            yield data
