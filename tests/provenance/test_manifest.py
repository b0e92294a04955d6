"""Manifests are valid, say what they must, and notice when a film was changed."""

import stat
from pathlib import Path

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.video import write_video
from gaussiantalker.provenance import manifest
from gaussiantalker.provenance.manifest import Credentials, credentials, read_manifest, sign

FACTS = {"method": "GaussianTalker*", "avatar": "ab" * 32, "consent": "the author"}


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "film.mp4"
    write_video(path, [np.full((64, 64, 3), k, np.uint8) for k in range(10)])
    return path


def signed(film: Path) -> Path:
    target = film.with_name("signed.mp4")
    sign(film, target, "hello.mp4", FACTS, credentials())
    return target


def test_a_signed_film_says_how_it_was_made(film: Path) -> None:
    found = read_manifest(signed(film))
    assert found is not None and found.state == "valid" and found.made_by_model
    assert found.facts == FACTS
    assert found.faults == ("signingCredential.untrusted",)  # by a certificate that nobody knows


def test_a_film_without_one_says_nothing(film: Path) -> None:
    assert read_manifest(film) is None


def test_a_changed_film_is_noticed(film: Path) -> None:
    path = signed(film)
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    found = read_manifest(path)
    assert found is not None and found.state == "invalid"


def test_the_key_is_made_once_and_is_nobody_else_s_to_read(film: Path) -> None:
    first = credentials()
    assert credentials() == first
    (key,) = film.parent.rglob("key.pem")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_of_two_who_make_the_key_at_once_the_first_counts(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, keys = manifest._make, []

    def another_is_first(folder: Path) -> None:
        monkeypatch.setattr(manifest, "_make", make)
        keys.append(credentials())
        make(folder)

    monkeypatch.setattr(manifest, "_make", another_is_first)
    assert [credentials()] == keys


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="give both"):
        credentials(tmp_path / "certificate.pem")
    with pytest.raises(GaussianTalkerError, match="cannot be read"):
        credentials(tmp_path / "certificate.pem", tmp_path / "key.pem")


def test_what_cannot_sign_is_one_sentence(film: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="cannot be signed"):
        sign(film, film.with_name("x.mp4"), "x", FACTS, Credentials(b"no certificate", b"no key"))


def test_what_is_no_film_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"nothing")
    with pytest.raises(GaussianTalkerError, match="cannot be searched"):
        read_manifest(path)
