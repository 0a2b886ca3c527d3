"""Evidence BAD_STEP(i): the bytes that prove one step of a posted batch wrong, and their check.

The check is a pure function of bytes. It rebuilds the part of the state that the step reads, runs
the law on it, and compares roots. Whatever a challenger can get wrong is an ``EvidenceError`` and
never a verdict: only bytes that the proposer committed can convict. Layout: docs/protocol.md,
section 9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clearing.decode import Columns, decode, pack, recover_signers
from clearing.encoding import Field, MalformedBytes, Reader, raw
from clearing.keccak import pieces
from clearing.leaves import (
    ACCOUNT_PIECES_MAX,
    ASSET_PIECES,
    INSTRUMENT_PIECES_MAX,
    PARAMS_PIECES,
    POOL_PIECES,
    UNDERLYING_PIECES,
)
from clearing.messages import MalformedStep, action_hash, decode_step, step_hash
from clearing.records import State
from clearing.units import (
    ASSETS_MAX,
    FUNDS_MAX,
    POOLS_MAX,
    STEPS_DEPTH,
    UNDERLYINGS_MAX,
)
from verifier.batch import GLOBALS_BYTES, HASH_BYTES, STEP_BYTES_MAX, step_record_hash
from verifier.errors import VerifierError
from verifier.header import HEADER_BYTES, Header
from verifier.multiproof import ProofError, root_from
from verifier.read_set import names_of
from verifier.witness_state import Siblings, WitnessError, WitnessLeaves, WitnessState

WORD_BYTES = 32
PAGE_BYTES = 9 * WORD_BYTES
ASSET_BYTES = 8 * ASSET_PIECES
POOL_BYTES = 8 * POOL_PIECES
UNDERLYING_BYTES = 8 * UNDERLYING_PIECES
EVIDENCE_BYTES_MAX = 1 << 20  # far beyond any canonical one; refuses absurd lengths early

_STEP = Field("step", 4, 0, (1 << 32) - 1)
_STEP_LENGTH = Field("step bytes", 2, 9, STEP_BYTES_MAX)
_SIBLINGS = Field("siblings", 2, 0, 4096)
_WORDS = Field("words", 1, 3, max(ACCOUNT_PIECES_MAX, INSTRUMENT_PIECES_MAX) // 4)
_PARAMS_WORDS = Field("params words", 1, 1, PARAMS_PIECES // 4)
_FUNDS = Field("funds", 1, 0, FUNDS_MAX)
_ASSETS = Field("assets", 1, 0, ASSETS_MAX)
_POOLS = Field("pools", 1, 0, POOLS_MAX)
_UNDERLYINGS = Field("underlyings", 1, 0, UNDERLYINGS_MAX)
_LEAVES = Field("leaves", 2, 0, 1024)


Migration = Callable[[State], None]


class EvidenceError(VerifierError):
    """The evidence is not well-made. Its sender is at fault, and nobody else."""


@dataclass(frozen=True)
class Evidence:
    """BAD_STEP(step), field by field in the order of the encoding.

    Leaves are bytes as hashed; accounts, pages (by account and number) and instruments are sorted.
    ``prior_step_hash`` is zero for step 0, whose prior root is the header's pre root.
    """

    header: bytes
    step: int
    prior_step_hash: bytes
    prior_root: bytes
    post_root: bytes
    record_siblings: tuple[bytes, ...]
    step_bytes: bytes
    globals_leaf: bytes
    params_leaf: bytes
    funds: tuple[bytes, ...]
    accounts: tuple[bytes, ...]
    pages: tuple[bytes, ...]
    instruments: tuple[bytes, ...]
    assets: tuple[bytes, ...]
    pools: tuple[bytes, ...]
    underlyings: tuple[bytes, ...]
    account_siblings: tuple[bytes, ...]
    instrument_siblings: tuple[bytes, ...]
    underlying_siblings: tuple[bytes, ...]
    withdrawal_siblings: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Return the canonical bytes. Raises ValueError if a part does not fit its place."""
        return b"".join(
            (
                raw("header", self.header, HEADER_BYTES),
                _STEP.encode(self.step),
                raw("prior step hash", self.prior_step_hash, HASH_BYTES),
                raw("prior root", self.prior_root, HASH_BYTES),
                raw("post root", self.post_root, HASH_BYTES),
                _list(_SIBLINGS, self.record_siblings, HASH_BYTES),
                _STEP_LENGTH.encode(len(self.step_bytes)) + self.step_bytes,
                raw("globals leaf", self.globals_leaf, GLOBALS_BYTES),
                _words(_PARAMS_WORDS, self.params_leaf),
                _list(_FUNDS, self.funds, WORD_BYTES),
                _LEAVES.encode(len(self.accounts)),
                *(_words(_WORDS, leaf) for leaf in self.accounts),
                _list(_LEAVES, self.pages, PAGE_BYTES),
                _LEAVES.encode(len(self.instruments)),
                *(_words(_WORDS, leaf) for leaf in self.instruments),
                _list(_ASSETS, self.assets, ASSET_BYTES),
                _list(_POOLS, self.pools, POOL_BYTES),
                _list(_UNDERLYINGS, self.underlyings, UNDERLYING_BYTES),
                _list(_SIBLINGS, self.account_siblings, HASH_BYTES),
                _list(_SIBLINGS, self.instrument_siblings, HASH_BYTES),
                _list(_SIBLINGS, self.underlying_siblings, HASH_BYTES),
                _list(_SIBLINGS, self.withdrawal_siblings, HASH_BYTES),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Inverse of ``encode``. Raises EvidenceError unless the bytes are used up exactly."""
        if len(data) > EVIDENCE_BYTES_MAX:
            raise EvidenceError(
                f"expected evidence of at most {EVIDENCE_BYTES_MAX} bytes, was {len(data)}"
            )
        reader = Reader(data, MalformedBytes)
        try:
            evidence = cls(
                header=reader.raw("header", HEADER_BYTES),
                step=reader.integer(_STEP),
                prior_step_hash=reader.raw("prior step hash", HASH_BYTES),
                prior_root=reader.raw("prior root", HASH_BYTES),
                post_root=reader.raw("post root", HASH_BYTES),
                record_siblings=_read_list(reader, _SIBLINGS, HASH_BYTES),
                step_bytes=reader.raw("step bytes", reader.integer(_STEP_LENGTH)),
                globals_leaf=reader.raw("globals leaf", GLOBALS_BYTES),
                params_leaf=_read_words(reader, _PARAMS_WORDS),
                funds=_read_list(reader, _FUNDS, WORD_BYTES),
                accounts=_read_leaves(reader),
                pages=_read_list(reader, _LEAVES, PAGE_BYTES),
                instruments=_read_leaves(reader),
                assets=_read_list(reader, _ASSETS, ASSET_BYTES),
                pools=_read_list(reader, _POOLS, POOL_BYTES),
                underlyings=_read_list(reader, _UNDERLYINGS, UNDERLYING_BYTES),
                account_siblings=_read_list(reader, _SIBLINGS, HASH_BYTES),
                instrument_siblings=_read_list(reader, _SIBLINGS, HASH_BYTES),
                underlying_siblings=_read_list(reader, _SIBLINGS, HASH_BYTES),
                withdrawal_siblings=_read_list(reader, _SIBLINGS, HASH_BYTES),
            )
            reader.end()
        except MalformedBytes as error:
            raise EvidenceError(f"evidence, {error}; encode it canonically") from error
        return evidence

    def leaves(self) -> WitnessLeaves:
        """Return the leaves, as the state that the step reads is made of them."""
        return WitnessLeaves(
            self.globals_leaf,
            self.params_leaf,
            self.funds,
            self.accounts,
            self.pages,
            self.instruments,
            self.assets,
            self.pools,
            self.underlyings,
        )

    def siblings(self) -> Siblings:
        """Return the multiproofs of the four trees."""
        return Siblings(
            self.account_siblings,
            self.instrument_siblings,
            self.underlying_siblings,
            self.withdrawal_siblings,
        )


def keep(state: State) -> None:
    """Change nothing: the migration of the law that chains begin with."""


def check_bad_step(header: Header, evidence: bytes, migrate: Migration = keep) -> bool:
    """Return whether the step is fraud: the law's root differs from the committed one.

    ``migrate`` is what the law's first step finds changed of a state that another law left.
    Raises EvidenceError, with the operands, for everything that the sender of the evidence can get
    wrong, and nothing else whatever the bytes are.
    """
    parsed = Evidence.decode(evidence)
    _check_header(header, parsed)
    time, actions = _read_step(parsed.step_bytes)
    _check_records(header, parsed, step_hash(time, [action_hash(action) for action in actions]))
    try:
        state = WitnessState(parsed.leaves())
        columns = _decode_actions(actions, state)
        names = names_of(columns, 0, columns.action_count)
        state.check_read_set(names)
        prior = state.root(names, parsed.siblings())
        _expect("prior root", parsed.prior_root, prior)
        if state.law_version != header.law_version:
            migrate(state.state)
        state.run(columns, time)
        return state.root(names, parsed.siblings()) != parsed.post_root
    except (WitnessError, ProofError) as error:
        raise EvidenceError(f"witness of step {parsed.step}: {error}") from error


def _check_header(header: Header, evidence: Evidence) -> None:
    if evidence.header != header.encode():
        raise EvidenceError(
            f"expected the header of batch {header.batch_id().hex()}, was another; "
            "name the batch that the evidence is about"
        )
    if evidence.step >= header.step_count:
        raise EvidenceError(f"expected a step below {header.step_count}, was {evidence.step}")
    if evidence.step == 0:
        _expect("prior step hash of step 0", bytes(HASH_BYTES), evidence.prior_step_hash)
        _expect("prior root of step 0", header.pre_root, evidence.prior_root)


def _read_step(data: bytes) -> tuple[int, list[bytes]]:
    try:
        return decode_step(data)
    except MalformedStep as error:
        raise EvidenceError(f"step bytes, {error}; send those of the batch data") from error


def _check_records(header: Header, evidence: Evidence, hashed: bytes) -> None:
    """Check that the batch committed to the step's bytes, its prior root and its post root."""
    index = evidence.step
    indices = [index]
    records = [step_record_hash(index, hashed, evidence.post_root)]
    if index > 0:
        prior = step_record_hash(index - 1, evidence.prior_step_hash, evidence.prior_root)
        indices.insert(0, index - 1)
        records.insert(0, prior)
    try:
        root = root_from(STEPS_DEPTH, header.step_count, indices, records, evidence.record_siblings)
    except ProofError as error:
        raise EvidenceError(f"records of step {index}: {error}") from error
    _expect("steps root", header.steps_root, root)


def _decode_actions(actions: Sequence[bytes], state: WitnessState) -> Columns:
    blob, offsets = pack(actions)
    columns = decode(blob, offsets, pieces(state.domain))
    recover_signers(columns)
    return columns


def _expect(what: str, expected: bytes, was: bytes) -> None:
    if expected != was:
        raise EvidenceError(f"expected {what} {expected.hex()}, was {was.hex()}")


def _list(count: Field, items: Sequence[bytes], size: int) -> bytes:
    return count.encode(len(items)) + b"".join(raw(count.name, item, size) for item in items)


def _read_list(reader: Reader, count: Field, size: int) -> tuple[bytes, ...]:
    return tuple(reader.raw(count.name, size) for _ in range(reader.integer(count)))


def _words(count: Field, leaf: bytes) -> bytes:
    words, rest = divmod(len(leaf), WORD_BYTES)
    if rest:
        raise ValueError(f"expected whole words of {WORD_BYTES} bytes, was {len(leaf)} bytes")
    return count.encode(words) + leaf


def _read_leaves(reader: Reader) -> tuple[bytes, ...]:
    return tuple(_read_words(reader, _WORDS) for _ in range(reader.integer(_LEAVES)))


def _read_words(reader: Reader, count: Field) -> bytes:
    return reader.raw(count.name, WORD_BYTES * reader.integer(count))
