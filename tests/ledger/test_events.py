"""What runners write becomes facts; what makes no sense becomes a problem and does no harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key
from tests.ledger.shapes import SHAPES, campaign_of

from penstock.ledger import jobs
from penstock.ledger.applying import Piece
from penstock.ledger.events import LONGEST_LINE, parse_events
from penstock.testing import EventFile, ManualClock, Outcome

ONE, TWO = ("p", "p"), ("p", "q")
TOKEN = "pabc0000000"
NAMES = {3: "make"}


def event(n: int, kind: str, **fields: Any) -> bytes:
    return json.dumps({"t": TOKEN, "i": 1, "l": 1, "n": n, "at": 1.0, "e": kind, **fields}).encode() + b"\n"


def end(n: int, unit: int = 7, outcome: str = "ok", **fields: Any) -> bytes:
    return event(n, "end", s=3, u=unit, w=1, o=outcome, **fields)


def parsed(data: bytes, seq: int = 0) -> Any:
    return parse_events(data, token=TOKEN, seq=seq, names=NAMES)


# --- reading --------------------------------------------------------------------------------------


def test_a_line_that_is_not_whole_waits_for_its_rest() -> None:
    first, second = end(1), end(2, unit=8)
    chunk = parsed(first + second[:-5])
    assert list(chunk.ends) == [("make", 7)]
    assert chunk.consumed == len(first)
    assert list(parsed(second, seq=chunk.seq).ends) == [("make", 8)]


def test_nothing_but_a_part_of_a_line_is_nothing() -> None:
    chunk = parsed(end(1)[:-1])
    assert (chunk.consumed, chunk.ends) == (0, {})


def test_a_number_that_was_seen_is_passed_over() -> None:
    chunk = parsed(end(5) + end(5, unit=8) + end(4, unit=9) + end(6, unit=10), seq=4)
    assert [unit for _, unit in chunk.ends] == [7, 10]
    assert chunk.seq == 6
    assert not chunk.bad


GARBAGE = [
    b"\xff\xfe\x00",
    b"",
    b"[1, 2]",
    b"null",
    b'"text"',
    b"{",
    b'{"t": "pabc0000000"}',
    b'{"t": "pabc0000000", "n": "1", "e": "end"}',
    b'{"t": "pabc0000000", "n": 1}',
    event(1, "end")[:-1],
    event(1, "end", s=99, u=1, o="ok")[:-1],
    event(1, "end", s=3, u="x", o="ok")[:-1],
    event(1, "end", s=3, u=7, o="perfect")[:-1],
    event(1, "end", s=3, u=7, o="ok", products={"a": "b"})[:-1],
    event(1, "end", s=3, u=7, o="ok", children=[1])[:-1],
    event(1, "end", s=3, u=7, o="ok", at="noon")[:-1],
    event(1, "give", tasks=[7])[:-1],
    event(1, "claim")[:-1],
    event(1, "start", s=[], u=1)[:-1],
    json.dumps({"t": "pother00000", "n": 1, "e": "end", "s": 3, "u": 7, "o": "ok"}).encode(),
]


@pytest.mark.parametrize("line", GARBAGE)
def test_a_line_that_makes_no_sense_is_a_problem_and_is_skipped(line: bytes) -> None:
    chunk = parsed(line + b"\n" + end(2, unit=8) + event(3, "sync", ends=1))
    assert len(chunk.bad) == 1
    assert list(chunk.ends) == [("make", 8)]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_bytes_stop_the_reading(noise: bytes) -> None:
    chunk = parsed(noise.replace(b"\n", b" ") + b"\n" + end(1))
    assert list(chunk.ends) == [("make", 7)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.dictionaries(
    st.sampled_from(["s", "u", "o", "at", "products", "children", "log", "wall", "tasks", "why", "number"]),
    json_values | st.sampled_from([3, 7, "ok"]),
)
kinds = st.sampled_from(["start", "end", "give", "claim", "beat", "halt", "leave", "batch", "new"])


@settings(max_examples=200, deadline=None)
@given(kinds, fields)
def test_no_event_stops_the_reading(kind: str, told: dict[str, Any]) -> None:
    line = json.dumps({"t": TOKEN, "n": 1, "e": kind, **told}).encode() + b"\n"
    assert parsed(line + end(2, unit=8) + event(3, "sync", ends=2)).ends["make", 8]


def test_a_line_of_more_than_a_megabyte_is_refused() -> None:
    chunk = parsed(end(1, why="x" * LONGEST_LINE) + end(2))
    assert list(chunk.ends) == [("make", 7)]
    assert "more than 1000000" in chunk.bad[0]
    assert len(chunk.bad[0]) < 500


def test_a_line_that_is_longer_than_what_is_read_at_once_does_not_stop_the_reading() -> None:
    part = b"x" * (LONGEST_LINE + 1)
    chunk = parsed(part)
    assert (chunk.consumed, len(chunk.bad)) == (len(part), 1)
    rest = parsed(b"xx\n" + end(1))
    assert list(rest.ends) == [("make", 7)]


def test_an_event_that_only_a_newer_runner_knows_is_no_problem() -> None:
    chunk = parsed(event(1, "hologram", of="the node") + end(2))
    assert not chunk.bad
    assert chunk.ends


PRODUCT = {"product": ["out/7", 3, "ab"]}


def test_an_end_with_products_waits_for_the_mark_that_they_are_on_the_disk() -> None:
    first, told, more = event(1, "start", s=3, u=7), end(2, products=PRODUCT), event(3, "start", s=3, u=8)
    chunk = parsed(first + told + more)
    assert (chunk.consumed, chunk.seq, chunk.ends) == (len(first), 1, {})
    chunk = parsed(told + more + event(4, "sync", ends=1) + end(5, unit=8, products=PRODUCT), seq=1)
    assert (list(chunk.ends), chunk.seq) == ([("make", 7)], 4)


@pytest.mark.parametrize("told", [end(1), end(1, outcome="error"), event(1, "leave", why="done")])
def test_an_end_without_products_waits_for_nothing(told: bytes) -> None:
    assert parsed(told).consumed == len(told)


def test_the_last_lines_of_a_runner_that_is_gone_need_no_mark() -> None:
    chunk = parse_events(end(1, products=PRODUCT), token=TOKEN, seq=0, names=NAMES, last=True)
    assert list(chunk.ends) == [("make", 7)]


def test_words_of_a_task_are_no_mark() -> None:
    chunk = parsed(end(1, products=PRODUCT, result={"e": "sync"}))
    assert chunk.consumed == 0


def test_a_runner_that_writes_no_marks_is_heard_all_the_same() -> None:
    many = b"".join(end(n, unit=n, products=PRODUCT, why="x" * 1000) for n in range(1, 1000))
    assert len(many) > LONGEST_LINE
    assert len(parsed(many).ends) == 999


def test_an_end_whose_products_did_not_reach_the_disk_is_no_good_one() -> None:
    void = event(2, "void", tasks=[[3, 7], [3, 9]], why="the disk answers with I/O errors")
    chunk = parsed(end(1, products=PRODUCT) + void + event(3, "sync", ends=1))
    (told,) = chunk.ends.values()
    assert (told["o"], told["why"], told["products"]) == (
        "node_failure",
        "the disk answers with I/O errors",
        {},
    )


@pytest.mark.parametrize("jump", [2, 3, 1000, 10**9])
def test_a_number_that_does_not_follow_is_refused_and_those_that_do_still_count(jump: int) -> None:
    chunk = parsed(end(1) + end(1 + jump, unit=8) + end(2, unit=9))
    assert [unit for _, unit in chunk.ends] == [7, 9]
    assert "does not follow 1" in chunk.bad[0]


def test_numbers_go_on_behind_lines_that_could_not_be_read() -> None:
    chunk = parsed(end(1) + b"\0\n" + b"garbage\n" + end(3, unit=8))
    assert [unit for _, unit in chunk.ends] == [7, 8]
    assert (chunk.bad, chunk.unread) == (["line 2 cannot be read, and 1 more"], 1)


def test_a_line_is_named_by_its_place_in_the_file() -> None:
    chunk = parsed(end(1) + b"{\n" + end(3, unit=8) + event(4, "end", s=3, u=9, o="perfect"))
    assert chunk.bad == [
        "line 2 cannot be read",
        "line 4 makes no sense (ValueError('unknown outcome perfect'))",
    ]


def test_what_is_told_of_a_removed_stage_is_passed_over_and_said_once() -> None:
    told = [event(n, "start" if n % 2 else "end", s=99, u=n // 2, o="ok") for n in range(2, 30)]
    chunk = parsed(end(1) + b"".join(told) + end(30, unit=8) + event(31, "sync", ends=9))
    assert [unit for _, unit in chunk.ends] == [7, 8]
    assert chunk.bad == ["line 2 is of a stage that the definition no longer has, and 27 more"]


# --- applying -------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Two members of one merge, both given to a runner."""
    made = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    made.scan({2: {key: Found({}, "1:1") for key in (ONE, TWO)}}, accept_gone=True)
    made.give("make", ONE)
    made.give("make", TWO)
    return made


def token(engine: Engine) -> str:
    assert engine.slot
    return engine.slot.token


def events(engine: Engine) -> EventFile:
    return engine.site.runners[token(engine)].events


def state(engine: Engine, key: Key, stage: str = "make") -> str:
    return engine.tasks()[stage, key][0]


def attempts(engine: Engine) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in engine.db.execute("SELECT outcome, late FROM attempt ORDER BY id")]


def owned(engine: Engine, key: Key, stage: str = "make") -> list[int]:
    sql = "SELECT owned FROM product WHERE stage = ? AND unit = ?"
    return [row[0] for row in engine.db.execute(sql, (engine.graph.ids[stage], engine.unit(key)))]


def problems(engine: Engine) -> list[str]:
    return [row[0] for row in engine.db.execute("SELECT why FROM problem WHERE source = 'events'")]


def test_an_end_is_an_attempt_with_what_it_used_and_where_its_log_is(engine: Engine) -> None:
    stage, unit = engine.graph.ids["make"], engine.unit(ONE)
    engine.start("make", ONE)
    more = {
        "wall": 2.0,
        "cpu": 1.5,
        "rss": 1 << 20,
        "code": 0,
        "signal": None,
        "log": [1, 100, 50],
        "result": {"n": 3},
    }
    events(engine).write(
        "end", s=stage, u=unit, w=1, o="ok", products={"product": ["make/p/p", 5, "ab"]}, **more
    )
    events(engine).write("sync", ends=1)
    engine.hear(token(engine))
    (row,) = engine.db.execute("SELECT * FROM attempt").fetchall()
    assert (row["outcome"], row["wall_s"], row["cpu_s"], row["rss"], row["exit_code"]) == (
        "ok",
        2.0,
        1.5,
        1 << 20,
        0,
    )
    assert (row["log"], row["log_offset"], row["log_bytes"]) == ("1.1.log", 100, 50)
    assert (row["ended"] - row["began"], json.loads(row["result"]), row["late"]) == (2.0, {"n": 3}, 0)
    product = engine.db.execute("SELECT bytes, digest FROM product WHERE unit = ?", (unit,)).fetchone()
    assert tuple(product) == (5, "ab")


@pytest.mark.parametrize("fault", ["duplicates", "garbage", "other token", "long lines"])
def test_a_spoiled_event_file_brings_the_same_states_as_a_clean_one(engine: Engine, fault: Any) -> None:
    events(engine).faults = frozenset([fault])
    engine.start("make", ONE)
    engine.end("make", ONE, Outcome())
    engine.end("make", TWO, Outcome("error", verdict="permanent", why="broken"))
    assert (state(engine, ONE), state(engine, TWO)) == ("done", "failed")
    assert attempts(engine) == [("ok", 0), ("error", 0)]
    assert bool(problems(engine)) == (fault != "duplicates")


def test_the_same_bytes_twice_change_nothing(engine: Engine) -> None:
    engine.end("make", ONE, Outcome())
    (life,) = jobs.lives(engine.db, 1)
    engine.applier.apply([Piece(life, token(engine), bytes(events(engine).data))], now=1.0)
    assert attempts(engine) == [("ok", 0)]


def test_a_second_end_of_one_task_is_recorded_and_not_applied(engine: Engine) -> None:
    engine.end("make", ONE, Outcome())
    engine.end("make", ONE, Outcome("error", code=1))
    assert state(engine, ONE) == "done"
    assert attempts(engine) == [("ok", 0), ("error", 1)]


def test_the_first_of_two_ends_in_one_piece_counts(engine: Engine) -> None:
    runner, line = engine.site.runners[token(engine)], engine.lines["make", ONE][1]
    runner.begin(line)
    runner.end(line, Outcome())
    runner.end(line, Outcome("error", code=1))
    engine.hear(token(engine))
    assert state(engine, ONE) == "done"


def test_an_end_that_names_what_another_task_makes_proves_nothing(engine: Engine) -> None:
    runner, line = engine.site.runners[token(engine)], engine.lines["make", ONE][1]
    made = {name: {**product, "path": "out/another"} for name, product in line["products"].items()}
    runner.begin(line)
    runner.end({**line, "products": made}, Outcome())
    engine.hear(token(engine))
    assert state(engine, ONE) == "running"
    assert attempts(engine) == []
    assert "names out/another" in engine.db.execute("SELECT why FROM problem").fetchone()[0]
    engine.lose_job()
    assert state(engine, ONE) == "ready"


def test_an_end_whose_product_is_not_there_proves_nothing(engine: Engine) -> None:
    engine.start("make", ONE)
    engine.site.runners[token(engine)].end(engine.lines["make", ONE][1], Outcome())
    (life,) = jobs.lives(engine.db, 1)
    new = bytes(events(engine).data)[life["offset"] :]
    wrong = {"make/p/p": "make/p/p cannot be found"}
    engine.applier.apply([Piece(life, token(engine), new)], now=1.0, prove=lambda _: wrong)
    assert (state(engine, ONE), attempts(engine)) == ("running", [])
    assert "make/p/p cannot be found; the task is run again" in problems(engine)[0]


def test_an_end_without_its_start_is_refused_and_told(engine: Engine) -> None:
    stage = engine.graph.ids["make"]
    events(engine).write("end", s=stage, u=engine.unit(ONE), w=1, o="ok", wall=0.0, products={})
    engine.hear(token(engine))
    assert (state(engine, ONE), attempts(engine)) == ("queued", [])
    assert "did not start" in problems(engine)[0]


def test_an_end_that_comes_after_its_job_was_given_up_is_recorded_and_not_applied(engine: Engine) -> None:
    engine.start("make", ONE)
    lost = token(engine)
    engine.lose_job()
    assert state(engine, ONE) == "ready"
    engine.site.runners[lost].end(engine.lines["make", ONE][1], Outcome())
    engine.hear(lost)
    assert state(engine, ONE) == "ready"
    assert attempts(engine) == [("lost", 0), ("ok", 1)]


def test_a_late_end_of_an_old_job_does_not_end_the_new_try(engine: Engine) -> None:
    engine.start("make", ONE)
    old, line = token(engine), engine.lines["make", ONE][1]
    engine.lose_job()
    engine.give("make", ONE)
    engine.site.runners[old].end(line, Outcome("error", code=1))
    engine.hear(old)
    assert state(engine, ONE) == "queued"
    engine.end("make", ONE, Outcome())
    assert state(engine, ONE) == "done"


@pytest.mark.parametrize("killed", [False, True])
def test_a_late_end_says_nothing_of_what_a_later_job_may_have_made(engine: Engine, killed: bool) -> None:
    engine.start("make", ONE)
    old, line = token(engine), engine.lines["make", ONE][1]
    engine.lose_job()
    engine.give("make", ONE)
    engine.start("make", ONE)
    if killed:
        engine.lose_job()
    engine.site.runners[old].end(line, Outcome("cancelled"))
    engine.hear(old)
    assert owned(engine, ONE) == [2]


def test_a_late_end_of_a_task_that_nobody_took_up_says_that_nothing_was_left(engine: Engine) -> None:
    engine.start("make", ONE)
    old, line = token(engine), engine.lines["make", ONE][1]
    engine.lose_job()
    assert owned(engine, ONE) == [2]
    engine.site.runners[old].end(line, Outcome("cancelled"))
    engine.hear(old)
    assert owned(engine, ONE) == [0]


def test_an_event_about_a_task_that_is_not_in_the_job_changes_nothing(engine: Engine) -> None:
    stage = engine.graph.ids["merge"]
    events(engine).write("start", s=stage, u=engine.unit(("p",)), w=1)
    events(engine).write("end", s=stage, u=engine.unit(("p",)), w=1, o="ok", wall=0.0, products={})
    events(engine).write("give", tasks=[[stage, engine.unit(("p",))], [stage, 999]], why="no reason")
    engine.hear(token(engine))
    assert state(engine, ("p",), "merge") == "waiting"
    assert engine.tallied() == engine.recounted()


def test_what_lost_its_tail_is_read_on_from_where_it_was(engine: Engine) -> None:
    engine.start("make", ONE)
    runner, line = engine.site.runners[token(engine)], engine.lines["make", ONE][1]
    runner.end(line, Outcome())
    runner.events.lose_tail(10)
    engine.hear(token(engine))
    assert state(engine, ONE) == "running"


def test_a_start_without_an_end_is_a_suspect_and_the_others_are_not(engine: Engine) -> None:
    engine.start("make", ONE)
    engine.lose_job()
    alone = dict(
        engine.db.execute(
            "SELECT unit, alone FROM task WHERE stage = ?", (engine.graph.ids["make"],)
        ).fetchall()
    )
    assert alone == {engine.unit(ONE): 1, engine.unit(TWO): 0}
    assert attempts(engine) == [("lost", 0)]


def test_a_claim_a_beat_and_how_the_runner_left_are_kept(engine: Engine) -> None:
    events(engine).write("beat", rss=5, free=10)
    events(engine).write("leave", why="no more work")
    engine.hear(token(engine))
    (life,) = jobs.lives(engine.db, 1)
    assert (life["native"], life["left"]) == ("pretended-1", "no more work")
    assert json.loads(life["beat"])["free"] == 10


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 400), max_size=12))
def test_however_the_bytes_are_cut_the_facts_are_the_same(tmp_path: Path, sizes: list[int]) -> None:
    engine = Engine(campaign_of(SHAPES["merges"], tmp_path, {}), tmp_path)
    engine.clock = ManualClock()
    engine.scan({2: {key: Found({}, "1:1") for key in (ONE, TWO)}}, accept_gone=True)
    for key, outcome in ((ONE, Outcome()), (TWO, Outcome("error", verdict="permanent"))):
        engine.give("make", key)
        runner, line = engine.site.runners[token(engine)], engine.lines["make", key][1]
        runner.begin(line)
        runner.end(line, outcome)
    whole = bytes(events(engine).data)
    for size in [*sizes, len(whole)]:
        (life,) = jobs.lives(engine.db, 1)
        piece = whole[life["offset"] :][: max(size, whole[life["offset"] :].find(b"\n") + 1)]
        engine.applier.apply([Piece(life, token(engine), piece)], now=1.0)
    assert (state(engine, ONE), state(engine, TWO)) == ("done", "failed")
    assert attempts(engine) == [("ok", 0), ("error", 0)]
