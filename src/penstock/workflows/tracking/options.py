"""Options that several commands of `penstock … tracking` share."""

import click

from penstock.workflows.setup.options import bundle

#: how files of trajectories are read
reading_options = bundle(
    click.option("--pixel-size", type=float, help="µm, where files count pixels."),
    click.option("--frame-interval", type=float, help="s, where files count frames or rounded their times."),
    click.option("--columns", help='Those of tables without a header, in order ["n x y t"].'),
    click.option("--link", type=float, help="µm: make trajectories of points, linked up to this step."),
    click.option("--max-gap", type=float, help="s: longer steps are left out."),
    click.option("--side", type=float, help="µm, of square regions where their file has centres."),
)
