"""The listening socket, and what can be wrong with an address."""

import errno
import socket

BACKLOG = 1024


class CannotListen(OSError):
    """The address cannot be listened on. The message is one line for the operator."""


class PortTaken(CannotListen):
    """Something else listens there."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on the first address of `host`. Raises PortTaken, CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} on {host} is in use by another program") from None
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener
