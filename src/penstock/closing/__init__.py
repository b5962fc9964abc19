"""Closing a group: the functions of its steps, and the seal that they end with."""
