from xml.etree import ElementTree

import pytest
from hypothesis import given
from tests.provenance.conftest import RUN
from tests.provenance.test_provjson import NAMES, trace_of

from penstock.errors import DefinitionError
from penstock.provenance import drawing
from penstock.provenance.drawing import FAILED, HEIGHT, WIDTH, write_svg

SVG = "{http://www.w3.org/2000/svg}"


def boxes(text):
    """Return left and top of each box by its whole name."""
    root = ElementTree.fromstring(text)
    found = [
        (group.find(f"{SVG}title").text, group.find(f"{SVG}rect").attrib) for group in root.iter(f"{SVG}g")
    ]
    return {name: (int(frame["x"]), int(frame["y"])) for name, frame in found}


def test_what_is_made_stands_right_of_what_it_is_made_from(traced):
    places = boxes(write_svg(traced(RUN)))
    chain = ["input files by subrun", f"dl1 of 11 in {RUN}", "products of dl1", f"merge of {RUN}"]
    across = [places[name][0] for name in chain]
    assert across == sorted(set(across))


def test_boxes_do_not_overlap(traced):
    places = sorted(boxes(write_svg(traced(RUN, steps=True))).values())
    for n, (x, y) in enumerate(places):
        assert all(abs(x - a) >= WIDTH or abs(y - b) >= HEIGHT for a, b in places[n + 1 :])


def test_failed_attempts_have_a_colour_of_their_own(traced):
    assert write_svg(traced(RUN, steps=True)).count(FAILED) == 4
    assert "4 failed attempts" in write_svg(traced(RUN))


def test_what_nobody_can_read_is_not_drawn(traced, monkeypatch):
    monkeypatch.setattr(drawing, "MOST", 30)
    with pytest.raises(DefinitionError, match="cannot be read: leave out --steps"):
        write_svg(traced(RUN, steps=True))


@given(NAMES, NAMES, NAMES, NAMES)
def test_any_name_can_be_drawn(file, unit, host, campaign):
    assert len(boxes(write_svg(trace_of(file, unit, host, campaign)))) >= 1
