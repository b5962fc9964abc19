"""Files, folders and links, copied as they are; the first system error that stops it is the one that is raised."""

import os
import shutil
import stat

from .files import CHUNK
from .kinds import Odd, kind_of, open_file


def copy_tree(source: str, target: str) -> None:
    """Copy a file, a folder with all in it, or a link as a link; what is neither is not opened."""
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(status.st_mode):
        os.mkdir(target)
        for name in os.listdir(source):
            copy_tree(os.path.join(source, name), os.path.join(target, name))
    elif stat.S_ISREG(status.st_mode):
        with open(open_file(source), "rb") as read, open(target, "wb") as written:
            shutil.copyfileobj(read, written, CHUNK)
    else:
        raise Odd("cannot be copied: {} is {}".format(source, kind_of(status)))
    shutil.copystat(source, target, follow_symlinks=False)
