"""The outbox is filled in the transaction of its cause and sent by a thread, at least once, recognisably, and not often."""

import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conductor.grid import PutBack
from tests.notify.conftest import by_mail, turns

from penstock import notify
from penstock.errors import LedgerError
from penstock.ledger.requests import record
from penstock.notify import sender
from penstock.notify.heartbeat import Heartbeat
from penstock.testing import Outcome, failing

HOUR, DAY = 3600.0, 86_400.0
BAD = Outcome("error", code=1, why="exit code 1")


def later(conductor, seconds):
    """Let time pass, take a turn, and send what is due."""
    conductor.clock.turn(seconds)
    turns(conductor, 1)
    conductor.sender.send()


def subjects(server):
    return [mail["Subject"] for mail in server.mails]


def test_what_fails_alike_is_told_once_in_one_mail(told, mail_server):
    server = mail_server()
    made = told(
        by_mail(server), units=30, rule=lambda run: BAD if run.key in ("u11", "u12", "u13") else Outcome()
    )
    with made.watch() as conductor:
        turns(conductor, 10)
        conductor.sender.send()
        assert server.mails == [], "others may fail in the same minute"
        later(conductor, 61)
        for _ in range(5):
            later(conductor, HOUR)
    assert subjects(server) == ["[winter] 3 tasks failed in copy"]
    text = server.mails[0].get_content()
    assert "copy: 3 failed the same way, such as u1" in text
    assert "penstock log --stage copy u1" in text
    assert "30" not in text.split("winter:")[0]
    assert "done" in text
    assert "27" in text


def test_one_that_failed_is_named_in_the_subject(told, mail_server):
    server = mail_server()
    made = told(by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
    assert subjects(server) == ["[winter] copy u7 failed"]


@pytest.mark.slow
def test_two_hours_without_a_mail_server_while_thousands_fail_end_with_two_mails(told, mail_server):
    server = mail_server()
    server.is_down = True
    good = {f"u{n}" for n in range(1, 41)}
    made = told(by_mail(server), units=40, rule=lambda run: Outcome() if run.key in good else BAD, cores=64)
    with made.watch() as conductor:
        turns(conductor, 10)
        for lot in range(1, 11):
            made.add_units(40 + 500 * lot)
            conductor.discover()
            while made.status().stages[0].left:
                turns(conductor, 1)
            for _ in range(12):
                later(conductor, 60)
        assert made.status().stages[0].tasks["failed"] == 5000
        assert 0 < server.connections < 10
        server.is_down = False
        for _ in range(20):
            later(conductor, 30 * 60)
    told_of = [int(mail["Subject"].split()[1].replace(",", "")) for mail in server.mails]
    assert len(told_of) == 2
    assert sum(told_of) == 5000


def test_at_most_one_mail_about_failures_comes_in_an_hour(told, mail_server):
    server = mail_server()
    made = told(
        by_mail(server), units=9, rule=lambda run: Outcome() if run.key < "u2" or run.key == "u9" else BAD
    )
    with made.watch() as conductor:
        turns(conductor, 10)
        for minute in range(1, 176):
            if not minute % 10:
                made.add_units(9 + minute // 10)
                conductor.discover()
            later(conductor, 60)
    assert len(server.mails) == 3


def test_a_mail_that_arrived_before_its_sender_knew_is_sent_again_with_its_id(told, mail_server):
    server = mail_server()
    server.drops_after_data = True
    made = told(by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        server.drops_after_data = False
        later(conductor, 61)
        later(conductor, DAY)
    first, second = server.raw
    assert first == second
    assert b"Message-ID: <penstock." in first


RESTLESS = r"""
[campaign]
name = "winter"
levels = ["file"]
[units]
table = "files.csv"
[stage.copy]
each = "file"
command = ["sh", "-c", "test $0 != u7", "{file}"]
retry = { error = 0 }
[notify.pager]
command = ["sh", "-c", 'echo $PENSTOCK_NOTICE_ID >> ids; [ $(wc -l < ids) -gt 1 ] || kill -9 $PPID']
"""


def test_a_conductor_killed_between_sending_and_noting_it_sends_the_same_again(tmp_path):
    (tmp_path / "penstock.toml").write_text(RESTLESS)
    (tmp_path / "files.csv").write_text("file\n" + "".join(f"u{n}\n" for n in range(1, 10)))
    codes = [
        subprocess.run(
            [sys.executable, "-m", "penstock", "run"], cwd=tmp_path, capture_output=True
        ).returncode
        for _ in range(3)
    ]
    assert codes == [-9, 1, 1]
    first, second = (tmp_path / "ids").read_text().split()
    assert first == second


def test_a_server_that_hangs_holds_up_neither_the_turns_nor_the_end(told, mail_server, monkeypatch):
    server = mail_server()
    server.hangs = True
    made = told(by_mail(server), units=60, rule=lambda run: BAD if run.key == "u30" else Outcome(seconds=30))
    monkeypatch.setattr(sender, "LOOK_S", 0.01)
    monkeypatch.setattr(notify, "LEAVING_S", 0.05)
    with made.watch() as conductor:
        while made.status().stages[0].left if conductor.crew.has_looked else True:
            turns(conductor, 1)
        conductor.clock.turn(61)
        until = time.monotonic() + 10
        while not server.connections and time.monotonic() < until:
            time.sleep(0.01)
        assert server.connections == 1
        conductor.ledger.set_problem("x", "a turn can write", 1.0)
        turns(conductor, 5)
    assert [notice["sent"] for notice in made.notices()] == [None]


def test_what_cannot_be_sent_is_given_up_after_a_day_and_told_by_status(told, mail_server):
    server = mail_server()
    server.is_down = True
    made = told(by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        assert "! 1 notice cannot be sent by mail since " in made.status().to_text()
        assert "421 4.3.2 closed for today; tried again at " in made.status().to_text()
        for _ in range(30):
            later(conductor, HOUR)
        (notice,) = made.notices()
        assert (notice["sent"], notice["due"]) == (None, None)
        assert 24 <= notice["tries"] <= 32
        assert "tried again" not in made.status().to_text()
        assert made.status().to_json()["channels"][0]["given_up"] == 1
        server.is_down = False
        for _ in range(30):
            later(conductor, HOUR)
    assert server.mails == []


def test_what_was_sent_is_told_by_status(told, mail_server):
    made = told(by_mail(mail_server()), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        assert "mail was last told at " in made.status().to_text()
        later(conductor, 3 * DAY)
        assert "last told" not in made.status().to_text()


def test_a_recovery_is_told_to_who_knows_of_the_failure(told, mail_server, web_server):
    server, mended = mail_server(), []
    hook = f'[notify.chat]\nurl = "{web_server.url}"\non = ["recovery"]\n'
    rule = lambda run: BAD if run.key == "u7" and not mended else Outcome()  # noqa: E731
    made = told(by_mail(server) + hook, units=9, rule=rule)
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        later(conductor, 2 * HOUR)
        assert len(server.mails) == 1, "it is still failed"
        mended.append(True)
        record(conductor.ledger, "retry", {"all": True}, "me@here", conductor.clock.now())
        turns(conductor, 10)
        for _ in range(5):
            later(conductor, HOUR)
    assert subjects(server) == ["[winter] copy u7 failed", "[winter] all is well again"]
    assert web_server.posts == [], "this one was never told that something failed"


def test_a_failure_that_is_mended_within_a_minute_is_not_told(told, mail_server):
    server = mail_server()
    made = told(
        by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" and run.number == 1 else Outcome()
    )
    with made.watch() as conductor:
        turns(conductor, 10)
        assert len(made.notices()) == 1
        record(conductor.ledger, "retry", {"all": True}, "me@here", conductor.clock.now())
        turns(conductor, 10)
        for _ in range(3):
            later(conductor, HOUR)
    assert (server.mails, made.notices()) == ([], [])


def test_what_a_person_cancelled_is_told_to_nobody(told, mail_server):
    server = mail_server()
    made = told(by_mail(server), units=9, rule=lambda run: Outcome(seconds=1000))
    with made.watch() as conductor:
        turns(conductor, 3)
        record(conductor.ledger, "cancel", {"all": True}, "me@here", conductor.clock.now())
        turns(conductor, 3)
        assert made.status().stages[0].tasks["failed"] == 9
        later(conductor, HOUR)
    assert made.notices() == []


def test_a_stage_that_is_paused_is_told(told, mail_server):
    server = mail_server()
    made = told(by_mail(server), units=400, rule=failing("copy", why="sh: ehco: not found"))
    with made.watch() as conductor:
        turns(conductor, 20)
        later(conductor, 61)
    (mail,) = server.mails
    assert mail["Subject"].endswith("failed in copy; paused")
    assert "stage copy is paused: " in mail.get_content()
    assert "penstock retry --stage copy" in mail.get_content()


def test_the_digest_comes_once_a_day_at_its_hour(told, mail_server):
    server = mail_server()
    made = told(by_mail(server, 'digest = "07:00"\non = []'), units=9)
    made.clock.set(1_600_000_000 // DAY * DAY + 6.5 * HOUR)
    with made.watch() as conductor:
        turns(conductor, 10)
        conductor.sender.send()
        assert server.mails == []
        for _ in range(20):
            later(conductor, HOUR)
        assert subjects(server) == ["[winter] 9 tasks done since the last digest"]
        assert "copy: 9 done, 0 attempts without success" in server.mails[0].get_content()
        later(conductor, 4 * DAY)
        for _ in range(5):
            later(conductor, 60)
    assert subjects(server)[1:] == ["[winter] 0 tasks done since the last digest"]


def test_a_clock_that_is_put_back_keeps_nothing_from_being_told_nor_tells_it_for_ever(told):
    bad = {"u7"}
    log = '[notify.log]\ncommand = ["tee", "-a", "told.txt"]\non = ["failure", "recovery"]\nevery = "1min"\n'
    made = told(log + 'digest = "08:00"\n', units=8, rule=lambda run: BAD if run.key in bad else Outcome())
    made.clock.set(1_600_000_000 // DAY * DAY + 12 * HOUR)
    made.clock = PutBack(made.clock)
    with made.watch() as conductor:

        def kinds(minutes):
            for _ in range(minutes):
                later(conductor, 60)
            return [one["kind"] for one in made.notices() if one["sent"]]

        def mend():
            bad.clear()
            record(conductor.ledger, "retry", {"all": True}, "me@here", conductor.clock.now())
            turns(conductor, 10)

        turns(conductor, 10)
        assert kinds(5) == ["failure"]
        mend()
        assert kinds(5) == ["failure", "recovery"]
        made.clock.put_back()
        assert kinds(5) == ["failure", "recovery"]
        bad.add("u9")
        made.add_units(9)
        conductor.discover()
        turns(conductor, 10)
        assert kinds(5) == ["failure", "recovery", "failure"]
        mend()
        assert kinds(5) == ["failure", "recovery"] * 2
        assert kinds(60) == [*["failure", "recovery"] * 2, "digest"]


def test_a_notice_that_could_not_be_sent_is_tried_again_and_the_heart_beats_after_a_clock_was_put_back(told):
    bad = '[notify.log]\ncommand = ["false"]\n'
    made = told(bad, rule=lambda run: BAD)
    text = (made.made.root / "penstock.toml").read_text()
    (made.made.root / "penstock.toml").write_text(
        text.replace("[units]", 'heartbeat = "beat"\n[units]'),
    )
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        assert made.notices()[0]["tries"] == 1
        made.clock.set(made.clock.now() - 5 * HOUR)
        (made.made.root / "beat").unlink()
        later(conductor, 61)
        later(conductor, 61)
        assert made.notices()[0]["tries"] > 1
        assert (made.made.root / "beat").exists()


def test_who_ends_tells_what_is_left_to_tell(told, mail_server):
    server = mail_server()
    made = told(by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        assert conductor.run().code == 1
        assert server.mails == []
    assert subjects(server) == ["[winter] copy u7 failed"]


def test_a_notice_is_written_with_its_cause_or_not_at_all(told, mail_server):
    made = told(by_mail(mail_server()), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    rolled_back = "CREATE TEMP TRIGGER no BEFORE INSERT ON notice BEGIN SELECT RAISE(ABORT, 'killed'); END"
    with suppress(sqlite3.Error, LedgerError), made.watch() as conductor:
        conductor.ledger.db.execute(rolled_back)
        turns(conductor, 10)
    assert (made.status().stages[0].tasks["failed"], made.notices()) == (0, [])
    with made.watch() as conductor:
        turns(conductor, 10)
    assert (made.status().stages[0].tasks["failed"], len(made.notices())) == (1, 1)


def test_a_channel_that_is_gone_gets_nothing_any_more(told, mail_server):
    server = mail_server()
    server.is_down = True
    made = told(by_mail(server), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
    definition = made.made.root / "penstock.toml"
    definition.write_text(definition.read_text().replace("notify.mail", "notify.post"))
    with made.watch() as conductor:
        turns(conductor, 2)
        assert made.notices() == []
        assert [channel.name for channel in made.status().channels] == ["post"]


def test_without_channels_nothing_is_noted(told):
    made = told("", units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        assert made.status().stages[0].tasks["failed"] == 1
    assert made.notices() == []
    assert "channels" in made.status().to_json()


def test_no_secret_is_in_the_record_or_beside_it(told, mail_server, monkeypatch):
    server = mail_server(password="other")
    monkeypatch.setenv("MAIL_SECRET", "hunter2hunter2")
    more = 'user = "me"\npassword = { variable = "MAIL_SECRET" }'
    made = told(by_mail(server, more), units=9, rule=lambda run: BAD if run.key == "u7" else Outcome())
    with made.watch() as conductor:
        turns(conductor, 10)
        later(conductor, 61)
        later(conductor, 61)
    assert made.notices()[0]["why"] == "535 5.7.8 … is wrong"
    for path in Path(made.made.root).rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_a_turn_of_an_earlier_conductor_is_no_beat_and_one_by_a_clock_that_was_put_back_is(tmp_path):
    heart = Heartbeat("beat", tmp_path, begun=10 * HOUR)
    assert [heart.is_due(turned) for turned in (0.0, HOUR, HOUR)] == [False] * 3
    assert heart.is_due(10 * HOUR)
    heart.beat(10 * HOUR, 1.0)
    assert [heart.is_due(turned) for turned in (10 * HOUR, 10 * HOUR + 59)] == [False] * 2
    assert heart.is_due(5 * HOUR)
    heart.beat(5 * HOUR, 1.0)
    assert [heart.is_due(5 * HOUR + later) for later in (0, 59, 60)] == [False, False, True]


@pytest.mark.parametrize("option", ['heartbeat = "beat"', 'heartbeat = "URL/ping"'])
def test_a_heartbeat_shows_that_turns_are_taken(told, web_server, option):
    made = told("", units=3)
    definition = made.made.root / "penstock.toml"
    option = option.replace("URL", web_server.url)
    definition.write_text(definition.read_text().replace('name = "winter"', f'name = "winter"\n{option}'))
    beat = made.made.root / "beat"
    with made.watch() as conductor:
        conductor.sender.send()
        assert (beat.exists(), web_server.gets) == (False, []), "no turn was taken yet"
        turns(conductor, 5)
        conductor.sender.send()
        conductor.sender.send()
        conductor.clock.turn(HOUR)
        conductor.sender.send()
        shown = beat.read_text() if beat.exists() else web_server.gets
        assert shown in ("2020-09-13T12:26:40Z\n", ["/ping"])
        later(conductor, 1)
        shown = beat.read_text() if beat.exists() else web_server.gets
        assert shown in ("2020-09-13T13:26:46Z\n", ["/ping", "/ping"])


def test_a_heartbeat_that_cannot_be_shown_is_a_problem_until_it_can(told):
    made = told("", units=3)
    definition = made.made.root / "penstock.toml"
    definition.write_text(
        definition.read_text().replace('name = "winter"', 'name = "winter"\nheartbeat = "no/such/beat"')
    )
    with made.watch() as conductor:
        turns(conductor, 2)
        conductor.sender.send()
        assert "no/such/beat cannot be reached or written (" in made.status().to_text()
        (made.made.root / "no/such").mkdir(parents=True)
        later(conductor, 100)
        assert made.status().problems == ()
