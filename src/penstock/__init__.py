"""penstock feeds a laboratory's data to its cluster and keeps the record of what was done.

The words (campaign, unit, stage, task, batch, job, product, site) are explained in `docs/design.md`.
"""

TYPE_CHECKING = False  # typing itself takes 15 ms to import

if TYPE_CHECKING:
    from penstock.build import Campaign, files, function, table
    from penstock.config import load
    from penstock.errors import (
        AuthNeeded,
        Corrupt,
        DefinitionError,
        Held,
        LedgerError,
        OutOfReach,
        PenstockError,
        QueryFailed,
        SiteError,
        SiteFull,
        SubmitRejected,
        Unreachable,
    )
    from penstock.runner.task import Task

__version__ = "0.1.0.dev0"

__all__ = [
    "AuthNeeded",
    "Campaign",
    "Corrupt",
    "DefinitionError",
    "Held",
    "LedgerError",
    "OutOfReach",
    "PenstockError",
    "QueryFailed",
    "SiteError",
    "SiteFull",
    "SubmitRejected",
    "Task",
    "Unreachable",
    "files",
    "function",
    "load",
    "table",
]

_HOMES = {
    "Campaign": "build",
    "files": "build",
    "function": "build",
    "table": "build",
    "load": "config",
    "Task": "runner.task",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: `import penstock` itself costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"penstock.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
