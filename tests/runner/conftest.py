"""A job folder filled by hand, and the real runner on it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.pythons import FAR

from penstock.ledger.jobs import new_token
from penstock.runner.build import build_zip, read_sources, runner_name

SCHEDULER_VARIABLES = ("SLURM_", "PBS_", "SGE_", "LSB_", "JOB_ID", "PENSTOCK")


def command(unit: int, *argv: Any, stage: str = "command", **more: Any) -> dict[str, Any]:
    """A task line of a command."""
    return {"u": unit, "s": stage, "k": str(unit), "argv": list(argv), "key": [unit], "fields": {}, **more}


def shell(unit: int, text: str, **more: Any) -> dict[str, Any]:
    """A task line of a shell command, which finds its product in $P."""
    env = {"P": {"ref": "product"}} if "products" in more else {}
    return command(unit, "/bin/sh", "-c", text, env={**env, **more.pop("env", {})}, **more)


def python(unit: int, stage: str = "python", **more: Any) -> dict[str, Any]:
    """A task line of a Python stage."""
    return {"u": unit, "s": stage, "k": str(unit), "key": [unit], "fields": {}, "products": {}, **more}


def product(path: str, **more: Any) -> dict[str, Any]:
    return {"product": {"path": path, "optional": False, "from": None, "folder": False, **more}}


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Ask until the answer is true."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


class Lab:
    """One job: its spec, its batches, its processes and what they wrote."""

    command = staticmethod(command)
    shell = staticmethod(shell)
    python = staticmethod(python)
    product = staticmethod(product)
    wait_for = staticmethod(wait_for)

    def __init__(self, base: Path, program: Path):
        self.program = program
        self.token = new_token()  # a life ends all that carries the token, also of a test that runs beside it
        self.root = base / "campaign"
        self.job = base / "job"
        self.modules = base / "modules"
        self.stages: dict[str, dict[str, Any]] = {"command": {"id": 1}}
        self.spec: dict[str, Any] = {}
        self.started: list[subprocess.Popen[str]] = []
        self.batches = 0
        for folder in (self.root, self.job, self.modules):
            folder.mkdir()
        (self.job / "tasks.jsonl").touch()

    def stage(self, name: str, **definition: Any) -> None:
        self.stages[name] = {"id": len(self.stages) + 1, **definition}

    def function(self, source: str, name: str = "python", **definition: Any) -> None:
        """Define a Python stage by the source of its module, whose function is `run`."""
        (self.modules / f"{name}_module.py").write_text(source)
        self.stage(name, python=f"{name}_module:run", path=[str(self.modules)], **definition)

    def write_spec(self) -> None:
        spec = {
            "format": 1,
            "token": self.token,
            "campaign": "winter",
            "root": str(self.root),
            "elements": 1,
            "feed": True,
            "offsets": [0],
            "walltime_s": None,
            "idle_s": 10,
            "beat_s": 60,
            "grace_s": 1,
            "environment": {},
            "stages": self.stages,
            **self.spec,
        }
        (self.job / "spec.json").write_text(json.dumps(spec))

    def batch(self, tasks: Sequence[dict[str, Any]], workers: int = 1) -> int:
        """Append a batch; return the offset of its header."""
        self.batches += 1
        body = "".join(json.dumps(task) + "\n" for task in tasks)
        header = {"batch": self.batches, "workers": workers, "tasks": len(tasks), "bytes": len(body)}
        with (self.job / "tasks.jsonl").open("a") as file:
            offset = file.tell()
            file.write(json.dumps(header) + "\n" + body)
        return offset

    def close(self) -> None:
        (self.job / "closed").write_text(str(self.batches))

    def environment(self, extra: dict[str, str] | None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(SCHEDULER_VARIABLES)}
        return {**kept, **(extra or {})}

    def start(self, *options: str, env: dict[str, str] | None = None, **more: Any) -> "subprocess.Popen[str]":
        """Start the runner and do not wait."""
        self.write_spec()
        process = subprocess.Popen(
            [FAR, str(self.program), str(self.job), *options],
            env=self.environment(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **more,
        )
        self.started.append(process)
        return process

    def run(
        self, tasks: Sequence[dict[str, Any]] = (), *options: str, workers: int = 1, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run the runner on one more batch, the last, until it leaves."""
        if tasks:
            self.batch(tasks, workers)
        self.close()
        process = self.start(*options, **more)
        out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def events(self, life: int = 1, element: int = 1) -> list[dict[str, Any]]:
        path = self.job / f"{element}.{life}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"]

    def of_kind(self, kind: str, life: int = 1, element: int = 1) -> list[dict[str, Any]]:
        return [event for event in self.events(life, element) if event["e"] == kind]

    def ends(self, life: int = 1) -> dict[int, dict[str, Any]]:
        return {event["u"]: event for event in self.of_kind("end", life)}

    def end(self, task: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Run one task; return its end."""
        done = self.run([task], **more)
        assert done.returncode == 0, done.stderr
        (end,) = self.of_kind("end")
        return end

    def log(self, event: dict[str, Any]) -> str:
        worker, offset, length = event["log"]
        path = self.job / f"1.{worker}.log"
        return path.read_bytes()[offset : offset + length].decode() if length else ""

    def leftovers(self) -> list[Path]:
        """What the runner should not have left in the campaign."""
        return [path for path in self.root.rglob("*") if ".penstock" in path.parts]

    def kill_all(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runner(tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="session")
def new_lab(tmp_path_factory: pytest.TempPathFactory, program: Path) -> Callable[[], Lab]:
    """Make one lab after the other, for property tests."""
    return lambda: Lab(tmp_path_factory.mktemp("lab"), program)


@pytest.fixture
def lab(tmp_path: Path, program: Path) -> Iterator[Lab]:
    made = Lab(tmp_path, program)
    yield made
    made.kill_all()


def write_runner(folder: Path) -> Path:
    """Write the runner as a file; return its path."""
    path = folder / runner_name(read_sources())
    path.write_bytes(build_zip(read_sources()))
    return path
