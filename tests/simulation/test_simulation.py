"""What would come of a campaign on a pretended cluster."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.campaign import Campaign
from penstock.errors import DefinitionError, LedgerError
from penstock.ledger import Ledger
from penstock.simulation import Forecast, Shape, simulate
from penstock.simulation.room import room_in
from penstock.testing import ManualClock, Outcome, PretendSite, make_campaign

NOW = 1_700_000_000.0
HEAD = """
[campaign]
name = "grid"
levels = ["night", "run"]
site = "far"
[units]
table = "runs.csv"
types = { run = "int" }
[site.far]
scheduler = "pbs"
"""
COPY = """
[stage.copy]
each = "run"
command = ["not-there", "{product}"]
products = "out/{night}/{run}.txt"
batch = 1
"""
JOIN = """
[stage.join]
each = "night"
after = "copy"
command = ["cat", "{inputs.copy}"]
products = "out/{night}.txt"
"""
SMALL = Shape(nodes=1, cores=4, queue_s=0.0, spread=0.0, start_s=0.0)


def campaign(folder: Path, stages: str = COPY, units: int = 40, head: str = HEAD) -> Campaign:
    rows = "".join(f"n{number % 2},{number}\n" for number in range(units))
    return make_campaign(folder, head + stages, {"runs.csv": "night,run\n" + rows}).load()


def ahead(it: Campaign, shape: Shape = SMALL, **options: Any) -> Forecast:
    [forecast] = simulate(it, shape, **{"courses": 1, "now": NOW, "times_s": {"copy": 60.0}, **options})
    return forecast


def contents(folder: Path) -> dict[str, str]:
    """Return all files below a folder by name, with their digests, but for what SQLite's readers leave."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".sqlite-wal", ".sqlite-shm")
    }


def test_forty_minutes_on_four_cores_take_ten(tmp_path: Path) -> None:
    """The conductor looks 200 times in this time, and each of ten rounds may begin a look late: 5 % more at most."""
    [course] = ahead(campaign(tmp_path)).courses
    assert 600 <= course.finish_s <= 600 * 1.05
    assert 2400 <= course.core_s <= 2400 * 1.05
    assert (course.attempts, course.states) == ({"ok": 40}, {"done": 40})


def test_the_record_stays_as_it_is_and_none_is_made(tmp_path: Path) -> None:
    it = campaign(tmp_path)
    before = contents(tmp_path)
    ahead(it)
    assert contents(tmp_path) == before
    local = HEAD.replace('site = "far"\n', "")
    made = make_campaign(tmp_path, local + COPY.replace("not-there", "true"), {})
    made.run(lambda run: Outcome("error", code=1) if run.key == "n0/0" else Outcome(seconds=30.0))
    before = contents(tmp_path)
    again = ahead(made.load(), failing=0.0)
    assert contents(tmp_path) == before
    assert again.courses[0].attempts == {}, "what failed waits for a person, and the rest is done"


def test_the_same_seed_gives_the_same_courses(tmp_path: Path) -> None:
    it, shape = campaign(tmp_path), Shape(1, 4, queue_s=100.0)
    first, again, other = (ahead(it, shape, seed=seed, courses=2) for seed in (1, 1, 3))
    assert first == again
    assert first.courses != other.courses
    assert first.courses[0] != first.courses[1]


def test_what_fails_is_tried_again(tmp_path: Path) -> None:
    [course] = ahead(campaign(tmp_path, units=200), failing=0.1).courses
    assert course.states == {"done": 200}
    assert 200 * 0.1 / 2 < course.attempts["error"] < 200 * 0.1 * 2  # 4.5 standard deviations


def test_what_never_succeeds_is_told(tmp_path: Path) -> None:
    forecast = ahead(campaign(tmp_path, COPY + JOIN, 4), failing=1.0, times_s={"copy": 1.0, "join": 1.0})
    assert forecast.undone == 6
    assert any("6 tasks would not be done" in line for line in forecast.lines())


def test_a_merge_comes_after_its_members(tmp_path: Path) -> None:
    [course] = ahead(campaign(tmp_path, COPY + JOIN), times_s={"copy": 60.0, "join": 300.0}).courses
    assert course.ends_s["join"] == course.finish_s >= course.ends_s["copy"] + 300
    assert course.states == {"done": 42}


def test_what_runs_here_does_not_make_the_conductor_deaf_to_the_cluster(tmp_path: Path) -> None:
    """A runner of this machine that waits for more work is there all the time; its short tasks take no longer, either."""
    here = "".join(
        f"""
[stage.here{number}]
each = "night"
site = "local"
{after}
command = ["cp", "x", "{{product}}"]
products = "here/{number}/{{night}}.txt"
"""
        for number, after in enumerate(['after = "copy"', 'after = "here0"', 'after = "here1"'])
    )
    looks = COPY.replace("stage.copy", "stage.look").replace("out/", "look/") + 'after = "copy"\n'
    times_s = {"copy": 4.0, "look": 2.0, "here0": 0.1, "here1": 0.1, "here2": 0.1}
    it = campaign(tmp_path, COPY + looks + here, 40)
    [course] = ahead(it, Shape(1, 2, 0.0, 0.0, start_s=0.0), times_s=times_s).courses
    assert course.states == {"done": 86}
    assert course.finish_s < 40 * 6 / 2 * 1.2
    assert course.ends_s["here2"] - course.ends_s["here0"] < 2.0


def test_jobs_wait_in_the_queue(tmp_path: Path) -> None:
    wide = Shape(nodes=10, cores=4, queue_s=3600.0, spread=0.0)
    [course] = ahead(campaign(tmp_path), wide).courses
    assert 3660 <= course.finish_s <= 3660 + 60  # the conductor looks once a minute at least


def test_limits_of_the_cluster_hold(tmp_path: Path) -> None:
    [course] = ahead(campaign(tmp_path), Shape(10, 4, 0.0, 0.0, array_size=5, most_submitted=10)).courses
    assert course.jobs >= 8
    assert course.states == {"done": 40}
    assert course.finish_s >= 4 * 60, "no more than ten at once"


def test_workers_need_a_node_that_is_large_enough(tmp_path: Path) -> None:
    it = campaign(tmp_path, COPY + "workers = 8\n")
    with pytest.raises(
        DefinitionError, match="'copy' needs 8 cores on one node, and the pretended ones have 4"
    ):
        ahead(it)
    [course] = ahead(campaign(tmp_path, COPY.replace("batch = 1", "batch = 8\nworkers = 4"))).courses
    assert 600 <= course.finish_s <= 600 * 1.05, "four workers of one batch share its tasks"


def test_times_come_from_the_record_from_another_one_or_from_the_definition(tmp_path: Path) -> None:
    local = HEAD.replace('site = "far"\n', "")
    earlier = make_campaign(
        tmp_path / "earlier", local + COPY.replace("not-there", "true"), {"runs.csv": "night,run\na,1\n"}
    )
    clock = ManualClock(stride=1.0)
    earlier.run(site=PretendSite(earlier.root, clock=clock, rule=lambda run: Outcome(seconds=120.0)))
    it = campaign(tmp_path / "new")
    told = ahead(it, times_s={}, earlier=earlier.root)
    assert told.timings["copy"].startswith("2 min a task (1 task of ")
    assert 1200 <= told.courses[0].finish_s <= 1200 * 1.05
    with pytest.raises(
        DefinitionError, match="nothing is known of how long a task of 'copy' takes: give `--time copy=30s`"
    ):
        ahead(it, times_s={})
    limited = campaign(tmp_path / "limited", COPY + 'resources = { walltime = "3min" }\n')
    assert "its `walltime`" in ahead(limited, times_s={}).timings["copy"]
    with pytest.raises(
        DefinitionError, match="--time names the stage 'psd', which is not there: there are copy"
    ):
        ahead(it, times_s={"psd": 1.0})


def test_steps_of_a_closing_are_taken_to_be_short(tmp_path: Path) -> None:
    forecast = ahead(campaign(tmp_path, COPY + "[close.night]\n"))
    assert forecast.timings["close.night.seal"] == "1 s a task (assumed of a step of a closing)"
    assert forecast.courses[0].states == {"done": 44}


def test_sizes_of_batches_are_compared(tmp_path: Path) -> None:
    sizes = [{"copy": 1}, {"copy": 40}]
    one, all_ = simulate(campaign(tmp_path), SMALL, courses=1, times_s={"copy": 60.0}, now=NOW, batches=sizes)
    assert one.finish_s(0.5) <= 630 < 2400 <= all_.finish_s(0.5)
    assert (one.typical("elements"), all_.typical("elements")) == (40, 1)
    with pytest.raises(DefinitionError, match="--batch names the stage 'psd'"):
        ahead(campaign(tmp_path), batches=[{"psd": 1}])


def test_what_is_under_way_is_still_to_be_done(tmp_path: Path) -> None:
    local = HEAD.replace('site = "far"\n', "")
    made = make_campaign(
        tmp_path,
        local + COPY.replace("not-there", "true"),
        {"runs.csv": "night,run\n" + "".join(f"a,{n}\n" for n in range(8))},
    )
    from penstock.conductor import Conductor

    clock = ManualClock()
    site = PretendSite(made.root, clock=clock, rule=lambda run: Outcome(seconds=60.0))
    with Conductor(made.load(), command="run", site=site, clock=clock) as conductor:
        conductor.turn()
        site.work(next(iter(site.runners)))
        conductor.turn()
    [course] = ahead(made.load()).courses
    assert course.attempts == {"ok": 8}
    with Ledger.open(made.root, readonly=True) as ledger:
        assert ledger.db.execute("SELECT count(*) FROM job WHERE state <> 'finished'").fetchone()[0] > 0


def test_programs_count_as_built_and_functions_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "tool.c").write_text("int main;")
    it = campaign(
        tmp_path,
        '[program.tool]\nbuild = "false"\nexecutable = "tool"\nsources = ["tool.c"]\n'
        '[stage.copy]\neach = "run"\ncommand = ["{program.tool}", "{product}"]\nproducts = "out/{night}/{run}.txt"\n',
    )
    assert ahead(it).courses[0].states == {"done": 40}


def test_the_first_record_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    ahead(campaign(tmp_path / "it"), keep=tmp_path / "kept")
    with Ledger.open(tmp_path / "kept", readonly=True) as ledger:
        assert ledger.db.execute("SELECT count(*) FROM attempt WHERE outcome = 'ok'").fetchone()[0] == 40
    with pytest.raises(DefinitionError, match="exists already: name a new folder"):
        ahead(campaign(tmp_path / "it"), keep=tmp_path / "kept")
    with pytest.raises(DefinitionError, match="is in a folder that is not there: name a new folder"):
        ahead(campaign(tmp_path / "it"), keep=tmp_path / "nowhere" / "kept")


def test_nothing_is_kept_where_it_has_no_room(tmp_path: Path, mount: Callable[[Path, str], Path]) -> None:
    small = mount(tmp_path / "small", "size=200k")
    with pytest.raises(
        LedgerError, match=f"{small} has no room for what `simulate` writes: name another folder with --keep"
    ):
        ahead(campaign(tmp_path / "it"), keep=small / "kept")
    assert [*small.iterdir()] == []
    with pytest.raises(LedgerError, match=r"cannot be written .*: name another folder with --keep"):
        ahead(campaign(tmp_path / "it"), keep=Path("/proc/kept"))


@pytest.mark.parametrize("size", ["100k", "500k", "900k", "1400k"])
def test_a_full_folder_for_temporary_files_is_told(
    tmp_path: Path, mount: Callable[[Path, str], Path], monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    it, small = campaign(tmp_path / "it", units=400), mount(tmp_path / "small", f"size={size}")
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    with pytest.raises(LedgerError, match=f"{small} has no room for what `simulate` writes: set TMPDIR"):
        ahead(it)
    assert [*small.iterdir()] == []


def test_other_errors_are_told_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"^elsewhere$"), room_in(tmp_path, "nothing"):
        raise LedgerError("elsewhere") from PermissionError(13, "no")


def test_without_units_the_source_is_told_and_a_record_with_nothing_to_do_says_so(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"runs\.csv has no rows"):
        ahead(campaign(tmp_path / "empty", units=0))
    local = HEAD.replace('site = "far"\n', "")
    made = make_campaign(
        tmp_path / "done", local + COPY.replace("not-there", "true"), {"runs.csv": "night,run\na,1\n"}
    )
    made.run()
    assert [*ahead(made.load()).lines()] == ["copy: 60 s a task (as given)", "there is nothing to do"]


def test_a_model_reads_the_tasks_once_for_all_sizes(tmp_path: Path) -> None:
    it, sizes = campaign(tmp_path), [{"copy": 40}, {"copy": 1}]
    options: Any = {"courses": 1, "times_s": {"copy": 60.0}, "now": NOW, "way": "model"}
    together = simulate(it, SMALL, batches=sizes, **options)
    assert together == [simulate(it, SMALL, batches=[each], **options)[0] for each in sizes]
