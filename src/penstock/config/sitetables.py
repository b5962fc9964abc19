"""`[site.NAME]` as people write it."""

from typing import Annotated, Literal

from pydantic import Field

from penstock.config.fieldtypes import MOST, Duration, Licences, Line, Requirements, Size, Texts
from penstock.config.tables import Table


class PartitionTable(Table):
    """A queue of a cluster and the jobs that it takes."""

    name: Annotated[Line, Field(description="its name")]
    max_walltime: Annotated[Duration | None, Field(description="the longest job")] = None
    max_memory: Annotated[Size | None, Field(description="the most memory on a node")] = None
    gpus: Annotated[int, Field(ge=0, description="GPUs of a node")] = 0


class SiteTable(Table):
    """`[site.NAME]`: where jobs run."""

    scheduler: Annotated[str, Field(description="local, slurm, pbs, torque, gridengine or lsf")] = "local"
    host: Annotated[str | None, Field(description="a host of ~/.ssh/config; none: this machine")] = None
    transport: Annotated[
        str | None,
        Field(
            description="how it is reached: local, ssh, or an installed transport [with a host: ssh, else local]"
        ),
    ] = None
    workdir: Annotated[str | None, Field(description="the folder for jobs there")] = None
    cores: Annotated[
        int | None, Field(ge=1, le=MOST, description="without a scheduler: how many cores to use [all]")
    ] = None
    memory: Annotated[Size | None, Field(description="without a scheduler: how much memory to use [all]")] = (
        None
    )
    gpus: Annotated[int | None, Field(ge=0, le=MOST, description="local: how many GPUs to use [all]")] = None
    python: Annotated[
        str | None,
        Field(
            description="the Python of at least 3.6 to run there [here: the one that runs penstock; there: python3]"
        ),
    ] = None
    requirements: Annotated[
        Requirements,
        Field(
            description="packages for functions there, or a requirements.txt; `penstock site provision` installs them"
        ),
    ] = []
    setup: Annotated[Texts, Field(description="shell lines before each job")] = []
    environment: Annotated[
        dict[str, str], Field(description="environment variables; no others are passed on")
    ] = {}
    container: Annotated[
        str | None, Field(description="the image in which tasks run, by apptainer or singularity")
    ] = None
    commands: Annotated[str | None, Field(description="the folder of the scheduler's commands [on PATH]")] = (
        None
    )
    queue: Annotated[Line | None, Field(description="the queue")] = None
    partition: Annotated[Line | None, Field(description="the same, by Slurm's name")] = None
    partitions: Annotated[
        list[PartitionTable],
        Field(description="instead: queues, of which a job gets the first that is large enough"),
    ] = []
    account: Annotated[Line | None, Field(description="the account or project that pays")] = None
    qos: Annotated[Line | None, Field(description="the quality of service")] = None
    reservation: Annotated[Line | None, Field(description="the reservation whose nodes to use")] = None
    licences: Annotated[Licences, Field(description='licences that each job takes, such as "matlab:1"')] = []
    comment: Annotated[Line | None, Field(description="a comment on each job, if the site wants one")] = None
    name_prefix: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,19})?$",
            description="a prefix of job names, if the site wants one",
        ),
    ] = ""
    memory_per_cpu: Annotated[bool, Field(description="request memory per core, if the site wants that")] = (
        False
    )
    constraint: Annotated[Line | None, Field(description="the features that a node must have")] = None
    lines: Annotated[Texts, Field(description="raw lines for the head of the job script")] = []
    max_jobs: Annotated[int | None, Field(ge=1, le=MOST, description="active jobs (arrays) at a time")] = None
    max_queued_tasks: Annotated[
        int | None, Field(ge=1, le=MOST, description="queued and running tasks at a time")
    ] = None
    array_size: Annotated[int | None, Field(ge=1, le=MOST, description="elements of one array")] = None
    max_parallel: Annotated[
        int | None, Field(ge=1, le=MOST, description="elements of one array that run at once")
    ] = None
    max_walltime: Annotated[Duration | None, Field(description="the longest job")] = None
    max_memory: Annotated[Size | None, Field(description="the largest job")] = None
    visibility: Annotated[
        Duration, Field(description="how long a file written by a node may take to appear here [60s]")
    ] = 60.0
    shared_files: Annotated[
        bool | None,
        Field(
            description="whether it sees the campaign's folder under the same path; if not, inputs and products travel"
            " [with a `host`: false]"
        ),
    ] = None
    paths: Annotated[
        dict[str, str],
        Field(description="folders that it sees under another path: what is in them does not travel"),
    ] = {}
    disk: Annotated[Size | None, Field(description="what inputs and products may take there")] = None
    group: Annotated[str | None, Field(description="the Unix group that may read and write the workdir")] = (
        None
    )
    fetch: Annotated[Literal["all", "final", "none"], Field(description="which products are fetched")] = "all"
