"""The definition as people write it. Pydantic checks its shape; `assemble` its sense."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from penstock.config.channels import ChannelTable
from penstock.config.closetables import CloseTable
from penstock.config.fieldtypes import (
    MOST,
    Batch,
    Duration,
    Gpus,
    Name,
    Names,
    Outcome,
    Params,
    Reference,
    Scratch,
    Size,
    StageName,
    Texts,
    TypeName,
    listed,
    wrapped,
)
from penstock.config.provenance import ProvenanceTable
from penstock.config.publishtables import MoveTable, PublishTable
from penstock.config.sitetables import SiteTable
from penstock.config.tables import Table


class CampaignTable(Table):
    """`[campaign]`: what it is called and how its units are named."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="its name: letters, digits, . _ -")
    ]
    levels: Annotated[
        list[Name],
        Field(min_length=1, max_length=5, description="the hierarchy that names units, coarse to fine"),
    ]
    site: Annotated[str, Field(description="the site of stages that name none")] = "local"
    fair: Annotated[
        Name | None, Field(description="the level whose groups take turns, in stages at finer levels")
    ] = None
    heartbeat: Annotated[
        str | None, Field(description="a file, or a URL, that is touched once a minute while turns are taken")
    ] = None


class SourceTable(Table):
    """Where units come from: one of `files`, `table` and `python`."""

    files: Annotated[str | None, Field(description="a path pattern that finds, parses and names files")] = (
        None
    )
    table: Annotated[
        str | None, Field(description="a CSV file with a header; its columns are levels and fields")
    ] = None
    python: Annotated[Reference | None, Field(description="`module:function`, a generator of dicts")] = None
    settle: Annotated[
        Duration | None, Field(description="a file is used once it has not changed for this long [10s]")
    ] = None
    many: Annotated[Names, Field(description="fields that differ between the files of one unit")] = []
    companions: Annotated[
        Texts, Field(description="companion files that must exist, and go where the file goes")
    ] = []
    partial: Annotated[
        str | None,
        Field(
            description="a file that stands beside it while it is being written, and holds back its unit: {path}.part"
        ),
    ] = None
    exclude: Annotated[Texts, Field(description="globs of files to leave out")] = []
    derive: Annotated[dict[Name, str], Field(description="field = expression over other fields")] = {}
    types: Annotated[dict[str, TypeName], Field(description="the type of a column or field")] = {}


Policy = Literal["ask", "redo", "ignore"]


class UnitsTable(SourceTable):
    """`[units]`, with `[units.LEVEL]` for the fields of coarser levels."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, SourceTable]  # type: ignore[reportIncompatibleVariableOverride]
    complete: Annotated[dict[str, str], Field(description="when the groups of a level are complete")] = {}
    changed: Annotated[
        Policy, Field(description="what to do when the input of what is done changes; a stage may differ")
    ] = "ask"
    vanished: Annotated[
        Policy, Field(description="what to do about groups of which a member vanishes; a stage may differ")
    ] = "ignore"
    returned: Annotated[
        Policy | None,
        Field(
            description="what to do when an input comes back as another one [as `changed`]; a stage may differ"
        ),
    ] = None


class ProductTable(Table):
    """A file that a task must leave."""

    path: Annotated[str, Field(description="where, relative to the campaign, with placeholders")]
    taken_from: Annotated[
        str | None, Field(alias="from", description="the name, or a glob, that the program itself gives")
    ] = None
    folder: Annotated[bool, Field(description="it is a folder")] = False
    optional: Annotated[bool, Field(description="it may be missing")] = False
    fetch: Annotated[
        bool, Field(description="it comes home from a far site by itself, as `fetch` of the site says")
    ] = True


class AfterTable(Table):
    """An upstream stage."""

    stage: Annotated[str, Field(description="its name")]
    key: Annotated[Texts, Field(description="the upstream's key, one placeholder a level")] = []
    optional: Annotated[
        bool, Field(description="a key that the upstream's `where` excludes does not block")
    ] = False
    products: Annotated[Names, Field(description="which of its products are inputs [all]")] = []


class ResourcesTable(Table):
    """What one worker needs for one unit."""

    cpus: Annotated[int, Field(ge=1, le=MOST, description="cores (of each process)")] = 1
    memory: Annotated[
        Size | None, Field(description='memory, such as "2GB"; of several nodes, each one\'s')
    ] = None
    walltime: Annotated[Duration | None, Field(description='time limit, such as "10min"')] = None
    gpus: Annotated[
        Gpus,
        Field(description='GPUs (on each node): a number, or a type and a number such as "a100:2"'),
    ] = 0
    nodes: Annotated[
        int, Field(ge=1, le=MOST, description="nodes, for a program that starts processes on several")
    ] = 1
    tasks_per_node: Annotated[
        int,
        Field(ge=1, le=MOST, description="processes that the program starts on each node, of `cpus` each"),
    ] = 1
    exclusive: Annotated[bool, Field(description="nodes that no other job shares")] = False
    scratch_disk: Annotated[
        Size | None, Field(description='space on the node\'s own disk, such as "50GB"')
    ] = None


class RetryTable(Table):
    """How often one class of failure is tried again."""

    times: Annotated[int, Field(ge=0, le=MOST, description="how often")]
    delays: Annotated[
        list[Duration], Field(description="how long to wait before each; the last repeats")
    ] = []
    scale: Annotated[
        float, Field(ge=1, le=1000, strict=False, description="multiply the resources by this, each time")
    ] = 1.0


class RuleTable(Table):
    """A rule for units whose fields, or failed attempts, meet all of its conditions."""

    name: Annotated[
        StageName | None, Field(description="what it is called in the record [its place, from 1]")
    ] = None
    where: Annotated[str | None, Field(description="a condition on the unit's fields")] = None
    exit: Annotated[int | None, Field(description="the exit code of a failed attempt")] = None
    log: Annotated[
        str | None, Field(description="a regular expression over the end of a failed attempt's log")
    ] = None
    verdict: Annotated[
        Literal["permanent", "transient", "veto", "mark"], Field(description="what that means")
    ]
    why: Annotated[str, Field(description="the reason to show")] = ""

    @model_validator(mode="after")
    def _any_condition(self) -> "RuleTable":
        if self.where is None and self.exit is None and self.log is None:
            raise ValueError("a rule needs `where`, `exit` or `log`")
        _check_regex(self.log)
        return self


class SuccessTable(Table):
    """What success needs beside exit code and products."""

    log: Annotated[str, Field(description="a regular expression that the log must match")]

    @model_validator(mode="after")
    def _readable(self) -> "SuccessTable":
        _check_regex(self.log)
        return self


def _check_regex(text: str | None) -> None:
    try:
        re.compile(text or "")
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None


def _products(given: Any) -> Any:
    if isinstance(given, str):
        return {"product": {"path": given}}
    return {} if given is None else given


class StageTable(Table):
    """`[stage.NAME]`: what is done at a level."""

    each: Annotated[str, Field(description='the level whose keys it runs for, or "campaign"')]
    command: Annotated[Texts, Field(description="an argv list with placeholders")] = []
    python: Annotated[Reference | None, Field(description="`module:function`, called with the task")] = None
    setup: Annotated[Reference | None, Field(description="`module:function`, called once a worker")] = None
    fields: Annotated[
        Names, Field(description="of a function: the levels and fields that it is given, and may use [all]")
    ] = []
    shell: Annotated[bool, Field(description="the command is shell text; placeholders are quoted")] = False
    products: Annotated[
        dict[Name, Annotated[ProductTable, wrapped("path", str | ProductTable)]],
        BeforeValidator(_products, json_schema_input_type=str | dict[str, str | ProductTable]),
        Field(description="a path pattern, or names with path patterns"),
    ] = {}
    optional: Annotated[Names, Field(description="products that may be missing")] = []
    after: Annotated[
        list[Annotated[AfterTable, wrapped("stage", str | AfterTable)]],
        BeforeValidator(listed, json_schema_input_type=str | list[str | AfterTable]),
        Field(description="the stages it waits for"),
    ] = []
    follows: Annotated[
        str | None, Field(alias="with", description="the stage it runs right after, in the same worker")
    ] = None
    where: Annotated[str | None, Field(description="the condition on fields for a key to have a task")] = None
    expands: Annotated[str | None, Field(description="the level of the units that it makes")] = None
    members: Annotated[Literal["all", "done"], Field(description="which finer tasks must be done")] = "all"
    empty: Annotated[
        Literal["block", "run"], Field(description="what to do with a group without members")
    ] = "block"
    late: Annotated[Literal["redo", "ask", "ignore"], Field(description="what to do about late members")] = (
        "redo"
    )
    changed: Annotated[
        Policy | None, Field(description="what to do when its input changes [as `[units]` says]")
    ] = None
    vanished: Annotated[
        Policy | None, Field(description="what to do when a member of its group vanishes [as `[units]` says]")
    ] = None
    returned: Annotated[
        Policy | None,
        Field(description="what to do when its input comes back as another one [as `[units]` says]"),
    ] = None
    deadline: Annotated[
        dict[str, str],
        Field(
            description='level = when all of its groups\' tasks must be done, such as "18:00 next day" (UTC)'
        ),
    ] = {}
    params: Annotated[Params, Field(description="parameters, which override the shared ones")] = {}
    batch: Annotated[
        Batch, Field(description="units in a batch, or its time [learned from finished units]")
    ] = None
    batch_wait: Annotated[
        Duration | None,
        Field(description="how long a task may wait for its batch to fill [2min; on this machine 0]"),
    ] = None
    workers: Annotated[int, Field(ge=1, le=MOST, description="tasks at a time in a batch")] = 1
    order: Annotated[
        str,
        Field(
            description='which of its tasks go first: "oldest", "newest", or those with the least of an expression'
        ),
    ] = "oldest"
    fair: Annotated[
        str | None,
        Field(description='the level whose groups take turns, or "campaign" [that of the campaign]'),
    ] = None
    array: Annotated[
        str | None,
        Field(description="the level whose groups get job arrays of their own [campaign]"),
    ] = None
    priority: Annotated[
        int, Field(ge=-MOST, le=MOST, description="its tasks go before those of stages with less")
    ] = 0
    max_running: Annotated[
        int | None,
        Field(ge=1, le=MOST, description="how many of its tasks may be queued and running at once, anywhere"),
    ] = None
    resources: Annotated[ResourcesTable | None, Field(description="per worker, per unit")] = None
    retry: Annotated[
        dict[Outcome, Annotated[RetryTable, wrapped("times", int | RetryTable)]],
        Field(description="outcome = how often to retry"),
    ] = {}
    rules: Annotated[list[RuleTable], Field(description="what to do by fields, exit code or log")] = []
    ok_codes: Annotated[list[int], Field(min_length=1, description="exit codes that mean success")] = [0]
    success: Annotated[SuccessTable | None, Field(description="what else success needs")] = None
    scratch: Annotated[
        Scratch,
        Field(
            description='run in a private folder (of the node: "$TMPDIR") and take the products from there'
        ),
    ] = False
    copy_inputs: Annotated[bool, Field(description="copy the task's inputs into scratch first")] = False
    templates: Annotated[dict[str, str], Field(description="input file in scratch = template to render")] = {}
    environment: Annotated[dict[str, str], Field(description="environment variables")] = {}
    needs: Annotated[
        Texts,
        Field(description="files, folders and patterns of the campaign that it reads without naming them"),
    ] = []
    requires_python: Annotated[
        str | None,
        Field(
            pattern=r"^(>=|==)3\.\d{1,3}$",
            description='which Python its function needs where it runs: ">=3.9", "==3.11" [any; of a cell: none older]',
        ),
    ] = None
    version: Annotated[str, Field(description="a new one makes finished tasks stale")] = ""
    site: Annotated[str | None, Field(description="the site where it runs [local]")] = None


class ProgramTable(Table):
    """`[program.NAME]`: an executable that is built where it runs, `{program.NAME}` in commands."""

    sources: Annotated[
        Texts,
        Field(min_length=1, description="files, folders and patterns of the campaign that it is built from"),
    ]
    build: Annotated[
        Texts, Field(min_length=1, description="shell lines that build it, where a copy of these lies alone")
    ]
    executable: Annotated[str | None, Field(description="the path of what they make [its name]")] = None


class Definition(Table):
    """A whole definition file."""

    campaign: Annotated[CampaignTable, Field(description="the name and the levels")]
    params: Annotated[Params, Field(description="parameters that all stages share")] = {}
    units: Annotated[UnitsTable, Field(default_factory=dict, description="where units come from")]
    stage: Annotated[dict[StageName, StageTable], Field(description="what is done, by name")] = {}
    program: Annotated[
        dict[Name, ProgramTable], Field(description="executables that are built where they run, by name")
    ] = {}
    site: Annotated[dict[StageName, SiteTable], Field(description="where jobs run, by name")] = {}
    notify: Annotated[
        dict[StageName, ChannelTable], Field(description="how people are told what happens, by name")
    ] = {}
    close: Annotated[dict[Name, CloseTable], Field(description="the end of a group, by level")] = {}
    publish: Annotated[
        dict[StageName, PublishTable], Field(description="products that others may see, by name")
    ] = {}
    move: Annotated[
        dict[StageName, MoveTable], Field(description="where products go when their group is closed, by name")
    ] = {}
    provenance: Annotated[
        ProvenanceTable,
        Field(default_factory=dict, description="what documents for archives say of the products"),
    ]


@contextmanager
def _without_plugins() -> Generator[None]:
    """Pydantic looks for its plugins in all that is installed, which takes longer than the rest of a load."""
    before = os.environ.get("PYDANTIC_DISABLE_PLUGINS")
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        yield
    finally:
        del os.environ["PYDANTIC_DISABLE_PLUGINS"]
        if before is not None:
            os.environ["PYDANTIC_DISABLE_PLUGINS"] = before


with _without_plugins():
    Definition.model_rebuild()
