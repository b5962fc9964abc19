"""Messages over a pipe between the runner and the processes that it forked."""

import marshal
import os
import struct
from typing import Any, Optional

HEAD = struct.Struct("<I")


def send(fd: int, message: Any) -> None:
    """Write a whole message; BrokenPipeError when nobody can read it."""
    body = marshal.dumps(message)
    data = HEAD.pack(len(body)) + body
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


class Inbox:
    """The reading end of a pipe that carries one message at a time."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._data = b""

    def read(self) -> Optional[Any]:
        """Read once; return the message if that made it whole. EOFError when the other end is closed."""
        try:
            part = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return None
        if not part:
            raise EOFError
        data = self._data = self._data + part if self._data else part
        if len(data) < HEAD.size:
            return None
        size = HEAD.size + HEAD.unpack_from(data)[0]
        if len(data) < size:
            return None
        self._data = b""
        return marshal.loads(data[HEAD.size :])

    def wait(self) -> Any:
        """Read until a message is whole."""
        while True:
            message = self.read()
            if message is not None:
                return message
