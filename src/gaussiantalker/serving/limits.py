"""What one server gives away at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds that keep one client from taking what belongs to all."""

    sessions: int = 8
    puppets: int = 32  # sessions beside them, of those who draw for themselves
    viewers: int = 4  # of one session, over WebRTC and as mp4 together
    sockets: int = 4  # of one session
    buffered_seconds: float = 60.0  # of sound that waits to be spoken; more is refused
    segments: int = 100  # that wait to be spoken
    texts: int = 10  # that wait to be made into speech
    characters: int = 4000  # of a text
    message_bytes: int = 256 * 1024  # of sound in one message of the socket: 2.7 s at 48 kHz
    text_bytes: int = 16 * 1024  # of an event
    body_bytes: int = 64 * 1024  # of an HTTP request
    mistakes: int = 20  # events that cannot be understood, before the socket is closed
    connections: int = 256  # of any kind; one that asks for nothing gives way to a newcomer
    request_seconds: float = 10.0  # for a request to come whole
    read_seconds: float = 20.0  # for a client to read what it asked for, once its connection is full
    candidates: int = 0  # of a viewer's own addresses that the server writes to first; else the viewer must
    correspondents: int = 16  # addresses from which a viewer may try to get through
    datagrams: int = 1000  # of a viewer that wait to be looked at
    connect_seconds: float = 20.0  # for a viewer over WebRTC to get through
    abandoned_seconds: float = 30.0  # with neither viewer nor socket, after which a session ends
    idle_seconds: float = 1800.0  # without any word from the client, after which a session ends
    sweep_seconds: float = 1.0  # between looks for sessions that should end
