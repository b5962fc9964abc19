"""Which task goes next: the order of a stage, turns of groups, priorities of stages, and how many may be out."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conductor.grid import Grid

from penstock.conductor import Conductor
from penstock.ledger import Ledger
from penstock.ledger.order import Waiting
from penstock.testing import ConductorKilled, ManualClock, Outcome, PretendSite, Rule, Run, make_campaign
from penstock.testing.campaigns import MadeCampaign

HEAD = """
[campaign]
name = "line"
levels = ["experiment", "run"]
[units]
table = "runs.csv"
types = { run = "int", quality = "float" }
"""
COPY = """
[stage.copy]
each = "run"
command = ["cp", "x", "{product}"]
products = "copy/{experiment}/{run}.txt"
"""
SLOW_S = 10.0


def lab(root: Path, stages: str, rows: list[str]) -> MadeCampaign:
    """Make a campaign of units `experiment,run,quality`."""
    return make_campaign(root, HEAD + stages, {"runs.csv": table(rows)})


def table(rows: list[str]) -> str:
    return "\n".join(["experiment,run,quality", *rows, ""])


def listing(begun: list[str], seconds: float = SLOW_S) -> Rule:
    """Return the rule by which each takes so long, and is written down when it begins."""

    def rule(run: Run) -> Outcome:
        begun.append(f"{run.stage} {run.key}")
        return Outcome(seconds=seconds)

    return rule


def order_of(made: MadeCampaign, *, code: int = 0) -> list[str]:
    """Run it on one core, and return what was begun in which order."""
    begun: list[str] = []
    clock = ManualClock(stride=1.0)
    site = PretendSite(made.root, rule=listing(begun), clock=clock, cores=1)
    assert made.run(site=site, clock=clock).code == code
    return begun


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", ["1", "2", "3"]),
        ('order = "oldest"', ["1", "2", "3"]),
        ('order = "newest"', ["3", "2", "1"]),
        ('order = "quality"', ["2", "1", "3"]),
        ('order = "-quality"', ["1", "2", "3"]),
        ("order = \"'b' if run == 1 else 'a'\"", ["2", "3", "1"]),
    ],
)
def test_tasks_go_in_the_order_of_their_stage(tmp_path: Path, order: str, expected: list[str]) -> None:
    made = lab(tmp_path, f"{COPY}batch = 1\n{order}\n", ["a,1,7.5", "a,2,-3", "a,3,"])
    assert [line.rpartition("/")[2] for line in order_of(made)] == expected


def test_who_comes_with_a_better_place_goes_before_those_that_wait(tmp_path: Path) -> None:
    begun: list[str] = []
    clock = ManualClock(stride=1.0)
    made = lab(tmp_path, f'{COPY}batch = 1\norder = "newest"\n', ["a,1,1", "a,2,2", "a,3,3"])
    site = PretendSite(made.root, rule=listing(begun), clock=clock, cores=1)
    with Conductor(made.load(), command="watch", site=site, clock=clock) as conductor:
        conductor.turn()
        made.write("runs.csv", table(["a,1,1", "a,2,2", "a,3,3", "a,4,4"]), mtime=1_500_000_100)
        conductor.discover()
        while len(begun) < 4:
            conductor.turn()
            clock.turn(SLOW_S)
    assert [line[-1] for line in begun] == ["3", "4", "2", "1"]


def test_a_field_that_changes_changes_the_place(tmp_path: Path) -> None:
    begun: list[str] = []
    clock = ManualClock(stride=1.0)
    made = lab(tmp_path, f'{COPY}batch = 1\norder = "quality"\n', ["a,1,1", "a,2,2", "a,3,3"])
    site = PretendSite(made.root, rule=listing(begun), clock=clock, cores=1)
    with Conductor(made.load(), command="watch", site=site, clock=clock) as conductor:
        conductor.turn()
        made.write("runs.csv", table(["a,1,1", "a,2,2", "a,3,0"]), mtime=1_500_000_100)
        conductor.discover()
        while len(begun) < 3:
            conductor.turn()
            clock.turn(SLOW_S)
    assert [line[-1] for line in begun] == ["1", "3", "2"]


def test_a_unit_of_which_the_order_cannot_be_worked_out_goes_last_and_is_a_problem(tmp_path: Path) -> None:
    made = lab(tmp_path, f'{COPY}batch = 1\norder = "1 / (quality - 1)"\n', ["a,1,1", "a,2,2", "a,3,3"])
    assert [line[-1] for line in order_of(made, code=1)] == ["3", "2", "1"]
    with Ledger.open(made.root, readonly=True) as ledger:
        (why,) = [row[0] for row in ledger.db.execute("SELECT why FROM problem")]
    assert why.startswith("copy.order: the expression '1 / (quality - 1)' fails")


@pytest.mark.parametrize("batch", ["batch = 1", "batch = 3", ""])
def test_another_order_or_none_holds_from_the_next_turn_on(tmp_path: Path, batch: str) -> None:
    rows = [f"{'ab'[n % 2]},{n},{n}" for n in range(8)]
    made = lab(tmp_path, f"{COPY}{batch}\n", rows)
    for change, expected in [
        ('order = "newest"', [7, 5, 3, 1, 6, 4, 2, 0]),
        ('order = "-quality"\nfair = "experiment"', [6, 7, 4, 5, 2, 3, 0, 1]),
        ("", [0, 2, 4, 6, 1, 3, 5, 7]),
    ]:
        with Conductor(made.load(), command="x", site=made.site(), clock=ManualClock()) as conductor:
            conductor.discover()
        (made.root / "penstock.toml").write_text(f"{HEAD}{COPY}{batch}\n{change}\n")
        with Conductor(made.load(), command="x", site=made.site(), clock=ManualClock()) as conductor:
            db, graph = conductor.ledger.db, conductor.graph
            waiting = Waiting(graph.stages["copy"], graph.ids["copy"])
            keys = dict(db.execute("SELECT id, key FROM unit").fetchall())
            first = [keys[row["unit"]] for row in waiting.first(conductor.ledger, 100)]
        found = [int(key.rpartition(",")[2].strip("]")) for key in first]
        if "fair" in change:  # whose turn it is first does not matter
            assert sorted(found[:2]) == [6, 7]
            assert sorted(found[2:4]) == [4, 5]
        else:
            assert found == expected


# turns


def watching(made: MadeCampaign, site: PretendSite, fresh: bool) -> Iterator[Callable[[], None]]:
    """Give what takes one turn: by one conductor all the time, or each by a new one."""
    if fresh:

        def turn() -> None:
            with Conductor(made.load(), command="tick", site=site, clock=site.clock) as one:
                one.open_ended = True
                one.turn()

        yield turn
        return
    with Conductor(made.load(), command="watch", site=site, clock=site.clock) as conductor:
        conductor.open_ended = True

        def take() -> None:
            conductor.turn()

        yield take


@pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])
@pytest.mark.parametrize("key", ['fair = "experiment"', "campaign"])
def test_a_flood_of_one_group_keeps_no_other_waiting(tmp_path: Path, fresh: bool, key: str) -> None:
    flood = [f"a,{n},1" for n in range(2_000)]
    made = lab(tmp_path, f"{COPY}batch = 2\n{'' if key == 'campaign' else key}\n", flood)
    if key == "campaign":
        text = (tmp_path / "penstock.toml").read_text()
        (tmp_path / "penstock.toml").write_text(text.replace('"line"', '"line"\nfair = "experiment"'))
    begun: list[str] = []
    site = PretendSite(made.root, rule=listing(begun), clock=ManualClock(), cores=2)
    for turn in watching(made, site, fresh):
        turn()
        made.write("runs.csv", table([*flood, "b,1,1", "b,2,1", "b,3,1"]), mtime=1_500_000_100)
        site.clock.turn(60)
        turn()
        before = len(begun)
        while sum("b/" in line for line in begun) < 3 and len(begun) < 1000:
            site.clock.turn(SLOW_S)
            turn()
    assert len(begun) - before <= 12, begun[before:]


@pytest.mark.parametrize("fresh", [False, True])
def test_groups_get_the_same_share_of_a_cluster(tmp_path: Path, fresh: bool) -> None:
    stage = (
        '[stage.copy]\neach = "run"\ncommand = ["cp", "x", "{product}"]\nproducts = "out/{night}/{run}.txt"\n'
        'batch = 2\nfair = "night"\n'
    )
    it = Grid(
        tmp_path,
        stage,
        units=40,
        nights="aaab",
        site="max_queued_tasks = 8\n",
        fresh=fresh,
        slots=4,
        stride=5.0,
    )
    assert it.run().code == 0
    ended = it.rows("SELECT u.key FROM attempt a JOIN unit u ON u.id = a.unit ORDER BY a.ended LIMIT 20")
    assert Counter(key[0][2] for key in ended)["b"] >= 8


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), most=st.integers(1, 30))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_each_turn_takes_one_of_every_group_that_has_some(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], most: int
) -> None:
    root = tmp_path_factory.mktemp("turns")
    rows = [f"g{group},{n},1" for group, size in enumerate(sizes) for n in range(size)]
    made = lab(root, f'{COPY}fair = "experiment"\n', rows)
    with Conductor(made.load(), command="x", site=made.site(), clock=ManualClock()) as conductor:
        conductor.discover()
        stage, number = conductor.graph.stages["copy"], conductor.graph.ids["copy"]
        taken = Waiting(stage, number).first(conductor.ledger, most)
    shares = Counter(row["share"] for row in taken)
    assert len(taken) == min(most, sum(sizes)) == len({row["unit"] for row in taken})
    assert len(shares) == min(most, len(sizes))
    size_of = dict(zip(sorted(shares), sizes, strict=False))  # groups were seen in the order of their names
    left = [n for group, n in shares.items() if n < size_of[group]]
    assert not left or max(shares.values()) - min(left) <= 1


# priorities


def test_stages_of_higher_priority_go_first_where_slots_are_scarce(tmp_path: Path) -> None:
    stages = "".join(
        f'[stage.{name}]\neach = "run"\ncommand = ["cp", "x", "{{product}}"]\nbatch = 1\npriority = {priority}\n'
        f'products = "{name}/{{experiment}}/{{run}}.txt"\n'
        for name, priority in [("quick", 10), ("usual", 0), ("rare", -5)]
    )
    made = lab(tmp_path, stages, ["a,1,1", "a,2,2"])
    begun = [line.split()[0] for line in order_of(made)]
    assert begun == ["quick", "quick", "usual", "usual", "rare", "rare"]


# how many at once


CAPPED = """
[stage.copy]
each = "run"
command = ["cp", "x", "{product}"]
products = "out/{night}/{run}.txt"
max_running = 3
"""
AFTER = """
[stage.seen]
each = "run"
with = "copy"
command = ["cp", "x", "{product}"]
products = "seen/{night}/{run}.txt"
max_running = 2
"""


def watch_out(it: Grid, stage: str, most: int) -> list[int]:
    """Look after each step of the clock how many tasks of a stage are on their way; fail when these are more than `most`."""
    seen = [0]

    def look() -> None:
        at_once = at_work(it, stage)
        seen[0] = max(seen[0], at_once)
        assert at_once <= most

    it.clock.watchers.append(look)
    return seen


def at_work(it: Grid, stage: str) -> int:
    """Count, from the event files alone, the tasks of a stage that runners which live have begun and not ended."""
    found = 0
    for lives in it.cluster.lives.values():
        for runner in lives.runners:
            current = runner.current
            chain = [current.line, current.line.get("then")] if current else []
            found += sum(runner.alive for line in chain if line and line["s"] == stage)
    return found


@pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])
@pytest.mark.parametrize("batch", ["", "batch = 2", "batch = 50"])
def test_no_more_tasks_of_a_stage_are_at_a_cluster_than_it_allows(
    tmp_path: Path, fresh: bool, batch: str
) -> None:
    it = Grid(tmp_path, f"{CAPPED}{batch}\n", units=12, slots=9, fresh=fresh)
    seen = watch_out(it, "copy", 3)
    assert it.run().code == 0
    assert it.states() == {"done": 12}
    assert seen[0] == 3
    assert all(n == 1 for n in it.begun().values())


def test_what_runs_right_after_a_task_counts_for_its_own_stage(tmp_path: Path) -> None:
    it = Grid(tmp_path, CAPPED + AFTER, units=8, slots=9)
    seen = watch_out(it, "copy", 2)
    assert it.run().code == 0
    assert (it.states(), it.states("seen"), seen) == ({"done": 8}, {"done": 8}, [2])


class Events:
    """What the event log of a pretended site says: who began and did not end."""

    def __init__(self, site: PretendSite) -> None:
        self.site = site

    def at_work(self) -> int:
        return sum(runner.alive and runner.current is not None for runner in self.site.runners.values())


@pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])
def test_no_more_tasks_of_a_stage_are_fed_here_than_it_allows(tmp_path: Path, fresh: bool) -> None:
    made = lab(tmp_path, f"{COPY}max_running = 3\n", [f"a,{n},1" for n in range(20)])
    begun: list[str] = []
    site = PretendSite(made.root, rule=listing(begun), clock=ManualClock(), cores=8)
    events, most = Events(site), 0
    for turn in watching(made, site, fresh):
        while len(begun) < 20 or events.at_work():
            turn()
            most = max(most, events.at_work())
            site.clock.turn(SLOW_S / 3)
        turn()
    assert (most, made.states("copy") != {}) == (3, True)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cap=st.integers(1, 5),
    batch=st.sampled_from(["", "batch = 1", "batch = 4"]),
    steps=st.lists(st.integers(3, 60), max_size=4),
    killed=st.lists(st.integers(0, 20), max_size=3),
    fresh=st.booleans(),
)
def test_the_cap_holds_whoever_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
    cap: int,
    batch: str,
    steps: list[int],
    killed: list[int],
    fresh: bool,
) -> None:
    stage = CAPPED.replace("max_running = 3", f"max_running = {cap}")
    it = Grid(tmp_path_factory.mktemp("cap"), f"{stage}{batch}\n", units=12, slots=8, fresh=fresh)
    seen = watch_out(it, "copy", cap)
    for number in killed:
        it.at(20.0 * number, lambda: kill_one(it))
    for n in steps:
        it.cluster.steps_to_live = n
        with suppress(ConductorKilled):
            it.run()
        it.cluster.clear_faults()
        if it.states() == {"done": 12}:
            break
    it.cluster.clear_faults()
    assert it.run().code == 0
    assert it.states() == {"done": 12}
    assert seen[0] <= cap


def kill_one(it: Grid) -> None:
    """Kill a runner that is at work, if there is one."""
    if running := it.cluster.elements("RUNNING"):
        it.cluster.kill(running[0][1])


# another campaign


def test_two_campaigns_over_the_same_files_share_nothing_else(tmp_path: Path) -> None:
    files = f'[campaign]\nname = "{{}}"\nlevels = ["n"]\n[units]\nfiles = "{tmp_path}/raw/{{{{n}}}}.txt"\n'
    stage = '[stage.copy]\neach = "n"\ncommand = ["cp", "{path}", "{product}"]\nproducts = "copies/{n}.txt"\n'
    made = [
        make_campaign(tmp_path / name, files.format(name) + stage, {f"../raw/{n}.txt": "x" for n in range(5)})
        for name in ("one", "two")
    ]
    sites = [each.site() for each in made]
    with (
        Conductor(made[0].load(), command="watch", site=sites[0], clock=sites[0].clock) as one,
        Conductor(made[1].load(), command="watch", site=sites[1], clock=sites[1].clock) as two,
    ):
        for _ in range(6):
            one.turn()
            two.turn()
    assert [set(each.states("copy").values()) for each in made] == [{"done"}, {"done"}]
    assert [len(each.states("copy")) for each in made] == [5, 5]
    assert [len(list((each.root / "copies").glob("*.txt"))) for each in made] == [5, 5]
