#!/usr/bin/env python3
"""Branin's function (F. H. Branin, IBM J. Res. Dev. 16, 504, 1972), as a program that reads and writes a file."""

import json
from math import cos, pi

with open("where.json", encoding="utf-8") as file:
    where = json.load(file)
x, y = where["x"], where["y"]
height = (y - 5.1 * x**2 / (4 * pi**2) + 5 * x / pi - 6) ** 2 + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10
with open("height.json", "w", encoding="utf-8") as file:
    json.dump({"height": height}, file)
