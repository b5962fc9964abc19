"""`penstock simulate`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import reduce, wraps
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from penstock.cli.options import (
    DurationType,
    campaign_option,
    json_option,
    load_campaign,
    print_json,
    set_option,
)
from penstock.display import visible

if TYPE_CHECKING:
    from penstock.simulation import Forecast, Shape, Way


F = TypeVar("F", bound=Callable[..., Any])


SHAPE = [  # the cluster that is pretended
    click.option(
        "--nodes", type=click.IntRange(1), default=4, show_default=True, help="Nodes of each cluster."
    ),
    click.option("--cores", type=click.IntRange(1), default=16, show_default=True, help="Cores of one node."),
    click.option(
        "--queue",
        "queue_s",
        type=DurationType(),
        metavar="TIME",
        help="What half of the jobs wait at most, besides for a free node  [default: as in the record, else 1min].",
    ),
    click.option(
        "--start",
        "start_s",
        type=DurationType(),
        metavar="TIME",
        help="What a job needs its cores for before its first task  [default: as in the record, else 1s].",
    ),
    click.option(
        "--spread",
        type=click.FloatRange(0.0, 5.0),
        default=0.5,
        show_default=True,
        help="The standard deviation of the logarithm of that wait.",
    ),
    click.option(
        "--array-size",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="Elements of an array.",
    ),
    click.option(
        "--submitted", type=click.IntRange(1), help="Elements that you may have there  [default: any]."
    ),
]


def shape_options(command: F) -> F:
    """Add what is pretended of a cluster: the command gets `shape`."""

    @wraps(command)
    def shaped(
        *arguments: Any,
        nodes: int,
        cores: int,
        queue_s: float | None,
        start_s: float | None,
        spread: float,
        array_size: int,
        submitted: int | None,
        **others: Any,
    ) -> Any:
        from penstock.simulation import Shape

        shape = Shape(nodes, cores, queue_s, spread, array_size, submitted, start_s)
        return command(*arguments, shape=shape, **others)

    return reduce(lambda made, option: option(made), reversed(SHAPE), cast(F, shaped))


@click.command(
    epilog="""\b
Examples:
  penstock simulate --nodes 20 --cores 64 --queue 10min
  penstock simulate --time psd=90s --time merge=5min --fail 0.02
  penstock simulate --from ../winter2025 --site cluster
  penstock simulate --batch psd=10,50,200      # compare
  penstock simulate --keep /tmp/ahead && penstock status -C /tmp/ahead"""
)
@campaign_option
@set_option
@shape_options
@click.option(
    "--time", "times", metavar="STAGE=TIME", multiple=True, help="How long a task of a stage takes."
)
@click.option(
    "--from",
    "earlier",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A campaign whose record says how long tasks take, and jobs wait.",
)
@click.option(
    "--fail",
    "failing",
    type=click.FloatRange(0.0, 1.0),
    help="The share of attempts that fail  [default: as in the record].",
)
@click.option("--batch", "batches", metavar="STAGE=N,N…", multiple=True, help="Sizes of batches to compare.")
@click.option("--courses", type=click.IntRange(1), default=10, show_default=True, help="How often to try.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same one gives the same answer.")
@click.option(
    "--by",
    "way",
    type=click.Choice(["engine", "model"]),
    help="The engine itself, or a model of it  [default: the model where there is much to do].",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A new folder for the record of the first course, to look at with -C.",
)
@json_option
def simulate(
    root: Path,
    overrides: tuple[str, ...],
    shape: Shape,
    times: tuple[str, ...],
    earlier: Path | None,
    failing: float | None,
    batches: tuple[str, ...],
    courses: int,
    seed: int,
    way: Way | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Predict when `run` would be done, on a pretended cluster.

    The conductor itself works, with a turned clock, on a copy of the record: nothing is submitted, and the record
    stays as it is. Stages whose site is this machine run on its cores, all others on clusters of the given shape. Tasks
    take as long, and fail as often, as they did in this campaign, or in another one, or as the options say.
    """
    from penstock.simulation import simulate as forecast

    campaign = load_campaign(root, overrides)
    choices = sizes_to_compare(batches)
    with click.progressbar(
        length=courses * len(choices), file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        found = forecast(
            campaign, shape, courses=courses, seed=seed, times_s=times_given(times), failing=failing, earlier=earlier,
            batches=choices, keep=keep, way=way, watch=lambda done: bar.update(1),
        )  # fmt: skip
    if as_json:
        print_json([each.to_json() for each in found] if batches else found[0].to_json())
    else:
        show(found)


def show(found: list[Forecast]) -> None:
    """Print one forecast with what it assumes, or several beside each other."""
    if len(found) == 1:
        for line in found[0].lines():
            click.echo(visible(line))
        return
    for each in found:
        sizes = ", ".join(f"{stage} {size}" for stage, size in each.batch.items())
        click.echo(visible(f"batches of {sizes}: {each.line()}"))


def times_given(words: Iterable[str]) -> dict[str, float]:
    """Return seconds a task by stage."""
    from penstock.config.amounts import seconds

    given = dict[str, float]()
    for word in words:
        stage, sign, time = word.partition("=")
        if not sign or not stage:
            raise click.BadParameter(f"{word!r} is not STAGE=TIME, such as psd=90s", param_hint="--time")
        try:
            given[stage] = seconds(time)
        except ValueError as error:
            raise click.BadParameter(f"{word!r}: {error}", param_hint="--time") from None
    return given


def sizes_to_compare(words: Iterable[str]) -> list[dict[str, int]]:
    """Return the choices of batch sizes by stage: the first of each stage together, then the second ones.

    >>> sizes_to_compare(["psd=10,50", "merge=1"])
    [{'psd': 10, 'merge': 1}, {'psd': 50, 'merge': 1}]
    """
    sizes = dict[str, list[int]]()
    for word in words:
        stage, _, numbers = word.partition("=")
        try:
            sizes[stage] = [int(number) for number in numbers.split(",")]
        except ValueError:
            raise click.BadParameter(
                f"{word!r} is not STAGE=N or STAGE=N,N, such as psd=10,50,200", param_hint="--batch"
            ) from None
    last = {stage: each[-1] for stage, each in sizes.items()}
    rows = zip_longest(*([(stage, n) for n in each] for stage, each in sizes.items()))
    return [{**last, **dict(pair for pair in row if pair)} for row in rows] or [{}]
