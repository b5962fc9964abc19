"""Why trajectories give no maps.

Unreadable     for good: a file is not what it should be, or does not say what its numbers mean
Empty          for good: a region holds too little; the others of its file go on
"""

from __future__ import annotations


class Unreadable(Exception):
    """A file will never be read as it is; the message says why, and what would help."""


class Empty(Exception):
    """A region holds too little to be mapped; the message says what is missing."""
