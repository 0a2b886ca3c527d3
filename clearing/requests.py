"""Actions that follow a form, one at a time: fields by name, bytes and back, and what is signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clearing import eip712
from clearing.codes import Kind
from clearing.encoding import Field, Reader, raw
from clearing.forms import FORMS, NOBODY, QUORUM, Form
from clearing.keccak import keccak256
from clearing.units import ACTION_BYTES_MAX, SIGNATURE_BYTES

NO_SIGNATURE = bytes(SIGNATURE_BYTES)
SIGNERS = Field("signatures", 1, 0, 255)  # the law takes at most 16; the count is one byte
_PIECE = Field("payload piece", 8, -(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True)
class Request:
    """Any other action of a form: its fields by name, its payload, and who signed.

    ``values`` are in the form's order, addresses as integers; see ``clearing.forms`` for bounds and
    ``Request.of`` for making one by name.
    """

    kind: Kind
    values: tuple[int, ...]
    payload: tuple[int, ...] = ()
    signatures: tuple[bytes, ...] = ()

    @classmethod
    def of(
        cls,
        kind: Kind,
        *,
        payload: Sequence[int] = (),
        signatures: Sequence[bytes] | None = None,
        **values: int,
    ) -> Request:
        """Return the action with these fields; unsigned ones get null signatures where needed.

        Raises ValueError naming the fields that are missing or unknown.
        """
        form = FORMS[kind]
        names = [field.name for field in form.fields]
        if sorted(names) != sorted(values):
            raise ValueError(f"{form.name}: expected {', '.join(names)}, was {', '.join(values)}")
        if signatures is None:
            signatures = () if form.signed_by == NOBODY else (NO_SIGNATURE,)
        return cls(kind, tuple(values[name] for name in names), tuple(payload), tuple(signatures))

    @property
    def form(self) -> Form:
        """The form that the action follows."""
        return FORMS[self.kind]

    def value(self, name: str) -> int:
        """Return the field of that name."""
        return self.values[[field.name for field in self.form.fields].index(name)]

    def encode(self) -> bytes:
        """Return the action's bytes. Raises ValueError beyond a bound."""
        form = self.form
        parts = [bytes([self.kind])]
        parts += [field.encode(v) for field, v in zip(form.fields, self.values, strict=True)]
        if form.payload:
            parts.append(Field("payload", 2, 1, form.payload).encode(len(self.payload)))
            parts.append(_pieces_bytes(self.payload))
        elif self.payload:
            raise ValueError(f"{form.name}: expected no payload, was {len(self.payload)} pieces")
        if form.signed_by == QUORUM:
            parts.append(SIGNERS.encode(len(self.signatures)))
        elif len(self.signatures) != form.signed_by:
            raise ValueError(
                f"{form.name}: expected {form.signed_by} signatures, was {len(self.signatures)}"
            )
        parts += [raw("signature", one, SIGNATURE_BYTES) for one in self.signatures]
        return bounded(b"".join(parts))

    @classmethod
    def reader(cls, kind: Kind) -> Callable[[Reader], Request]:
        """Return what reads an action of the kind behind its kind byte."""

        def read(reader: Reader) -> Request:
            form = FORMS[kind]
            values = tuple(reader.integer(field) for field in form.fields)
            count = reader.integer(Field("payload", 2, 1, form.payload)) if form.payload else 0
            payload = tuple(reader.integer(_PIECE) for _ in range(count))
            signers = form.signed_by
            if signers == QUORUM:
                signers = reader.integer(SIGNERS)
            return cls(kind, values, payload, tuple(read_signature(reader) for _ in range(signers)))

        return read

    def struct_hash(self) -> bytes:
        """Return the struct hash that is signed."""
        words: list[int | bytes] = list(self.values)
        if self.form.payload:
            words.append(keccak256(_pieces_bytes(self.payload)))
        return eip712.hash_struct(self.form.type_signature, *words)

    def signed(self, domain: bytes) -> list[tuple[bytes, bytes]]:
        """Return (digest, signature) of each signer."""
        digest = eip712.digest(domain, self.struct_hash())
        return [(digest, signature) for signature in self.signatures]


def _pieces_bytes(payload: Sequence[int]) -> bytes:
    return b"".join(_PIECE.encode(piece) for piece in payload)


def read_signature(reader: Reader) -> bytes:
    """Read a signature at the cursor."""
    return reader.raw("signature", SIGNATURE_BYTES)


def bounded(action: bytes) -> bytes:
    """Return the action's bytes. Raises ValueError if no step could hold them."""
    if len(action) > ACTION_BYTES_MAX:
        raise ValueError(f"expected an action of 1..{ACTION_BYTES_MAX} bytes, was {len(action)}")
    return action
