"""What tasks run with: recorded, because later nobody can tell."""

import os
import platform
import pwd
import subprocess
import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence

LIMIT_S = 30  # for a program to say its version
MOST = 200  # characters of a version


def describe_software(
    variables: Sequence[str], versions: Mapping[str, List[str]], environment: Mapping[str, str]
) -> Dict[str, Any]:
    """Return who runs it, with which Python on which system, the variables that are asked for, and versions."""
    env = dict(os.environ, **environment)
    told: Dict[str, Any] = {
        "user": user_name(),
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "system": "{} {} {}".format(platform.system(), platform.release(), platform.machine()),
        "environment": {name: env[name] for name in sorted(variables) if name in env},
        "versions": {},
    }
    for name, argv in sorted(versions.items()):
        version = version_of(argv, env)
        if version:
            told["versions"][name] = version
    return told


def user_name() -> Optional[str]:
    """Return the user's name, or None if the machine does not know it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def version_of(argv: Sequence[str], env: Mapping[str, str]) -> Optional[str]:
    """Return the first line that a program prints; None if it fails, or takes too long."""
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            env=dict(env),
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0][:MOST] if lines and done.returncode == 0 else None
