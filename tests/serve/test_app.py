"""The server lets in who has the token, answers as the commands do, and gives nothing else out."""

import json
import os
import re

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient
from tests.conftest import Record

from penstock.cli import cli
from penstock.ledger import Ledger
from penstock.serve.app import Site, make_app
from penstock.serve.campaigns import Shown
from penstock.serve.pages import PAGES, LiveLinks, Page
from penstock.serve.security import Keys

HOST = "127.0.0.1:8000"
KEYS = Keys("the-token", 8000)
UNIT = "2020-01-17/00005"


def make_client(campaigns, *, allowed=(), known=True) -> TestClient:
    client = TestClient(
        make_app(Site(campaigns, KEYS, allowed), [HOST]), base_url=f"http://{HOST}", follow_redirects=False
    )
    if known:
        client.cookies.set(KEYS.cookie, KEYS.session)
    return client


@pytest.fixture
def client(shown):
    return make_client({"winter": shown})


@pytest.fixture
def stranger(shown):
    return make_client({"winter": shown}, known=False)


@pytest.mark.parametrize(
    "path",
    ["/", "/c/winter/", "/c/winter/events/", "/metrics", "/api/status", "/openapi.json", "/static/live.js"],
)
def test_without_the_token_nothing_is_shown(stranger, path):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": f"{KEYS.cookie}={KEYS.token}"}):
        answer = stranger.get(path, headers=headers)
        assert answer.status_code == 403
        assert "winter" not in answer.text


def test_the_token_in_the_address_becomes_a_cookie_and_leaves_the_address(stranger):
    assert stranger.get("/?token=wrong").status_code == 403
    answer = stranger.get(f"/c/winter/units?state=failed&token={KEYS.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/winter/units?state=failed")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert KEYS.token not in cookie
    assert stranger.get("/c/winter/units?state=failed").status_code == 200


@pytest.mark.parametrize("before", ["", "/penstock"])
def test_behind_a_proxy_addresses_begin_where_people_see_us(shown, record, before):
    """Whether the proxy leaves the beginning out or not."""
    site = Site({"winter": shown}, KEYS, ["veto"], LiveLinks("/penstock"))
    app = make_app(site, ["lab.example.org"], scheme="https")
    client = TestClient(app, base_url="https://lab.example.org", follow_redirects=False)
    answer = client.get(f"{before}/c/winter/units?state=failed&token={KEYS.token}")
    assert answer.headers["location"] == "/penstock/c/winter/units?state=failed"
    assert "Path=/penstock/;" in answer.headers["set-cookie"]
    assert "; Secure" in answer.headers["set-cookie"]
    client.cookies.set(KEYS.cookie, KEYS.session)
    for place in ("/", "/c/winter"):
        assert client.get(before + place).headers["location"] == "/penstock/c/winter/"
    for name in [*PAGES, "../../api"]:
        text = client.get(f"{before}/c/winter/{name}?unit={UNIT}").text
        ours = re.findall(r' (?:href|src|action|data-events)="(/[^"]*)"', text)
        assert len(ours) > 5
        assert [place for place in ours if not place.startswith("/penstock/")] == []
    assert client.get(f"{before}/openapi.json").json()["servers"] == [{"url": "/penstock"}]
    form = {"csrf": KEYS.csrf, "unit": UNIT, "stage": "fit", "by": "Ada", "why": "clouds"}
    answer = client.post(
        f"{before}/c/winter/ask/veto", data=form, headers={"origin": "https://lab.example.org"}
    )
    assert answer.headers["location"].startswith("/penstock/c/winter/unit?")
    assert client.get("/penstockings/c/winter/").status_code == 404


def test_a_place_to_lead_to_is_always_ours(shown):
    door = make_app(Site({"winter": shown}, KEYS), [HOST])
    scope = {
        "method": "GET", "headers": [(b"host", HOST.encode())], "path": "//evil.example/",
        "query_string": f"token={KEYS.token}".encode(),
    }  # fmt: skip
    _, headers, _ = door.turned_away(scope)
    assert headers["location"] == "/evil.example/"


def test_a_program_sends_the_token_as_a_header(stranger):
    assert stranger.get("/api/status", headers={"authorization": f"Bearer {KEYS.token}"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", ""])
def test_another_host_is_refused_even_with_the_cookie(client, host):
    assert client.get("/c/winter/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("name", PAGES)
def test_every_page_may_load_only_what_is_ours(client, name):
    answer = client.get(f"/c/winter/{name}", params={"unit": UNIT} if name == "unit" else {})
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r'(?:href|src|action)="(?!/|#)', answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/c/summer/", "/c/winter/odd", "/c/winter/unit?unit=none", "/c/winter/unit", "/c/winter/groups?level=week",
        "/c/../winter/", "/static/../app.py", "/static/%2e%2e%2fapp.py", "/c/winter/units?stage=none", "/api/status?campaign=x",
        "/c/winter/product?stage=calibrate&unit=2020-01-17/00004&product=none",
        "/c/winter/product?stage=calibrate&unit=../../../etc/passwd&product=picture",
        "/c/winter/product?stage=calibrate&unit=2020-01-*&product=picture", "/c/winter/units?unit=" + "x" * 5000,
    ],
)  # fmt: skip
def test_what_is_not_there_is_404(client, path):
    assert client.get(path).status_code == 404


def test_numbers_for_programs_equal_those_of_the_commands(client, shown, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_600_000_100.0)
    run = CliRunner().invoke
    printed = run(cli, ["status", "--json", "-C", str(shown.root)])
    assert client.get("/api/status").json() == json.loads(printed.stdout)
    assert client.get("/c/winter/api/status").json() == json.loads(printed.stdout)
    printed = run(cli, ["metrics", "-C", str(shown.root)])
    assert client.get("/metrics").text == printed.stdout == client.get("/c/winter/metrics").text


def test_of_several_campaigns_each_metric_is_described_once(shown, tmp_path):
    from tests.serve.conftest import fill

    fill(tmp_path / "summer").ledger.set_meta("name", "summer")
    client = make_client(
        {"winter": shown, "summer": Shown("summer", tmp_path / "summer"), "new": Shown("new", tmp_path)}
    )
    text = client.get("/metrics").text
    assert text.count("# TYPE penstock_tasks gauge") == 1
    assert 'campaign="winter"' in text
    assert 'campaign="summer"' in text
    assert client.get("/api/status").status_code == 404
    assert client.get("/api/status?campaign=summer").json()["campaign"] == "summer"
    home = client.get("/").text
    assert "nothing has been run in" in home
    assert client.get("/c/new/").status_code == 503


def test_campaigns_of_one_name_are_told_apart(shown, tmp_path):
    other = Record(tmp_path / "summer")
    other.task(other.stage("calibrate", level=1), other.unit("2020-01-16"), "done")
    text = make_client({"winter": shown, "summer": Shown("summer", tmp_path / "summer")}).get("/metrics").text
    series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
    assert any(f'campaign="winter in {tmp_path / "summer"}"' in one for one in series)


def test_a_picture_is_given_and_can_do_nothing(client):
    answer = client.get(
        "/c/winter/product", params={"stage": "calibrate", "unit": "2020-01-17/00004", "product": "picture"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_picture_in_a_folder_is_given_by_its_name_and_nothing_beside_that(client, record):
    (record.root / "pictures/of run.4").mkdir()
    (record.root / "pictures/of run.4/a.png").write_bytes(b"one")
    (record.root / "secret.png").write_bytes(b"secret")
    (record.root / "pictures/of run.4" / os.fsdecode(b"\xff.png")).write_bytes(b"no address has its name")
    place(record, "pictures/of run.4")
    named = {"stage": "calibrate", "unit": "2020-01-17/00004", "product": "picture"}
    assert client.get("/c/winter/product", params={**named, "part": "a.png"}).content == b"one"
    for part in ("", "\0.png", "b.png", "../../secret.png", f"{record.root}/secret.png"):
        assert client.get("/c/winter/product", params={**named, "part": part}).status_code == 404
    assert "part=a.png" in client.get("/c/winter/pictures").text
    assert "part=a.png" in client.get("/c/winter/unit", params={"unit": "2020-01-17/00004"}).text


def test_a_fault_of_ours_ends_one_page_and_no_other(shown, monkeypatch, caplog):
    monkeypatch.setitem(PAGES, "jobs", Page("Jobs", lambda *_: 1 / 0))
    site = Site({"winter": shown}, KEYS)
    keys = [("winter", page, "") for page in ("jobs", "units", "usage")]
    faulty, *others = site.draw_fragments(keys)
    assert "this page cannot be drawn (ZeroDivisionError)" in faulty
    assert all("cannot be drawn" not in other for other in others)
    assert site.draw(keys[0])[0] == 500
    assert "in <lambda>" in caplog.text


def test_a_campaign_that_the_system_keeps_from_us_is_told_beside_the_others(shown, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/.penstock").touch()
    client = make_client({"odd": Shown("odd", tmp_path / "odd"), "winter": shown})
    assert "Not a directory; whoever serves this page" in client.get("/").text
    assert "Not a directory" in client.get("/c/odd/").text
    assert 'campaign="winter"' in client.get("/metrics").text
    assert client.get("/api/status", params={"campaign": "odd"}).status_code == 503


def test_each_page_has_its_own_time_where_many_are_drawn_together(shown, monkeypatch):
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    monkeypatch.setitem(PAGES, "jobs", Page("Jobs", lambda ledger, *_: ledger.db.execute(slow).fetchall()))
    monkeypatch.setattr("penstock.serve.campaigns.PATIENCE_S", 1.0)
    late, other = Site({"winter": shown}, KEYS).draw_fragments(
        [("winter", "jobs", ""), ("winter", "usage", "")]
    )
    assert "that takes too long to look for" in late
    assert "too long" not in other


def test_a_link_with_the_token_works_on_any_page(stranger):
    """A redirect of a navigation that began on another site gets no cookie of ours."""
    answer = stranger.get(
        f"/c/winter/units?stage=fit&state=done&token={KEYS.token}", headers={"sec-fetch-site": "cross-site"}
    )
    assert answer.status_code == 200
    assert 'content="0; url=/c/winter/units?stage=fit&amp;state=done"' in answer.text
    assert KEYS.token not in answer.text
    assert stranger.get("/c/winter/units").status_code == 200


def test_a_question_may_name_anything(client):
    assert client.get("/c/winter/groups", params={"page": "x", "level": "run"}).status_code == 200
    assert (
        client.get("/c/winter/units", params={"page": "x", "campaign": "y", "self": "z"}).status_code == 200
    )


def test_what_was_moved_is_given_from_where_it_went_and_no_other_folder(client, record):
    final = record.root.parent / "final"
    final.mkdir()
    (final / "a.png").write_bytes(b"one")
    place(record, f"{final}/a.png")
    named = {"stage": "calibrate", "unit": "2020-01-17/00004", "product": "picture"}
    assert client.get("/c/winter/product", params=named).status_code == 404
    [(text,)] = record.db.execute("SELECT text FROM definition")
    definition = {**json.loads(text), "move": {"final": {"name": "final", "to": "../final", "files": []}}}
    record.db.execute("UPDATE definition SET text = ?", (json.dumps(definition),))
    assert client.get("/c/winter/product", params=named).content == b"one"


@pytest.mark.parametrize("kind", ["html", "svg", "dat"])
def test_a_product_that_may_hold_scripts_is_sandboxed_or_a_download(client, record, kind):
    place(record, f"pictures/evil.{kind}")
    (record.root / f"pictures/evil.{kind}").write_text("<script>alert(1)</script>")
    answer = client.get(
        "/c/winter/product", params={"stage": "calibrate", "unit": "2020-01-17/00004", "product": "picture"}
    )
    assert answer.status_code == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("attachment" if kind == "dat" else "inline")
    assert answer.headers["x-content-type-options"] == "nosniff"


def place(record, path: str) -> None:
    record.db.execute(
        "UPDATE product SET path = ? WHERE path LIKE 'pictures/2020-01-17%' AND name = 'picture'", (path,)
    )


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.png", "link/secret.png", "file.png", "fifo.png", "pictures"]
)
def test_nothing_outside_the_campaign_or_behind_a_link_is_given(client, record, path):
    import os

    (record.root.parent / "secret.png").write_text("secret")
    (record.root / "link").symlink_to(record.root.parent)
    (record.root / "file.png").symlink_to(record.root.parent / "secret.png")
    os.mkfifo(record.root / "fifo.png")
    place(record, path)
    answer = client.get(
        "/c/winter/product", params={"stage": "calibrate", "unit": "2020-01-17/00004", "product": "picture"}
    )
    assert answer.status_code == 404
    assert "secret" not in answer.text


def asked(client, action: str, *, origin: str = f"http://{HOST}", **form: str):
    given = {"csrf": KEYS.csrf, "by": "Ada", "unit": UNIT, "stage": "calibrate", "why": "clouds", **form}
    return client.post(f"/c/winter/ask/{action}", data=given, headers={"origin": origin} if origin else {})


def test_requests_are_off_unless_allowed(client, shown):
    assert asked(client, "retry").status_code == 404
    assert asked(make_client({"winter": shown}, allowed=["veto"]), "retry").status_code == 404


def test_a_request_of_another_page_or_without_our_form_is_refused(shown, record):
    client = make_client({"winter": shown}, allowed=["retry"])
    for origin in ("http://evil.example", "null", "", "https://127.0.0.1:8000"):
        assert asked(client, "retry", origin=origin).status_code == 403
    assert asked(client, "retry", csrf="").status_code == 403
    assert asked(client, "retry", csrf=KEYS.session).status_code == 403
    assert asked(make_client({"winter": shown}, allowed=["retry"], known=False), "retry").status_code == 403
    assert record.db.execute("SELECT count(*) FROM request").fetchone()[0] == 0


def test_a_person_asks_by_name_as_at_the_terminal(shown, record):
    record.ledger.close()
    client = make_client({"winter": shown}, allowed=["retry", "veto", "cancel", "close"])
    assert 'action="/c/winter/ask/retry"' in client.get("/c/winter/unit", params={"unit": UNIT}).text
    answer = asked(client, "retry")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert "1 failed task will be retried" in page.text
    assert asked(client, "veto", unit="2020-01-18/00005").status_code == 303
    assert asked(client, "close", unit="2020-01-18", stage="").status_code == 303
    with Ledger.open(shown.root, readonly=True) as ledger:
        rows = ledger.db.execute("SELECT action, by, target, answer FROM request ORDER BY id").fetchall()
    assert [row["action"] for row in rows] == ["retry", "veto", "close"]
    assert all(row["by"].startswith("Ada, by ") for row in rows)
    assert json.loads(rows[1]["target"])["why"] == "clouds"


@pytest.mark.parametrize(
    "form",
    [
        {"by": " "},
        {"unit": "", "stage": ""},
        {"unit": "none"},
        {"unit": "2020-01-17 "},
        {"stage": "none"},
        {"by": "x" * 81},
        {"why": "x" * 401},
    ],
)
def test_a_request_that_says_too_little_or_names_nothing_is_refused(shown, form):
    assert asked(make_client({"winter": shown}, allowed=["retry"]), "retry", **form).status_code == 404


def test_a_veto_needs_a_reason(shown):
    assert asked(make_client({"winter": shown}, allowed=["veto"]), "veto", why=" ").status_code == 404


def test_a_long_body_is_refused(shown):
    assert (
        asked(make_client({"winter": shown}, allowed=["retry"]), "retry", why="x" * (1 << 17)).status_code
        == 413
    )


def test_the_page_of_addresses_names_each(client):
    document = client.get("/openapi.json").json()
    text = client.get("/api").text
    for path in document["paths"]:
        assert path in text
