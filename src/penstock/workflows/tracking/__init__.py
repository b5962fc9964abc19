"""From single-particle trajectories to maps of diffusivity, force and potential.

Units are the field's: µm, s, µm²/s, kT. From the bottom up: `units`, `table`, `points`, `trackmate`, `picasso`, `linking`,
`frames`, `trajectories` and `reading` read files; `regions` and `translocations` choose steps; docs/howto/tracking.md tells how
they go together. `simulator` makes trajectories up.
"""
