import numpy as np

from gaussiantalker.speech.mel import MelStream, _hertz_from_mel, _mel_from_hertz, band_power, filterbank, log_mel


def test_the_scale_is_slaneys():
    """Malcolm Slaney, Auditory Toolbox (1998): 15 mel at 1 kHz, 42 at 6.4 kHz."""
    np.testing.assert_allclose(_mel_from_hertz(np.array([0, 500, 1000, 6400])), [0, 7.5, 15, 42])
    hertz = np.linspace(0, 8000, 50)
    np.testing.assert_allclose(_hertz_from_mel(_mel_from_hertz(hertz)), hertz, atol=1e-9)


def test_every_filter_has_unit_area():
    wide = filterbank()[40:]  # the low ones are no wider than two bins
    np.testing.assert_allclose(wide.sum(axis=1) * 8000 / 200, 1, atol=0.08)


def test_a_tone_lands_in_its_band():
    time = np.arange(16_000) / 16_000
    edges = _hertz_from_mel(np.linspace(0, _mel_from_hertz(np.array(8000.0)), 82))
    for hertz in (300, 1000, 3000, 7000):
        spectrum = log_mel(np.sin(2 * np.pi * hertz * time).astype(np.float32)).mean(axis=0)
        band = spectrum.argmax()
        assert edges[band] <= hertz <= edges[band + 2]


def test_pieces_give_the_frames_of_the_whole(babble):
    stream = MelStream()
    pieces = np.concatenate([stream.push(piece) for piece in np.array_split(babble, 37)])
    np.testing.assert_allclose(pieces, MelStream().push(babble), atol=1e-5)
    assert len(pieces) == (len(babble) - 200) // 160 + 1


def test_digital_silence_is_the_floor():
    np.testing.assert_allclose(log_mel(np.zeros(4000, np.float32)), -10)


def test_band_power_is_the_mean_square():
    time = np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * 1500 * time).astype(np.float32)
    assert abs(10 * np.log10(band_power(log_mel(tone), 100, 2500).mean() / 0.5)) < 0.5
    assert band_power(log_mel(tone), 3500, 7500).mean() < 1e-5
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert abs(10 * np.log10(band_power(log_mel(noise), 0, 8000).mean())) < 0.5
