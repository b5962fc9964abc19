from dataclasses import replace

import pytest

from penstock.config import from_json, load, to_json
from penstock.config.provenance import ENVIRONMENT
from penstock.errors import DefinitionError
from penstock.outputs import Provenance

HEAD = 'campaign = { name = "winter", levels = ["file"] }\nunits = { files = "{file}.txt" }\n'
STAGE = '[stage.a]\neach = "file"\ncommand = ["true"]\n'


def read(folder, text):
    (folder / "penstock.toml").write_text(HEAD + STAGE + text)
    return load(folder)


def test_what_archives_want_to_know_is_read_and_kept(tmp_path):
    campaign = read(
        tmp_path,
        '[provenance]\nlicence = "CC-BY-4.0"\ntitle = "Sea"\nauthors = ["Ada <https://orcid.org/0>"]',
    )
    said = ("CC-BY-4.0", "Sea", None, ("Ada <https://orcid.org/0>",), ENVIRONMENT)
    assert campaign.provenance == Provenance(*said)
    assert from_json(to_json(campaign)).provenance == campaign.provenance


def test_without_the_table_nothing_is_known(tmp_path):
    assert replace(read(tmp_path, "").provenance, environment=()) == Provenance()


def test_it_makes_no_result_stale(tmp_path):
    before, after = read(tmp_path, ""), read(tmp_path, '[provenance]\nlicence = "CC0-1.0"')
    assert before.stages[0].digest == after.stages[0].digest


@pytest.mark.parametrize("licence", ["free for all", "https://ann:pw@lab.example/x", ""])
def test_what_names_no_licence_is_refused(tmp_path, licence):
    with pytest.raises(DefinitionError, match="neither a name of SPDX"):
        read(tmp_path, f'[provenance]\nlicence = "{licence}"')


def test_variables_and_versions_are_read_and_kept(tmp_path):
    campaign = read(
        tmp_path, '[provenance]\nenvironment = ["TZ"]\nversions = { root = ["root-config", "--version"] }'
    )
    assert campaign.provenance.environment == ("TZ",)
    assert campaign.provenance.versions == {"root": ("root-config", "--version")}
    assert from_json(to_json(campaign)).provenance == campaign.provenance


def test_a_variable_that_holds_a_secret_is_not_recorded(tmp_path):
    with pytest.raises(DefinitionError, match="DB_TOKEN may hold a secret"):
        read(tmp_path, '[provenance]\nenvironment = ["DB_TOKEN"]')
