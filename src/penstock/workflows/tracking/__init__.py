"""From single-particle trajectories to maps of diffusivity, force and potential.

Units are the field's: µm, s, µm²/s, kT. From the bottom up: `units`, `table`, `points`, `trackmate`, `picasso`, `linking`,
`frames`, `trajectories` and `reading` read files; `regions` and `translocations` choose steps; `cells`, `lattices`,
`voronoi`, `centres` and `tessellation` divide regions; `slopes`, `likelihood`, `models`, `objective`, `optimum`, `covariance`,
`goodness`, `evidence` and `inference` make maps; `products` and `pictures` keep and show them. `simulator` makes
trajectories up. docs/howto/tracking.md tells how they go together.
"""
