"""Publishing over a real SSH server: the same as here, read again there, and continued after a cut."""

import os
import random
from pathlib import Path

import pytest
from tests.publishing.conftest import NIGHTS, Sky, tree
from tests.sshd import HOST, Sshd, end_connections

from penstock.errors import AuthNeeded, PenstockError, SiteError
from penstock.ledger import Ledger
from penstock.ledger.requests import ask
from penstock.transports.ssh import SshTransport

CLOSING = '\n[close.night]\nsteps = ["verify", { publish = "web" }, "seal"]\n'


def far(sky: Sky, place: Path) -> Sky:
    sky.define('to = "public"', f'to = "{place}"\nsite = "far"')
    sky.define("[publish.web]", f'[site.far]\nhost = "{HOST}"\n[publish.web]')
    return sky


def test_it_is_there_as_it_would_be_here(done: Sky, ssh: SshTransport, tmp_path: Path) -> None:
    done.publish()
    here = tree(done.public)
    far(done, tmp_path / "web")
    assert sum(len(one.sent) for one in done.publish()) == 10
    assert tree(tmp_path / "web") == here
    for path in (tmp_path / "web").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
    assert [one.sent for one in done.publish()] == [[], []]


def test_what_is_there_and_not_ours_is_refused_with_its_place(
    done: Sky, ssh: SshTransport, tmp_path: Path
) -> None:
    far(done, tmp_path / "web")
    (tmp_path / "web/sums").mkdir(parents=True)
    (tmp_path / "web/dl1").symlink_to(tmp_path)
    (tmp_path / f"web/sums/{NIGHTS[0]}.txt").write_text("of somebody")
    with pytest.raises(PenstockError) as refused:
        done.publish()
    assert f"nothing of {NIGHTS[0]} is published at {HOST}:{tmp_path}/web: " in str(refused.value)
    assert "dl1 is a link" in str(refused.value)
    assert f"sums/{NIGHTS[0]}.txt has other content" in str(refused.value)


def test_a_cut_cable_is_told_and_the_rest_follows(
    done: Sky, server: Sshd, ssh: SshTransport, session_state: Path, tmp_path: Path
) -> None:
    done.made.write(f"raw/{NIGHTS[0]}/z.txt", os.urandom(3_000_000))
    assert done.run(stale=True) == 0
    far(done, tmp_path / "web")
    config = server.config.read_text()
    try:
        end_connections(session_state)
        server.lay_cable(random.randrange(300_000, 2_500_000))
        ssh.login()
        with pytest.raises(SiteError):
            done.publish()
        assert not [*(tmp_path / "web").rglob(f"{NIGHTS[0]}.json")]
    finally:
        server.config.write_text(config)
        end_connections(session_state)
    ssh.login()
    done.publish()
    found = tree(tmp_path / "web")
    assert len(found[f"dl1/{NIGHTS[0]}/z.txt"]) == 3_000_000
    assert not [name for name in found if Path(name).name.startswith(".")]


def test_a_closing_waits_for_a_login_and_goes_on_after_it(
    done: Sky, ssh: SshTransport, session_state: Path, tmp_path: Path
) -> None:
    far(done, tmp_path / "web").define("[publish.web]", CLOSING + "[publish.web]")
    end_connections(session_state)
    with pytest.raises(AuthNeeded):
        done.publish()
    assert done.run() == 1
    with Ledger.open(done.root, readonly=True) as ledger:
        whys = {row[0] for row in ledger.db.execute("SELECT why FROM task WHERE state = 'failed'")}
    assert len(whys) == 1
    assert "site 'far' needs you: `penstock site login far`" in whys.pop()
    ssh.login()
    ask(done.root, "retry", {"all": True}, "me@here")
    assert done.run() == 0
    assert (done.root / f"seals/night/{NIGHTS[0]}.json").exists()
    assert len([*(tmp_path / "web").rglob("*.json")]) == 2
