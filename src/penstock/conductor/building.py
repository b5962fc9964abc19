"""Building the programs that commands name at their sites, before tasks are given out."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.campaign import Program, Stage
from penstock.conductor.context import Context
from penstock.ledger.experience import note_building
from penstock.ledger.pauses import pause_stages
from penstock.ledger.tasks import any_came_back, newest_attempt
from penstock.site.builds import Builds

FIRST_S = 2.0  # that a turn waits for a build which it began: most are over by then
LOOK_S, LOOK_AT_MOST_S = 0.5, 15.0  # between two looks at one, the longer the longer it takes
BUILT_S = 600.0  # until it is looked whether a purge took what was built


class Building:
    """Has programs built, and knows which are.

    A stage waits for those of its command and of the commands that follow it; a build that fails pauses all stages of
    its site that need it. What is remembered here saves questions, and is asked again by the next conductor.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.ledger, self.clock = context, context.ledger, context.clock
        self.campaign, self.sites = context.campaign, dict[str, Builds]()
        self.begun, self.due, self.built = dict[str, float](), dict[str, float](), set[str]()
        self.heard = dict[str, int]()  # program → the newest attempt when it was last asked for

    def has_built(self, stage: Stage) -> bool:
        """Whether all programs of a stage, and of those that run with it, are built; what is not is begun."""
        programs = {p.name: p for link in self.campaign.chain(stage) for p in link.programs}
        missing = [program for program in programs.values() if not self.is_built(stage, program)]
        return not missing

    def executables(self, names: Iterable[str]) -> dict[str, str]:
        """Return where the programs of stages are when they are built, by name."""
        stages = [stage for stage in self.campaign.stages if stage.name in names]
        return {p.name: self.builds_for(stage).executable(p) for stage in stages for p in stage.programs}

    def leave(self) -> None:
        """Keep the builds of the present definition, and remove earlier ones that nobody uses, once it has others."""
        for name, builds in self.sites.items():
            here = [stage for stage in self.campaign.stages if self.campaign.site_of(stage) == builds.site]
            kept = sorted({builds.digest(program) for stage in here for program in stage.programs})
            if self.ledger.meta(f"built.{name}") != (now := " ".join(kept)):
                builds.keep(kept)
                with self.ledger.transaction():
                    self.ledger.set_meta(f"built.{name}", now)

    def builds_for(self, stage: Stage) -> Builds:
        """Return what builds programs where a stage runs."""
        site = self.campaign.site_of(stage)
        if site.name not in self.sites:
            self.sites[site.name] = Builds(site, self.campaign.root)
        return self.sites[site.name]

    def is_built(self, stage: Stage, program: Program) -> bool:
        """Whether a program is built, as far as it is time to look."""
        builds = self.builds_for(stage)
        if not self.came_back(builds, program) and self.clock.monotonic() < self.due.get(program.name, 0.0):
            return program.name in self.built
        found = builds.ask(program, wait_s=0.0 if program.name in self.begun else FIRST_S)
        match found.state:
            case "built":
                self.note_over(builds, program)
                self.built.add(program.name)
                self.due[program.name] = self.clock.monotonic() + BUILT_S
            case "failed":
                self.note_over(builds, program)
                numbers = self.numbers_of(builds, program)
                pause_stages(self.ledger, numbers, found.why, now=self.clock.now())
            case _:
                self.note_begun(builds, program)
        return found.is_built

    def came_back(self, builds: Builds, program: Program) -> bool:
        """Whether tasks came back without having run since it was last asked: their program may be gone."""
        newest, stages = newest_attempt(self.ledger.db), self.numbers_of(builds, program)
        before, self.heard[program.name] = self.heard.get(program.name, newest), newest
        return newest > before and any_came_back(self.ledger.db, stages, after=before)

    def note_begun(self, builds: Builds, program: Program) -> None:
        """Note that a program is being built, and when to look again."""
        now, name = self.clock.monotonic(), program.name
        if name not in self.begun:
            self.begun[name] = now
            self.built.discard(name)
            note_building(self.ledger, builds.site.name, name, self.clock.now())
        self.due[name] = now + min(max(LOOK_S, (now - self.begun[name]) / 10), LOOK_AT_MOST_S)

    def note_over(self, builds: Builds, program: Program) -> None:
        """Note that a program is not being built any more."""
        self.begun.pop(program.name, None)
        self.built.discard(program.name)
        self.due.pop(program.name, None)
        note_building(self.ledger, builds.site.name, program.name, None)

    def numbers_of(self, builds: Builds, program: Program) -> list[int]:
        """Return the stages of a site that wait for a program."""
        ids, campaign = self.context.graph.ids, self.campaign
        here = [stage for stage in campaign.stages if campaign.site_of(stage) == builds.site]
        return [ids[s.name] for s in here if any(program in link.programs for link in campaign.chain(s))]
