"""A Slurm that is a function: it answers recorded text, and runs scripts at once if it is told to."""

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.transports.reply import Reply

CONFIG = """\
Configuration data as of 2026-01-17T12:00:00
AccountingStorageType   = accounting_storage/slurmdbd
MaxArraySize            = 1001
SLURM_VERSION           = 22.05.8
"""
DOWN = Reply(1, "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)")


@dataclass
class Answers:
    """What it answers, and what it was asked."""

    config: Reply = field(default_factory=lambda: Reply(0, CONFIG))
    sbatch: Reply = field(default_factory=lambda: Reply(0, "4711\n"))
    scancel: Reply = field(default_factory=lambda: Reply(0))
    rows: Sequence[str] = ()
    """Of squeue: state|reason of the elements 1, 2 …"""
    down: bool = False
    runs: Iterable[int] = ()
    """The elements that run as soon as they are submitted."""
    environment: Mapping[str, str] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    script: str = ""

    def __call__(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        words = [word for word in argv if word != "env" and not word.startswith("SLURM_")]
        self.asked.append(words)
        if self.down:
            return DOWN
        match words[0]:
            case "scontrol":
                return self.config
            case "sbatch":
                return self.submit(words, cwd, environment)
            case "squeue":
                return Reply(0, self.queue())
            case "scancel":
                return self.scancel
        raise FileNotFoundError(words[0])

    def submit(self, words: list[str], cwd: Path, environment: Mapping[str, str]) -> Reply:
        if self.sbatch.code != 0:
            return self.sbatch
        self.script = Path(words[-1]).read_text(encoding="utf-8")
        self.name = next(word.partition("=")[2] for word in words if word.startswith("--job-name="))
        for element in self.runs:
            given = {
                **environment,
                **self.environment,
                "SLURM_ARRAY_TASK_ID": str(element),
                "SLURM_JOB_ID": "4711",
            }
            subprocess.run(["sh", words[-1]], cwd=cwd, env=given, check=False)
        return self.sbatch

    def queue(self) -> str:
        head = "penstock|JOBID|NAME|STATE|START_TIME|NODELIST|REASON|end\n"
        rows = (row.split("|") for row in self.rows)
        return head + "".join(
            f"penstock|4711_{n}|{self.name}|{state}|N/A||{reason}|end\n"
            for n, (state, reason) in enumerate(rows, 1)
        )

    def commands(self) -> list[str]:
        return [words[0] for words in self.asked]
