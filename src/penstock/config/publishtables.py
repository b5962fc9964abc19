"""`[publish.NAME]` and `[move.NAME]` as people write them."""

from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from penstock.config.fieldtypes import Line, Name, wrapped
from penstock.config.tables import Table


class ShownTable(Table):
    """Products that go to one place."""

    stage: Annotated[str, Field(description="the stage that makes them")]
    product: Annotated[Name | None, Field(description="which of its products [all]")] = None
    to: Annotated[
        str | None,
        Field(
            description="where in the folder, with placeholders; a folder if it ends with a slash [as in the campaign]"
        ),
    ] = None


def _list(given: Any) -> Any:
    return [cast("Any", given)] if isinstance(given, (str, dict)) else given


class PublishTable(Table):
    """`[publish.NAME]`: which products others may see, and where."""

    to: Annotated[
        Line, Field(min_length=1, description="the folder, which may be one that a web server shows")
    ]
    site: Annotated[
        str | None, Field(description="the [site.NAME] whose host has the folder [this machine]")
    ] = None
    files: Annotated[
        list[Annotated[ShownTable, wrapped("stage", str | ShownTable)]],
        BeforeValidator(_list, json_schema_input_type=str | list[str | ShownTable]),
        Field(min_length=1, description="which products: names of stages, or tables that say more"),
    ]
    each: Annotated[
        str | None,
        Field(
            description='the level whose groups have a manifest each, or "campaign" [that of its closing, else the coarsest]'
        ),
    ] = None


class MoveTable(Table):
    """`[move.NAME]`: which products go to their final folder when their group is closed."""

    to: Annotated[
        Line, Field(min_length=1, description="the folder, below the campaign's or anywhere on this machine")
    ]
    files: Annotated[
        list[Annotated[ShownTable, wrapped("stage", str | ShownTable)]],
        BeforeValidator(_list, json_schema_input_type=str | list[str | ShownTable]),
        Field(min_length=1, description="which products: names of stages, or tables that say more"),
    ]
