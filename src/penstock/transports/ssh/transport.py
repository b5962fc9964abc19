"""A far place: each question is one command of `ssh`, which a receiver there answers."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy as clone
from functools import cache
from pathlib import Path
from typing import Any, Self

from penstock.campaign import Site
from penstock.runner.below import Found
from penstock.runner.blocks import held
from penstock.runner.build import build_receiver
from penstock.transports.commands import MOST as MOST_WORDS
from penstock.transports.commands import text_of
from penstock.transports.protocol import (
    AT_ONCE,
    MOST,
    Copy,
    Entry,
    Listings,
    Part,
    at_home,
    is_inside,
    refuse_odd,
    refuse_own_folder,
)
from penstock.transports.reply import Reply
from penstock.transports.ssh.connection import Connection
from penstock.transports.ssh.failures import explain_silence
from penstock.transports.ssh.talks import Talk, fetching, sending, talk_whole
from penstock.transports.ssh.wire import Answer, command_of, parse_answer, question, refuse_error

ANSWER_S = 600.0  # for files; a cut line is noticed sooner, by the connection itself
BEFORE_S = 60.0  # for a shell's start-up files, before and after a command
WHOLE, PATIENT = talk_whole(ANSWER_S), talk_whole(None)  # to read all bytes of files may take hours


class SshTransport:
    """Files below a folder of a host of ~/.ssh/config, and its commands."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.host, self.python = site.host or site.name, site.python or "python3"
        self.named_folder = folder
        self.connection = Connection(self.host, site=site.name)
        self.listings, self.told_environment, self.is_public = Listings(), dict[str, str](), False

    def login(self) -> bool:
        """Log in, asking the person at the terminal for what the host wants; return False if that was done before."""
        return self.connection.open()

    @property
    def folder(self) -> Path:
        """The folder that all names are relative to, as it is called there."""
        return at_home(self.named_folder, self)

    def at(self, folder: Path) -> Self:
        """Return the same connection for another folder."""
        other = clone(self)
        other.named_folder, other.listings = folder, Listings()
        return other

    def public(self) -> Self:
        """Return this folder for files that all may read."""
        other = clone(self)
        other.is_public = True
        return other

    @property
    def environment(self) -> Mapping[str, str]:
        """What a login shell sets there."""
        if not self.told_environment:
            self.told_environment.update(self.ask("hello").told["environment"])
        return self.told_environment

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Run a command to its end or its time limit."""
        answer = self.ask(
            "run", talk=talk_whole(timeout_s + BEFORE_S), argv=[*argv], cwd=str(cwd), environment=dict(environment),
            timeout_s=timeout_s, most=MOST_WORDS,
        )  # fmt: skip
        return Reply(answer.told["code"], *map(text_of, answer.blobs))

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """Return the bytes of files from these offsets on."""
        return found_in(self.ask("read", **self.reading(offsets))) if offsets else {}

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files one after the other, each whole or not there."""
        if files:
            sizes = [(self.inside(name), len(data)) for name, data in files.items()]
            self.ask("write", blobs=[*files.values()], files=sizes)

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        """Return the names in these folders."""
        asked = self.listing(folders)
        return listed_in(self.ask("list", **asked)) if asked["folders"] else {}

    def look(
        self, folders: Iterable[str], offsets: Mapping[str, int]
    ) -> tuple[dict[str, Mapping[str, Entry]], dict[str, bytes]]:
        """Return what `list` and `read` would, by one question."""
        answer = self.ask("look", **self.listing(folders), **self.reading(offsets))
        return listed_in(answer), found_in(answer)

    def reading(self, offsets: Mapping[str, int]) -> dict[str, Any]:
        """Return what is asked to read files."""
        asked = [(self.inside(name), offset) for name, offset in offsets.items()]
        return {"offsets": asked, "at_once": AT_ONCE, "most": MOST}

    def listing(self, folders: Iterable[str]) -> dict[str, Any]:
        """Return what is asked to list folders."""
        return {"folders": [(self.inside(folder), self.is_anew(folder)) for folder in folders]}

    def is_anew(self, folder: str) -> bool:
        """Whether a folder is to be listed anew; where others look nothing is left for that."""
        return not self.is_public and self.listings.is_old(folder)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders with all in them."""
        asked = [self.inside(name) for name in names]
        for name in asked:
            refuse_own_folder(name)
        if asked:
            self.ask("remove", names=asked)

    def leave(self) -> None:
        """Remove the folder of all names and the one that it is in, as far as they are empty."""
        self.ask("leave")

    def pack(self, folder: str) -> None:
        """Put the files of a folder into an archive beside it, and remove the folder."""
        self.ask("pack", name=self.inside(folder))

    def inside(self, name: str) -> str:
        """Return a name; raises ValueError for one that leads out of the folder."""
        if not is_inside(name):
            raise ValueError(f"{name} is not below {self.host}:{self.named_folder}")
        return name

    # whole files, which may be large

    def send(self, copies: Sequence[Copy]) -> None:
        """Send files from here, as far as they are missing there; each gets its name when it is whole."""
        if not copies:
            return
        asked = [(self.inside(c.name), c.size, c.digest, c.mode) for c in copies]
        told = self.ask("held", talk=PATIENT, files=asked).told["held"]
        if missing := missing_of(copies, told):
            files = [(c.name, c.size, c.digest, c.mode, have) for c, have in missing]
            self.ask("send", talk=sending(missing), files=files)

    def fetch(self, copies: Sequence[Copy]) -> None:
        """Fetch files to here, in the same way."""
        told = [held(str(c.path), c.size, c.digest, c.mode) for c in copies]
        if missing := missing_of(copies, told):
            files = [(self.inside(c.name), c.size, have) for c, have in missing]
            self.ask("fetch", talk=fetching(missing), files=files)

    # a work folder, with the store that campaigns share

    def hold(self, root: str, blobs: Mapping[str, int]) -> Sequence[str]:
        """Let a campaign refer to these files of the store, and return those that are not there."""
        refuse_odd(root, blobs)
        return self.ask("hold", root=root, sizes=dict(blobs)).told["missing"]

    def release(self, root: str, digests: Iterable[str]) -> None:
        """Let a campaign refer to these files no longer, and remove those that nobody else refers to."""
        refuse_odd(root, asked := [*digests])
        self.ask("release", root=root, digests=asked)

    # products, which lie there

    def check(self, files: Sequence[tuple[str, int, str | None]]) -> Mapping[str, str]:
        """Return the files and folders that are not as is said here, and what is wrong with each."""
        asked = [(self.inside(name), size, digest) for name, size, digest in files]
        return self.ask("check", talk=PATIENT, files=asked).told["wrong"] if asked else {}

    def find(self, names: Sequence[tuple[str, Collection[int]]]) -> Sequence[Found]:
        """Return what is at each of these names, without following a link."""
        asked = [(self.inside(name), [*sizes]) for name, sizes in names]
        return (
            [Found(*row) for row in self.ask("find", talk=PATIENT, names=asked).told["found"]]
            if asked
            else []
        )

    def walk(self, folders: Sequence[str]) -> Mapping[str, Sequence[Part]]:
        """Return all files and links in each of these folders."""
        asked = [self.inside(folder) for folder in folders]
        if not asked:
            return {}
        told: dict[str, list[Any]] = self.ask("walk", talk=PATIENT, folders=asked).told["parts"]
        found = {folder: [Part(*row) for row in rows] for folder, rows in told.items()}
        for part in (part for parts in found.values() for part in parts):
            self.inside(part.name)
        return found

    def ask(self, operation: str, *, blobs: Sequence[bytes] = (), talk: Talk = WHOLE, **asked: Any) -> Answer:
        """Ask the receiver there; it is sent along when it is absent."""
        if operation not in FOLDERLESS:
            asked["folder"] = str(self.folder)
            asked["public"] = self.is_public
        asked["op"] = operation
        answer = self.ask_once(asked, blobs, talk, b"")
        if "absent" in answer.told:
            answer = self.ask_once(asked, blobs, talk, receiver())
        return refuse_error(answer, self.host)

    def ask_once(
        self, asked: Mapping[str, Any], blobs: Sequence[bytes], talk: Talk, program: bytes
    ) -> Answer:
        """Make one call; raises SiteError when there is no answer in what comes back."""
        token = secrets.token_hex(8)
        digest = hashlib.sha256(receiver()).hexdigest()
        size, data = question(digest, token, asked, blobs, program)
        called = self.connection.call(
            command_of(self.python, size), lambda process: talk(process, data, token)
        )
        if answer := parse_answer(called.out, token):
            return answer
        words = text_of(called.out), called.err
        raise explain_silence(called.code, *words, host=self.host, python=self.python)


def found_in(answer: Answer) -> dict[str, bytes]:
    """Return the bytes of files that an answer has."""
    return dict(zip(answer.told["names"], answer.blobs, strict=True))


def listed_in(answer: Answer) -> dict[str, Mapping[str, Entry]]:
    """Return the listings that an answer has."""
    found: dict[str, list[Any]] = answer.told["found"]
    return {folder: {name: Entry(*about) for name, *about in entries} for folder, entries in found.items()}


def missing_of(copies: Sequence[Copy], held: Sequence[int | None]) -> Sequence[tuple[Copy, int]]:
    """Return the files that are not there, and how much is in their drafts."""
    return [(copy, have) for copy, have in zip(copies, held, strict=True) if have is not None]


FOLDERLESS = ("hello", "run")
"""Questions that no folder is asked for."""


@cache
def receiver() -> bytes:
    """Return the program that answers there."""
    return build_receiver()
