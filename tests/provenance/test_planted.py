"""Secrets that are all around a campaign reach no document."""

import json
import os
import subprocess
import sys

import pytest

from penstock.cli import cli
from penstock.testing.crates import check_crate

SECRETS = [f"hunter{n:02d}secret" for n in range(20)]
DEFINITION = """
[campaign]
name = "planted"
levels = ["file"]
[units]
files = "raw/{{file}}.txt"
settle = "0s"
[provenance]
licence = "CC0-1.0"
environment = ["LANG", "PROXY"]
versions = {{ tool = ["sh", "-c", "echo tool 1 https://u:{0}@lab.example/"] }}
[site.local]
setup = ["export A={1}"]
environment = {{ B = "{2}", PROXY = "http://u:{3}@proxy.lab.example:8080" }}
[notify.chat]
url = "https://hooks.lab.example/services/{4}"
on = "failure"
[stage.load]
each = "file"
command = [
    "sh", "-c", 'cat said.txt; cat said.txt >&2; grep -q bad "$1" && exit 3; cp "$1" "$2"', "sh", "{{path}}", "{{product}}",
    "--token", "{7}", "--password={8}", "Authorization: Bearer {9}", "https://u:{10}@lab.example/x?sig={11}&run=1",
]
products = "out/{{file}}.txt"
params = {{ password = "{12}", url = "https://{13}@lab.example/", db = {{ api_key = "{14}" }}, nfft = 4 }}
environment = {{ PGPASSWORD = "{15}" }}
retry = {{ error = {{ times = 0 }} }}
[stage.note]
each = "campaign"
after = ["load"]
members = "done"
python = "steps:note"
products = "note.txt"
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """A campaign with 20 secrets, run for real: one unit fails and says a secret."""
    root = tmp_path_factory.mktemp("planted") / "campaign"
    (root / "raw").mkdir(parents=True)
    (root / "penstock.toml").write_text(DEFINITION.format(*SECRETS))
    (root / "raw" / "a.txt").write_text("good")
    (root / "raw" / "b.txt").write_text("bad")
    (root / "said.txt").write_text("\n".join(SECRETS[5:7]))
    lines = (
        f"print('{SECRETS[16]}')",
        "task.product().write_text('x')",
        f"return {{'key': '{SECRETS[17]}'}}",
    )
    (root / "steps.py").write_text("\n    ".join(("def note(task):", *lines)) + "\n")
    env = {**os.environ, "DB_TOKEN": SECRETS[18], "AWS_SECRET_ACCESS_KEY": SECRETS[19]}
    command = [sys.executable, "-m", "penstock", "run", "-C", str(root)]
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == 1
    return root


def found_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize("steps", [[], ["--steps"]])
@pytest.mark.parametrize("unit", ["campaign", "a", "b"])
def test_no_document_has_a_secret(campaign, penstock, tmp_path, unit, steps):
    formats = [word for form in ("prov-json", "prov-n", "svg", "ro-crate") for word in ("--format", form)]
    shown = penstock("provenance", unit, "-C", campaign, *formats, *steps, "--out", tmp_path / "crate")
    assert shown.exit_code == 0, shown.output
    texts = [path.read_text() for path in (tmp_path / "crate").rglob("*") if path.is_file()]
    assert len(texts) >= 5
    assert [found_in(text) for text in texts if found_in(text)] == []
    assert check_crate(tmp_path / "crate") == []


@pytest.mark.parametrize(
    "words", [["of", "out/a.txt"], ["of", "note.txt"], ["of", "raw/b.txt"], ["uses", "raw/a.txt"]]
)
def test_no_answer_has_a_secret(campaign, penstock, words):
    for more in ([], ["--json"]):
        shown = penstock("provenance", *words, "-C", campaign, *more)
        assert (shown.exit_code, found_in(shown.output)) == (0, [])


def test_what_is_no_secret_is_there(campaign, penstock):
    made = json.loads(penstock("provenance", "a", "-C", campaign).output)
    (plan,) = [e for e in made["entity"].values() if e["prov:label"] == "definition of load"]
    assert json.loads(plan["penstock:params"])["nfft"] == 4
    assert "run=1" in plan["penstock:command"]
    assert "tool 1" in json.dumps(made["agent"])
    assert "proxy.lab.example" in json.dumps(made["activity"])


@pytest.fixture
def penstock():
    from click.testing import CliRunner

    return lambda *words: CliRunner().invoke(cli, [str(word) for word in words], prog_name="penstock")
