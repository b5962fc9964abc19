"""The command line: one file a command, loaded when it is asked for."""

from __future__ import annotations

from penstock.cli.locale import read_names_as_utf8, write_what_can_be_shown
from penstock.cli.root import cli

__all__ = ["cli", "main"]


def main() -> None:
    """Run `penstock` and leave with its exit code."""
    read_names_as_utf8()
    write_what_can_be_shown()
    cli(prog_name="penstock")
