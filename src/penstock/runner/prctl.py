"""prctl(2), where Python can call the C library."""

try:
    import ctypes

    _libc = ctypes.CDLL(None, use_errno=True)
except (ImportError, OSError):
    _libc = None

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def set_option(option: int, value: int) -> bool:
    """Set an option of this process; return whether it could be set."""
    if _libc is None or not hasattr(_libc, "prctl"):
        return False
    return _libc.prctl(option, value, 0, 0, 0) == 0
