"""What may stand at a key of a definition: names, amounts, lists, and what is accepted in their place."""

from collections.abc import Sequence
from datetime import date, datetime, time
from math import isfinite
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from penstock.config.amounts import gpus, seconds, size
from penstock.functions import REFERENCE
from penstock.units import iso

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
STAGE_NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
MOST = 1_000_000_000  # of whatever is counted

Outcome = Literal[
    "error",
    "timeout",
    "out_of_memory",
    "missing_product",
    "node_failure",
    "preempted",
    "lost",
    "unstarted",
    "cancelled",
]


def wrapped(key: str, written: Any) -> BeforeValidator:
    """Accept a bare value for a table with one key; `written` is what editors may expect."""

    def wrap(given: Any) -> Any:
        return given if isinstance(given, (dict, BaseModel)) else {key: given}  # type: ignore[reportUnknownVariableType]

    return BeforeValidator(wrap, json_schema_input_type=written)


def listed(given: Any) -> Any:
    """Take one text for a list of one."""
    return [given] if isinstance(given, str) else given


def _plain(given: Any) -> Any:
    """Turn TOML's dates into ISO text, all through."""
    if isinstance(given, dict):
        return {str(key): _plain(value) for key, value in cast("dict[Any, Any]", given).items()}
    if isinstance(given, (list, tuple)):
        return [_plain(value) for value in cast("Sequence[Any]", given)]
    if isinstance(given, datetime):
        return iso(given) if given.tzinfo else given.isoformat()
    if isinstance(given, (date, time)):
        return given.isoformat()
    if given is None or isinstance(given, (str, bool, int)) or (isinstance(given, float) and isfinite(given)):
        return given
    raise ValueError(f"{given!r} cannot be stored as JSON; use text, numbers, lists and tables")


def _batch(given: Any) -> int | float | None:
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and 0 < given <= MOST):
        return given
    if isinstance(given, str):
        return seconds(given)
    raise ValueError(f'{given!r} is not a batch; write a number of units (200) or a time ("20min")')


def _one_line(given: str) -> str:
    if not given.isprintable():
        raise ValueError(f"{given!r} must be one line: it goes into the head of job scripts")
    return given


def _gpus(given: Any) -> int | str:
    gpus(given)
    return given


def _scratch(given: Any) -> bool | str:
    if isinstance(given, bool) or (
        isinstance(given, str) and given.isprintable() and given[:1] in ("$", "/")
    ):
        return given
    raise ValueError(
        f'{given!r} is no place for scratch; write true, or a folder of the node such as "$TMPDIR"'
    )


Gpus = Annotated[int | str, BeforeValidator(_gpus)]
Scratch = Annotated[bool | str, BeforeValidator(_scratch)]
Duration = Annotated[float, BeforeValidator(seconds, json_schema_input_type=float | str)]
Size = Annotated[int, BeforeValidator(size, json_schema_input_type=int | str)]
Batch = Annotated[int | float | None, BeforeValidator(_batch, json_schema_input_type=int | str)]
Name = Annotated[str, Field(pattern=NAME)]
StageName = Annotated[str, Field(pattern=STAGE_NAME)]
Reference = Annotated[str, Field(pattern=REFERENCE)]
Names = Annotated[list[Name], BeforeValidator(listed, json_schema_input_type=str | list[str])]
Line = Annotated[str, AfterValidator(_one_line)]
Texts = Annotated[list[str], BeforeValidator(listed, json_schema_input_type=str | list[str])]
Requirements = Annotated[
    list[Annotated[str, Field(pattern=r"^[^\s-]")]],
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]
Licences = Annotated[list[Line], BeforeValidator(listed, json_schema_input_type=str | list[str])]
Params = Annotated[dict[Name, Any], BeforeValidator(_plain)]
TypeName = Literal["int", "float", "datetime", "str", "bool"]
