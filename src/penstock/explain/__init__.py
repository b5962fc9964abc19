"""Why a task is in its state, from the ledger alone; and the units that a person names."""

from penstock.explain.find import find_children, find_stage, find_under, find_units
from penstock.explain.logs import Log, choose_stage, read_log
from penstock.explain.why import Explanation, explain

__all__ = [
    "Explanation",
    "Log",
    "choose_stage",
    "explain",
    "find_children",
    "find_stage",
    "find_under",
    "find_units",
    "read_log",
]
