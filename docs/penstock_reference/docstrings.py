"""Docstrings as Sphinx wants them: ours may hold fenced blocks, as Markdown has them."""

from typing import Any


def unfence(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn fenced blocks into indented ones, in place, when Sphinx reads a docstring."""
    found: list[str] = []
    inside = False
    for line in lines:
        if line.lstrip().startswith("```"):
            inside = not inside
            found += ["", "::", ""] if inside else [""]
        else:
            found.append(f"    {line}" if inside and line else line)
    lines[:] = found
