"""The command line: one file a command, loaded when it is asked for."""

from __future__ import annotations

from penstock.cli.root import cli

__all__ = ["cli", "main"]


def main() -> None:
    """Run `penstock` and leave with its exit code."""
    cli(prog_name="penstock")
