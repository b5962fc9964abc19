"""What options of other tools are called here, for people used to those."""

from __future__ import annotations

import click

# Option of make, snakemake, nextflow or gwf → what to do here.
_CORES = "use --cores N"
_REDO = "`penstock redo UNIT` redoes finished tasks, `penstock run --stale` what is out of date"
_GOES_ON = "penstock always continues with everything that does not depend on a failure"
_RESUMES = "the same command always runs again what was interrupted"
_PLAN = "`penstock plan` shows the exact commands"
HINTS = {
    **dict.fromkeys(("-j", "--jobs", "-c", "--threads", "--max-workers"), _CORES),
    **dict.fromkeys(("-k", "--keep-going"), _GOES_ON),
    **dict.fromkeys(("--rerun-incomplete", "--ri", "--resume", "-resume", "--restart-times", "--retries"), _RESUMES),
    **dict.fromkeys(("-B", "--always-make", "-F", "--forceall", "-R", "--forcerun", "--force", "-f"), _REDO),
    **dict.fromkeys(("--rerun-triggers", "--touch", "-t"), _REDO),
    **dict.fromkeys(("-p", "--printshellcmds", "--summary", "-r", "--reason", "--just-print"), _PLAN),
    **dict.fromkeys(("-s", "--snakefile", "--makefile", "-d", "--directory"), "name the campaign's folder with -C DIR"),
    **dict.fromkeys(("--config", "--param", "--configfile"), "use --set KEY=VALUE"),
    **dict.fromkeys(("--profile", "--executor", "--cluster", "-profile", "--backend", "-b"), "use --site NAME"),
    **dict.fromkeys(("-U", "--until", "-O", "--omit-from", "--target"), "name units, or a stage with --stage"),
    "--unlock": "there is nothing to unlock: a conductor that died is replaced automatically",
    "--silent": "use --quiet",
    "-v": "`penstock log UNIT` prints what a task wrote, `penstock why UNIT` the reasons",
    "--verbose": "`penstock log UNIT` prints what a task wrote, `penstock why UNIT` the reasons",
}  # fmt: skip


class Hinting(click.Command):
    """A command that knows what options of other tools are called here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if hint := HINTS.get(error.option_name):
                raise click.UsageError(f"there is no {error.option_name} here: {hint}", ctx) from None
            raise
