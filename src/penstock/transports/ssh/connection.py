"""One connection to a host, by the system's `ssh`: a person opens it, and all else rides on it."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from penstock.disk import make_private
from penstock.errors import SiteError, Unreachable
from penstock.machine import Machine
from penstock.transports.ssh.failures import (
    SESSION_REFUSED,
    UNKNOWN,
    explain_login,
    last_line,
    needs_login,
    shown_key,
)
from penstock.transports.ssh.sessions import Sessions

CONFIG = "PENSTOCK_SSH_CONFIG"
LONGEST = 88  # bytes of a socket's path: the kernel takes 108, and ssh itself adds 17 and a zero
CONNECT_S, ALIVE_S = 20, 10
REFUSED_S, AGAIN_S = 30.0, 0.2
DYING_S, LOOK_S = 0.5, 0.02

#: what the connection is, whatever ~/.ssh/config says of others: no forwarding, no end by itself, no key taken over
MASTER = (
    "ControlPersist=no", "StrictHostKeyChecking=yes", "UpdateHostKeys=no", "ClearAllForwardings=yes", "ForwardX11=no",
    "PermitLocalCommand=no", "RemoteCommand=none", "LogLevel=INFO", "TCPKeepAlive=yes", f"ConnectTimeout={CONNECT_S}",
    f"ServerAliveInterval={ALIVE_S}", "ServerAliveCountMax=3",
)  # fmt: skip

#: what rides on it: no configuration is read, and where there is no connection none is tried (OpenSSH would, silently)
RIDER = ("ControlMaster=no", "ProxyCommand=/bin/false", "BatchMode=yes", "LogLevel=INFO")


Exchange = Callable[["subprocess.Popen[bytes]"], tuple[bytes, bytes]]
"""Gives a command its input, and returns its output and its errors; it is called again where no session was opened."""


class Called(NamedTuple):
    """How a call ended, and what came back."""

    code: int
    out: bytes
    err: str


class Connection:
    """The connection to a host of ~/.ssh/config (or of the file that PENSTOCK_SSH_CONFIG names)."""

    def __init__(self, host: str, *, site: str) -> None:
        self.host, self.site = host, site
        self.config = os.environ.get(CONFIG, "")

    @cached_property
    def socket(self) -> Path:
        """The socket by which others find it."""
        name = hashlib.sha256(f"{self.config}\0{self.host}".encode()).hexdigest()[:16]
        return socket_folder(Machine.here()) / name

    @property
    def sessions(self) -> Sessions:
        """How many calls there may be at once."""
        return Sessions(self.socket)

    @property
    def log(self) -> Path:
        """What it says, and why it ended."""
        return self.socket.with_suffix(".log")

    # opening

    def is_open(self) -> bool:
        """Whether somebody is logged in."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def has_ended(self) -> bool:
        """Whether nobody is logged in, also in a moment: what is killed lets go of its calls and its socket one by one."""
        until = time.monotonic() + DYING_S
        while self.is_open() and time.monotonic() < until:
            time.sleep(LOOK_S)
        return not self.is_open()

    def open(self) -> bool:
        """Log in, with whatever the host asks the person at the terminal for; return False if that was done before."""
        if self.is_open():
            return False
        for path in (self.socket, self.log):
            path.unlink(missing_ok=True)  # a killed one leaves its socket
        self.sessions.forget()
        self.log_in()
        return True

    def log_in(self) -> None:
        """Start the connection in the background; raises what a person has to know."""
        asks = sys.stdin.isatty()
        options = (*MASTER, f"BatchMode={'no' if asks else 'yes'}")
        argv = [
            "-E",
            str(self.log),
            "-S",
            escape(self.socket),
            "-fNMTa",
            *as_options(options),
            "--",
            self.host,
        ]
        done = run_ssh([*self.configured(), *argv], stdin=None if asks else subprocess.DEVNULL)
        if done.returncode:
            said = self.said()
            shown = self.host_key() if UNKNOWN.search(said) else ""
            raise explain_login(said, self.host, self.site, shown=shown)
        self.try_call("exit 0", hear)
        if not self.is_open():
            raise SiteError(
                f"{self.host} let you in and closed the connection at once ({last_line(self.said()) or 'without a word'}):"
                f" see what `ssh {self.host}` says, and ask its administrators"
            )

    def host_key(self) -> str:
        """Return the fingerprint of the key that the host shows, without logging in."""
        argv = ["-v", "-S", "none", "-N", *as_options((*MASTER, "BatchMode=yes")), "--", self.host]
        done = run_ssh([*self.configured(), *argv], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return shown_key(done.stderr.decode(errors="replace"))

    def configured(self) -> list[str]:
        """Return the words that name the configuration."""
        return ["-F", self.config] if self.config else []

    def said(self) -> str:
        """Return what the connection last said."""
        try:
            return self.log.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    # using

    def call(self, command: str, talk: Exchange) -> Called:
        """Run a command of the login shell, and talk to it; raises AuthNeeded when nobody is logged in, and Unreachable."""
        if not self.is_open():
            raise needs_login(self.host, self.site, self.said())
        until = time.monotonic() + REFUSED_S
        while True:
            with self.sessions.one() as number:
                called = self.try_call(command, talk)
                if not is_refused(called):
                    break
                self.sessions.learn(number)
            if time.monotonic() > until:
                raise SiteError(
                    f"{self.host} refuses to open a session: ask its administrators, or log in anew"
                )
            time.sleep(AGAIN_S)
        if called.code == 255 and self.has_ended():
            raise needs_login(self.host, self.site, self.said())
        return called

    def try_call(self, command: str, talk: Exchange) -> Called:
        """Run a command once, on the connection or not at all."""
        options = as_options(RIDER)
        process = start_ssh(
            ["-F", "/dev/null", "-S", escape(self.socket), "-Txa", *options, "--", "host", command]
        )
        try:
            out, err = talk(process)
            process.wait()
        except subprocess.TimeoutExpired as late:
            raise Unreachable(f"{self.host} did not answer within {late.timeout:.0f} s") from None
        finally:
            end(process)
        return Called(process.returncode, out, err.decode(errors="replace"))


def hear(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Talk to a command that needs nothing."""
    return process.communicate(timeout=CONNECT_S)


def is_refused(called: Called) -> bool:
    """Whether the server opened no session, so that nothing began."""
    return called.code == 255 and SESSION_REFUSED in called.err


def start_ssh(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `ssh` apart from the terminal: a Ctrl-C meant for us must not cut a question in two."""
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            ["ssh", *arguments], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except FileNotFoundError:
        raise SiteError("there is no `ssh` here: install OpenSSH's client") from None


def run_ssh(
    arguments: Sequence[str], *, stdin: int | None = None, stderr: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `ssh` to its end, where it may ask the person at the terminal."""
    try:
        return subprocess.run(["ssh", *arguments], stdin=stdin, stderr=stderr, check=False)
    except FileNotFoundError:
        raise SiteError("there is no `ssh` here: install OpenSSH's client") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command that may have ended, and close what led to it."""
    process.kill()
    process.wait()
    for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
        with suppress(BrokenPipeError):
            stream.close()


def as_options(options: Sequence[str]) -> list[str]:
    """Return options as words of a command line."""
    return [word for option in options for word in ("-o", option)]


def escape(path: Path) -> str:
    """Return a path for `-S`, which replaces marks after a percent sign."""
    return str(path).replace("%", "%%")


def socket_folder(machine: Machine) -> Path:
    """Return the folder of sockets: on a disk of this machine, for us alone, with a path that is short enough."""
    states = [*machine.states, Path(f"/tmp/penstock-{os.geteuid()}")]
    short = (state for state in states if len(os.fsencode(state)) + len("/ssh/") + 16 < LONGEST)
    state = next((state for state in short if not machine.shared_by(state)), states[-1])
    make_private(state)
    make_private(state / "ssh")
    return state / "ssh"
