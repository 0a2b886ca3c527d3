"""Evidence BAD_STEP(i): the bytes that prove one step of a posted batch wrong, and their check.

The check is a pure function of bytes. It rebuilds the part of the state that the step reads, runs
the law on it, and compares roots. Whatever a challenger can get wrong is an ``EvidenceError`` and
never a verdict: only bytes that the proposer committed can convict. Layout: docs/protocol.md,
section 9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from clearing.account_leaves import ACCOUNT_PIECES_MAX
from clearing.decode import Columns, decode, pack, recover_signers
from clearing.encoding import MalformedBytes
from clearing.keccak import pieces
from clearing.leaves import (
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
from verifier.batch import GLOBALS_BYTES, STEP_BYTES_MAX, step_record_hash
from verifier.codec import HASH_BYTES, U32, Canonical, Hash, Integer, Many, Raw, Words
from verifier.errors import VerifierError
from verifier.header import HEADER_BYTES, Header
from verifier.multiproof import ProofError, root_from
from verifier.read_set import names_of
from verifier.witness_leaves import WitnessError, WitnessLeaves
from verifier.witness_state import Multiproofs, WitnessState

WORD_BYTES = 32
PAGE_BYTES = 9 * WORD_BYTES
ASSET_BYTES = 8 * ASSET_PIECES
POOL_BYTES = 8 * POOL_PIECES
UNDERLYING_BYTES = 8 * UNDERLYING_PIECES
EVIDENCE_BYTES_MAX = 1 << 20  # far beyond any canonical one; refuses absurd lengths early

Siblings = Annotated[tuple[bytes, ...], Many(Integer(2, 0, 4096), Raw(HASH_BYTES))]
_LEAVES = Integer(2, 0, 1024)
_WORDS = Words(Integer(1, 3, max(ACCOUNT_PIECES_MAX, INSTRUMENT_PIECES_MAX) // 4), WORD_BYTES)

Migration = Callable[[State], None]


class EvidenceError(VerifierError):
    """The evidence is not well-made. Its sender is at fault, and nobody else."""


@dataclass(frozen=True)
class Evidence(Canonical):
    """BAD_STEP(step), field by field in the order of the encoding.

    Leaves are bytes as hashed; accounts, pages (by account and number) and instruments are sorted.
    ``prior_step_hash`` is zero for step 0, whose prior root is the header's pre root.
    """

    header: Annotated[bytes, Raw(HEADER_BYTES)]
    step: U32
    prior_step_hash: Hash
    prior_root: Hash
    post_root: Hash
    record_siblings: Siblings
    step_bytes: Annotated[bytes, Words(Integer(2, 9, STEP_BYTES_MAX))]
    globals_leaf: Annotated[bytes, Raw(GLOBALS_BYTES)]
    params_leaf: Annotated[bytes, Words(Integer(1, 1, PARAMS_PIECES // 4), WORD_BYTES)]
    funds: Annotated[tuple[bytes, ...], Many(Integer(1, 0, FUNDS_MAX), Raw(WORD_BYTES))]
    accounts: Annotated[tuple[bytes, ...], Many(_LEAVES, _WORDS)]
    pages: Annotated[tuple[bytes, ...], Many(_LEAVES, Raw(PAGE_BYTES))]
    instruments: Annotated[tuple[bytes, ...], Many(_LEAVES, _WORDS)]
    assets: Annotated[tuple[bytes, ...], Many(Integer(1, 0, ASSETS_MAX), Raw(ASSET_BYTES))]
    pools: Annotated[tuple[bytes, ...], Many(Integer(1, 0, POOLS_MAX), Raw(POOL_BYTES))]
    underlyings: Annotated[
        tuple[bytes, ...], Many(Integer(1, 0, UNDERLYINGS_MAX), Raw(UNDERLYING_BYTES))
    ]
    account_siblings: Siblings
    instrument_siblings: Siblings
    underlying_siblings: Siblings
    withdrawal_siblings: Siblings

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Inverse of ``encode``. Raises EvidenceError unless the bytes are used up exactly."""
        if len(data) > EVIDENCE_BYTES_MAX:
            raise EvidenceError(
                f"expected evidence of at most {EVIDENCE_BYTES_MAX} bytes, was {len(data)}"
            )
        try:
            return super().decode(data)
        except MalformedBytes as error:
            raise EvidenceError(f"evidence, {error}; encode it canonically") from error

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

    def siblings(self) -> Multiproofs:
        """Return the multiproofs of the four trees."""
        return Multiproofs(
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
