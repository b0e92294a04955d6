"""Sender reports tell the time of frames, however late anything is sent."""

import asyncio
from types import SimpleNamespace

from aiortc.rtp import RtcpSenderInfo, RtcpSrPacket
from hypothesis import given
from hypothesis import strategies as st

from gaussiantalker.serving.reports import Reports
from gaussiantalker.serving.tracks import PictureTrack, SoundTrack

NTP_SECOND = 2**32


class Sender:
    """Keeps what it is given to send."""

    def __init__(self) -> None:
        self.sent: list[RtcpSrPacket] = []

    async def _send_rtcp(self, packets: list) -> None:
        self.sent += packets


def report(timestamp: int, count: int = 1) -> RtcpSrPacket:
    return RtcpSrPacket(1, RtcpSenderInfo(ntp_timestamp=77, rtp_timestamp=timestamp, packet_count=count, octet_count=0))


@given(
    origins=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
    begin=st.integers(0, 10**6),
    encoding=st.lists(st.integers(0, 2), min_size=1, max_size=8),
)
def test_both_streams_tell_the_same_time(origins: tuple[int, int], begin: int, encoding: list[int]) -> None:
    """Frame after frame, while up to two pictures have been given to the encoder but are not sent yet."""
    tracks = [SimpleNamespace(rate=kind.rate, given=0) for kind in (SoundTrack, PictureTrack)]
    senders, reports = [Sender(), Sender()], Reports()
    for sender, track in zip(senders, tracks, strict=True):
        reports.govern(sender, track)
    for count, waiting in enumerate([0, *encoding]):
        for sender, track, origin, behind in zip(senders, tracks, origins, (0, waiting), strict=True):
            track.given = (begin + count) * track.rate // 25
            sent = (begin + count - behind) * track.rate // 25
            asyncio.run(sender._send_rtcp([report((origin + sent) % 2**32)]))
        sound, picture = (sender.sent[-1].sender_info.ntp_timestamp for sender in senders)
        assert abs((sound - picture) / NTP_SECOND - waiting / 25) < 1e-6


def test_a_report_of_nothing_stays_as_it_is() -> None:
    sender = Sender()
    Reports().govern(sender, SimpleNamespace(rate=90_000, given=0))
    asyncio.run(sender._send_rtcp([report(0, count=0)]))
    assert sender.sent[0].sender_info.ntp_timestamp == 77
