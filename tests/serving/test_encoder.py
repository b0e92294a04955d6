"""H.264 for faces: sharp, bounded, and whole when asked."""

from fractions import Fraction

import numpy as np
from aiortc.codecs.h264 import H264Decoder
from aiortc.jitterbuffer import JitterFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from gaussiantalker.media.video import encodable
from gaussiantalker.serving.encoder import FaceEncoder, highest_rate

SIZE = 64
KEY = {5, 7, 8}  # NAL units of a picture that needs no other


def picture(index: int, seed: int = 0):
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    frame = encodable(np.roll(np.kron(noise, np.ones((8, 8, 1), np.uint8)), index % 7, axis=0))
    frame.pts, frame.time_base = index, Fraction(1, 25)
    return frame


def units(payloads: list[bytes]) -> set[int]:
    """Types of the NAL units in RTP payloads (RFC 6184): packed ones carry theirs inside."""
    kinds = set()
    for payload in payloads:
        kind = payload[0] & 31
        if kind == 24:
            at = 1
            while at < len(payload):
                kinds.add(payload[at + 2] & 31)
                at += 2 + int.from_bytes(payload[at : at + 2], "big")
        else:
            kinds.add(payload[1] & 31 if kind == 28 else kind)
    return kinds


def test_times_are_kept_and_pictures_are_sharp() -> None:
    from aiortc.codecs import depayload
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters

    codec = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90_000, payloadType=99)
    told = []
    encoder, decoder = FaceEncoder(SIZE, SIZE, told.append), H264Decoder()
    for index in (1_000, 1_001, 1_005):
        payloads, timestamp = encoder.encode(picture(index))
        assert timestamp == index * 3_600
        data = b"".join(depayload(codec, payload) for payload in payloads)
        (decoded,) = decoder.decode(JitterFrame(data, timestamp))
        wanted, seen = (p.to_ndarray(format="rgb24").astype(float) for p in (picture(index), decoded))
        assert np.abs(wanted - seen).mean() < 4
    assert len(told) == 3 and min(told) > 0


def test_a_whole_picture_comes_first_and_when_asked() -> None:
    encoder = FaceEncoder(SIZE, SIZE, lambda seconds: None)
    kinds = [units(encoder.encode(picture(index), force_keyframe=index == 3)[0]) for index in range(5)]
    assert [KEY <= kind for kind in kinds] == [True, False, False, True, False]


@settings(max_examples=10)
@given(wanted=st.integers(0, 10**8))
def test_the_receiver_sets_the_rate_within_bounds(wanted: int) -> None:
    encoder = FaceEncoder(SIZE, SIZE, lambda seconds: None)
    encoder.encode(picture(0))
    most = highest_rate(SIZE, SIZE)
    encoder.target_bitrate = wanted
    assert most / 4 <= encoder.target_bitrate <= most
    begun_anew = KEY <= units(encoder.encode(picture(1))[0])
    assert begun_anew == (encoder.target_bitrate < most / 1.3)


def test_a_sharp_face_may_take_more_than_aiortc_would_give_it() -> None:
    from aiortc.codecs.h264 import MAX_BITRATE

    assert highest_rate(512, 512) > MAX_BITRATE
    assert highest_rate(4096, 4096) == 10e6
