"""penstock feeds a laboratory's data to its cluster and keeps the record of what was done.

The words (campaign, unit, stage, task, batch, job, product, site) are explained in `docs/design.md`.
"""

__version__ = "0.1.0.dev0"
