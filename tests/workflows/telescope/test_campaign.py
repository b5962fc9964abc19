"""Nights through the whole engine, with the commands of lstchain, for which a stub stands in."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from tests.notify.servers import MailServer, make_certificate, served
from tests.workflows.telescope.conftest import SMALL, SMALL_SOURCES, Site
from tests.workflows.telescope.observatory import EVENING

from penstock.errors import DefinitionError
from penstock.workflows.telescope.commands import refuse_early

DAY = timedelta(days=1)
NIGHT = EVENING.isoformat()


def programs(site: Site) -> Counter[str]:
    return Counter(call.split()[0] for call in site.calls())


def rows(site: Site, *words: str) -> dict[int, dict[str, object]]:
    told = json.loads(site.penstock("telescope", "status", "--json", *words))
    return {row["Run"]: row for row in told["sequences"]}


def test_a_night_is_planned_processed_and_closed(site: Site, tmp_path: Path) -> None:
    site.night()
    assert rows(site)[1807]["State"] == "planned"
    site.penstock("run")
    made = rows(site)
    assert {run: (row["Seq"], row["Parent"], row["State"], row["Action"]) for run, row in made.items()} == {
        1805: (1, None, "done", "closed"), 1807: (2, 1, "done", "closed"), 1808: (3, 1, "done", "closed"),
    }  # fmt: skip
    assert (made[1807]["DL2%"], made[1807]["Done"], made[1807]["Expected"]) == (100, 10, 10)
    merged = site.root / "dl1/20200117/tailcut84/runs/dl1_LST-1.Run01807.h5"
    assert merged.read_text().count("events of 1807") == 2
    site.penstock("telescope", "flags", str(tmp_path / "flags"))
    assert sorted(path.name for path in (tmp_path / "flags").iterdir()) == [
        "NightFinished.txt", "sequence_LST1_01805.closed", "sequence_LST1_01807.closed", "sequence_LST1_01808.closed",
    ]  # fmt: skip
    report = json.loads((tmp_path / "flags/NightFinished.txt").read_text())
    assert report["group"] == NIGHT
    assert site.penstock("telescope", "history", "export", str(tmp_path / "old")) == "13 lines\n"
    text = (tmp_path / "old/sequence_LST1_01805.history").read_text()
    assert text.startswith("01804 lstchain_create_drs4_pedestal_file penstock ")


def test_what_others_may_see_is_put_where_the_web_shows_it(tmp_path: Path) -> None:
    site = Site(tmp_path, web=str(tmp_path / "www"))
    site.night(runs=SMALL[:3], sources=SMALL_SOURCES[:1])
    site.penstock("run")
    shown = {str(path.relative_to(tmp_path / "www")) for path in (tmp_path / "www").rglob("*1807*")}
    assert f"dl1/{NIGHT}/datacheck_dl1_LST-1.Run01807.pdf" in shown
    assert (tmp_path / f"www/calib/{NIGHT}/calibration.Run01805.0000.h5").exists()
    assert (tmp_path / "www/index.html").exists()


def test_success_after_a_failure_is_done_and_closes(site: Site) -> None:
    site.night()
    site.raw(1807, 1, "once\n")
    site.penstock("run")
    assert rows(site)[1807]["State"] == "done"
    assert (site.root / f"closed/{NIGHT}/NightFinished.json").exists()
    assert programs(site)["lstchain_data_r0_to_dl1"] == 4


def test_what_fails_holds_back_its_run_alone_until_it_is_vetoed_and_a_new_production_begins_at_dl1ab(
    site: Site,
) -> None:
    site.night()
    site.raw(1807, 1, "fail\n")
    site.penstock("run", code=1)
    made = rows(site)
    assert (made[1807]["State"], made[1807]["DL1%"], made[1808]["Action"]) == ("failed", 50, "closed")
    before = programs(site)
    settings = site.root / "telescope.toml"
    settings.write_text(settings.read_text().replace('"tailcut84"', '"tailcut63"'))
    site.penstock("veto", f"{NIGHT}/1807/1", "--why", "the file is damaged")
    site.penstock("run")  # run 1808 is closed, and stays as it is
    again = programs(site) - before
    assert again["lstchain_data_r0_to_dl1"] == 0
    assert [call for call in site.calls() if "dl1/20200117/tailcut63" in call and "1808" in call] == []
    assert (site.root / "dl1/20200117/tailcut63/runs/dl1_LST-1.Run01807.h5").exists()
    assert rows(site)[1807]["Action"] == "closed"


def test_a_veto_keeps_a_run_from_being_processed(site: Site, tmp_path: Path) -> None:
    site.night()
    site.penstock("veto", f"{NIGHT}/1807", "--why", "clouds")
    site.penstock("run")
    assert not [call for call in site.calls() if "1807" in call]
    assert (rows(site)[1807]["Action"], rows(site)[1808]["Action"]) == ("veto", "closed")
    site.penstock("telescope", "flags", str(tmp_path))
    assert (tmp_path / "sequence_LST1_01807.veto").exists()
    assert (site.root / f"closed/{NIGHT}/NightFinished.json").exists()


def test_nights_without_data_and_others_close_each_by_itself(site: Site) -> None:
    site.night()
    site.raw(1807, 0, "fail\n")
    site.raw(1807, 1, "fail\n")
    site.night(EVENING + DAY, [(1810, 1, "DRS4")], ())
    site.night(EVENING + 2 * DAY, [(1900, 1, "DATA")], [(1900, "Crab", 1.0, 2.0)])
    site.night(EVENING + 10 * DAY, [(1950, 1, "DATA")], [(1950, "Crab", 1.0, 2.0)])
    site.penstock("run", code=1)
    closed = {path.name for path in (site.root / "closed").iterdir()}
    assert closed == {"2020-01-18", "2020-01-19"}
    used = [call for call in site.calls() if call.startswith("lstchain_create_drs4") and "/20200118/" in call]
    assert len(used) == 1  # the DRS4 run of the night before, for 2020-01-19
    told = site.penstock("status")
    assert "the night 2020-01-27 has no DRS4 and PEDCALIB run" in told


def test_a_run_without_a_model_has_no_dl2_and_says_so(site: Site) -> None:
    site.night(sources=SMALL_SOURCES[:1])
    settings = site.root / "telescope.toml"
    settings.write_text(settings.read_text() + 'where = "dec < 90"\n')
    site.penstock("run", code=1)
    assert "no model is chosen for its run" in site.penstock("why", f"{NIGHT}/1808", "--stage", "dl1_to_dl2")
    assert "run 1808: is not in RunCatalog_20200117.ecsv" in site.penstock("status")
    assert (rows(site)[1807]["DL2%"], rows(site)[1808]["DL1AB%"]) == (100, 100)


def test_listed_nights_are_done_again_a_subrun_at_a_time_and_who_is_late_is_told_by_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with served(MailServer(certificate)) as server:
        told = {"deadline": "18:00 next day", "mail": ("ann@lab.example",), "server": server.address}
        site = Site(tmp_path, jobs=1, **told)
        definition = site.root / "penstock.toml"
        definition.write_text(
            definition.read_text().replace('on = ["failure", "recovery", "deadline"]', 'on = ["deadline"]')
        )
        nights = site.root / "nights.txt"
        nights.write_text("2020-01-19\n")
        site.night()
        site.raw(1807, 1, "fail\n")
        site.night(EVENING + DAY, [(1810, 1, "DRS4")], ())
        site.night(EVENING + 2 * DAY, [(1900, 2, "DATA")], [(1900, "Crab", 1.0, 2.0)])
        site.penstock("run")
        nights.write_text("2020-01-17\n2020-01-19\n")
        site.penstock("run", code=1)
    assert {path.name for path in (site.root / "closed").iterdir()} == {"2020-01-19"}
    with closing(sqlite3.connect(site.root / ".penstock/ledger.sqlite")) as db:
        went = db.execute(
            "SELECT began, ended FROM attempt WHERE stage = (SELECT id FROM stage WHERE name = 'r0_to_dl1') ORDER BY 1"
        ).fetchall()
    assert len(went) == 6  # one of five was tried twice
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(went))
    texts = [mail.get_content() for mail in server.mails]
    assert len(texts) == 1
    assert "2020-01-17" in texts[0]
    assert "18:00" in texts[0]


def test_the_table_shows_other_telescopes_too(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", telescope="LST2")
    site.night()
    other.night()
    told = json.loads(site.penstock("telescope", "status", "--json", "--also", str(other.root)))
    assert [each["telescope"] for each in told] == ["LST1", "LST2"]
    assert {row["Tel"] for row in told[1]["sequences"]} == {"LST2"}
    page = site.root / "nights.html"
    site.penstock("telescope", "status", "--page", str(page), "--also", str(other.root))
    assert page.read_text().count("<td>LST2</td>") == 3


def test_old_histories_are_taken_over(site: Site, tmp_path: Path) -> None:
    site.night(runs=SMALL[:3], sources=SMALL_SOURCES[:1])
    old = tmp_path / "old"
    old.mkdir()
    for name in ("dl1_LST-1.Run01807.0000.h5", "muons_LST-1.Run01807.0000.fits"):
        place = site.root / "dl1a/20200117" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("of old\n")
    line = "01807.0000 lstchain_data_r0_to_dl1 v1 2020-01-18 09:14 None None 0\n"
    (old / "sequence_LST1_01807.0000.history").write_text(line)
    assert "r0_to_dl1 1" in site.penstock("telescope", "history", "import", str(old), NIGHT)
    site.penstock("telescope", "history", "import", str(old), NIGHT, "--submit")
    site.penstock("run")
    assert programs(site)["lstchain_data_r0_to_dl1"] == 1
    site.penstock("telescope", "history", "export", str(tmp_path / "back"), NIGHT)
    back = (tmp_path / "back/sequence_LST1_01807.0000.history").read_text().splitlines()
    assert back[0] == line.strip()
    assert [each.split()[1] for each in back] == [
        "lstchain_data_r0_to_dl1",
        "lstchain_dl1ab",
        "lstchain_check_dl1",
    ]


def test_closing_is_refused_before_eight_and_asks_unless_told_not_to(site: Site) -> None:
    night = date(2026, 11, 29)
    with pytest.raises(
        DefinitionError, match="2026-11-29 may still bring data: it can be closed from 2026-11-30 08:00 UTC"
    ):
        refuse_early(night, datetime(2026, 11, 30, 7, 59, tzinfo=UTC))
    refuse_early(night, datetime(2026, 11, 30, 8, 0, tzinfo=UTC))
    site.night(date(2099, 1, 1))
    told = site.penstock("telescope", "close", "2099-01-01", "--yes", code=2)
    assert "the night 2099-01-01 may still bring data" in told
