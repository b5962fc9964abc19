"""Each page has the facts of the commands, for every state; names, reasons and logs that mean harm do none."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.conftest import Record
from tests.serve.conftest import EVIL

from penstock.errors import DefinitionError
from penstock.serve import groups
from penstock.serve.campaigns import Shown
from penstock.serve.drawing import BAR_W, parts_of
from penstock.serve.groups import read_grid
from penstock.serve.pages import PAGES, LiveLinks, Shell, render_page
from penstock.serve.unit import Found, UnitView, read_unit
from penstock.serve.views import closings, head_of, jobs, listing, pictures, usage
from penstock.status import STATES, StageStatus, Status
from penstock.status.jobs import read_jobs


class Tags(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.cells, self.rows = "", [], []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def page(shown, name: str, **asked: str) -> str:
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        return render_page(name, head, PAGES[name].read(ledger, head, asked), asked, Shell(LiveLinks()))


def test_terminal_page_and_json_have_the_same_numbers_in_every_state(shown):
    with shown.open() as ledger:
        status = Status.read(ledger)
    data = status.to_json()
    assert {state for stage in data["stages"] for state, n in stage["tasks"].items() if n} == set(STATES)
    lines = status.counted()
    columns = lines[1].split()[2:]
    rows = {row[0].strip(): [cell.strip() for cell in row] for row in Tags(page(shown, "")).rows}
    heads = [re.sub(r"^\W+", "", head) for head in rows["stage"]]
    for stage, line in zip(data["stages"], lines[2:], strict=True):
        printed = dict(zip(columns, line.split()[2:], strict=False))
        shown_there = dict(zip(heads, rows[stage["name"]], strict=True))
        for state in (*STATES, "stale"):
            number = stage["tasks"][state] if state in STATES else stage["stale"]
            assert printed[state] == shown_there[state] == str(number), (stage["name"], state)
    assert (
        data["more_problems"] + len(data["problems"])
        == 5
        == int(re.search(r'class="badge">(\d+)', page(shown, ""))[1])
    )


@pytest.mark.parametrize("name", PAGES)
def test_what_means_harm_is_inert_on_every_page(shown, name):
    asked = {"unit": "2020-01-16/00005"} if name == "unit" else {}
    text = page(shown, name, **asked)
    tags = Tags(text)
    assert EVIL not in text.replace('<script defer src="', "")
    assert [
        attrs
        for tag, attrs in tags.tags
        if tag == "script" and not attrs.get("src", "").startswith("/static/")
    ] == []
    assert "\x1b" not in text
    assert not [key for _, attrs in tags.tags for key in attrs if key.startswith("on") or key == "style"]
    if name == "unit":
        assert EVIL in tags.text
        assert "red\n" in tags.text


def test_every_link_form_and_scroller_is_reached_by_keyboard_and_named(shown):
    for name in PAGES:
        for tag, attrs in Tags(
            page(shown, name, unit="2020-01-16/00005") if name == "unit" else page(shown, name)
        ).tags:
            if attrs.get("class") == "wide" and tag == "div":
                assert attrs["tabindex"] == "0"
                assert attrs.get("aria-label") or attrs.get("aria-labelledby")
            if tag == "img":
                assert attrs["alt"]
            if tag == "svg":
                assert attrs["aria-label"]


def test_who_works_or_since_when_nobody_does_is_told(shown, record):
    with shown.open() as ledger:
        head = head_of(shown, ledger)
    assert not head.works
    assert head.standing == "stopped since 2020-09-13 12:26:30 UTC"
    assert head.scanned == 1_599_999_980


def test_the_grid_counts_every_group_as_the_tasks_are(shown):
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        grid = read_grid(ledger, head, {})
        failed = read_grid(ledger, head, {"only": "failed", "level": "run"})
        assert read_grid(ledger, head, {"skip": "2"}).rows[0].name == "2020-01-16"
        with pytest.raises(DefinitionError, match="no level 'week'"):
            read_grid(ledger, head, {"level": "week"})
    assert [row.name for row in grid.rows] == ["2020-01-18", "2020-01-17", "2020-01-16"]
    for row in grid.rows:
        assert row.counts[grid.stages.index("calibrate")] == dict.fromkeys(STATES, 1)
        assert row.counts[grid.stages.index("fit")] == {"waiting": 8, "done": 1}
    assert [row.name for row in failed.rows] == [
        f"{night}/00005" for night in ("2020-01-18", "2020-01-17", "2020-01-16")
    ]
    assert failed.maps[0].paths[0][:2] == ("waiting", 3)


def test_groups_are_in_the_order_of_their_numbers(tmp_path):
    record = Record(tmp_path, levels=("run",), formats={})
    stage = record.stage("fit", level=1)
    for run in (9, 10, 130, 2):
        record.task(stage, record.unit(run), "done")
    grid = read_grid(record.ledger, head_of(Shown("runs", tmp_path), record.ledger), {})
    assert [row.name for row in grid.rows] == ["130", "10", "9", "2"]


def test_a_form_names_its_unit_as_it_is(shown, record):
    unit = record.unit("a\tb ", 1)
    record.task(1, unit, "failed")
    with shown.open() as ledger:
        head, asked = head_of(shown, ledger), {"unit": "a\tb /00001"}
        text = render_page("unit", head, read_unit(ledger, head, asked), asked, Shell(LiveLinks(), ["retry"]))
    assert ("input", {"type": "hidden", "name": "unit", "value": "a\tb /00001"}) in Tags(text).tags


def test_the_rarest_state_is_within_the_bar(tmp_path):
    tasks = dict.fromkeys(STATES, 0) | {"done": 99_999, "failed": 1}
    [done, failed] = parts_of(StageStatus("fit", "run", tasks))
    assert (done.x, failed.x, failed.width) == (0, BAR_W - failed.width, 6)


def test_of_each_group_the_state_is_drawn_that_needs_a_person_first(shown, monkeypatch):
    monkeypatch.setattr(groups, "MAPPED", 1)
    with shown.open() as ledger:
        grid = read_grid(ledger, head_of(shown, ledger), {})
    drawn = {one.stage: [(state, n) for state, n, _ in one.paths] for one in grid.maps}
    assert drawn["calibrate"] == [("failed", 3)]  # beside one task in each other state
    assert drawn["fit"] == [("waiting", 3)]  # beside one that is done


def test_groups_without_tasks_are_gaps_in_the_map():
    done, failed = (str(groups.TROUBLE.index(state)) for state in ("done", "failed"))
    drawn = groups.map_of("fit", f"{done}{done} {failed} {done}", 4)
    assert drawn.paths == [
        ("done", 3, "M0 0h1.9v.85h-1.9zM1 1h0.9v.85h-0.9z"),
        ("failed", 1, "M3 0h0.9v.85h-0.9z"),
    ]


@pytest.mark.parametrize("few", [groups.FEW, 0])
def test_groups_are_found_by_the_states_of_their_tasks_however_these_are_counted(shown, monkeypatch, few):
    monkeypatch.setattr(groups, "FEW", few)
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        for state in STATES:
            for level in ("night", "run"):
                grid = read_grid(ledger, head, {"level": level, "only": state})
                assert all(any(counts.get(state) for counts in row.counts) for row in grid.rows)
                every = read_grid(ledger, head, {"level": level}).rows
                assert len(grid.rows) == sum(any(c.get(state) for c in row.counts) for row in every)


def test_a_unit_tells_why_what_was_tried_and_its_output(shown):
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        unit = read_unit(ledger, head, {"unit": "2020-01-17/00004"})
        group = read_unit(ledger, head, {"unit": "2020-01-17"})
        several = read_unit(ledger, head, {"unit": "2020-01-*"})
        with pytest.raises(DefinitionError, match="no unit is called"):
            read_unit(ledger, head, {"unit": "../../etc/passwd"})
    assert isinstance(unit, UnitView)
    assert isinstance(group, UnitView)
    assert isinstance(several, Found)
    assert [task.stage for task in unit.tasks] == ["calibrate", "fit"]
    assert unit.tasks[0].tries[0].outcome == "ok"
    assert unit.output.text == f"red\n{EVIL}\nlast line\n"
    assert [product.name for product in unit.products] == ["picture"]
    assert unit.above == ["2020-01-17"]
    assert len(group.children) == len(STATES)
    assert len(several.names) == 3


def test_tasks_are_listed_by_state_and_stage_page_by_page(shown, monkeypatch):
    monkeypatch.setattr("penstock.serve.views.LISTED", 2)
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        first = listing(ledger, head, {"state": "failed"})
        rest = listing(ledger, head, {"state": "failed", "skip": "2"})
        none = listing(ledger, head, {"state": "failed", "stage": "fit"})
        stale = listing(ledger, head, {"stale": "1"})
        for wrong in ({"skip": "-1"}, {"skip": "9" * 30}, {"state": "odd"}, {"stage": "odd"}):
            with pytest.raises(DefinitionError):
                listing(ledger, head, wrong)
    assert (len(first.tasks), first.more) == (2, True)
    assert (len(rest.tasks), rest.more) == (1, False)
    assert none.tasks == []
    assert [task.unit for task in stale.tasks] == ["2020-01-16/00004"]


def test_jobs_have_the_words_of_the_scheduler(shown):
    with shown.open() as ledger:
        queue = jobs(ledger, head_of(shown, ledger), {})
        assert queue.jobs == read_jobs(ledger.db, queue.jobs[0].row["created"])
    text = Tags(page(shown, "jobs")).text
    assert "1 held (JobHeldAdmin): `scontrol release 4711` releases it" in text


def test_closing_tells_what_holds_groups_back(shown):
    with shown.open() as ledger:
        [steps] = closings(ledger, head_of(shown, ledger), {})
    assert [step.name for step in steps.steps] == ["close.night.verify", "close.night.seal"]
    assert {one.unit for one in steps.blockers} == {"2020-01-17", "2020-01-18"}


def test_pictures_and_usage_are_those_of_the_record(shown):
    with shown.open() as ledger:
        head = head_of(shown, ledger)
        [(stage, products)] = pictures(ledger, head, {}).stages
        used = usage(ledger, head, {})
    assert (stage, len(products)) == ("calibrate", 3)
    assert used.report.stages[0].ok == 3
    assert used.report.stages[0].wall_s.median == 64


def test_of_a_long_log_only_the_end_is_read(shown, record):
    log = Path(record.root / ".penstock/jobs/p0/1.1.log")
    with log.open("wb") as file:
        file.truncate(100 << 20)
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    record.db.execute("UPDATE attempt SET log_bytes = ?", (log.stat().st_size,))
    with shown.open() as ledger:
        unit = read_unit(ledger, head_of(shown, ledger), {"unit": "2020-01-17/00004"})
    assert unit.output.cut
    assert len(unit.output.text) <= 64 << 10
    assert unit.output.text.endswith("the end\n")


def test_a_report_of_the_newest_attempts_leaves_out_the_older(shown, record):
    with shown.open() as ledger:
        from penstock.report import Report

        stage = Report.read(ledger, "calibrate", newest=2).stages[0]
    assert stage.ok + sum(stage.failures.values()) == 2
