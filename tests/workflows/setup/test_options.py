import click
import pytest
from click.testing import CliRunner

from penstock.workflows.setup.options import NumberOrWord, bundle, demo_options, given

placed = bundle(click.option("--lat", type=float, help="North."), click.option("--lon", type=float))


@click.command()
@placed
@click.option("--bin", type=NumberOrWord())
def where(**options):
    click.echo(repr(given(options)))


@click.command()
@demo_options("sky")
def demo(folder, scheduler):
    click.echo(f"{folder} {scheduler}")


def invoke(command, *words):
    return CliRunner().invoke(command, words).output.strip()


def test_a_bundle_gives_its_options_in_their_order():
    shown = invoke(where, "--help")
    assert shown.index("--lat") < shown.index("--lon") < shown.index("--bin")


@pytest.mark.parametrize(("text", "value"), [("10", 10.0), ("1e-7", 1e-7), ("day", "day")])
def test_only_what_was_given_is_there_and_a_number_is_one(text, value):
    assert invoke(where, "--bin", text) == repr({"bin": value})
    assert invoke(where) == "{}"


def test_a_demonstration_has_a_folder_of_its_own_and_may_go_to_a_cluster():
    assert invoke(demo) == "demo-sky None"
    assert invoke(demo, "here", "--scheduler", "slurm") == "here slurm"
