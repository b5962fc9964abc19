"""A cable to a port of this machine that breaks after so many bytes: `python cable.py PORT FILE`, FILE has their number."""

import os
import selectors
import socket
import sys
from pathlib import Path


def main(port: int, file: Path) -> None:
    """Pass bytes both ways between standard input and output and the port, until all are used up."""
    left = int(file.read_text("ascii")) if file.exists() else 1 << 60
    far = socket.create_connection(("127.0.0.1", port))
    ways = selectors.DefaultSelector()
    ways.register(0, selectors.EVENT_READ, far.fileno())
    ways.register(far.fileno(), selectors.EVENT_READ, 1)
    while left:
        for key, _ in ways.select():
            data = os.read(key.fd, min(1 << 16, left))
            if not data:
                return
            left -= len(data)
            view = memoryview(data)
            while view:
                view = view[os.write(key.data, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
