"""A mail server and a web server of this machine, with a certificate, that do what a test wants."""

import base64
import json
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def make_certificate(folder: Path) -> Path:
    """Make a certificate for `localhost` that signs itself, with its key in the same file."""
    file = folder / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(folder / "ca.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + (folder / "ca.pem").read_bytes())
    return file


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mails, by TLS at once or after STARTTLS, from those who log in if it wants that."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self, certificate: Path, *, security: str = "starttls", password: str | None = None) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.security, self.password = security, password
        self.mails = list[EmailMessage]()
        self.raw = list[bytes]()
        self.over_tls = list[bool]()
        self.refused: dict[str, str] = {}  # address → answer
        self.is_down = self.hangs = self.quits_badly = self.drops_after_data = False
        self.connections = 0
        super().__init__(("localhost", 0), MailTalk)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that refuse our certificate leave in the middle."""

    @property
    def address(self) -> str:
        return f"localhost:{self.server_address[1]}"


class MailTalk(socketserver.StreamRequestHandler):
    """One connection to the mail server."""

    server: MailServer

    def handle(self) -> None:
        self.server.connections += 1
        self.secure, self.known = False, self.server.password is None
        if self.server.security == "tls":
            self.make_secure()
        if self.server.hangs:
            self.connection.recv(1 << 16)  # says nothing for as long as the other one waits
            self.connection.recv(1 << 16)
            return
        if self.server.is_down:
            self.say("421 4.3.2 closed for today")
            return
        self.say("220 localhost")
        while line := self.rfile.readline().strip().decode():
            if not self.answer(line):
                return

    def make_secure(self) -> None:
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.secure = True

    def say(self, text: str) -> None:
        self.connection.sendall(f"{text}\r\n".encode())

    def answer(self, line: str) -> bool:
        word = line.split()[0].upper()
        match word:
            case "EHLO":
                offers = ["STARTTLS"] if self.server.security == "starttls" and not self.secure else []
                offers += ["AUTH PLAIN"] if self.server.password else []
                for offer in ("localhost", *offers):
                    self.say(f"250-{offer}")
                self.say("250 8BITMIME")
            case "STARTTLS":
                self.say("220 go on")
                self.make_secure()
            case "AUTH":
                self.log_in(line)
            case "MAIL":
                self.say("250 ok" if self.known else "530 5.7.0 log in first")
            case "RCPT":
                address = line.partition("<")[2].partition(">")[0]
                self.say(self.server.refused.get(address, "250 ok"))
            case "DATA":
                return self.take()
            case "QUIT":
                self.say("554 no" if self.server.quits_badly else "221 bye")
                return False
            case _:
                self.say("250 ok")
        return True

    def log_in(self, line: str) -> None:
        given = base64.b64decode(line.split()[2]).split(b"\0")[2].decode()
        self.known = given == self.server.password
        self.say("235 ok" if self.known else f"535 5.7.8 {given} is wrong")  # some do tell it

    def take(self) -> bool:
        self.say("354 go on")
        lines = list[bytes]()
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.server.raw.append(b"".join(lines))
        self.server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.server.over_tls.append(self.secure)
        if self.server.drops_after_data:
            self.connection.shutdown(socket.SHUT_RDWR)
            return False
        self.say("250 taken")
        return True


class WebServer(ThreadingHTTPServer):
    """Takes posts of JSON by https, and answers what it is told to."""

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("localhost", 0), WebTalk)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.posts, self.gets, self.code = list[dict[str, Any]](), list[str](), 200

    def handle_error(self, *_: Any) -> None:
        """Say nothing, likewise."""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server_address[1]}"


class WebTalk(BaseHTTPRequestHandler):
    """One request."""

    server: WebServer

    def do_POST(self) -> None:
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.finish_with(self.server.code)

    def do_GET(self) -> None:
        self.server.gets.append(self.path)
        self.finish_with(self.server.code)

    def finish_with(self, code: int) -> None:
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(server: MailServer | WebServer) -> Iterator[Any]:
    """Let a server work in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
