"""What a viewer's offer may make the server do to others on the network.

An offer names addresses, and ICE (RFC 8445) would send checks to all of them: to machines behind the server's
firewall, or to strangers. A server that viewers can reach need not. It waits until a viewer writes, from wherever that
is, with the password that only the answer told; only to such addresses it writes back.
"""

from ipaddress import ip_address
from typing import Any

from aioice.ice import Connection, StunProtocol
from aioice.stun import Message
from aiortc import RTCPeerConnection
from aiortc.sdp import MediaDescription, SessionDescription

from gaussiantalker.serving.limits import Limits
from gaussiantalker.serving.problems import Problem

_CANDIDATE, _NO_MORE = "a=candidate:", "a=end-of-candidates"
_KINDS = {"audio", "video"}


def tamed(offer: str, candidates: int) -> str:
    """An SDP offer with so many of its addresses at most; what is no SDP raises one of many exceptions.

    Raises Problem for one that asks for more than one sound and one picture, since each further stream would take
    sockets and encoders, or that lacks what a connection needs, of which aiortc would take notice too late.
    """
    kept, left = [], candidates
    for line in offer.splitlines():
        if line.startswith(_CANDIDATE):
            left -= (taken := left > 0 and _is_fit(line))
            if not taken:
                continue
        elif line.startswith(_NO_MORE):
            continue
        kept.append(line)
    offer = "".join(f"{line}\r\n" for line in kept)
    if fault := _fault(SessionDescription.parse(offer)):
        raise Problem(400, f"This is not an SDP offer that can be answered: {fault}.")
    return offer


def _fault(offer: SessionDescription) -> str | None:
    kinds, mids = [media.kind for media in offer.media], [media.rtp.muxId for media in offer.media]
    if not kinds or not set(kinds) <= _KINDS or len(set(kinds)) < len(kinds):
        return "it must ask for one sound and one picture"
    if len(set(mids)) < len(mids) or any(set(map(str, group.items)) - set(mids) for group in offer.group):
        return "its streams and groups must have names that agree"
    if not all(map(_is_secret, offer.media)):
        return "it must have ICE's user and password, and a fingerprint"
    return None


def _is_secret(media: MediaDescription) -> bool:
    ice, dtls = media.ice, media.dtls
    return bool(ice and ice.usernameFragment and ice.password and dtls and dtls.fingerprints)


def _is_fit(line: str) -> bool:
    """Whether a candidate names one machine, by its address; a name could be anything later."""
    try:
        address = ip_address(line.split()[4])
    except (IndexError, ValueError):
        return False
    return not (address.is_multicast or address.is_unspecified or address.is_reserved)


def bound(peer: RTCPeerConnection, limits: Limits) -> None:
    """Bounds what strangers' packets may take of a connection. aioice has no call for that, so methods are wrapped."""
    for transceiver in peer.getTransceivers():
        connection: Any = transceiver.receiver.transport.transport._connection
        if not isinstance(connection.check_incoming, _Correspondents):
            connection.check_incoming = _Correspondents(connection, limits.correspondents)
            connection.data_received = _Inbox(connection, limits.datagrams)


class _Correspondents:
    """Takes checks from a few addresses: each gets a check in return."""

    def __init__(self, connection: Connection, most: int) -> None:
        self._check, self._most = connection.check_incoming, most
        self._known: set[tuple[str, int]] = set()

    def __call__(self, message: Message, address: tuple[str, int], protocol: StunProtocol) -> None:
        if "PRIORITY" not in message.attributes:
            return
        if address in self._known or len(self._known) < self._most:
            self._known.add(address)
            self._check(message, address, protocol)


class _Inbox:
    """Takes packets while not too many wait; further ones are lost, as on the way."""

    def __init__(self, connection: Connection, most: int) -> None:
        self._take, self._waiting, self._most = connection.data_received, connection._queue, most

    def __call__(self, data: bytes, component: int) -> None:
        if self._waiting.qsize() < self._most:
            self._take(data, component)
