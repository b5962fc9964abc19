"""Forests for a campaign of the toy profile, at the places that its rules name."""

from __future__ import annotations

from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.telescope.settings import Settings


def place_of(settings: Settings, root: Path, name: str | None) -> Path:
    """Give the place of a model by the name of its rule, or of the first one. Raises DefinitionError."""
    rules = settings.choices["model"]
    for rule in rules:
        if name in (None, rule.name):
            return root / rule.path
    known = ", ".join(rule.name for rule in rules) or "none"
    raise DefinitionError(f"there is no [[model]] {name or ''!r} in telescope.toml: there are {known}")


def train_model(path: Path, *, events: int, seed: int) -> None:
    """Train forests on so many made-up gammas and protons, and write them to `path`, whole or not at all."""
    from penstock.workflows.telescope.toy.training import simulate_sample, train

    made = train(*simulate_sample(events, seed), seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    made.write(draft)
    draft.replace(path)
