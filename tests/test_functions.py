"""Functions that a definition names: found in the campaign's folder first, delivered as what they are."""

import json
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from penstock.errors import DefinitionError
from penstock.functions import Folder, Imported, InFile, find_function, reference_of


def test_a_module_of_the_campaign_comes_before_an_installed_one(tmp_path: Path):
    assert find_function("json:loads", Folder(tmp_path)) == Imported("json", "loads")
    (tmp_path / "json.py").touch()
    assert find_function("json:loads", Folder(tmp_path)) == InFile("json", "loads", "json.py")


@pytest.mark.parametrize("file", ["lab/fits.py", "lab/fits/__init__.py", f"lab/fits{EXTENSION_SUFFIXES[0]}"])
def test_a_function_is_in_a_module_a_package_or_a_compiled_module(file: str):
    assert find_function("lab.fits:fit", ["lab.py", "fits.py", file]) == InFile("lab.fits", "fit", file)


def test_text_comes_before_what_is_compiled_and_a_package_before_a_module():
    files = [f"fits{EXTENSION_SUFFIXES[-1]}", "fits.py", "fits/__init__.py"]
    for last in (*reversed(files),):
        assert find_function("fits:fit", files) == InFile("fits", "fit", last)
        files.remove(last)


def test_a_folder_of_the_name_of_a_module_is_none(tmp_path: Path):
    (tmp_path / "fits.py").mkdir()
    assert find_function("fits:fit", Folder(tmp_path)) == Imported("fits", "fit")


def test_only_a_function_of_the_campaign_is_bound_to_its_file():
    assert Imported("lab.fits", "fit").deliver() == "lab.fits:fit"
    own = InFile("fits", "fit", "fits.py").deliver()
    assert json.loads(json.dumps(own)) == {"function": "fits:fit", "file": "fits.py"}


def test_where_a_function_is_does_not_change_what_it_means():
    assert InFile("fits", "fit", "fits.py").meaning() == Imported("fits", "fit").meaning() == ("fits", "fit")


def test_a_reference_names_what_it_was_made_of():
    assert find_function(reference_of(json.dumps), []) == Imported("json", "dumps")


def test_what_is_in_no_module_has_no_reference():
    with pytest.raises(DefinitionError, match="define it at the top of a module"):
        reference_of(lambda: None)
