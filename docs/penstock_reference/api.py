"""The Python API: the public names, with their own docstrings."""

import inspect
from importlib import import_module

from penstock_reference.markdown import fence, join

Names = tuple[tuple[str, tuple[str, ...]], ...]  # module, names

BUILDING: Names = (("penstock", ("Campaign", "files", "table", "function", "load")),)
STAGE: Names = (("penstock", ("Task",)),)
DRIVING: Names = (
    ("penstock.conductor", ("Conductor", "Ending", "Turn")),
    ("penstock.conductor.plan", ("plan", "Plan")),
)
ASKING: Names = (
    (
        "penstock.record",
        ("open", "look", "Record", "UnitRow", "TaskRow", "ResultRow", "AttemptRow", "ProductRow", "Event"),
    ),
    ("penstock.ledger", ("Ledger",)),
    ("penstock.status", ("Status",)),
    ("penstock.explain", ("find_units", "explain", "read_log")),
    ("penstock.report", ("Report",)),
)

# Of classes with more public methods than people are meant to call: those.
MEMBERS = {"Conductor": ("run", "watch", "tick", "ask_stop")}

INTRODUCTION = """# Python API

What stands here is public: it changes only with a word in the changelog. Everything else is penstock's own."""

EXAMPLE = """A campaign may be a file `campaign.py` in place of `penstock.toml`, with [the same keys](definition.md) and the
same checks:

```python
import penstock

campaign = penstock.Campaign("winter", levels=["file"], units=penstock.files("audio/{file}.wav", settle="60s"))


@campaign.stage(each="file", products="levels/{file}.json")
def levels(task: penstock.Task) -> None:
    task.product().write_text("{}")
```"""

QUESTIONS = """`penstock.record` is for workflows, notebooks and exports ([an example](../howto/export.md)); the others are
what the commands stand on.

```python
import penstock.record

with penstock.record.open("winter") as record:
    print(record.status().to_json()["stages"])
    print([task.unit for task in record.tasks("levels", state="failed")])
```"""

TESTING = """Shipped for the tests of your own campaigns. `penstock.testing` needs nothing but penstock; as a pytest plug-in it
is loaded with `pytest_plugins = ["penstock.testing.plugin"]`."""


def sections() -> dict[str, tuple[str, Names]]:
    """Return heading → (words, names); together they hold every public name once."""
    said = {name for _, names in (*BUILDING, *STAGE) for name in names}
    errors = tuple(name for name in import_module("penstock").__all__ if name not in said)
    testing = tuple(import_module("penstock.testing").__all__)
    return {
        "Building a campaign": (EXAMPLE, BUILDING),
        "In a stage": ("A Python stage is a function that gets one of these.", STAGE),
        "Driving a campaign": ("`penstock run` and its like are thin calls of these.", DRIVING),
        "Asking about it": (QUESTIONS, ASKING),
        "Errors": ("[Errors](errors.md) has their tree and what to do.", (("penstock", errors),)),
        "Testing": (TESTING, (("penstock.testing", testing),)),
    }


def render_page() -> str:
    """Render the page."""
    parts = [join(f"## {heading}", words, *_entries(names)) for heading, (words, names) in sections().items()]
    return join(INTRODUCTION, *parts)


def _entries(names: Names) -> list[str]:
    return [_entry(module, name) for module, group in names for name in group]


def _entry(module: str, name: str) -> str:
    thing = getattr(import_module(module), name)
    if inspect.isclass(thing):
        chosen = " " + ", ".join(MEMBERS[name]) if name in MEMBERS else ""
        members = f"\n   :members:{chosen}" if not issubclass(thing, Exception) else ""
        return fence(f".. autoclass:: {module}.{name}{members}", "{eval-rst}")
    kind = "autofunction" if callable(thing) else "autodata"
    return fence(f".. {kind}:: {module}.{name}", "{eval-rst}")
