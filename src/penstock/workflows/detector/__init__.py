"""The status of the pixels of X-ray detectors, run by run.

From the bottom up: `settings`, `bits`, `grid`, `gates`, `sums`, `limits` and `status` are computed from arrays alone;
`frames` reads runs, `passes` goes over them, `products`, `masks` and `deploying` keep what was found, `pictures` and
`page` show it. `stages` are what a campaign names. `simulator` makes detectors up. docs/howto/detector.md tells how they
go together.
"""
