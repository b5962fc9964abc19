"""Records as they come: of another host, adopted, by an older penstock; they are read and never written."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.serve.conftest import Record, fill
from tests.serve.test_app import KEYS, make_client

from penstock.ledger import FILE, FOLDER
from penstock.ledger.hosts.lease import held
from penstock.machine import Machine
from penstock.serve.campaigns import Shown, shown_in
from penstock.serve.pages import PAGES
from penstock.testing import ManualClock

OLD = Path(__file__).parents[1] / "ledger" / "old"
NOW = 1_700_000_000.0


def look_at_all(shown: Shown) -> str:
    """Open every page, and return the text of the first."""
    client = make_client({shown.name: shown})
    asked = {"unit": {"unit": "/"}}
    answers = [client.get(f"/c/{shown.name}/{name}", params=asked.get(name, {})) for name in PAGES]
    assert [answer.status_code for answer in answers] == [200] * len(PAGES), [
        a.url for a in answers if a.status_code != 200
    ]
    return answers[0].text


def test_looking_writes_nothing_and_runs_nothing_of_the_definition(record: Record, shown: Shown) -> None:
    record.ledger.close()
    (record.root / "penstock.toml").unlink()
    (record.root / "campaign.py").write_text("raise SystemExit('the definition was run')\n")
    file = record.root / FOLDER / FILE
    before = hashlib.sha256(file.read_bytes()).digest(), {path.name for path in file.parent.iterdir()}
    look_at_all(shown)
    after = hashlib.sha256(file.read_bytes()).digest(), {path.name for path in file.parent.iterdir()}
    assert after[0] == before[0]
    assert after[1] - before[1] <= {f"{FILE}-shm", f"{FILE}-wal"}  # SQLite's own, of whoever reads


@pytest.mark.parametrize("version", range(1, len(list(OLD.glob("*.sql"))) + 1))
def test_a_record_by_an_older_penstock_is_shown(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "old" / FOLDER
    folder.mkdir(mode=0o700, parents=True)
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.executescript((OLD / f"{version}.sql").read_text())
        db.executescript(
            "INSERT INTO unit (id, level, key, origin) VALUES (1, 0, '[]', 'group'), (2, 1, '[\"a\"]', 'source');"
            "INSERT INTO lease (id, epoch) VALUES (1, 4);"
            'INSERT INTO definition (id, digest, text, at) VALUES (1, \'d\', \'{"levels": ["file"], "stages": []}\', 0);'
            "INSERT INTO meta VALUES ('definition', '1'), ('name', 'old');"
            "INSERT INTO stage (id, name, level, position, digest, definition) VALUES (1, 'make', 1, 0, 'd', '{}');"
            "INSERT INTO task (stage, unit, state, made) VALUES (1, 2, 'done', 'd');"
            f"INSERT INTO tally VALUES (1, 1, 'done', 1); PRAGMA user_version = {version};"
        )
    assert "not running" in look_at_all(shown_in([tmp_path / "old"])["old"])


def test_of_another_host_its_copy_is_shown_with_its_age_and_then_of_the_next(tmp_path: Path) -> None:
    root = tmp_path / "shared" / "winter"
    fill(root).ledger.close()
    shown, clock = shown_in([root])["winter"], ManualClock(now=NOW)
    mounts = f"1 0 0:1 / / rw - ext4 sda rw\n2 1 0:2 / {tmp_path}/shared rw - nfs4 fs:/ rw\n"
    for number, host in enumerate(("login1", "login2")):
        with held(
            root, command="run", clock=clock, machine=Machine(host, mounts, [tmp_path / host])
        ) as ledger:
            with ledger.transaction():
                ledger.set_meta("name", f"seen at {host}")
            ledger.publish_if_due(now=NOW + number, monotonic=0.0)
            if number == 0:
                text = look_at_all(shown)
                assert "the record of winter is on login1; this is its copy as of 2023-11-14 22:13:20" in text
                assert '<time datetime="2023-11-14T22:13:20Z" data-ago>' in text
        assert f"seen at {host}" in look_at_all(shown)


def test_the_keys_of_one_server_open_no_other(shown: Shown) -> None:
    client = make_client({"winter": shown}, known=False)
    client.cookies.set("penstock_8001", KEYS.session)
    assert client.get("/c/winter/").status_code == 403


def test_a_question_that_takes_too_long_is_answered_with_a_sentence(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.serve.campaigns.PATIENCE_S", -1.0)
    monkeypatch.setattr("penstock.serve.campaigns.STEPS", 1)
    answer = make_client({"winter": shown}).get("/c/winter/units")
    assert answer.status_code == 503
    assert "that takes too long to look for" in answer.text


def test_a_log_that_cannot_be_read_is_told(shown: Shown, record: Record) -> None:
    log = record.root / ".penstock/jobs/p0/1.1.log"
    log.unlink()
    log.mkdir()
    answer = make_client({"winter": shown}).get("/c/winter/unit", params={"unit": "2020-01-17/00004"})
    assert answer.status_code == 503
    assert "Is a directory" in answer.text
