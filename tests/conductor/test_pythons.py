"""Which Python a function gets where it runs, and whether that is one for it."""

import pytest

from penstock.campaign import Site, Stage
from penstock.conductor.pythons import misfit

FITS = [(">=3.9", "3.9.18"), (">=3.9", "3.13.0"), ("==3.11", "3.11.2"), (">=3.9", "3.10.0rc1")]
FITS_NOT = [(">=3.11", "3.9.18"), ("==3.11", "3.9.18"), ("==3.11", "3.13.0"), (">=3.11", "3.6.15")]


@pytest.mark.parametrize(("needed", "found"), FITS)
def test_a_python_that_fits(needed: str, found: str) -> None:
    assert misfit(Stage("fit", 1, requires_python=needed), Site("far"), found) is None


@pytest.mark.parametrize(("needed", "found"), FITS_NOT)
def test_a_python_that_does_not_is_told_with_both_versions_and_the_way_out(needed: str, found: str) -> None:
    said = misfit(Stage("fit", 1, requires_python=needed), Site("far", host="coulson"), found)
    assert said
    assert f"'fit' needs Python {needed[2:]}" in said
    assert f"at coulson it gets {found}: name another one as `python` of [site.far]" in said
    assert ("say `requires_python`" in said) == (needed[:2] == ">=")
