"""Bytes to and from the sites where jobs run."""
