import csv
import io

from tests.provenance.conftest import RUN

from penstock.provenance.tables import member_files, write_members


def test_each_collection_has_its_members_in_a_file(traced):
    files = member_files(traced(RUN))
    assert [len(text.splitlines()) - 1 for text in files.values()] == [11, 11, 11]


def test_a_line_has_path_size_digest_and_unit(traced):
    (text,) = [t for n, t in member_files(traced(RUN)).items() if n.startswith("members/dl1.product.")]
    row = next(csv.DictReader(io.StringIO(text)))
    assert (row["unit"], row["path"], len(row["sha256"])) == (
        f"{RUN}/0000",
        "dl1/2020-01-17/01807.0000.h5",
        64,
    )


def test_a_subrun_costs_few_bytes(traced):
    (group,) = [e for e in traced(RUN).entities if e.label == "products of dl1"]
    assert len(write_members(group.members)) / 11 < 200
