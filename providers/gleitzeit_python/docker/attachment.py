"""`Attachment`: the standard streams of a container, over one connection, read and written by blocking calls."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any, Final

_HEADER: Final = struct.Struct(">BxxxI")
_OUTPUT: Final = 1
_PIECE: Final = 64 << 10
_KEPT: Final = 4096


class Attachment:
    """One client of a container's streams. When it goes, the container's input ends, and by that the container.

    `complaint` is the end of what came on its standard error, where only a relay that fails writes.
    """

    def __init__(self, streams: Any) -> None:
        self.complaint = b""
        self._streams = streams
        self._raw: Any = getattr(streams, "_sock", streams)
        self._buffer = bytearray()
        with suppress(AttributeError):
            self._raw.settimeout(None)

    def fileno(self) -> int:
        """What can be waited for."""
        return int(self._raw.fileno())

    def send(self, data: bytes) -> None:
        """Write all of it to the container's input."""
        self._raw.sendall(data)

    def receive(self) -> bytes:
        """What came on its output, at least a byte; none once the container has ended."""
        output = self._parsed()
        while not output:
            data: bytes = self._raw.recv(_PIECE)
            if not data:
                return b""
            self._buffer += data
            output = self._parsed()
        return output

    def close(self) -> None:
        """Let go of it; whoever waits in `receive` gets nothing more."""
        with suppress(OSError, AttributeError):
            self._raw.shutdown(socket.SHUT_RDWR)
        with suppress(OSError, ValueError, AttributeError):
            self._streams._response.close()  # noqa: SLF001 the SDK hangs it there, and nobody else closes it
        for holder in (self._streams, self._raw):  # a socket is closed once nobody holds it
            with suppress(OSError):
                holder.close()

    def _parsed(self) -> bytes:
        output = bytearray()
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._buffer, start)
            end = start + _HEADER.size + length
            if end > len(self._buffer):
                break
            data = self._buffer[start + _HEADER.size : end]
            if stream == _OUTPUT:
                output += data
            else:
                self.complaint = (self.complaint + data)[-_KEPT:]
            start = end
        del self._buffer[:start]
        return bytes(output)
