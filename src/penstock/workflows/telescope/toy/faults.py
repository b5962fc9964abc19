"""Why events cannot be processed."""


class Unusable(Exception):
    """A file will never do as it is; the message says which, why, and what would help."""
