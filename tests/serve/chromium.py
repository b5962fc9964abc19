"""A real Chromium, spoken to through pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.until import until

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "no chromium on the PATH"


class Browser:
    """One tab at a time: commands of the DevTools protocol, and what the page complained of meanwhile."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back, self.buffer, self.number = to, back, b"", 0
        self.session: str | None = None
        self.complaints: list[str] = []
        self.loaded = 0

    def read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            data = os.read(self.back, 1 << 20)
            assert data, "Chromium has ended"
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)

    def hear(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        self.loaded += message.get("method") == "Page.loadEventFired"

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        asked = {"id": self.number, "method": method, "params": params}
        given = {**asked, "sessionId": self.session} if self.session else asked
        os.write(self.to, json.dumps(given).encode() + b"\0")
        while (message := self.read()).get("id") != self.number:
            self.hear(message)
        assert "error" not in message, (method, message)
        return message["result"]

    def attach(self, *, window: bool = False) -> str:
        """Open another tab, which hides that before, or a window; it is spoken to from now on; return its session."""
        self.session = None
        target = self.do("Target.createTarget", url="about:blank", newWindow=window)["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")
        return str(self.session)

    def open(self, url: str) -> None:
        before = self.loaded
        self.do("Page.navigate", url=url)
        while self.loaded == before:
            self.hear(self.read())

    def look(self, width: int, scheme: str) -> None:
        """Take on the width of a screen, in pixels, and a colour scheme."""
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def value(self, script: str) -> Any:
        return self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)[
            "result"
        ].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until something is true on the page."""
        until(lambda: self.value(script), script, 60)

    def press(self, key: str, code: int, text: str = "") -> None:
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.do("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
        self.do("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def write(self, text: str) -> None:
        self.do("Input.insertText", text=text)

    def picture(self) -> bytes:
        return base64.b64decode(self.do("Page.captureScreenshot")["data"])


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start it; it ends with the block."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    words = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    ]

    def place_pipes() -> None:
        in_, out = os.dup(theirs_in), os.dup(theirs_out)  # whatever their numbers are
        os.dup2(in_, 3)
        os.dup2(out, 4)

    process = subprocess.Popen(
        [str(PROGRAM), *words],
        preexec_fn=place_pipes,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        browser = Browser(ours_out, ours_in)
        browser.attach()
        yield browser
    finally:
        process.terminate()
        process.wait(20)
        os.close(ours_out)
        os.close(ours_in)
