"""Tiles on demand, over HTTP on this machine only: `/<stem>_<ntiles>_<i>.png`."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from penstock.workflows.acoustics.settings import Settings


def make_server(folder: Path, settings: Settings, port: int = 0) -> ThreadingHTTPServer:
    """Make a server of the tiles of the products in `folder`; `serve_forever()` runs it."""
    from penstock.workflows.acoustics.tiles import find_tile

    class Tiles(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = unquote(self.path.partition("?")[0]).lstrip("/")
            found = find_tile(folder, name, settings)
            if found is None:
                self.send_error(404, "no such tile")
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, format: str, *args: object) -> None:
            return

    return ThreadingHTTPServer(("127.0.0.1", port), Tiles)
