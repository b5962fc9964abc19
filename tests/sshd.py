"""A real OpenSSH server on this machine's loopback, with keys, a home and a client's configuration of its own."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
from tests.cluster.base import PATH, SSH_PORTS
from tests.cluster.daemon import Broken, Daemon, listens
from tests.cluster.packages import Unavailable, need

HOST = "coulson"
CABLE = Path(__file__).with_name("cable.py")
PORTS_EACH = 30  # of one process of tests

SERVER = """\
{options}
Port {port}
ListenAddress {address}
HostKey {home}/host_key
PidFile none
AuthorizedKeysFile {home}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100
LogLevel VERBOSE
SetEnv HOME={there} PATH={path}{environment}
"""

CLIENT = """\
Host {host}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {home}/key
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {home}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking accept-new
  ControlMaster auto
  ControlPath {home}/other-%C
  LocalForward 127.0.0.1:9 127.0.0.1:9
  RequestTTY yes
  RemoteCommand echo nothing of this is for us
"""


@dataclass(frozen=True)
class Sshd:
    """One server, where `there` is the home of whoever logs in; `environment` may name it as `{there}`."""

    home: Path
    options: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def address(self) -> str:
        return "127.0.0.1"

    @property
    def there(self) -> Path:
        return self.home / "there"

    @property
    def config(self) -> Path:
        """The client's configuration, in which the server is `HOST`."""
        return self.home / "config"

    @cached_property
    def port(self) -> int:
        """A port that nobody has."""
        worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
        own = SSH_PORTS[worker * PORTS_EACH % len(SSH_PORTS) :]
        return next(port for port in own if not listens(port))

    @property
    def daemon(self) -> Daemon:
        program = (
            shutil.which("sshd", path=PATH) or "sshd"
        )  # it starts itself again, and needs its whole path
        return Daemon(
            "sshd", self.home, (program, "-D", "-e", "-f", str(self.home / "sshd_config")), {"PATH": PATH}
        )

    def up(self) -> Sshd:
        """Start it, with new keys; raises Unavailable."""
        self.prepare()
        self.daemon.start()
        self.daemon.wait_until(lambda: listens(self.port))
        return self

    def up_again(self) -> None:
        """Start it again, as it was."""
        self.daemon.start()
        self.daemon.wait_until(lambda: listens(self.port))

    def prepare(self) -> None:
        if not shutil.which("sshd", path=PATH):
            need("ssh")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.there.mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "key"):
            self.make_key(name)
        shutil.copy(self.home / "key.pub", self.home / "authorized_keys")
        self.trust(self.home / "host_key.pub")
        more = "".join(
            f" {name}={value.format(there=self.there)}" for name, value in self.environment.items()
        )
        (self.home / "sshd_config").write_text(
            SERVER.format(
                address=self.address,
                port=self.port,
                home=self.home,
                there=self.there,
                path=PATH,
                environment=more,
                options=self.options,
            )
        )
        user = pwd.getpwuid(os.geteuid()).pw_name
        about = {"host": HOST, "address": self.address, "port": self.port, "user": user, "home": self.home}
        self.config.write_text(CLIENT.format(**about))

    def make_key(self, name: str, passphrase: str = "") -> None:
        """Make a new key in place of another one."""
        path = self.home / name
        path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)], check=True)

    def trust(self, key: Path | None) -> None:
        """Let this key, or none, be that by which the host is known."""
        line = f"[{self.address}]:{self.port} {' '.join(key.read_text().split()[:2])}\n" if key else ""
        (self.home / "known_hosts").write_text(line)

    def fingerprint(self) -> str:
        """Return that of its key."""
        told = subprocess.run(
            ["ssh-keygen", "-lf", str(self.home / "host_key.pub")], capture_output=True, text=True, check=True
        )
        return told.stdout.split()[1]

    def lay_cable(self, bytes_: int) -> None:
        """Let what connects from now on be cut after so many bytes."""
        (self.home / "bytes").write_text(str(bytes_), "ascii")
        if "ProxyCommand" not in (text := self.config.read_text("utf-8")):
            words = shlex.join([sys.executable, str(CABLE), str(self.port), str(self.home / "bytes")])
            self.config.write_text(f"{text}  ProxyCommand {words}\n", "utf-8")

    def logins(self) -> tuple[int, int]:
        """Return how many logged in, and how many tried and failed, or went before they did."""
        text = self.daemon.log.read_text("utf-8")
        failed = re.findall(r"^(?:Failed|Connection (?:closed|reset) by .*\[preauth\])", text, re.MULTILINE)
        return text.count("Accepted publickey"), len(failed)

    def down(self) -> None:
        """End it, and all that are logged in."""
        process = self.daemon.process
        for child in process.children(recursive=True) if process else []:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.daemon.stop()


def bring_up(home: Path, options: str = "", **environment: str) -> Sshd:
    """Start a server in a folder; raises Unavailable where there can be none."""
    server = Sshd(home, options, environment)
    try:
        return server.up()
    except Broken as error:
        raise Unavailable(f"sshd does not start: {error}\n{server.daemon.log.read_text('utf-8')}") from error


def end_connections(state: Path) -> None:
    """End the connections whose sockets are in a state folder."""
    for socket in (state / "ssh").glob("*"):
        if socket.is_socket():
            argv = ["ssh", "-F", "/dev/null", "-S", str(socket), "-O", "exit", "host"]
            subprocess.run(argv, capture_output=True, check=False)
