"""In a real Chromium: nothing is refused by the policy, nothing overflows, the keyboard reaches everything, pages live."""

import io
import sqlite3
import subprocess
import sys
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from PIL import Image
from tests.serve.chromium import MISSING, PROGRAM, Browser, chromium
from tests.serve.conftest import Record
from tests.serve.test_live import serving
from tests.started import Started
from tests.until import until

from penstock.serve.pages import PAGES

UNIT = "2020-01-17/00005"
SLOW = """
campaign = { name = "night", levels = ["n"] }
units = { table = "units.csv", types = { n = "int" } }
[stage.slow]
each = "n"
shell = true
command = "touch began; until test -e go; do sleep 0.1; done; touch {product}"
products = "made/{n}"
"""
REACHABLE = (
    "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, [tabindex=\"0\"]')]"
)
NAMED = "e.outerHTML.slice(0, 160)"
VISIBLE = f"{REACHABLE}.filter(e => e.getClientRects().length)"


def text_of(selector: str) -> str:
    """Return the script that reads the text of an element."""
    return f"(document.querySelector({selector!r})?.textContent ?? '').trim()"


def walk(tab: Browser, name: str) -> None:
    """Go through a page by the Tab key alone: it reaches all, and one always sees where one is."""
    tab.value("document.activeElement.blur()")
    there, reached = set(tab.value(f"{VISIBLE}.map(e => {NAMED})")), set[str]()
    for _ in range(2 * len(there) + 20):
        tab.press("Tab", 9)
        at, outline = tab.value(
            f"(e => [{NAMED}, e === document.body || getComputedStyle(e).outlineStyle])(document.activeElement)"
        )
        assert outline != "none", (name, at)
        reached.add(at)
        if there <= reached:
            break
    assert len(there) > 8, name
    assert there - reached == set(), name


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_pages_in_a_browser(record: Record, tmp_path: Path) -> None:
    root = str(record.root)
    with (
        serving(root, "--allow", "retry,veto,cancel,close", log=tmp_path / "log") as server,
        chromium(tmp_path / "profile") as tab,
    ):
        tab.open(f"http://{server.host}/?token={server.token}")
        assert tab.value("location.href") == f"http://{server.host}/c/winter/"
        assert tab.value("document.cookie") == ""  # no script sees it
        for name in PAGES:
            tab.open(f"http://{server.host}/c/winter/{name}" + (f"?unit={UNIT}" if name == "unit" else ""))
            for width in (400, 1400):
                grounds = set()
                for scheme in ("light", "dark"):
                    tab.look(width, scheme)
                    assert tab.value("document.documentElement.scrollWidth") <= width, (name, width)
                    corner = Image.open(io.BytesIO(tab.picture())).convert("L").getpixel((width - 2, 898))
                    grounds.add("light" if corner > 128 else "dark")
                assert grounds == {"light", "dark"}, name
            walk(tab, name)
        tab.open(f"http://{server.host}/c/winter/unit?unit={UNIT}")
        tab.value("document.querySelector('form[action$=\"/veto\"] input[name=by]').focus()")
        tab.write("Ada")
        tab.press("Tab", 9)
        tab.write("clouds")
        tab.press("Enter", 13, "\r")
        tab.wait_for("document.querySelector('.said')?.textContent")
        asked = record.db.execute("SELECT * FROM request ORDER BY id DESC LIMIT 1").fetchone()
        assert (asked["action"], "Ada" in asked["by"], "clouds" in asked["target"]) == ("veto", True, True)
        tab.open(f"http://{server.host}/c/winter/")
        tab.value("document.querySelector('.pages a').focus()")
        record.ledger.set_meta("name", "renamed")
        tab.wait_for("document.querySelector('.crumbs strong').textContent === 'renamed'")
        assert tab.value("document.activeElement.textContent") == "Overview"
        assert tab.complaints == []


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_an_open_page_survives_what_happens_to_a_campaign_at_night(tmp_path: Path, start: Started) -> None:
    """A conductor is killed, another adopts its job, the record is of an older penstock, it is away and comes back."""
    folder = tmp_path / "night"
    folder.mkdir()
    (folder / "penstock.toml").write_text(SLOW)
    (folder / "units.csv").write_text("n\n1\n")
    run = [sys.executable, "-m", "penstock", "run", "-C", str(folder)]
    ledger = folder / ".penstock/ledger.sqlite"
    conductor = start(run, stdout=subprocess.DEVNULL)
    until(lambda: (folder / "began").exists(), "the task begins")
    with serving(str(folder), log=tmp_path / "log") as server, chromium(tmp_path / "profile") as tab:
        tab.open(f"http://{server.host}/?token={server.token}")
        tab.value("window.kept = true")
        tab.wait_for(f"{text_of('.standing')}.includes('penstock run` has been running')")
        tab.wait_for(f"{text_of('table.stages')}.includes('running')")
        conductor.kill()
        conductor.wait()
        tab.wait_for(f"{text_of('.standing')}.startsWith('stopped since')")
        start(run, stdout=subprocess.DEVNULL)
        tab.wait_for(f"{text_of('.standing')}.includes('penstock run` has been running')")
        (folder / "go").touch()
        tab.wait_for("document.querySelector('table.stages .s-running') === null")
        tab.wait_for(f"{text_of('.standing')}.startsWith('stopped since')")
        with closing(sqlite3.connect(ledger)) as db:
            assert db.execute("SELECT state FROM task").fetchall() == [("done",)]
            assert db.execute("SELECT count(*) FROM attempt").fetchone() == (1,)  # adopted, not run again
            db.executescript("UPDATE meta SET value = 'older' WHERE name = 'name'; PRAGMA user_version = 10;")
        tab.wait_for(f"{text_of('.crumbs strong')} === 'older'")
        ledger.rename(folder / "away")
        tab.wait_for(f"{text_of('main')}.includes('there is no record')")
        (folder / "away").rename(ledger)
        tab.wait_for(f"{text_of('.standing')}.startsWith('stopped since')")
        assert tab.value("window.kept")  # all of it without a reload
        assert tab.complaints == []


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_more_pages_than_a_browser_has_connections_all_hear_what_is_new(
    record: Record, tmp_path: Path
) -> None:
    """Six streams would be all that a browser opens to a server: the seventh page would never come."""
    with serving(str(record.root), log=tmp_path / "log") as server, chromium(tmp_path / "profile") as tab:
        how, windows = list[str](), [str(tab.session), *(tab.attach(window=True) for _ in range(8))]
        for tab.session in windows:
            tab.open(f"http://{server.host}/?token={server.token}")
            tab.wait_for(f"{text_of('#connection')} !== ''")
            how.append(tab.value(text_of("#connection")))
        assert how == ["live"] * 4 + ["live, every 5 s"] * 5
        rename(record, "spring")
        for tab.session in windows:
            tab.wait_for(f"{text_of('.crumbs strong')} === 'spring'")
        assert tab.complaints == []


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_a_page_that_nobody_sees_holds_no_connection_and_is_new_when_somebody_does(
    record: Record, tmp_path: Path
) -> None:
    with serving(str(record.root), log=tmp_path / "log") as server, chromium(tmp_path / "profile") as tab:
        first = str(tab.session)
        for _ in range(8):
            tab.open(f"http://{server.host}/?token={server.token}")
            tab.wait_for(f"{text_of('#connection')} === 'live'")
            tab.attach()
        rename(record, "spring")
        tab.open(f"http://{server.host}/?token={server.token}")
        tab.session = first
        assert tab.value(text_of(".crumbs strong")) == "winter"
        tab.do("Page.bringToFront")
        tab.wait_for(f"{text_of('.crumbs strong')} === 'spring'")
        assert tab.complaints == []


def rename(record: Record, name: str) -> None:
    """Let a campaign have another name, as a conductor does."""
    record.db.execute("UPDATE meta SET value = ? WHERE name = 'name'", (name,))


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_a_page_finds_its_server_again_also_behind_a_proxy_that_answers_meanwhile(
    record: Record, tmp_path: Path
) -> None:
    kept, log = f"--token-file={tmp_path / 'token'}", tmp_path / "log"
    with chromium(tmp_path / "profile") as tab:
        with serving(str(record.root), kept, log=log) as server:
            token = (tmp_path / "token").read_text().strip()
            tab.open(f"http://{server.host}/?token={token}")
            tab.wait_for(f"{text_of('#connection')} === 'live'")
        tab.wait_for(f"{text_of('#connection')}.startsWith('no connection since')")
        host, _, port = server.host.partition(":")
        with HTTPServer((host, int(port)), Gateway) as gateway:
            gateway.handle_request()
        with serving(str(record.root), kept, f"--port={port}", log=log):
            tab.wait_for(f"{text_of('#connection')} === 'live'")


class Gateway(BaseHTTPRequestHandler):
    """What a proxy says of a server that is not there."""

    def do_GET(self) -> None:
        self.send_error(502)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_nothing_is_taken_away_from_under_the_hands_of_who_works_with_a_page(
    record: Record, tmp_path: Path
) -> None:
    """On a busy campaign a page is new each second: also between pressing a link and letting go of it."""
    with serving(str(record.root), log=tmp_path / "log") as server, chromium(tmp_path / "profile") as tab:
        tab.open(f"http://{server.host}/c/winter/units?token={server.token}")
        tab.wait_for(f"{text_of('#connection')} === 'live'")
        tab.value("document.querySelector('select[name=stage]').focus()")
        tab.value("document.querySelector('input[name=unit]').focus()")
        tab.write("2020-01-17")
        tab.value("document.activeElement.blur()")
        rename(record, "spring")
        tab.wait_for("document.body.classList.contains('waits')")
        assert tab.value("document.querySelector('input[name=unit]').value") == "2020-01-17"
        assert tab.value(text_of(".crumbs strong")) == "winter"
        tab.value("document.querySelector('input[name=unit]').value = ''")
        tab.value(
            "document.querySelector('input[name=unit]').dispatchEvent(new Event('input', {bubbles: true}))"
        )
        tab.wait_for(f"{text_of('.crumbs strong')} === 'spring'")
        x, y = tab.value(
            "(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector('.pages a').getBoundingClientRect())"
        )
        mouse = {"x": x, "y": y, "button": "left", "clickCount": 1}
        tab.do("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        rename(record, "summer")
        tab.wait_for("document.body.classList.contains('waits')")
        tab.do("Input.dispatchMouseEvent", type="mouseReleased", **mouse)
        tab.wait_for("location.pathname === '/c/winter/'")
        assert tab.complaints == []
