import os
import shutil

import pytest
from tests.provenance.conftest import NIGHT

from penstock.errors import DefinitionError
from penstock.provenance.files import find_file

MERGED = f"merged/{NIGHT}/01807.h5"


def test_a_product_is_found_from_the_campaign_from_here_and_from_the_root(ledger, night, monkeypatch):
    monkeypatch.chdir(night.root / "merged" / NIGHT)
    for name in (MERGED, f"./{MERGED}", "01807.h5", str(night.root / MERGED)):
        found = find_file(ledger, name)
        assert (found.path, found.stage, found.product, found.now) == (MERGED, "merge", "product", "")


def test_a_copy_is_found_by_its_content(ledger, night, tmp_path):
    path = f"dl1/{NIGHT}/01807.0001.h5"
    copy = shutil.copy(night.root / path, tmp_path / "sent.h5")
    digest = find_file(ledger, path).sha256
    assert find_file(ledger, str(copy)).sha256 == digest


def test_an_input_and_a_configuration_are_told_apart_from_products(ledger):
    found = find_file(ledger, f"raw/{NIGHT}/01807/0003.txt")
    assert (found.stage, len(found.units), found.bytes) == (None, 1, 6)
    assert find_file(ledger, "config/cleaning.json").readers == ("dl1",)


def test_a_file_in_a_folder_that_is_a_product_belongs_to_it(ledger):
    assert find_file(ledger, f"pages/{NIGHT}/index.html").path == f"pages/{NIGHT}"


def test_an_unknown_file_is_told_with_a_remedy(ledger):
    with pytest.raises(DefinitionError, match=r"knows no file 'nothing\.h5': .penstock status"):
        find_file(ledger, "nothing.h5")


def test_a_file_that_changed_since_is_noticed(night, tmp_path):
    from penstock.ledger import Ledger

    root = shutil.copytree(night.root, tmp_path / "copy", copy_function=shutil.copy2)
    (root / MERGED).write_text("another, longer than it was")
    os.unlink(root / f"calib/{NIGHT}.h5")
    with Ledger.open(root, readonly=True) as ledger:
        assert find_file(ledger, MERGED).now.startswith("what is there now is another file")
        assert find_file(ledger, f"calib/{NIGHT}.h5").now == "it is not there any more"
