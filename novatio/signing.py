"""Keys: what signs orders and requests, and where private keys come from.

Example::

    signer = LocalSigner.from_file("trader.key")
    signer.sign(digest)              # 65 bytes r || s || v
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Protocol, runtime_checkable

from clearing.keys import address_of
from clearing.keys import sign as sign_digest
from novatio.errors import KeyUnusable

__all__ = ["KEY_VARIABLE", "LocalSigner", "Signer", "find_signer", "write_key"]

KEY_VARIABLE = "NOVATIO_KEY"
KEY_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@runtime_checkable
class Signer(Protocol):
    """Anything that signs digests: a key in memory, a wallet, a service that holds keys."""

    @property
    def address(self) -> bytes:
        """The 20-byte address that signatures recover to."""

    def sign(self, digest: bytes) -> bytes:
        """Return the 65-byte signature of a 32-byte digest: low s, v 27 or 28."""


class LocalSigner:
    """A private key in this process's memory. Neither its text nor its repr shows the key."""

    def __init__(self, private_key: bytes) -> None:
        """Take 32 bytes in 1 .. order - 1; KeyUnusable otherwise."""
        try:
            self._address = address_of(private_key)
        except ValueError as error:
            raise KeyUnusable(str(error)) from None
        self._key = private_key

    @classmethod
    def from_hex(cls, text: str) -> LocalSigner:
        """Read 64 hexadecimal digits, with or without 0x."""
        digits = text.strip().removeprefix("0x")
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            # The text itself stays out of the message: it may be most of a key.
            raise KeyUnusable(
                f"expected a key of 64 hexadecimal digits, was {len(digits)} characters of "
                "something else"
            ) from None
        return cls(key)

    @classmethod
    def from_file(cls, path: str | Path) -> LocalSigner:
        """Read a file of one hexadecimal key that only its owner may read (mode 600)."""
        file = Path(path)
        try:
            mode = file.stat().st_mode
            text = file.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyUnusable(
                f"key file {file}: expected a readable file of hexadecimal digits, was: {error}"
            ) from error
        if mode & _OTHERS:
            raise KeyUnusable(
                f"key file {file}: expected mode 600, was {stat.S_IMODE(mode):o}",
                metadata={"path": str(file), "mode": f"{stat.S_IMODE(mode):o}"},
                next_step=f"chmod 600 {file}",
            )
        return cls.from_hex(text)

    @classmethod
    def generate(cls) -> LocalSigner:
        """Make a fresh key from the system's randomness."""
        return cls((secrets.randbelow(2**255) + 1).to_bytes(KEY_BYTES, "big"))

    @property
    def address(self) -> bytes:
        """The 20-byte address that signatures recover to."""
        return self._address

    @property
    def private_key(self) -> bytes:
        """The 32 bytes, for a process of this machine that signs for itself."""
        return self._key

    def sign(self, digest: bytes) -> bytes:
        """Return the 65-byte signature of a 32-byte digest; deterministic (RFC 6979)."""
        return sign_digest(self._key, digest)

    def __repr__(self) -> str:
        return f"LocalSigner(address=0x{self._address.hex()})"


def write_key(path: str | Path) -> LocalSigner:
    """Make a key and write it to a new file of mode 600. KeyUnusable if the file exists."""
    key = (secrets.randbelow(2**255) + 1).to_bytes(KEY_BYTES, "big")
    write_secret(path, key)
    return LocalSigner(key)


def write_secret(path: str | Path, secret: bytes) -> None:
    """Write a secret to a new file of mode 600, in hex. KeyUnusable if the file exists."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(
            f"key file {path}: expected to create a new file, was: {error}",
            next_step="choose another path; a key file is never overwritten",
        ) from error
    with os.fdopen(handle, "w") as file:
        file.write(f"0x{secret.hex()}\n")


def find_signer(key: Signer | bytes | str | Path | None) -> Signer | None:
    """Return the signer that ``key`` stands for.

    A signer stands for itself, 32 bytes for a key, a path or text for a key file (text of 64
    hexadecimal digits for the key itself); None for the environment's NOVATIO_KEY, a key or a
    path, and if that is unset for no signer at all.
    """
    if key is None:
        key = os.environ.get(KEY_VARIABLE)
        if not key:
            return None
    if isinstance(key, bytes):
        return LocalSigner(key)
    if isinstance(key, Path):
        return LocalSigner.from_file(key)
    if isinstance(key, str):
        digits = key.strip().removeprefix("0x")
        whole = len(digits) == 2 * KEY_BYTES and "/" not in digits and "." not in digits
        return LocalSigner.from_hex(key) if whole else LocalSigner.from_file(key)
    return key
