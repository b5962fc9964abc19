"""`[provenance]` as people write it: what archives want to know and the record cannot."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from penstock.campaign import Provenance
from penstock.config.fieldtypes import Line, Texts
from penstock.config.tables import Table

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_URL = re.compile(r"https?://[^\s@]+")


def check_licence(given: str) -> str:
    """Refuse what names no licence."""
    if not (_SPDX.fullmatch(given) or _URL.fullmatch(given)):
        raise ValueError(f"{given!r} is neither a name of SPDX, such as CC-BY-4.0, nor a URL")
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


def provenance_of(table: ProvenanceTable) -> Provenance:
    """Freeze what people wrote."""
    return Provenance(table.licence, table.title, table.description, tuple(table.authors))
