"""The page has a line for each region, with what came of it or why nothing did."""

from __future__ import annotations

from pathlib import Path

from penstock.workflows.tracking.page import Shown, write_overview

ROW = {"steps": 7432, "cells": 82, "diffusivity": 0.09869, "flagged": 1, "reason": "converged"}
TRUE = {"depth": 2.176, "diffusivity_bias": -0.0131, "potential_rms": 0.412}


def written(folder: Path, *shown: Shown) -> str:
    write_overview(folder / "index.html", shown)
    return " ".join((folder / "index.html").read_text("utf-8").split())


def test_names_and_reasons_are_escaped_and_pictures_are_found_whatever_they_are_called(
    tmp_path: Path,
) -> None:
    shown = Shown("a <b>#1", {}, {"roi000": "x min 1 < x max"}, "maps/a <b>#1.png", {})
    text = written(tmp_path, shown)
    assert "<h2>a &lt;b&gt;#1</h2>" in text
    assert '<img src="maps/a%20%3Cb%3E%231.png"' in text
    assert "x min 1 &lt; x max" in text


def test_what_did_not_converge_is_marked_and_a_truth_has_columns_of_its_own(tmp_path: Path) -> None:
    late = {**ROW, "reason": "out of time"}
    without = written(tmp_path, Shown("a", {"roi000": ROW, "roi001": late}, {}, None, {}))
    assert "<td>7,432</td> <td>82</td> <td>0.09869</td> <td></td> <td>1</td> <td>converged</td>" in without
    assert '<td class="warning">out of time</td>' in without
    assert "D off" not in without
    compared = written(tmp_path, Shown("a", {"roi000": ROW | TRUE, "roi001": ROW}, {}, None, {}))
    assert "<td>2.18</td> <td>1</td> <td>-1.3%</td> <td>0.41</td> <td>converged</td>" in compared
    assert "<td></td> <td>1</td> <td></td> <td></td> <td>converged</td>" in compared
