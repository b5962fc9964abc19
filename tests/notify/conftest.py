"""Servers of this machine whose certificate is trusted, and a campaign that tells people what happens."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.notify.servers import MailServer, WebServer, make_certificate, served

from penstock.conductor import Conductor
from penstock.ledger import Ledger
from penstock.notify import sender
from penstock.status import Status
from penstock.testing import ManualClock, PretendSite, Rule, all_well, make_campaign

DEFINITION = """
[campaign]
name = "winter"
levels = ["file"]
[units]
table = "files.csv"
[site.local]
cores = 4
[stage.copy]
each = "file"
command = ["cp", "{file}", "{product}"]
products = "copies/{file}"
retry = { error = 0 }
"""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate: apt-get install openssl")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Trust the certificate as one does that of a laboratory's own authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("ca.pem")))
    return certificate


@pytest.fixture
def exits() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def mail_server(trusted: Path, exits: ExitStack) -> Callable[..., MailServer]:
    return lambda **options: exits.enter_context(served(MailServer(trusted, **options)))


@pytest.fixture
def web_server(trusted: Path, exits: ExitStack) -> WebServer:
    return exits.enter_context(served(WebServer(trusted)))


def by_mail(server: MailServer, more: str = "") -> str:
    return f'[notify.mail]\nto = ["anna@lab.example"]\nfrom = "penstock@lab.example"\nserver = "{server.address}"\n{more}\n'


class Told:
    """A campaign that tells people what happens, on a pretended site, whose outbox is sent when a test says so."""

    def __init__(
        self, root: Path, notify: str, *, units: int = 3, rule: Rule = all_well, cores: int = 8
    ) -> None:
        self.made = make_campaign(root, DEFINITION + notify)
        self.add_units(units)
        self.clock = ManualClock(stride=1.0)
        self.site = PretendSite(root, rule=rule, clock=self.clock, cores=cores)

    def add_units(self, units: int) -> None:
        """Let there be so many units in all: u1, u2, …"""
        self.made.write("files.csv", "file\n" + "".join(f"u{n}\n" for n in range(1, units + 1)))

    def watch(self) -> Conductor:
        """Hold the campaign as `watch` does."""
        conductor = Conductor(self.made.load(), command="watch", site=self.site, clock=self.clock)
        conductor.open_ended = True
        return conductor

    def notices(self) -> list[dict[str, Any]]:
        """Return the outbox, the oldest first."""
        with Ledger.open(self.made.root, readonly=True) as ledger:
            return [dict(row) for row in ledger.db.execute("SELECT * FROM notice ORDER BY id")]

    def status(self) -> Status:
        with Ledger.open(self.made.root, readonly=True) as ledger:
            return Status.read(ledger, now=self.clock.now())


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Make such a campaign; the conductor's own thread sends nothing before the end."""
    monkeypatch.setattr(sender, "LOOK_S", 1e6)
    return lambda notify, **options: Told(tmp_path / "winter", notify, **options)


def turns(conductor: Conductor, n: int = 5) -> None:
    """Take turns, a second each."""
    for _ in range(n):
        conductor.turn()
        conductor.clock.sleep(1.0)
