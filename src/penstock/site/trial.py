"""A trial of a cluster: one array of two elements that do no work, and what it shows.

The job script, its directives, the set-up, the environment and the container are those of every job; only the runner is
another one. Nothing is recorded, and nothing stays behind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock.campaign import Program
from penstock.clock import Clock
from penstock.display import show_duration
from penstock.errors import QueryFailed, SiteError, SiteFull, SubmitRejected
from penstock.ledger.jobs import new_token
from penstock.runner.builder import BUILDING
from penstock.runner.identity import INDEX_VARIABLES
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.text import shown
from penstock.site.builds import Build, Builds
from penstock.site.cluster import PASSED, ClusterSite
from penstock.site.findings import SHELLS, Element, Findings, element_of, faults_of, show_all
from penstock.site.folders import SCRIPT
from penstock.site.programs import Named, interpreters_of, misfits
from penstock.site.script import Digests, remedy_for
from penstock.site.surveys import survey

ELEMENTS = 2
WALLTIME_S = 300.0
LOOK_S, FIRST_ASK_S, ASK_EVERY_S = 0.2, 5.0, 30.0
PROBE = "probe.py"

#: what an element runs in place of the runner; also a Python that is too old must be able to say so
PROBE_TEXT = """\
import json, os, socket, sys, time
began = time.time()
folder, index = sys.argv[1], "1"
for name, outside in json.loads('{variables}'):
    if os.environ.get(name, outside) not in ("", outside):
        index = os.environ[name]
        break
told = {{"python": sys.version.split()[0], "node": socket.gethostname(), "began": began}}
told["environment"] = sorted(os.environ)
told["wrote"] = time.time()
draft = os.path.join(folder, "." + index)
with open(draft, "w") as file:
    json.dump(told, file)
os.rename(draft, os.path.join(folder, index + ".json"))
"""


class Trial:
    """One trial of one cluster; `tell` is called with progress."""

    def __init__(
        self,
        site: ClusterSite,
        clock: Clock,
        *,
        wait_s: float,
        programs: Sequence[Named] = (),
        built: Sequence[Program] = (),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.site, self.clock, self.wait_s, self.tell = site, clock, wait_s, tell
        self.programs, self.to_build = programs, built
        self.built = list[str]()
        walltime_s = min(WALLTIME_S, site.site.max_walltime_s or WALLTIME_S)
        self.request = Request(new_token(), ELEMENTS, walltime_s=walltime_s)
        self.limits = Limits()
        self.native: str | None = None
        self.out = False
        self.file_skew_s = self.submitted_at = 0.0
        self.elements: dict[int, Element] = {}
        self.faults: list[str] = []
        self.said, self.held = "", ""
        self.over_at: float | None = None
        """When to stop waiting for files of elements that are no longer in the queue."""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.site.job_folder(self.request.token)

    def run(self) -> Findings:
        """Run it; whatever happens, nothing stays in the queue or on the disk."""
        try:
            self.limits = self.site.limits()
        except QueryFailed as error:
            command = shown(self.site.scheduler.limits())
            self.faults.append(
                f"{error}: check what `{command}` prints {self.site.where}, and wait if it is the same"
            )
            return self.findings(reached=False)
        except SiteError as error:
            self.faults.append(str(error))
            return self.findings(reached=False)
        self.faults += self.limits.faults
        if faults := [*self.misfits(), *self.build()]:
            self.faults += faults
            return self.findings(reached=True)
        try:
            self.place()
            self.out = self.submit()
            if self.out:
                self.watch()
        finally:
            self.tidy()
        self.faults += dict.fromkeys(
            fault for one in self.elements.values() for fault in faults_of(one, self.site.site)
        )
        return self.findings(reached=True)

    def misfits(self) -> list[str]:
        """Return why programs of the campaign cannot run there; in a container they find another machine."""
        if not self.programs or self.site.site.container:
            return []
        try:
            there = survey(self.site.site, self.site.transport, files=interpreters_of(self.programs))
        except SiteError as error:  # of which the elements will say more
            self.tell(str(error))
            return []
        return misfits(self.programs, there, self.site.where)

    def build(self) -> list[str]:
        """Have programs built there; return why some were not."""
        builds, why = Builds(self.site.site, self.site.root), list[str]()
        for program in self.to_build:
            self.tell(f"building {program.name}")
            try:
                found = self.await_build(builds, program)
            except SiteError as error:
                return [str(error)]
            if found.is_built:
                self.built.append(program.name)
            else:
                still = f"{program.name} is still being built {self.site.where}: try again later"
                why.append(found.why or still)
        return why

    def await_build(self, builds: Builds, program: Program) -> Build:
        """Return how a program stands when its build, or our time, is over."""
        until = self.clock.monotonic() + self.wait_s
        while True:
            found = builds.ask(program, wait_s=LOOK_S)
            if found.state != BUILDING or self.clock.monotonic() >= until:
                return found
            self.clock.sleep(LOOK_S)

    def findings(self, *, reached: bool) -> Findings:
        """Return the result so far."""
        return Findings(
            self.site.name, self.site.site.scheduler, reached, self.limits, self.native, self.file_skew_s,
            tuple(self.elements.values()), self.leaked(), tuple(self.faults), tuple(self.built),
        )  # fmt: skip

    def leaked(self) -> tuple[str, ...]:
        """Return the names of the environment of a login that elements see and were not given."""
        seen = {name for one in self.elements.values() for name in one.environment}
        given = PASSED.union(self.site.site.environment, SHELLS)
        return tuple(sorted(seen.intersection(self.site.transport.environment) - given)) if seen else ()

    def place(self) -> None:
        """Write what the elements read, and learn the file server's clock from it."""
        variables = json.dumps(list(INDEX_VARIABLES.items()))
        before = self.clock.now()
        self.site.place(self.request.token, {PROBE: PROBE_TEXT.format(variables=variables).encode()})
        middle = (before + self.clock.now()) / 2
        self.file_skew_s = (
            self.site.transport.list([self.request.token])[self.request.token][PROBE].mtime_s - middle
        )
        script = self.site.script(self.request, Digests("none", "none"), self.folder / PROBE)
        self.site.place(self.request.token, {SCRIPT: script.encode()})

    def submit(self) -> bool:
        """Submit it; return whether the scheduler may have it."""
        self.submitted_at = self.clock.now()
        try:
            self.native = self.site.submit(self.request)
        except (SubmitRejected, SiteFull) as error:
            self.faults.append(str(error))
            return False
        except SiteError as error:  # it may have been taken all the same
            self.tell(str(error))
        else:
            self.tell(f"submitted as {self.native}")
        return True

    def watch(self) -> None:
        """Wait for both elements, until it is clear that they will not come, or until the time is over."""
        until, ask_at = self.clock.monotonic() + self.wait_s, self.clock.monotonic() + FIRST_ASK_S
        while not self.look():
            if why := self.hopeless(until):
                self.faults.append(why)
                return
            if self.clock.monotonic() >= ask_at:
                self.ask()
                ask_at = self.clock.monotonic() + ASK_EVERY_S
            self.clock.sleep(LOOK_S)

    def hopeless(self, until: float) -> str | None:
        """Return why there is nothing more to wait for, if so."""
        now = self.clock.monotonic()
        if self.held:
            return f"it would wait for ever, {self.held}: correct what the site requests, or have it released"
        if self.over_at is not None and (now >= min(self.over_at, until) or self.words()):
            return self.nothing_written()
        if now >= until:
            return (
                f"the trial did not run within {show_duration(self.wait_s)} ({self.said or 'no news of it'}) and was"
                " cancelled: wait longer with `--wait`, or name another `queue`"
            )
        return None

    def ask(self) -> None:
        """Ask the queue for the states of the elements; a failed question changes nothing."""
        try:
            sightings = self.sightings()
        except SiteError as error:
            self.tell(str(error))
            return
        words = show_all(map(describe_sighting, sightings)) or "not known in the queue"
        held = [describe_sighting(one) for one in sightings if one.phase is Phase.HELD]
        if words != self.said:
            self.tell(words)
        elif held:  # in two answers
            self.held = held[0]
        self.said = words
        if any(one.phase is not Phase.ENDED for one in sightings):
            self.over_at = None
        elif self.over_at is None:
            self.over_at = self.clock.monotonic() + self.site.site.visibility_s

    def sightings(self) -> list[Sighting]:
        """Return what the queue says about the trial; its id is looked up first if it is unknown."""
        if self.native is None:
            self.native = self.site.find([self.request.token]).get(self.request.token)
        return self.site.queue([self.known()]) if self.native else []

    def known(self) -> Known:
        """Return the trial as adapters need it."""
        return Known(self.request.token, self.native, ELEMENTS)

    def look(self) -> bool:
        """Read what elements wrote; return whether it is complete."""
        awaited = {f"{n}.json": n for n in range(1, ELEMENTS + 1) if n not in self.elements}
        there = self.site.transport.list([self.request.token]).get(self.request.token, {})
        for name in awaited.keys() & there.keys():
            path = f"{self.request.token}/{name}"
            self.elements[awaited[name]] = element_of(
                json.loads(self.site.transport.read({path: 0})[path]), wrote_at=there[name].mtime_s - self.file_skew_s,
                submitted_at=self.submitted_at, seen_at=self.clock.now(),
            )  # fmt: skip
        return len(self.elements) == ELEMENTS

    def words(self) -> str:
        """Return the last two messages of the scripts of elements, if any."""
        said = dict.fromkeys(line.strip() for line in self.site.runner_log(self.request.token).splitlines())
        return "; ".join([*said][-2:])

    def nothing_written(self) -> str:
        """Return why elements ended without a message, as far as their script knew."""
        words = self.words()
        if self.native is None:
            return f"the submit command did not say whether it took the trial, and the queue does not list {self.request.token}"
        if not words:
            return (
                f"the elements ended and left no file in {self.folder}: the nodes must see that folder and"
                f" {self.site.root} under the same names, so put `workdir` where they do"
            )
        return f"the elements ended before they could begin ({words}): {remedy_for(words)}"

    def tidy(self) -> None:
        """Cancel what still waits or runs, and remove what was written."""
        if self.out and len(self.elements) < ELEMENTS:
            self.take_back()
        self.site.transport.remove([self.request.token])
        self.site.leave()

    def take_back(self) -> None:
        """Cancel the trial, or report how a person can."""
        try:
            if self.native is None:
                self.native = self.site.find([self.request.token]).get(self.request.token)
            reply = self.site.cancel(self.known()) if self.native else None
        except QueryFailed as error:
            self.faults.append(f"the trial may still be in the queue as {self.request.token}: {error}")
            return
        if reply and reply.code and self.over_at is None:  # of what is over they complain, too
            command = shown(self.site.scheduler.cancel(self.known(), None))
            self.faults.append(
                f"the trial was not cancelled ({reply.words}): do it with `{command}`, if it is still there"
            )


def describe_sighting(one: Sighting) -> str:
    """Describe the state of an element, in the scheduler's own words."""
    where = f" on {one.node}" if one.node and one.phase is Phase.RUNNING else ""
    return f"{one.phase.value}{where} ({one.reason or one.word})"
