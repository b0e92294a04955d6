"""Content credentials: a signed C2PA manifest inside the film, which says how it was made.

After the C2PA specification 2.2 (Coalition for Content Provenance and Authenticity), through the library `c2pa-python`.
"""

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gaussiantalker import __version__
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import make_folder

_MADE_BY_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_FACTS = "org.gaussiantalker.avatar"  # label of our own assertion
_YEARS = 10
INSTALL = "pip install 'gaussiantalker[provenance]'"


@dataclass(frozen=True)
class Credentials:
    """What signs: a chain of certificates, the signer's first, and the signer's private key (ES256), both PEM."""

    chain: bytes
    key: bytes


@dataclass(frozen=True)
class Manifest:
    """What a film says of itself."""

    state: str  # "valid", "trusted" or "invalid", as the library judges signature and content
    made_by_model: bool
    signer: str
    facts: dict[str, Any]  # method, version, avatar's hash and consent, where this tool wrote them
    faults: tuple[str, ...]


def available() -> bool:
    """Whether films can be signed here."""
    try:
        import c2pa  # noqa: F401
    except ImportError:
        return False
    return True


def credentials(certificate: Path | None = None, key: Path | None = None) -> Credentials:
    """The user's own certificate and key (PEM files), or those made for this user on first use.

    Raises:
        GaussianTalkerError: one of the files cannot be read, or only one is given.
    """
    if (certificate is None) != (key is None):
        raise GaussianTalkerError("A certificate and its private key belong together: give both.")
    if certificate is None or key is None:
        folder = _own_folder()
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        if not (certificate.is_file() and key.is_file()):
            _make(folder)
    try:
        return Credentials(certificate.read_bytes(), key.read_bytes())
    except OSError as error:
        raise GaussianTalkerError(f"{error.filename} cannot be read ({error.strerror}).") from None


def sign(source: Path, target: Path, title: str, facts: dict[str, Any], who: Credentials) -> None:
    """Writes the film `source` to `target` with a manifest that says it was made by a trained model, and `facts`.

    Raises:
        GaussianTalkerError: the certificate or its key cannot sign.
    """
    import c2pa

    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    created = {
        "action": "c2pa.created",
        "when": now,
        "digitalSourceType": _MADE_BY_MODEL,
        "softwareAgent": {"name": "GaussianTalker", "version": __version__},
    }
    claim = {
        "claim_generator_info": [{"name": "GaussianTalker", "version": __version__}],
        "title": title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": _FACTS, "data": facts},
        ],
    }
    try:
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", who.chain, who.key, None))
        with c2pa.Builder(json.dumps(claim)) as builder:
            builder.sign_file(source, target, signer)
    except c2pa.C2paError as error:
        raise GaussianTalkerError(f"The film cannot be signed ({error}): check the certificate and its key.") from None


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of a film or picture; None where it carries none.

    Raises:
        GaussianTalkerError: the file is damaged.
    """
    import c2pa

    try:
        reader = c2pa.Reader.try_create(path)
    except c2pa.C2paError.NotSupported:  # pyright: ignore[reportAttributeAccessIssue]  # a file without a place for one
        return None
    except c2pa.C2paError as error:
        raise GaussianTalkerError(f"{path} cannot be searched for a manifest ({error}).") from None
    if reader is None:
        return None
    with reader:
        store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    assertions = {entry["label"]: entry["data"] for entry in manifest.get("assertions", [])}
    actions = [a for label, data in assertions.items() if label.startswith("c2pa.actions") for a in data["actions"]]
    return Manifest(
        state=store.get("validation_state", "Invalid").lower(),
        made_by_model=any(action.get("digitalSourceType") == _MADE_BY_MODEL for action in actions),
        signer=manifest.get("signature_info", {}).get("issuer", "unknown"),
        facts=assertions.get(_FACTS, {}),
        faults=tuple(fault["code"] for fault in store.get("validation_status", [])),
    )


def _own_folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "gaussiantalker" / "signing"


def _make(folder: Path) -> None:
    """A root and a signer's certificate below it, since C2PA takes no certificate that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(name: str) -> x509.Name:
        parts = (NameOID.ORGANIZATION_NAME, "GaussianTalker user"), (NameOID.COMMON_NAME, name)
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts])

    def certificate(subject: str, key: Any, issuer_key: Any, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = dict.fromkeys(
            "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only".split(),
            False,
        )
        usage |= {"digital_signature": not authority, "key_cert_sign": authority, "crl_sign": authority}
        built = (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("local root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365 * _YEARS))
            .add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if not authority:
            built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True)
        return built.sign(issuer_key, hashes.SHA256())

    root, signer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = (certificate("signer", signer, root, False), certificate("local root", root, root, True))
    pem = serialization.Encoding.PEM
    secret = signer.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with tempfile.TemporaryDirectory(dir=make_folder(folder.parent)) as fresh:
        made = Path(fresh) / folder.name
        made.mkdir()
        (made / "key.pem").touch(mode=0o600)
        (made / "key.pem").write_bytes(secret)
        (made / "certificate.pem").write_bytes(b"".join(c.public_bytes(pem) for c in chain))
        with suppress(OSError):  # another process was first: the two files must be of one making
            made.rename(folder)
