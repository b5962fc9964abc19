"""`[close.LEVEL]` as people write it."""

from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from penstock.complete import parse_deadline
from penstock.config.tables import Table
from penstock.errors import DefinitionError


def _step(given: Any) -> Any:
    """Take a word for a step that says nothing more."""
    if isinstance(given, str):
        return {given: ""}
    if isinstance(given, dict) and len(cast("dict[Any, Any]", given)) != 1:
        raise ValueError('a step is one word, or one with what it names, such as { merge = "nightly" }')
    return cast("Any", given)


def _clock(given: str) -> str:
    try:
        parse_deadline(given)
    except DefinitionError:
        raise ValueError(f'{given!r} is no time; write "08:00" or "08:00 next day"') from None
    return given


def _zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (KeyError, OSError, ValueError):
        raise ValueError(
            f"{given!r} is no time zone that this machine knows; write one such as Europe/Madrid, or UTC"
        ) from None
    return given


Step = Annotated[dict[str, str], BeforeValidator(_step, json_schema_input_type=str | dict[str, str])]


class CloseTable(Table):
    """`[close.LEVEL]`: how the groups of a level end."""

    steps: Annotated[
        list[Step],
        Field(min_length=1, description="what is done, in this order: words, or tables of one key"),
    ] = [{"verify": ""}, {"seal": ""}]  # noqa: RUF012
    not_before: Annotated[
        Annotated[str, AfterValidator(_clock)] | None,
        Field(description='when it may begin on the group\'s own day, such as "08:00 next day" [at once]'),
    ] = None
    time_zone: Annotated[
        Annotated[str, AfterValidator(_zone)], Field(description="by which clocks, such as Europe/Madrid")
    ] = "UTC"
    deadline: Annotated[
        Annotated[str, AfterValidator(_clock)] | None,
        Field(description='when it must be over, such as "18:00 next day" (UTC)'),
    ] = None
    members: Annotated[
        Literal["all", "done"], Field(description="which tasks of the group must be done or vetoed")
    ] = "all"
