"""A real kernel of Jupyter, which tests talk to as a notebook does."""

from __future__ import annotations

import os
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager


@dataclass
class Shown:
    """What a cell left: its displays by their order, its text, its value, and its error."""

    displays: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    updates: int = 0
    printed: str = ""
    value: str = ""
    html: str = ""
    error: str = ""
    lines: list[str] = field(default_factory=list[str])  # that stand below the cell for the error


class Notebook:
    """A kernel in a folder; `environment` is that of whoever starts it."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = os.environ) -> None:
        self.folder = folder
        self.manager: Any = KernelManager()
        environment = {
            **environment,
            "JUPYTER_RUNTIME_DIR": str(folder / ".jupyter"),
            "IPYTHONDIR": str(folder / ".ipython"),
        }
        self.manager.start_kernel(cwd=str(folder), env=environment)
        self.client: Any = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, cell: str, id: str = "") -> str:
        """Run a cell, and do not wait for it; `id` is what JupyterLab and VS Code tell of which it is."""
        content = {
            "code": textwrap.dedent(cell),
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": False,
        }
        request = self.client.session.msg("execute_request", content, metadata={"cellId": id} if id else {})
        self.client.shell_channel.send(request)
        return request["header"]["msg_id"]

    def messages(self, sent: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what comes of a cell until it has ended."""
        while True:
            message = self.client.get_iopub_msg(timeout=90)
            if message["parent_header"].get("msg_id") == sent:
                kind, content = message["msg_type"], message["content"]
                if kind == "status" and content["execution_state"] == "idle":
                    return
                yield kind, content

    def collect(self, sent: str) -> Shown:
        """Wait for a cell, and return what it left."""
        shown = Shown()
        for kind, content in self.messages(sent):
            if kind == "display_data":
                shown.displays.append(content["data"])
            elif kind == "update_display_data":
                shown.displays[-1] = content["data"]
                shown.updates += 1
            elif kind == "stream":
                shown.printed += content["text"]
            elif kind == "execute_result":
                shown.value = content["data"]["text/plain"]
                shown.html = content["data"].get("text/html", "")
            elif kind == "error":
                shown.error = f"{content['ename']}: {content['evalue']}"
                shown.lines = content["traceback"]
        return shown

    def run(self, cell: str, id: str = "") -> Shown:
        """Run a cell."""
        return self.collect(self.send(cell, id))

    def interrupt_twice(self, sent: str, after_s: float) -> Shown:
        """Press that button twice, some time after a cell began, and again if it was before the cell; wait for its end."""
        self.await_begin(sent)
        time.sleep(after_s)
        ended = threading.Event()
        pressing = threading.Thread(target=self.press, args=[ended])
        pressing.start()
        try:
            return self.collect(sent)
        finally:
            ended.set()
            pressing.join()

    def await_begin(self, sent: str) -> None:
        """Wait until the kernel has taken a cell up."""
        next(kind for kind, _ in self.messages(sent) if kind == "execute_input")

    def press(self, ended: threading.Event) -> None:
        """Interrupt twice until a cell has ended."""
        while True:
            self.interrupt()
            self.interrupt()
            if ended.wait(5):
                return

    def interrupt(self) -> None:
        """Press the button with the square."""
        self.manager.interrupt_kernel()

    @property
    def pid(self) -> int:
        """The process of the kernel."""
        return self.manager.provisioner.process.pid

    def end(self) -> None:
        """Shut it down."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
