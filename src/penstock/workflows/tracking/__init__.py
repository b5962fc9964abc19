"""From single-particle trajectories to maps of diffusivity, force and potential.

Units are the field's: µm, s, µm²/s, kT. From the bottom up: `units`, `table`, `points`, `trackmate`, `picasso`, `linking`,
`frames`, `trajectories` and `reading` read files; `regions` and `translocations` choose steps; `cells`, `lattices`,
`voronoi`, `centres` and `tessellation` divide regions; `slopes`, `likelihood`, `models`, `objective`, `optimum`, `covariance`,
`goodness`, `evidence` and `inference` make maps; `regionfile`, `products` and `mapped` keep them, `pictures`, `panels` and `page`
show them. `simulator` and `truth` make trajectories up. `dividing` and `settings` are what `stages` call; `definition` and `init`
write campaigns of these, `commands`, `listing`, `demo` and `plugin` are for the command line. docs/howto/tracking.md tells how
they go together.
"""
