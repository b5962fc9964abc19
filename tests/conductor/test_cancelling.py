"""What becomes of jobs at a cluster when a person stops the conductor, or takes tasks away."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock import config
from penstock.cli.drive import promise
from penstock.conductor import Conductor
from penstock.conductor.cancelling import take_away
from penstock.conductor.summary import cluster_lines, say_ending
from penstock.ledger import Ledger
from penstock.ledger.requests import ask
from penstock.runner.sealed import seal
from penstock.schedulers import slurm
from penstock.site import ClusterSite
from penstock.testing import ManualClock, make_campaign
from penstock.transports.local import LocalTransport
from penstock.transports.reply import Reply

DEFINITION = """
[campaign]
name = "far"
levels = ["file"]
site = "cluster"
[units]
files = "in/{file}.txt"
settle = "0s"
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "out/{file}.txt"
batch = 2
batch_wait = "0s"
[site.cluster]
scheduler = "slurm"
"""
NO_CONTACT = Reply(1, "", "scancel: error: Unable to contact slurm controller")


class Queue:
    """A Slurm in whose queue everything waits."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.cancel = Reply(0)
        self.submit = Reply(0, "4711\n")
        self.name, self.waits = "", True

    def __call__(self, argv: Sequence[str], **_: object) -> Reply:
        words = [word for word in argv if word != "env" and not word.startswith("SLURM_")]
        self.asked.append(words)
        head = "penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end\n"
        name = next((word[11:] for word in words if word.startswith("--job-name=")), None)
        self.name = name or self.name
        row = f"penstock|4711_[1-3]|{self.name}|PENDING|N/A||Priority|end\n" if self.waits else ""
        config_text = "MaxArraySize = 1001\nSLURM_VERSION = 22.05.8\n"
        answers = {"scontrol": Reply(0, config_text), "sbatch": self.submit, "squeue": Reply(0, head + row)}
        return self.cancel if words[0] == "scancel" else answers[words[0]]

    def cancelled(self) -> list[str]:
        return [words[1] for words in self.asked if words[0] == "scancel"]


class Far:
    """A campaign of six files at such a cluster: three elements; `fresh`: each turn has another conductor."""

    def __init__(self, root: Path, *, fresh: bool = False) -> None:
        self.fresh = fresh
        self.made = make_campaign(root, DEFINITION, {f"in/{name}.txt": name for name in "abcdef"})
        self.root, self.queue, self.clock = root, Queue(), ManualClock()

    def there(self) -> dict[str, ClusterSite]:
        site = self.made.load().sites["cluster"]
        transport = LocalTransport(self.root / ".penstock/jobs", run_here=self.queue)
        return {"cluster": ClusterSite(site, self.root, scheduler=slurm, transport=transport)}

    def conductor(self) -> Conductor:
        return Conductor(self.made.load(), command="run", clock=self.clock, clusters=self.there())

    @contextmanager
    def ticking(self) -> Generator[Callable[[], object]]:
        """Give a function that takes a turn."""
        if self.fresh:
            yield self.submit
        else:
            with self.conductor() as conductor:
                yield conductor.tick

    def submit(self) -> None:
        with self.conductor() as conductor:
            conductor.tick()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with Ledger.open(self.root, readonly=True) as ledger:
            return [tuple(row) for row in ledger.db.execute(sql)]

    def ask(self, *names: str, action: str = "cancel") -> None:
        for name in names:
            ask(self.root, action, {"unit": self.unit(name), "why": "w"}, "me@here")

    def unit(self, name: str) -> int:
        with Ledger.open(self.root, readonly=True) as ledger:
            return ledger.db.execute("SELECT id FROM unit WHERE key = ?", (f'["{name}"]',)).fetchone()[0]

    def finished(self) -> dict[int, int]:
        with Ledger.open(self.root, readonly=True) as ledger:
            return dict(tuple(row) for row in ledger.db.execute("SELECT element, finished FROM element"))


@pytest.fixture(params=[False, True], ids=["one conductor", "a new one every turn"])
def far(tmp_path: Path, request: pytest.FixtureRequest) -> Far:
    made = Far(tmp_path, fresh=request.param)
    made.submit()
    return made


def test_what_has_nothing_left_to_do_is_cancelled_by_one_command_for_a_job(far: Far) -> None:
    far.ask("a", "b", "e", "f")
    with far.ticking() as tick:
        tick()
        assert far.queue.cancelled() == ["4711_[1,3]"]
        assert far.finished() == {1: 1, 2: 0, 3: 1}
        tick()
    assert far.queue.cancelled() == ["4711_[1,3]"], "once"


def test_what_was_taken_away_and_brought_back_does_not_stay_in_the_queue_twice(far: Far) -> None:
    far.ask(*"abcdef")
    far.ask(*"abcdef", action="retry")
    far.clock.turn(10.0)
    far.submit()
    assert far.queue.cancelled() == ["4711"]
    with Ledger.open(far.root, readonly=True) as ledger:
        states = [row[0] for row in ledger.db.execute("SELECT state FROM job ORDER BY id")]
    assert states == ["finished", "submitted"]


def test_an_element_with_something_left_to_do_stays(far: Far) -> None:
    far.ask("a", "c")
    far.submit()
    assert far.queue.cancelled() == []
    assert len(list(far.root.glob(".penstock/jobs/p*/*.revoked"))) == 2, "but it is told"


def test_a_conductor_at_work_does_it_in_its_next_turn(far: Far) -> None:
    with far.ticking() as tick:
        tick()
        far.clock.turn(10.0)
        with Ledger.open(far.root) as ledger, ledger.transaction() as db:
            sql = "INSERT INTO request (at, by, action, target) VALUES (1, 'me', 'cancel', '{\"all\": true}')"
            db.execute(sql)
        tick()
    assert far.queue.cancelled() == ["4711"], "all of it, so without a list"
    assert set(far.finished().values()) == {1}


def test_while_the_scheduler_does_not_answer_it_is_tried_again_and_told(far: Far) -> None:
    far.ask("a", "b")
    far.queue.cancel = NO_CONTACT
    with far.ticking() as tick:
        tick()
        tick()
        assert far.queue.cancelled() == ["4711_[1]"], "not at once again"
        ((why,),) = far.rows("SELECT why FROM problem WHERE source = 'site cluster'")
        assert "Unable to contact" in str(why)
        far.queue.cancel = Reply(0)
        far.clock.turn(40.0)
        tick()
    assert far.finished()[1] == 1
    assert far.rows("SELECT count(*) FROM problem") == [(0,)]


def test_that_a_scheduler_complains_of_what_is_over_is_no_failure(far: Far) -> None:
    far.ask("a", "b")
    far.queue.cancel, far.queue.waits = Reply(255, "", "4711[1]: Job has already finished"), False
    assert take_away(far.root, there=far.there()) == ["1 element of 1 job cancelled at cluster"]
    assert far.finished()[1] == 1


def test_a_veto_leaves_what_is_on_its_way(far: Far) -> None:
    far.ask("a", "b", action="veto")
    far.submit()
    assert far.queue.cancelled() == []


def test_when_nobody_works_on_it_the_command_does_it_itself_and_says_so(far: Far) -> None:
    far.ask("a", "b", "e", "f")
    assert take_away(far.root, there=far.there()) == ["2 elements of 1 job cancelled at cluster"]
    assert far.queue.cancelled() == ["4711_[1,3]"]
    assert far.finished() == {1: 1, 2: 0, 3: 1}
    assert take_away(far.root, there=far.there()) == []


def test_a_runner_that_has_begun_is_told_and_leaves_itself(far: Far) -> None:
    far.ask("a", "b")
    (folder,) = far.root.glob(".penstock/jobs/p*/")
    (folder / "1.1.jsonl").write_bytes(b"")
    take_away(far.root, there=far.there())
    assert far.queue.cancelled() == ["4711_[1]"]
    assert far.finished()[1] == 0
    assert (folder / "1.revoked").exists()


def test_when_the_scheduler_does_not_answer_who_does_it_later_is_said(far: Far) -> None:
    far.ask("a", "b")
    far.queue.cancel = NO_CONTACT
    (line,) = take_away(far.root, there=far.there())
    assert "Unable to contact slurm controller" in line
    assert line.endswith("the next `penstock run` or `penstock tick` does it")
    far.queue.cancel = Reply(0)
    far.submit()
    assert far.queue.cancelled() == ["4711_[1]", "4711_[1]"]


def test_a_site_that_the_record_no_longer_has_is_told(far: Far) -> None:
    far.ask("a", "b")
    with Ledger.open(far.root) as ledger:
        (text,) = ledger.db.execute(
            "SELECT json_remove(text, '$.seal', '$.sites.cluster') FROM definition"
        ).fetchone()
        ledger.db.execute("UPDATE definition SET text = ?", (seal(text.encode()).decode(),))
    (line,) = take_away(far.root)
    assert "no longer defined" in line


@pytest.mark.parametrize("fresh", [False, True])
def test_a_job_that_was_perhaps_taken_is_cancelled_once_its_id_is_known(tmp_path: Path, fresh: bool) -> None:
    far = Far(tmp_path, fresh=fresh)
    far.queue.submit = Reply(None)
    far.submit()
    far.ask("a", "b")
    assert take_away(tmp_path, there=far.there()) == []
    with far.ticking() as tick:
        tick()
        with Ledger.open(tmp_path) as ledger, ledger.transaction() as db:
            db.execute("UPDATE job SET native = '4711', state = 'submitted'")
        far.clock.turn(40.0)
        tick()
    assert far.queue.cancelled() == ["4711_[1]"]


def test_when_one_stops_the_jobs_go_on_and_how_to_collect_them_is_said(far: Far) -> None:
    asked = len(far.queue.asked)
    with far.conductor() as conductor:
        conductor.ask_stop()
        lines = conductor.run().lines
    assert lines[-1] == (
        "1 job with 6 tasks continues at cluster; the same command collects it, `penstock cancel --all` cancels it"
    )
    assert "still running" not in lines[-2]
    assert [words for words in far.queue.asked[asked:] if words[0] == "scancel"] == []


def test_several_jobs_are_counted_with_their_tasks(far: Far) -> None:
    with Ledger.open(far.root) as ledger:
        columns = "site, epoch, elements, feed, folder, state, created, submitted, request, tries"
        ledger.db.execute(f"INSERT INTO job (token, native, {columns}) SELECT 'p2', '2', {columns} FROM job")
        ledger.db.execute(
            "INSERT INTO batch SELECT 99, 2, 1, 1, stage, 1200, 1, 'planned', at FROM batch LIMIT 1"
        )
        for unit in range(100, 1294):
            ledger.db.execute(
                "INSERT INTO task (stage, unit, state, batch) VALUES (1, ?, 'queued', 99)", (unit,)
            )
        assert cluster_lines(ledger, command="up") == [
            "2 jobs with 1,200 tasks continue at cluster; `penstock up` collects them, `penstock cancel --all` cancels them"
        ]
        assert say_ending(ledger, stopped=False)[1] == ["all done: 0 tasks"], "only who stops early must know"


def test_what_is_promised_at_ctrl_c_is_true_of_each_place(tmp_path: Path) -> None:
    mixed = DEFINITION + 'workdir = "w"\n[stage.here]\neach = "file"\ncommand = ["true"]\nsite = "local"\n'
    made = make_campaign(tmp_path, mixed.replace('workdir = "w"\n', ""), {})
    both = Conductor(config.load(tmp_path), command="run").sites
    assert promise(both) == "running work returns what it has not started, jobs at cluster continue"
    assert promise(Conductor(made.load("campaign.site=local"), command="run").sites) == (
        "running work returns what it has not started"
    )
    assert (
        promise(Conductor(make_campaign(tmp_path, DEFINITION).load(), command="run").sites)
        == "jobs at cluster continue"
    )
