"""An RO-Crate (https://www.researchobject.org/workflow-run-crate/): a Workflow Run Crate, and a Provenance Run Crate
where the trace has steps.

What is not known is not said: no author, no description, no licence is made up.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.display import CAMPAIGN
from penstock.errors import DefinitionError
from penstock.outputs import Provenance
from penstock.provenance.model import Activity, Agent, Entity, Trace
from penstock.provenance.names import identifier, namespace, plain, timestamp
from penstock.provenance.resources import images, resource_items, variable_items
from penstock.provenance.tables import members_name

METADATA = "ro-crate-metadata.json"
WORKFLOW = "definition.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = ("process", "workflow")
STEPS = "provenance"
RUN, ENGINE, LANGUAGE = "#run", "#engine", "#language"
SPDX = "https://spdx.org/licenses/"
STATUS = {"ok": "CompletedActionStatus"}
FAILED = "FailedActionStatus"

_AUTHOR = re.compile(r"(.+?)\s*<(https?://[^\s<>]+)>")

Item = dict[str, Any]


def write_crate(
    trace: Trace, about: Provenance, *, steps: bool, held: Mapping[str, str] | None = None
) -> str:
    """Return the metadata of a crate; `held` are the files that are in it: entity → path there.

    Raises DefinitionError if the campaign names no licence, or if nothing was made yet.
    """
    crate = Crate(trace, about, steps=steps, held=held or {})
    graph = {"@context": CONTEXT, "@graph": crate.items()}
    return json.dumps(graph, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_definition(trace: Trace) -> str:
    """Return the definition that the crate is about: that of every stage in it, without secrets."""
    plans = [entity for entity in trace.entities if entity.kind == "plan"]
    stages = [{"name": p.label, "sha256": p.sha256, **read_details(p.details)} for p in plans]
    return json.dumps({"campaign": trace.campaign, "stages": stages}, indent=1, ensure_ascii=False) + "\n"


def read_details(details: Mapping[str, Any]) -> Item:
    """Return details with what stands in them as JSON read."""
    return {
        name: json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
        for name, value in details.items()
    }


def ref(id: str) -> Item:
    """Return a reference to an item."""
    return {"@id": id}


def refs(ids: Iterable[str]) -> list[Item]:
    """Return references, each once."""
    return [ref(id) for id in dict.fromkeys(ids)]


class Crate:
    """Turns a trace into the items of a crate."""

    def __init__(self, trace: Trace, about: Provenance, *, steps: bool, held: Mapping[str, str]) -> None:
        if about.licence is None:
            raise DefinitionError(
                "a crate needs a licence, which nobody but you can choose: add `licence` to [provenance] of the"
                ' definition, such as licence = "CC-BY-4.0"'
            )
        ends = [activity.ended for activity in trace.activities if activity.ended is not None]
        if not ends:
            raise DefinitionError(f"nothing of {trace.subject} was made yet: `penstock run` does that")
        self.trace, self.about, self.steps, self.held = trace, about, steps, held
        self.licence, self.ended = about.licence, max(ends)
        self.made = {link.subject: link.object for link in trace.of("wasGeneratedBy")}
        self.ids = {e.id: self.id_of(e) for e in trace.entities if e.kind != "plan"}
        self.inputs = sorted({link.object for link in trace.of("used")} - self.made.keys())
        self.outputs = sorted(self.made)

    def items(self) -> list[Item]:
        """Return all items: the metadata itself, the root, the workflow, then the others by their ids."""
        rest = [*self.files(), *self.parameters(), *self.actions(), *self.people(), *self.surroundings()]
        return [self.metadata(), self.root(), self.workflow(), *sorted(rest, key=lambda item: item["@id"])]

    def id_of(self, entity: Entity) -> str:
        """Return what a file is called in the crate: its path if it is there, else a name that leads nowhere."""
        if entity.kind == "collection":
            return members_name(entity)
        if name := self.held.get(entity.id):
            return identifier(name) + ("/" if entity.kind == "folder" else "")
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, namespace(self.trace.campaign) + entity.id)}"

    def metadata(self) -> Item:
        """Return the item that describes the metadata file."""
        conforms = refs((CONTEXT[0].removesuffix("/context"), WORKFLOW_CRATE))
        return {"@id": METADATA, "@type": "CreativeWork", "about": ref("./"), "conformsTo": conforms}

    def profiles(self) -> list[str]:
        """Return the profiles that the crate conforms to."""
        names = (*PROFILES, STEPS) if self.steps else PROFILES
        return [*(f"https://w3id.org/ro/wfrun/{name}/0.5" for name in names), WORKFLOW_CRATE]

    def root(self) -> Item:
        """Return the root of the crate."""
        name = self.about.title or f"{self.trace.campaign}: {self.trace.subject}"
        said = self.about.description or f"Products of {self.whole}, and how they were made"
        return {
            "@id": "./",
            "@type": "Dataset",
            "name": plain(name),
            "description": plain(said),
            "datePublished": timestamp(self.ended),
            "license": ref(self.licence_id),
            "conformsTo": refs(self.profiles()),
            "mainEntity": ref(WORKFLOW),
            "hasPart": refs([WORKFLOW, *sorted(self.ids.values())]),
            "mentions": refs([RUN, *(f"#{a.id}" for a in self.trace.activities)] if self.steps else [RUN]),
        } | ({"author": refs(id for id, _ in self.authors())} if self.about.authors else {})

    @property
    def whole(self) -> str:
        """What the crate is of, with its level."""
        trace = self.trace
        return trace.campaign if trace.level == CAMPAIGN else f"{trace.level} {trace.subject}"

    @property
    def licence_id(self) -> str:
        """The URL of the licence."""
        return self.licence if self.licence.startswith("http") else SPDX + self.licence

    def workflow(self) -> Item:
        """Return the definition as a workflow."""
        types = ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
        programs = [f"#{agent.id}" for agent in self.programs()]
        steps = {
            "step": refs(f"#step/{stage}" for stage in self.stages),
            "hasPart": refs(f"#tool/{stage}" for stage in self.stages),
        }
        return {
            "@id": WORKFLOW,
            "@type": [*types, "HowTo"] if self.steps else types,
            "name": f"definition of {self.trace.campaign}",
            "encodingFormat": "application/json",
            "programmingLanguage": ref(LANGUAGE),
            "input": refs(self.parameter_of(entity) for entity in self.inputs),
            "output": refs(self.parameter_of(entity) for entity in self.outputs),
            **({"softwareRequirements": refs(programs)} if programs else {}),
            **(steps if self.steps else {}),
        }

    @property
    def stages(self) -> list[str]:
        """The stages that have activities, by name."""
        return sorted({activity.stage for activity in self.trace.activities})

    def parameter_of(self, entity: str) -> str:
        """Return the formal parameter that a file or collection is the value of: one for each stage and product."""
        collection = entity.startswith("collection/")
        stage = self.activity(self.made[entity]).stage if entity in self.made else "inputs"
        name = entity.partition("@")[0].removeprefix("collection/") if collection else stage
        return f"#parameter/{name}"

    def activity(self, id: str) -> Activity:
        """Return the activity of that id."""
        return {activity.id: activity for activity in self.trace.activities}[id]

    def files(self) -> Iterator[Item]:
        """Yield files, folders and lists of members."""
        for entity in self.trace.entities:
            if entity.kind == "plan":
                continue
            item: Item = {
                "@id": self.ids[entity.id],
                "@type": "Dataset" if entity.kind == "folder" else "File",
            }
            item["name"] = plain(entity.label)
            known = {"contentSize": entity.bytes, "sha256": entity.sha256}
            if entity.kind == "collection":
                known = {"members": entity.details["members"], "contentSizeOfMembers": entity.bytes}
                item |= {"encodingFormat": "text/csv", "description": describe_members(known)}
            else:
                item |= {name: str(value) for name, value in known.items() if value is not None}
            if entity.id in self.made or entity.id in self.inputs:
                item["exampleOfWork"] = ref(self.parameter_of(entity.id))
            yield item

    def parameters(self) -> Iterator[Item]:
        """Yield the formal parameters of the workflow, with the files that are their values."""
        values: dict[str, list[str]] = {}
        for entity in (*self.inputs, *self.outputs):
            values.setdefault(self.parameter_of(entity), []).append(self.ids[entity])
        for id, examples in values.items():
            name = id.removeprefix("#parameter/")
            yield {
                "@id": id, "@type": "FormalParameter", "additionalType": "File", "name": name,
                "workExample": refs(sorted(examples)),
            }  # fmt: skip

    def actions(self) -> Iterator[Item]:
        """Yield the run as a whole and, where steps are in, each of its attempts and who started them."""
        begins = [a.began for a in self.trace.activities if a.began is not None]
        yield {
            "@id": RUN,
            "@type": "CreateAction",
            "name": plain(self.whole),
            "instrument": ref(WORKFLOW),
            **({"startTime": timestamp(min(begins))} if begins else {}),
            "endTime": timestamp(self.ended),
            "actionStatus": f"http://schema.org/{STATUS['ok']}",  # it is what made the products
            **image_of({image for a in self.trace.activities for image in images(self.trace, a)}),
            "object": refs(self.ids[entity] for entity in self.inputs),
            "result": refs(self.ids[entity] for entity in self.outputs),
            **self.agents(),
        }
        if self.steps:
            yield from self.step_actions()

    def step_actions(self) -> Iterator[Item]:
        """Yield the parts of a Provenance Run Crate: tools, steps, attempts, and the engine that controlled them."""
        for position, stage in enumerate(self.stages):
            version = {"softwareVersion": said} if (said := self.version_of(stage)) else {}
            yield {"@id": f"#tool/{stage}", "@type": "SoftwareApplication", "name": stage, **version}
            work = ref(f"#tool/{stage}")
            yield {
                "@id": f"#step/{stage}",
                "@type": "HowToStep",
                "position": str(position),
                "workExample": work,
            }
        used, told = dict[str, list[str]](), set[str]()
        for link in self.trace.of("used"):
            used.setdefault(link.subject, []).append(self.ids[link.object])
        for activity in self.trace.activities:
            made = [self.ids[entity] for entity, by in self.made.items() if by == activity.id]
            resources, variables = resource_items(activity), variable_items(activity)
            yield attempt_item(activity, used.get(activity.id, []), made) | {
                **({"resourceUsage": refs(item["@id"] for item in resources)} if resources else {}),
                **({"environment": refs(item["@id"] for item in variables)} if variables else {}),
                **image_of(images(self.trace, activity)),
            }
            yield from resources
            yield from (item for item in variables if item["@id"] not in told)
            told.update(item["@id"] for item in variables)
            control = {"instrument": ref(f"#step/{activity.stage}"), "object": ref(f"#{activity.id}")}
            yield {"@id": f"#control/{activity.id}", "@type": "ControlAction", **control}
        controls = refs(f"#control/{activity.id}" for activity in self.trace.activities)
        organize = {"instrument": ref(ENGINE), "object": controls, "result": ref(RUN), **self.agents()}
        yield {"@id": "#organize", "@type": "OrganizeAction", "name": "penstock run", **organize}
        yield {"@id": ENGINE, "@type": "SoftwareApplication", "name": "penstock"}

    def version_of(self, stage: str) -> str:
        """Return the digests of the definitions of a stage, by which its tool is told from earlier ones."""
        plans = (e for e in self.trace.entities if e.kind == "plan" and e.label == f"definition of {stage}")
        return ", ".join(sorted(str(plan.details.get("version") or plan.sha256) for plan in plans))

    def agents(self) -> Item:
        """Return who ran it, as far as that is known."""
        known = [f"#{agent.id}" for agent in self.trace.agents if agent.kind == "person"]
        return {"agent": refs(known)} if known else {}

    def programs(self) -> list[Agent]:
        """Return the programs of which the version is known."""
        return [
            agent for agent in self.trace.agents if agent.kind == "software" and "version" in agent.details
        ]

    def people(self) -> Iterator[Item]:
        """Yield persons: those of the record, and the authors."""
        for agent in self.trace.agents:
            if agent.kind == "person":
                yield {"@id": f"#{agent.id}", "@type": "Person", "name": plain(agent.label)}
        for id, name in self.authors():
            yield {"@id": id, "@type": "Person", "name": name}

    def authors(self) -> Iterator[tuple[str, str]]:
        """Yield id and name of each author."""
        for author in self.about.authors:
            found = _AUTHOR.fullmatch(author)
            yield (
                (found[2], plain(found[1])) if found else (f"#{identifier('author', author)}", plain(author))
            )

    def surroundings(self) -> Iterator[Item]:
        """Yield the licence, the profiles and the language of the workflow."""
        yield {"@id": self.licence_id, "@type": "CreativeWork", "name": self.licence}
        for profile in self.profiles():
            name, version = profile.split("/")[-2:]
            yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
        for agent in self.programs():
            said = {"name": plain(agent.label), "version": plain(str(agent.details["version"]))}
            yield {"@id": f"#{agent.id}", "@type": "SoftwareApplication", **said}
        yield {"@id": LANGUAGE, "@type": "ComputerLanguage", "name": "penstock"}


def image_of(found: Iterable[str]) -> Item:
    """Return the container images of an action, if there are any."""
    images = sorted(set(found))
    return {"containerImage": images[0] if len(images) == 1 else images} if images else {}


def describe_members(known: Mapping[str, Any]) -> str:
    """Describe a list of members."""
    size = known["contentSizeOfMembers"]
    return f"a list of {known['members']} files" + (f" of {size} bytes together" if size is not None else "")


def attempt_item(activity: Activity, used: list[str], made: list[str]) -> Item:
    """Return one attempt: completed, or failed with its outcome."""
    item: Item = {"@id": f"#{activity.id}", "@type": "CreateAction", "name": plain(activity.label)}
    item["instrument"] = ref(f"#tool/{activity.stage}")
    if activity.began is not None:
        item["startTime"] = timestamp(activity.began)
    if activity.ended is not None:
        item["endTime"] = timestamp(activity.ended)
    item["actionStatus"] = f"http://schema.org/{STATUS.get(activity.outcome or '', FAILED)}"
    if activity.outcome != "ok":
        code = activity.details.get("exit_code")
        item["error"] = f"{activity.outcome}" + (f", exit code {code}" if code is not None else "")
    return item | {"object": refs(used), "result": refs(made)}
