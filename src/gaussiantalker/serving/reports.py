"""Sender reports by the stream's own clock, which is what keeps lips in sync at the receiver.

A receiver plays sound and picture together by the reports (RFC 3550, section 6.4.1): each says which wall time belongs
to which timestamp of its stream. aiortc tells when it sent a packet, so that whatever delays one, such as encoding or
a busy moment, would move the picture against the sound. Here both streams tell the time of the frame instead.
"""

from aiortc import RTCRtpSender
from aiortc.clock import current_ntp_time
from aiortc.rtp import AnyRtcpPacket, RtcpSenderInfo, RtcpSrPacket

from gaussiantalker.serving.tracks import PictureTrack, SoundTrack

_SECOND = 1 << 32  # of NTP
_WRAP = 1 << 32  # of RTP's timestamps


class Reports:
    """The reports of one connection's two streams."""

    def __init__(self) -> None:
        self._epoch: int | None = None  # NTP time of the session's first frame

    def govern(self, sender: RTCRtpSender, track: SoundTrack | PictureTrack) -> None:
        """Corrects what this sender reports from now on. aiortc has no call for that, so its method is wrapped."""
        send, clock = sender._send_rtcp, _MediaClock(track)

        async def send_corrected(packets: list[AnyRtcpPacket]) -> None:
            for packet in packets:
                if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                    self._correct(packet.sender_info, clock)
            await send(packets)

        sender._send_rtcp = send_corrected

    def _correct(self, info: RtcpSenderInfo, clock: "_MediaClock") -> None:
        seconds = clock.seconds(info.rtp_timestamp)
        if self._epoch is None:
            self._epoch = current_ntp_time() - round(seconds * _SECOND)
        info.ntp_timestamp = self._epoch + round(seconds * _SECOND)


class _MediaClock:
    """Which second of the session a timestamp of one stream belongs to.

    aiortc counts timestamps from a random one. It is found from the last frame that the track gave and the last
    timestamp that was sent, which are mostly of one frame; where a frame is still being encoded, the difference comes
    out too small, so the largest is right.
    """

    def __init__(self, track: SoundTrack | PictureTrack) -> None:
        self._track = track
        self._origin: int | None = None

    def seconds(self, timestamp: int) -> float:
        given = self._track.given
        candidate = (timestamp - given) % _WRAP
        if self._origin is None or (candidate - self._origin) % _WRAP < _WRAP // 2:
            self._origin = candidate
        behind = (self._origin + given - timestamp) % _WRAP
        return (given - behind) / self._track.rate
