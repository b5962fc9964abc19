"""`[provenance]` as people write it: what archives want to know and the record cannot."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from penstock.config.fieldtypes import Line, Name, Texts
from penstock.config.tables import Table
from penstock.outputs import Provenance

#: recorded where nothing else is said: which environment of programs it is, and how they calculate
ENVIRONMENT = ("CONDA_DEFAULT_ENV", "LANG", "LC_ALL", "LOADEDMODULES", "OMP_NUM_THREADS", "TZ", "VIRTUAL_ENV")

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_SECRET = re.compile(r"pass|pwd|secret|token|key|credential|auth|cookie|webhook", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s@]+")


def check_licence(given: str) -> str:
    """Refuse what names no licence."""
    if not (_SPDX.fullmatch(given) or _URL.fullmatch(given)):
        raise ValueError(f"{given!r} is neither a name of SPDX, such as CC-BY-4.0, nor a URL")
    return given


def check_variables(given: list[str]) -> list[str]:
    """Refuse variables that are there to hold secrets."""
    for name in given:
        if _SECRET.search(name):
            raise ValueError(f"{name} may hold a secret, and is not recorded")
    return given


class ProvenanceTable(Table):
    """`[provenance]`: what is said of the products as a whole. All of it goes into published documents."""

    licence: Annotated[
        Annotated[str, AfterValidator(check_licence)] | None,
        Field(description="the licence of the products: its SPDX name, such as CC-BY-4.0, or a URL"),
    ] = None
    title: Annotated[Line | None, Field(description="what the products are called in an archive")] = None
    description: Annotated[str | None, Field(description="what they are")] = None
    authors: Annotated[Texts, Field(description="who made them: names, or `Name <https://orcid.org/…>`")] = []
    environment: Annotated[
        Annotated[Texts, AfterValidator(check_variables)],
        Field(description="variables whose values are recorded where tasks run; no other is"),
    ] = list(ENVIRONMENT)
    versions: Annotated[
        dict[Name, list[str]],
        Field(
            description='program = the command that prints its version, as in `root = ["root-config", "--version"]`'
        ),
    ] = {}
    inputs: Annotated[
        bool,
        Field(description="whether runners digest the input files of tasks, each once for a size and time"),
    ] = True
    configuration: Annotated[
        Texts,
        Field(
            description="files that stages depend on (`needs`, templates, code), or patterns of such, whose contents are"
            " kept and copied into crates: they hold no secrets"
        ),
    ] = []


def provenance_of(table: ProvenanceTable) -> Provenance:
    """Freeze what people wrote."""
    versions = {name: tuple(argv) for name, argv in table.versions.items() if argv}
    return Provenance(
        table.licence,
        table.title,
        table.description,
        tuple(table.authors),
        tuple(table.environment),
        versions,
        table.inputs,
        tuple(table.configuration),
    )
