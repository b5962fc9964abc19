"""The server bears whatever fits its own description, and what does not: no error of its own, no token, no script."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.conftest import EVIL, fill

from penstock.serve.app import Site, make_app
from penstock.serve.campaigns import Shown
from penstock.serve.pages import PAGES
from penstock.serve.security import Keys

HOST = "127.0.0.1:8000"
KEYS = Keys("the-token-of-this-test", 8000)
KNOWN = {"authorization": f"Bearer {KEYS.token}", "host": HOST, "origin": f"http://{HOST}"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    record = fill(tmp_path_factory.mktemp("fuzz") / "winter")
    record.ledger.close()
    site = Site({"winter": Shown("winter", record.root)}, KEYS, ["retry", "veto", "cancel"])
    return schemathesis.openapi.from_asgi("/openapi.json", make_app(site, [HOST]), headers=KNOWN)


def test_no_request_breaks_the_server(served):
    operations = [found.ok() for found in served.get_all_operations()]
    assert len(operations) > len(PAGES) + 5

    @settings(max_examples=80, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(operations).flatmap(lambda operation: operation.as_strategy()))
    def ask(case):
        answer = case.call(headers=KNOWN)
        assert answer.status_code in (200, 303, 400, 403, 404, 405, 413), (answer.status_code, answer.text)
        assert KEYS.token not in answer.text
        if "text/html" in answer.headers.get("content-type", [""])[0]:
            assert EVIL not in answer.text

    ask()
