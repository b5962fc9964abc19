"""This machine as a site."""

from __future__ import annotations

import errno
import os

import pytest

from penstock.site.local import remedy_for


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            errno.EAGAIN,
            "the limit on processes is reached (ulimit -u): lower the site's `cores` or raise the limit",
        ),
        (errno.ENOMEM, "no memory is left for it"),
        (errno.ENOENT, "No such file or directory: correct its `python`"),
    ],
)
def test_why_a_runner_cannot_be_started_is_said_with_what_helps(number: int, said: str) -> None:
    assert said in remedy_for(OSError(number, os.strerror(number)))
