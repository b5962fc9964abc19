"""Bytes to and from the place where jobs run."""
