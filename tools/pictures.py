"""Make the pictures of README and gallery anew, in docs/pictures: `python tools/pictures.py FOLDER [NAME...]`.

Demonstrations that are not in FOLDER yet are run there, and it is told how long each takes. The pages are those of
`penstock serve`, as Chromium shows them. NAME: of a demonstration, or `status`; all, if none is named.
"""

from __future__ import annotations

import base64
import io
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from PIL import Image
from rich.console import Console

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.serve.chromium import chromium  # noqa: E402

from penstock.errors import NothingYet  # noqa: E402
from penstock.ledger import Ledger  # noqa: E402
from penstock.status import Status  # noqa: E402
from penstock.workflows.telescope.demo import make_night  # noqa: E402

PENSTOCK = [sys.executable, "-m", "penstock"]
WIDTH, COLOURS = 800, 128  # pixels of a picture, colours of its palette

#: demonstration → picture in docs/pictures → what the demonstration makes; `#`: a picture within a page
GALLERY: Mapping[str, Mapping[str, str]] = {
    "acoustics": {"spectrogram": "pictures/demo_20260117_040000.png", "average": "ltas.png"},
    "tracking": {"maps": "maps/cell-01.png", "truth": "regions/cell-01/roi001.png"},
    "sweep": {"energy": "index.html#energy", "magnetisation": "index.html#magnetisation"},
    "detector": {"trend": "trend/XPP/xpptut15.png", "status": "pixel_status/XPP/xpptut15/r0007/status-1.png"},
    "telescope": {"charge": "nights/20200117/datacheck-pictures/charge_mean.png"},
}

# A night with eight runs of three subruns: enough that something is always at work.
RUNS = ((1804, 1, "DRS4"), (1805, 1, "PEDCALIB"), *((number, 3, "DATA") for number in range(1807, 1815)))
SOURCES = tuple((number, "Crab", 83.633, 22.014) for number in range(1807, 1815))
VETOED, BROKEN = "2020-01-17/1812/2", "R0/20200117/R0.Run01810.0001.h5"


def make_demo(name: str, folder: Path) -> None:
    """Run a demonstration in `folder`, unless it was, and tell how long it took."""
    if folder.exists():
        return
    began = time.monotonic()
    subprocess.run([*PENSTOCK, "demo", name, str(folder)], check=True, stdout=subprocess.DEVNULL)
    print(f"{name}: {time.monotonic() - began:.0f} s")


def open_picture(folder: Path, source: str) -> Image.Image:
    """Open a picture that a demonstration made: a file, or one within a page, by its name."""
    page, _, name = source.partition("#")
    if not name:
        return Image.open(folder / page)
    inside = re.search(
        rf'<img alt="{name}" src="data:image/png;base64,([^"]+)"', (folder / page).read_text("utf-8")
    )
    assert inside, f"{folder / page} has no picture {name}"
    return Image.open(io.BytesIO(base64.b64decode(inside[1])))


def shrink(picture: Image.Image, target: Path, *, width: int = WIDTH) -> None:
    """Write a picture with few colours, and no wider than `width`."""
    if picture.width > width:
        picture = picture.resize(
            (width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS
        )
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def draw_status(status: Status, target: Path) -> None:
    """Write what `penstock status` prints in a terminal, as SVG without foreign fonts."""
    console = Console(
        record=True,
        width=128,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print("[bold]$[/] penstock status")
    console.print(status)
    svg = console.export_svg(title="penstock status", unique_id="status")
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def shoot(page: Path, target: Path, folder: Path, *, height: int) -> None:
    """Write the top of a page as Chromium shows it."""
    with chromium(folder / "profile") as tab:
        tab.look(1400, "light")
        tab.do("Emulation.setScrollbarsHidden", hidden=True)
        tab.open(page.as_uri())
        picture = Image.open(io.BytesIO(tab.picture()))
    shrink(picture.crop((0, 0, picture.width, min(height, picture.height))), target, width=1400)


def show_night(folder: Path, pictures: Path) -> None:
    """Process a night with a broken and a vetoed subrun; picture its status and its page meanwhile."""
    campaign = folder / "night"
    if campaign.exists():
        shutil.rmtree(campaign)
    make_night(campaign, RUNS, SOURCES)
    (campaign / BROKEN).write_bytes((campaign / BROKEN).read_bytes()[:20_000])
    words = [*PENSTOCK, "-C", str(campaign)]
    subprocess.run([*words, "veto", VETOED, "--why", "clouds, by the shift"], check=True)
    with subprocess.Popen([*words, "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        await_middle(campaign, running)
        running.send_signal(signal.SIGSTOP)  # both are of one moment
        with Ledger.open(campaign, readonly=True) as ledger:
            draw_status(Status.read(ledger), pictures / "status.svg")
        subprocess.run([*PENSTOCK, "serve", str(campaign), "--export", str(folder / "pages")], check=True)
        shoot(folder / "pages/night/index.html", pictures / "page.png", folder, height=820)
        running.send_signal(signal.SIGCONT)
        running.terminate()


def await_middle(campaign: Path, running: subprocess.Popen[bytes]) -> None:
    """Wait until a third of the subruns are checked."""
    while running.poll() is None:
        time.sleep(0.1)
        with suppress(NothingYet), Ledger.open(campaign, readonly=True) as ledger:
            status = Status.read(ledger)
            if any(s.name == "datacheck" and 3 * s.tasks["done"] >= s.total for s in status.stages):
                return
    raise RuntimeError("the run ended before it was in its middle")


def main(folder: Path, names: list[str]) -> None:
    pictures = ROOT / "docs/pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, wanted in GALLERY.items():
        if not names or name in names:
            make_demo(name, folder / name)
            for picture, source in wanted.items():
                shrink(open_picture(folder / name, source), pictures / f"gallery-{name}-{picture}.png")
    if not names or "status" in names:
        show_night(folder, pictures)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
