"""A site that does not see the campaign's folder: inputs and programs travel there, products come home."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.conductor.grid import Grid, taking

from penstock.campaign import Site
from penstock.conductor import Conductor
from penstock.conductor.fetching import fetch_asked
from penstock.conductor.plan import plan
from penstock.errors import DefinitionError, Held, LedgerError
from penstock.ledger import Ledger
from penstock.ledger.requests import record
from penstock.runner.digests import digest_folder
from penstock.runner.sealed import seal
from penstock.site import ClusterSite
from penstock.site.contents import Blob
from penstock.site.far import FarFolder
from penstock.testing import Fault
from penstock.transports.local import LocalTransport

HEAD = """
[campaign]
name = "far"
levels = ["file"]
site = "pretend"
[units]
files = "raw/{file}.dat"
settle = "0s"
"""
COPY = """
[stage.copy]
each = "file"
command = ["sh", "tools/copy.sh", "{path}", "{product}"]
products = "out/{file}.txt"
batch = 2
"""
JOIN = """
[stage.join]
each = "campaign"
after = "copy"
command = ["cat", "{inputs.copy}"]
products = "all.txt"
"""


class FarGrid(Grid):
    """A campaign whose cluster has a folder of its own."""

    def __init__(
        self, root: Path, stages: str, *, units: int, site: str, fresh: bool, **cluster: Any
    ) -> None:
        (root / "home").mkdir(exist_ok=True)
        super().__init__(root / "home", stages, units=units, fresh=fresh, **cluster)
        self.there = root / "there"
        own = f'[site.pretend]\nscheduler = "slurm"\nshared_files = false\nworkdir = "{self.there}"\n'
        self.head = HEAD + own + site
        self.define(stages)
        for name in ("raw", "tools"):
            (self.root / name).mkdir()
        for number in range(units):
            (self.root / f"raw/{number}.dat").write_text(f"data {number}\n")
        (self.root / "tools/copy.sh").write_text('cp "$1" "$2"\n')

    @property
    def folder(self) -> Path:
        """The campaign's folder there."""
        return next(self.there.glob("home-*"))

    def left(self) -> list[str]:
        """Return what is there, of all campaigns."""
        return sorted(str(path.relative_to(self.there)) for path in self.there.rglob("*") if path.is_file())

    def lose_to_another_machine(self) -> None:
        """Let the same campaign of another machine take the folder there over."""
        other = {"machine": "another", "host": "laptop2", "root": "/home/her/winter"}
        (self.folder / "jobs/owner.json").write_bytes(seal(json.dumps(other).encode()))

    def blob(self, path: str) -> Path:
        digest = sha256((self.root / path).read_bytes()).hexdigest()
        return self.there / "store" / digest[:2] / digest

    def fetched(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.root)): p.read_bytes() for p in (self.root / "out").glob("*.txt")}

    def watch(self, look: Callable[[], object]) -> None:
        """Look whenever something runs there."""
        self.clock.watchers.append(lambda: look() if self.cluster.elements("RUNNING") else None)


@pytest.fixture(params=[False, True], ids=["one conductor", "a new one every turn"])
def far(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    def made(stages: str = COPY, *, units: int = 6, site: str = "", **options: Any) -> FarGrid:
        return FarGrid(tmp_path, stages, units=units, site=site, fresh=request.param, **options)

    return made


def test_what_was_made_there_comes_home_and_nothing_is_left_there(far: Any) -> None:
    it = far(COPY + JOIN)
    seen = set[str]()
    it.watch(lambda: seen.update(it.left()))
    assert it.run().code == 0
    assert it.states() == {"done": 6}
    assert sorted(it.fetched()) == [f"out/{n}.txt" for n in range(6)]
    assert (it.root / "all.txt").exists()
    assert it.left() == []
    assert {str(it.blob(f"raw/{n}.dat").relative_to(it.there)) for n in range(6)} <= seen
    assert any(name.endswith("files/tools/copy.sh") for name in seen)
    assert it.rows("SELECT * FROM location") == it.rows("SELECT * FROM sent") == []
    assert it.outcomes() == ["ok"] * 6


def test_companions_go_with_their_file(far: Any) -> None:
    it = far(units=1)
    it.head = it.head.replace(
        'settle = "0s"', 'settle = "0s"\ncompanions = ["raw/{file}.hdr", "tables/all.txt"]'
    )
    it.define(COPY)
    (it.root / "tables").mkdir()
    (it.root / "tables/all.txt").write_text("for all\n")
    (it.root / "raw/0.hdr").write_text("header\n")
    lines = list[dict[str, Any]]()
    it.watch(lambda: lines.extend(json.loads(line) for line in it.job().batch(1).splitlines()[1:]))
    assert it.run().code == 0
    assert lines[0]["beside"] == {"raw/0.dat": ["raw/0.hdr", "tables/all.txt"]}
    assert lines[0]["stored"]["raw/0.hdr"] == sha256(b"header\n").hexdigest()
    assert [*lines[0]["stored"]] == ["raw/0.dat", "raw/0.hdr", "tables/all.txt"]
    assert it.left() == []


def test_a_runner_is_told_which_inputs_are_in_the_store(far: Any) -> None:
    it = far(units=1)
    lines = list[dict[str, Any]]()
    it.watch(lambda: lines.extend(json.loads(line) for line in it.job().batch(1).splitlines()[1:]))
    assert it.run().code == 0
    digest = sha256(b"data 0\n").hexdigest()
    assert lines[0]["stored"] == {"raw/0.dat": digest}
    assert lines[0]["argv"][2] == {"ref": "input.raw/0.dat"}
    assert it.job().spec["root"].endswith("/files")
    assert it.job().spec["store"] == str(it.there / "store")


def test_products_that_stay_there_are_done_and_are_fetched_on_request(far: Any) -> None:
    it = far(COPY + JOIN, site='fetch = "final"\n')
    assert it.run().code == 0
    assert it.fetched() == {}
    assert (it.root / "all.txt").exists()
    assert it.states() == {"done": 6}
    assert it.run().code == 0, "what is not here by intention is not lost"
    with Ledger.open(it.root) as ledger:
        record(ledger, "fetch", {"stage": "copy", "file": "out/[01].txt"}, "me@here", it.clock.now())
    assert it.run().code == 0
    assert sorted(it.fetched()) == ["out/0.txt", "out/1.txt"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("shared_files = false", "shared_files = true", r"`shared_files` of \[site.pretend\] has changed"),
        ("/there", "/elsewhere", r"`workdir` of \[site.pretend\] has changed"),
        ('[site.pretend]\nscheduler', '[site.other]\nscheduler', r"\[site.pretend\] is gone"),
    ],
)  # fmt: skip
def test_products_that_are_only_there_keep_their_site_as_it_is(
    far: Any, old: str, new: str, told: str
) -> None:
    it = far(site='fetch = "none"\n')
    assert it.run().code == 0
    kept = it.head
    it.head = kept.replace('site = "pretend"', 'site = "local"').replace(old, new)
    it.define(COPY)
    refusal = rf"6 products \(\d+ B\) made at site 'pretend' .*{told}"
    with pytest.raises(DefinitionError, match=refusal), Conductor(it.campaign(), command="run"):
        pass
    it.head = kept.replace('"none"', '"all"')
    it.define(COPY)
    assert it.run().code == 0
    assert len(it.fetched()) == 6
    it.head = kept.replace('site = "pretend"', 'site = "local"').replace(old, new)
    it.define(COPY)
    with Conductor(it.campaign(), command="run"):
        pass  # nothing is only there any more


def test_a_product_that_is_awaited_at_home_comes_home_for_it(far: Any, tmp_path: Path) -> None:
    look = '[stage.look]\neach = "file"\nafter = "copy"\nsite = "local"\ncommand = ["cp", "{input}", "{product}"]\n'
    it = far(
        COPY + look.replace("{input}", "{inputs.copy}") + 'products = "look/{file}.txt"\n',
        units=2,
        site='fetch = "none"\n',
    )
    assert it.run().code == 0
    assert (it.root / "look/1.txt").read_bytes() == it.fetched()["out/1.txt"]


def test_what_a_purge_took_of_the_store_is_sent_again(far: Any) -> None:
    it = far(units=4, queue_s=600.0)
    it.at(300, lambda: shutil.rmtree(it.there / "store"))
    assert it.run().code == 0
    assert it.left() == []


def test_products_that_disappeared_there_before_they_came_home_are_made_again(far: Any) -> None:
    it = far(units=2, site='fetch = "none"\n')
    assert it.run().code == 0
    for path in it.folder.glob("files/out/*"):
        path.unlink()
    with Ledger.open(it.root) as ledger:
        record(ledger, "fetch", {"stage": "copy"}, "me@here", it.clock.now())
    assert it.run().code == 0
    assert len(it.fetched()) == 2
    assert it.outcomes() == ["ok"] * 4


def test_a_file_of_hers_is_never_replaced_by_what_comes_home(far: Any) -> None:
    it = far(units=2)
    (it.root / "out").mkdir()
    (it.root / "out/1.txt").write_text("hers")
    ending = it.run()
    assert ending.code == 1
    assert (it.root / "out/1.txt").read_text() == "hers"
    assert (it.root / "out/0.txt").exists()
    assert "move it away" in "\n".join(ending.lines)
    (it.root / "out/1.txt").unlink()
    assert it.run().code == 0
    assert (it.root / "out/1.txt").read_text() != "hers"


def test_the_same_campaign_of_another_machine_is_left_alone(far: Any) -> None:
    it = far(units=2, rule=taking(600.0))
    with it.conductor() as conductor:
        while not it.cluster.jobs:
            conductor.turn()
            conductor.wait(0.0)
    it.lose_to_another_machine()
    with pytest.raises(Held, match=r"laptop2 \(/home/her/winter\).*--take-over"):
        it.run()
    it.cluster.site(it.campaign().sites["pretend"], it.root).far.take_over()
    assert it.run().code == 0


@pytest.mark.parametrize("seconds", [5, 20, 45, 90])
def test_a_machine_from_which_it_was_taken_over_stops_and_takes_nothing_away(far: Any, seconds: int) -> None:
    it = far(COPY + JOIN, units=8, slots=2)
    there = set[str]()

    def lose() -> None:
        it.lose_to_another_machine()
        there.update(it.left())

    it.at(seconds, lose)
    with pytest.raises(Held, match="--take-over"):
        it.run()
    assert there <= {*it.left()}


def test_jobs_that_were_submitted_after_the_campaign_was_copied_are_called_off(
    far: Any, tmp_path: Path
) -> None:
    it = far(units=2, rule=taking(600.0))
    with it.conductor():
        pass
    shutil.copytree(it.root / ".penstock", tmp_path / "copy")
    with it.conductor() as conductor:
        while not it.cluster.jobs:
            conductor.turn()
            conductor.wait(0.0)
    shutil.rmtree(it.root / ".penstock")
    shutil.copytree(tmp_path / "copy", it.root / ".penstock")
    assert it.run().code == 0
    assert it.begun() == {"0": 2, "1": 1}, "one had begun"
    assert it.outcomes() == ["ok", "ok"]
    assert it.left() == []


@pytest.mark.parametrize("seconds", [1, 12, 20, 45, 60, 90])
def test_a_cut_in_the_middle_of_anything_costs_nothing(far: Any, seconds: int) -> None:
    it = far(COPY + JOIN, units=3)
    it.at(seconds, lambda: it.cluster.inject(Fault.CUT_OFF, 2))
    assert it.run().code == 0
    assert it.left() == []
    assert it.begun() == {str(n): 1 for n in range(3)}


def test_a_site_with_little_room_gets_its_inputs_one_after_the_other(far: Any) -> None:
    it = far(units=6, site='disk = "40B"\n')
    most = [0]
    it.watch(
        lambda: most.append(sum(p.stat().st_size for p in (it.there / "store").rglob("*") if p.is_file()))
    )
    assert it.run().code == 0
    assert 0 < max(most) <= 40


def test_an_input_that_cannot_be_read_is_the_failure_of_its_task_alone(far: Any) -> None:
    it = far(units=3)
    (it.root / "raw/1.dat").unlink()
    (it.root / "raw/1.dat").symlink_to("/proc/1/mem-that-is-not-there")
    (it.root / "raw/2.dat").chmod(0o644)
    it.run()
    assert it.states().get("done") == 2


def test_fetching_without_a_conductor(far: Any) -> None:
    it = far(units=2, site='fetch = "none"\n')
    assert it.run().code == 0
    with Ledger.open(it.root) as ledger:
        record(ledger, "fetch", {"stage": "copy"}, "me@here", it.clock.now())
    it.tick()
    assert len(it.fetched()) == 2
    assert (
        fetch_asked(it.root, there={"pretend": it.cluster.site(it.campaign().sites["pretend"], it.root)})
        == []
    )


def test_a_plan_asks_nothing_there_and_sends_nothing(far: Any) -> None:
    it = far(units=2)
    planned = plan(it.campaign(), clock=it.clock)
    assert "/files" in str(planned.stages[0].script)
    assert it.left() == []


def test_a_site_whose_room_is_used_up_says_so(far: Any) -> None:
    it = far(units=4, site='disk = "10B"\nfetch = "none"\n')
    for _ in range(8):
        it.tick()
    [[why]] = it.rows("SELECT why FROM problem WHERE source GLOB 'room*'")
    assert "`disk` of 10 B is used up" in why


def test_a_folder_comes_home_whole_and_nothing_is_written_through_a_link(
    tmp_path: Path, flushed: list[str]
) -> None:
    (here := tmp_path / "here").mkdir()
    (outside := tmp_path / "outside").mkdir()
    site = Site("far", "slurm", shared_files=False, workdir=tmp_path / "there")
    far = ClusterSite(site, here).far
    assert far
    made = tmp_path / "there" / far.mark / "files/parts/1"
    (made / "sub").mkdir(parents=True)
    (made / "sub/a").write_text("a")
    (made / "link").symlink_to("sub/a")
    size, digest = digest_folder(str(made))
    draft = here / f"parts/.1.{digest[:16]}"
    draft.mkdir(parents=True)
    (draft / "sub").symlink_to(outside)
    far.fetch_folder("parts/1", digest)
    (here / "parts").rename(tmp_path / "aside")
    far.fetch_folder("parts/1", digest)
    assert {str(here), str(here / "parts")} <= {*flushed}
    assert digest_folder(str(here / "parts/1")) == (size, digest)
    assert [*outside.iterdir()] == []
    assert not draft.exists()


def test_a_work_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (here := tmp_path / "here").mkdir()
    (tmp_path / "there").write_text("no folder")
    jobs = LocalTransport(tmp_path / "there/mark/jobs")
    far = FarFolder(Site("far", shared_files=False, workdir=tmp_path / "there"), here, jobs, "mark")
    for ask in (far.own, lambda: far.hold([Blob("ab" * 32, 3, b"abc")])):
        with pytest.raises(LedgerError, match=r"there.* cannot be (written|made) \(.*\): .+"):
            ask()


def test_an_input_that_changes_while_it_is_sent_is_looked_at_again_and_told(far: Any) -> None:
    it = far(units=2)
    stamp = (it.root / "raw/1.dat").stat()
    with it.conductor():
        pass
    with Ledger.open(it.root) as ledger, ledger.transaction() as db:
        wrong = sha256(b"something else").hexdigest()
        row = ("raw/1.dat", stamp.st_size, stamp.st_mtime_ns, wrong)
        db.execute("INSERT INTO content (path, bytes, mtime_ns, digest) VALUES (?, ?, ?, ?)", row)
    said = list[str]()
    it.clock.watchers.append(lambda: said.extend(row[0] for row in it.rows("SELECT why FROM problem")))
    assert it.run().code == 0
    assert it.states() == {"done": 2}
    assert any("it is looked at again" in why for why in said)
    assert it.rows("SELECT * FROM problem") == []


def test_a_product_that_is_not_fetched_stays_there_until_it_is_asked_for(far: Any) -> None:
    two = COPY.replace(
        'products = "out/{file}.txt"',
        'products = { product = "out/{file}.txt", dump = { path = "dump/{file}.bin", fetch = false } }',
    )
    assert two != COPY
    total = (
        '[stage.join]\neach = "campaign"\nsite = "local"\nafter = [{ stage = "copy", products = ["product"] }]\n'
        'command = ["sh", "-c", "cat $@ > $0", "{product}", "{inputs.copy}"]\nproducts = "all.txt"\n'
    )
    it = far(two + total, units=2)
    assert it.run().code == 0
    assert (it.root / "all.txt").exists()
    assert not (it.root / "dump").exists()
    assert sorted(path for (path,) in it.rows("SELECT path FROM location")) == ["dump/0.bin", "dump/1.bin"]
    with Ledger.open(it.root) as ledger:
        record(ledger, "fetch", {"stage": "copy", "file": "dump/1.bin"}, "me@here", it.clock.now())
    assert it.run().code == 0
    assert [path.name for path in (it.root / "dump").iterdir()] == ["1.bin"]
