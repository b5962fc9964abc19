"""The graph of the stages of a definition, drawn."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from penstock.campaign import Campaign
from penstock.flowchart import write_mermaid, write_svg
from penstock.testing import make_campaign

SVG = "{http://www.w3.org/2000/svg}"
DEFINITION = """
[campaign]
name = "winter"
levels = ["night", "run"]
[units]
table = "runs.csv"
[stage.clean]
each = "run"
command = ["cp", "x", "{product}"]
products = "clean/{night}/{run}"
[stage.check]
each = "run"
with = "clean"
command = ["cp", "{inputs.clean}", "{product}"]
products = "check/{night}/{run}"
[stage.merge]
each = "night"
after = ["clean", { stage = "check", optional = true }]
command = ["cp", "x", "{product}"]
products = "merged/{night}"
[close.night]
"""


def winter(root: Path) -> Campaign:
    return make_campaign(root, DEFINITION, {"runs.csv": "night,run\na,1\n"}).load()


def test_mermaid_says_what_each_stage_is_of_and_how_it_waits(tmp_path: Path) -> None:
    assert write_mermaid(winter(tmp_path)).splitlines() == [
        "flowchart LR",
        '  s1["clean<br>each run"]',
        '  s2["check<br>each run"]',
        '  s3["merge<br>each night"]',
        "  s1 -->|with| s2",
        "  s1 --> s3",
        "  s2 -.-> s3",
    ]


def test_a_drawing_has_a_box_for_each_stage_and_a_line_for_each_wait(tmp_path: Path) -> None:
    drawn = ElementTree.fromstring(write_svg(winter(tmp_path)))
    boxes, lines = drawn.findall(f".//{SVG}rect"), drawn.findall(f"{SVG}path")
    assert [each.text for each in drawn.findall(f"{SVG}g/{SVG}title")] == ["clean", "check", "merge"]
    assert [float(box.attrib["x"]) for box in boxes] == sorted({float(box.attrib["x"]) for box in boxes})
    assert [line.attrib.get("stroke-dasharray") for line in lines].count(None) == 2
    assert len(lines) == 3


def test_steps_of_closings_are_drawn_where_that_is_asked_for(tmp_path: Path) -> None:
    told = write_mermaid(winter(tmp_path), closing=True)
    assert "close.night.seal" in told
    assert "close.night.seal" not in write_mermaid(winter(tmp_path))
