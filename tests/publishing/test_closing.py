"""A closing that publishes and is killed with kill -9 at each boundary of that step ends with the same bytes, and one seal."""

import json

import pytest
from tests.closing.conftest import NIGHT, TOML
from tests.closing.test_kills import Bench

STEPS = '{ merge = "sum" }, { publish = "web" }, "seal"]'
PUBLISH = """
[publish.web]
to = "public"
files = ["sum", "split"]
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    toml = TOML.replace('{ merge = "sum" }, "seal"]', STEPS) + PUBLISH
    return Bench(tmp_path_factory.mktemp("publishing"), toml, ("seals", "sums", "public", "published"))


@pytest.mark.parametrize("state", ["queued", "running", "done"])
@pytest.mark.parametrize("whom", ["everybody", "runner"])
def test_a_kill_at_a_boundary_of_the_step_changes_nothing(bench: Bench, whom: str, state: str) -> None:
    bench.reset()
    bench.strike(whom, lambda: bench.has_come("close.night.publish-web", state))
    bench.check()


def test_the_seal_has_what_was_published(bench: Bench) -> None:
    bench.reset()
    assert bench.command().wait() == 0
    noted = json.loads((bench.root / f"published/web/night/{NIGHT}.json").read_bytes())
    assert (noted["to"], noted["files"]) == ("public", 7)
    assert [*noted["manifests"]] == [f".published/nights/web/night/{NIGHT}.json"]
    assert f"published/web/night/{NIGHT}.json" in {one["path"] for one in bench.nights.seal()["products"]}


def test_provenance_that_was_written_is_published(bench: Bench) -> None:
    bench.reset()
    text = (bench.root / "penstock.toml").read_text()
    text = text.replace("{ publish", '"provenance", { publish').replace(
        '"split"]', '"close.night.provenance"]'
    )
    (bench.root / "penstock.toml").write_text(text)
    assert bench.command().wait() == 0
    document = bench.root / f"public/provenance/night/{NIGHT}.json"
    assert document.read_bytes() == (bench.root / f"provenance/night/{NIGHT}.json").read_bytes()
