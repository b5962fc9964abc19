"""Ways to deliver a letter: a mail server, a webhook, a program. Each has a time limit, and none tells a secret."""

from __future__ import annotations

import http.client
import os
import signal
import smtplib
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from penstock import __version__
from penstock.channels import Channel, Command, Mail, Secret, Webhook
from penstock.config.urls import check_url
from penstock.display import visible
from penstock.host import hostname
from penstock.notify.letter import Letter
from penstock.notify.secret import Unreadable, read_secret

ANSWER_S = 10.0  # for each answer of a server
LIMIT_S = 30.0  # for all of a delivery
MOST = 300  # characters of a reason


class Undelivered(Exception):
    """A letter was not delivered; the message says why."""


def deliver(channel: Channel, letter: Letter, *, root: Path, limit_s: float = LIMIT_S) -> str | None:
    """Deliver a letter; return who did not get it although others did, or raise Undelivered."""
    way, known = channel.way, list[str]()

    def secret(where: Secret) -> str:
        known.append(read_secret(where, root))
        return known[-1]

    def send() -> str | None:
        match way:
            case Mail():
                return send_mail(way, letter, secret)
            case Webhook():
                return post(secret(way.url) if isinstance(way.url, Secret) else way.url, letter.to_post())
            case Command():
                return run(way, letter, root, limit_s)

    try:
        return within(limit_s, send)
    except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError, Unreadable) as error:
        raise Undelivered(reason_of(error, known, unanswered(way))) from None


def within(limit_s: float, work: Callable[[], str | None]) -> str | None:
    """Do some work in a thread of its own, and wait for so long; raises TimeoutError, and leaves it behind, after that."""
    done, failed = list[str | None](), list[BaseException]()

    def attempt() -> None:
        try:
            done.append(work())
        except BaseException as error:  # it is raised where it is waited for
            failed.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return done[0]


def send_mail(way: Mail, letter: Letter, secret: Callable[[Secret], str]) -> str | None:
    """Give a mail to its server, whose certificate is verified; return who was refused, if not all were."""
    password = secret(way.password) if way.password else None
    with closing(reach(way)) as server:
        if way.user and password:
            server.login(way.user, password)
        refused = server.send_message(letter.to_mail(way.sender, way.to), way.sender, way.to)
        with suppress(OSError, smtplib.SMTPException):  # it has the mail, whatever it says now
            server.quit()
    told = [f"{address} was refused: {said(*answer)}" for address, answer in refused.items()]
    return shorten("; ".join(told)) if told else None


def reach(way: Mail) -> smtplib.SMTP:
    """Connect to a mail server, securely unless the definition says otherwise."""
    context = ssl.create_default_context()
    options: dict[str, Any] = {"timeout": ANSWER_S, "local_hostname": hostname()}
    if way.security == "tls":
        return smtplib.SMTP_SSL(way.server, way.port, context=context, **options)
    server = smtplib.SMTP(way.server, way.port, **options)
    if way.security == "starttls":
        server.starttls(context=context)
    return server


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for a failure: a POST that is repeated elsewhere is another one."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, data: bytes | None) -> None:
    """Post JSON to a URL, or get it if there is nothing to post."""
    check_url(url)
    headers = {"User-Agent": f"penstock/{__version__}"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data, headers)
    https = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    with urllib.request.build_opener(https, _NoRedirect).open(request, timeout=ANSWER_S) as answer:
        answer.read(1 << 16)


def run(way: Command, letter: Letter, root: Path, limit_s: float) -> None:
    """Let a program have the letter on its standard input; raises OSError unless it ends with 0 in time."""
    with subprocess.Popen(
        way.command,
        cwd=root,
        env={**os.environ, **letter.to_variables()},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            _, words = process.communicate(f"{letter.subject}\n\n{letter.text}".encode(), limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError(f"{way.command[0]} did not end within {limit_s:g} s") from None
    if process.returncode:
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        said = f": {last}" if last else ""
        raise OSError(f"{way.command[0]} ended with exit code {process.returncode}{said}")


def reason_of(error: Exception, secrets: list[str], failed: str) -> str:
    """Say in one line why a delivery failed, without what must not be known; `failed` is what the system could not do."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        error = error.reason
    match error:
        case smtplib.SMTPRecipientsRefused():
            text = "; ".join(f"{who}: {said(*answer)}" for who, answer in error.recipients.items())
        case smtplib.SMTPServerDisconnected():
            text = f"{failed} ({error})"
        case smtplib.SMTPResponseException():
            text = said(error.smtp_code, error.smtp_error)
        case urllib.error.HTTPError():
            text = f"the server answered {error.code} {error.reason}"
        case urllib.error.URLError():
            text = str(error.reason)
        case OSError(errno=int(), strerror=str()):
            text = f"{failed} ({error.strerror})"
        case _:
            text = str(error) or type(error).__name__
    for secret in secrets:
        text = text.replace(secret, "…")
    return shorten(text)


def unanswered(way: Mail | Webhook | Command) -> str:
    """Say what the system could not do for a way."""
    match way:
        case Mail():
            return f"the mail server {way.server}:{way.port} cannot be reached"
        case Webhook():
            return "the server of the URL cannot be reached"
        case Command():
            return f"{way.command[0]} cannot be run"


def said(code: int, answer: bytes | str) -> str:
    """Write what a mail server answered."""
    return f"{code} {answer.decode(errors='replace') if isinstance(answer, bytes) else answer}"


def shorten(text: str) -> str:
    """Write a reason so that it fits on a line."""
    text = visible(" ".join(text.split()))
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
