"""In a real Chromium: nothing is refused by the policy, nothing overflows, the keyboard reaches everything, pages live."""

import io
from pathlib import Path

import pytest
from PIL import Image
from tests.serve.chromium import MISSING, PROGRAM, chromium
from tests.serve.conftest import Record
from tests.serve.test_live import serving

from penstock.serve.pages import PAGES

REACHABLE = (
    "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, [tabindex=\"0\"]')]"
)
NAMED = "e.outerHTML.slice(0, 160)"
VISIBLE = f"{REACHABLE}.filter(e => e.getClientRects().length)"


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
            tab.open(
                f"http://{server.host}/c/winter/{name}" + ("?unit=2020-01-17/00005" if name == "unit" else "")
            )
            for width in (400, 1400):
                grounds = set()
                for scheme in ("light", "dark"):
                    tab.look(width, scheme)
                    assert tab.value("document.documentElement.scrollWidth") <= width, (name, width)
                    corner = Image.open(io.BytesIO(tab.picture())).convert("L").getpixel((width - 2, 898))
                    grounds.add("light" if corner > 128 else "dark")
                assert grounds == {"light", "dark"}, name
        there, reached = set(tab.value(f"{VISIBLE}.map(e => {NAMED})")), set()
        for _ in range(2 * len(there) + 20):
            tab.press("Tab", 9)
            name, outline = tab.value(
                f"(e => [{NAMED}, e === document.body || getComputedStyle(e).outlineStyle])(document.activeElement)"
            )
            assert outline != "none", name
            reached.add(name)
        assert len(there) > 20
        assert there - reached == set()
        tab.open(f"http://{server.host}/c/winter/")
        tab.value("document.querySelector('.pages a').focus()")
        record.ledger.set_meta("name", "renamed")
        new = "new Promise(done => { const look = () => document.querySelector('.crumbs strong').textContent === 'renamed'"
        assert tab.value(f"{new} ? done(true) : setTimeout(look, 100); look() }})")
        assert tab.value("document.activeElement.textContent") == "Overview"
        assert tab.complaints == []
