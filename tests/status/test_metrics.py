"""Numbers for Prometheus follow the rules of its text format, and name no unit."""

import re
from collections.abc import Iterator

from tests.conftest import Record

from penstock.disk import write_public
from penstock.ledger.outbox import announce, listen
from penstock.status.metrics import render_metrics

SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\} (-?[0-9.e+]+)'
)
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"')


def parse(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the samples, as the exposition format has them; each follows the HELP and TYPE of its metric."""
    assert text.endswith("\n")
    helped, typed = set[str](), set[str]()
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, _ = line.split(" ", 3)
            seen = helped if kind == "HELP" else typed
            assert name not in seen, "a metric is described once, with its samples together"
            seen.add(name)
            last = name
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        assert found[1] == last
        assert found[1] in helped & typed
        yield found[1], dict(LABEL.findall(found[2])), float(found[3])


def test_every_stage_and_state_is_counted(tmp_path):
    record = Record(tmp_path)
    copy = record.stage("copy", 2)
    for n, state in enumerate(("done", "done", "ready", "failed")):
        record.task(copy, record.unit("2020-01-17", n, at=1000.0 + n), state)
    found = {
        (name, labels.get("state")): value
        for name, labels, value in parse(render_metrics(record.ledger, 2000.0))
    }
    assert found["penstock_tasks", "done"] == 2
    assert found["penstock_tasks", "failed"] == 1
    assert found["penstock_tasks", "running"] == 0
    assert found["penstock_oldest_ready_seconds", None] == 998
    assert ("penstock_last_turn_timestamp_seconds", None) not in found
    record.ledger.note_turn(1990.0, scanned=1980.5)
    found = {name: value for name, _, value in parse(render_metrics(record.ledger, 2000.0))}
    assert found["penstock_last_turn_timestamp_seconds"] == 1990
    assert found["penstock_last_scan_timestamp_seconds"] == 1980.5


def test_any_name_is_a_label_and_no_unit_is_named(tmp_path):
    record = Record(tmp_path)
    record.ledger.set_meta("name", 'a"b\\c\nd')
    record.task(record.stage("copy", 2), record.unit("secret-night", 1), "failed")
    text = render_metrics(record.ledger, 1.0)
    assert {labels["campaign"] for _, labels, _ in parse(text)} == {r"a\"b\\c\nd"}
    assert "secret-night" not in text


def test_what_is_in_the_outbox_is_counted_by_channel(tmp_path):
    record = Record(tmp_path)
    listen(record.db, [("mail", "failure"), ("chat", "recovery")], 1.0)
    announce(record.db, "failure", 2.0)
    found = {
        (name, labels["channel"]): value
        for name, labels, value in parse(render_metrics(record.ledger, 3.0))
        if "channel" in labels
    }
    assert found["penstock_outbox_waiting", "mail"] == 1
    assert found["penstock_outbox_waiting", "chat"] == found["penstock_outbox_given_up", "mail"] == 0


def test_the_file_for_a_collector_is_replaced_as_a_whole_and_for_all_to_read(tmp_path):
    file = tmp_path / "winter.prom"
    write_public(file, b"old\n")
    write_public(file, b"new\n")
    assert file.read_text() == "new\n"
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["winter.prom"]
