import json
import shutil
from pathlib import Path

import pytest

from penstock.testing.crates import METADATA, check_crate

SOUND = Path(__file__).parents[1] / "provenance" / "wfrun_ok"


@pytest.fixture
def crate(tmp_path):
    return Path(shutil.copytree(SOUND, tmp_path / "crate"))


def change(crate: Path, how) -> list[str]:
    data = json.loads((crate / METADATA).read_text())
    how({item["@id"]: item for item in data["@graph"]}, data["@graph"])
    (crate / METADATA).write_text(json.dumps(data))
    return check_crate(crate)


def test_a_sound_crate_has_no_faults(crate):
    assert check_crate(crate) == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda known, _: known["./"].pop("license"), "the root has no license"),
        (lambda known, _: known["./"].update(datePublished="yesterday"), "datePublished is no time"),
        (lambda known, _: known["./"].pop("mainEntity"), "mainEntity is no workflow"),
        (lambda known, _: known["#run"].update(endTime="6"), "endTime of #run is no time"),
        (lambda known, _: known["#run"].pop("instrument"), "no action has the workflow as its instrument"),
        (lambda known, _: known["#run"]["object"].append({"@id": "#a"}), "object of #run leads to #a, which is not there"),
        (lambda known, _: known["./"].pop("mentions"), "#run is not mentioned by the root"),
        (lambda known, _: known["dl1.h5"].pop("exampleOfWork"), "dl1.h5 does not point back to #out"),
        (lambda known, graph: graph.remove(known["#me"]), "agent of #run leads to #me, which is not there"),
        (lambda known, _: known["dl1.h5"].update({"@id": "/data/dl1.h5"}), "/data/dl1.h5 is no path within the crate"),
        (lambda known, _: known["dl1.h5"].update({"@id": "../dl1.h5"}), "../dl1.h5 is no path within the crate"),
        (lambda known, _: known["dl1.h5"].update({"@id": "dl 1.h5"}), "dl 1.h5 is no path within the crate"),
        (lambda known, _: known["./"]["hasPart"].pop(), "members.csv is no part of the root"),
        (lambda known, graph: graph.append(known["#me"]), "#me is there twice"),
    ],
)  # fmt: skip
def test_a_fault_is_named(crate, how, said):
    assert said in change(crate, how)


def test_a_file_that_is_not_there_is_named(crate):
    (crate / "dl1.h5").unlink()
    assert check_crate(crate) == ["dl1.h5 is not there"]


def test_no_number_is_not_a_number(crate):
    text = (crate / METADATA).read_text()
    (crate / METADATA).write_text(text.replace('"0.1"', "NaN"))
    with pytest.raises(ValueError, match="NaN is no JSON"):
        check_crate(crate)
