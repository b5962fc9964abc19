"""A small chain from raw events of an imaging Cherenkov telescope to energies, directions and gammaness.

From the bottom up: `camera` and `pulse` are the instrument; `showers` and `simulator` make raw events (R0); `pedestals`
and `gains` calibrate; `extraction` finds charges and times (DL1a); `cleaning`, `hillas`, `shapes`, `timing` and `rings`
turn images into numbers, and `parameters` into a table (DL1b); `forests` and `training` estimate what was seen (DL2);
`check`, `display` and `page` show whether all is well. `stages` are what a campaign names. docs/telescope.md has
the formulas.
"""
