"""The campaign's own folder is its owner's alone (nobody else may change the record or the jobs)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from penstock.errors import LedgerError
from penstock.ledger import FOLDER, Ledger
from penstock.ledger.hosts.lease import held
from penstock.testing import ManualClock


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Ledger.open(tmp_path, create=True).close()
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER).chmod(0o777)
    with pytest.raises(LedgerError, match="chmod 700"):
        Ledger.open(tmp_path, create=True)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
def test_a_folder_that_others_can_read_is_made_private_and_told_once(tmp_path: Path, mode: int) -> None:
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        assert ledger.note is None
    (tmp_path / FOLDER).chmod(mode)
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        assert "it is private now" in (ledger.note or "")
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    with held(tmp_path, command="run", clock=ManualClock()) as ledger:
        assert ledger.note is None


def test_the_record_and_what_sqlite_puts_beside_it_are_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with held(tmp_path, command="run", clock=ManualClock()):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / FOLDER).iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"], 0o600)


def test_a_record_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    Ledger.open(tmp_path, create=True).close()
    (tmp_path / FOLDER / "ledger.sqlite").chmod(0o644)
    Ledger.open(tmp_path, create=True).close()
    assert stat.S_IMODE((tmp_path / FOLDER / "ledger.sqlite").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o700)
    os.chown(tmp_path / FOLDER, 12345, 12345)
    with pytest.raises(LedgerError, match="belongs to another user"):
        Ledger.open(tmp_path, create=True)
