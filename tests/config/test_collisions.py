"""Products that are or become inputs are refused where patterns and links show it."""

from pathlib import Path

import pytest

from penstock import config
from penstock.errors import DefinitionError


def check(
    root: Path, product: str, *, files: str = "raw/{file}.dat", more: str = "", each: str = "file"
) -> None:
    text = f"""
        campaign = {{ name = "c", levels = ["file"] }}
        [units]
        files = "{files}"
        {more}
        [stage.clean]
        each = "{each}"
        command = ["cp", "{{path}}", "{{product}}"]
        products = {{ product = "{product}" }}
    """
    if each == "campaign":
        text = text.replace('["cp", "{path}", "{product}"]', '["touch", "{product}"]')
    (root / "penstock.toml").write_text("\n".join(line.strip() for line in text.splitlines()))
    config.check(config.load(root))


@pytest.mark.parametrize(
    "product", ["raw/{file}.dat", "raw/{name}", "raw/{stem}.dat", "raw/./{file}.dat", "linked/{file}.dat"]
)
def test_a_product_that_is_its_own_input_is_refused(tmp_path: Path, product: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "linked").symlink_to("raw")
    with pytest.raises(DefinitionError, match=r"'clean' is its own input; write it") as raised:
        check(tmp_path, product)
    assert raised.value.line is not None


def test_through_a_linked_source_too(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "linked").symlink_to("raw")
    with pytest.raises(DefinitionError, match="its own input"):
        check(tmp_path, "raw/{file}.dat", files="linked/{file}.dat")
    with pytest.raises(DefinitionError, match="its own input"):
        check(tmp_path, "raw/{file}.dat", files=f"{tmp_path}/raw/{{file}}.dat")


@pytest.mark.parametrize(
    ("product", "glob"),
    [("raw/{file}_clean.dat", "*_clean.dat"), ("raw/clean_{file}.dat", "clean_*.dat")],
)
def test_a_product_that_would_be_a_new_unit_is_refused_with_what_to_exclude(
    tmp_path: Path, product: str, glob: str
) -> None:
    with pytest.raises(DefinitionError, match="would be found as a new unit") as raised:
        check(tmp_path, product)
    assert f'exclude = ["{glob}"]' in str(raised.value)
    check(tmp_path, product, more=f'exclude = ["{glob}"]')


def test_so_is_that_of_a_merge_beside_the_data(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r'exclude = \["all.dat"\]'):
        check(tmp_path, "raw/all.dat", each="campaign")


@pytest.mark.parametrize(
    "product", ["out/{file}.dat", "raw/{file}.txt", "raw/clean/{file}.dat", "{file}.dat"]
)
def test_products_elsewhere_or_of_another_form_are_fine(tmp_path: Path, product: str) -> None:
    check(tmp_path, product)


def test_a_folder_level_in_the_pattern_is_seen_through(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="new unit"):
        check(tmp_path, "out/{file}.dat", files="{site}/{file}.dat")


@pytest.mark.parametrize("product", ["penstock.toml", "rows.csv"])
def test_a_product_that_is_a_file_of_the_definition_is_refused(tmp_path: Path, product: str) -> None:
    (tmp_path / "rows.csv").write_text("file\na\n")
    text = f"""
campaign = {{ name = "c", levels = ["file"] }}
units.table = "rows.csv"
[stage.all]
each = "campaign"
command = ["touch", "{{product}}"]
products = "{product}"
"""
    (tmp_path / "penstock.toml").write_text(text)
    with pytest.raises(DefinitionError, match=f"would replace {product}"):
        config.check(config.load(tmp_path))


def test_so_is_the_module_of_a_function_and_a_script_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text("def fit(task): pass\n")
    text = """
campaign = { name = "c", levels = ["file"] }
units.files = "raw/{file}.dat"
[stage.fit]
each = "file"
python = "steps:fit"
[stage.all]
each = "campaign"
command = ["touch", "{product}"]
products = "steps.py"
"""
    (tmp_path / "penstock.toml").write_text(text)
    with pytest.raises(DefinitionError, match=r"would replace steps.py"):
        config.check(config.load(tmp_path))
