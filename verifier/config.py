"""The one immutable configuration of a court and of the chain that it stands on.

Windows and ages are in base-layer blocks, times in milliseconds, money in gwei of the base layer's
own currency, data in bytes. A configuration that contradicts itself cannot be constructed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NotRequired, TypedDict, Unpack

from clearing.units import GATE_PASS_MS, LAW_VERSION
from verifier.batch import STEP_BYTES_MAX
from verifier.codec import ADDRESS_BYTES, NOBODY
from verifier.committee import NO_COMMITTEE, Committee
from verifier.errors import ConfigError
from verifier.host import gas

ADDRESSES = ("settlement", "sequencer", "operator", "beneficiary")
INTEGER_MAX = (1 << 62) - 1
BATCH_STEPS_MAX = 4_096  # docs/protocol.md, section 9
BATCH_BYTES_MAX = 32 << 20  # with its transaction, well within one message of the service
REFERENCE_AGE_MAX = 256  # how far back a contract can see block hashes
FINALITY_EPOCHS = 3  # a block is final at most this many epochs after it was made
# The longest evidence has at most 902,120 bytes: nineteen accounts that hold 32 options each and an
# owner check of 48 more. A step whose evidence the court did not take could not be proven wrong.
EVIDENCE_BYTES_MIN = 896 * 1024
# A prover has to profit even if the base layer is this many times dearer than assumed.
PROOF_FEE_MARGIN = 4
GIGA = 10**9


class Place(TypedDict):
    """Where a court stands and for whom: what no preset knows.

    Without an operator the sequencer is it, without a beneficiary the operator.
    """

    chain_id: int
    settlement: bytes
    sequencer: bytes
    operator: NotRequired[bytes]
    beneficiary: NotRequired[bytes]


@dataclass(frozen=True, kw_only=True)
class CourtConfig:
    """Everything about a court that is decided when it is deployed.

    `operator` runs the house at first and `sequencer` is the key that it posts with; both may
    change (`verifier.registry`). `settlement` is the court's own address, `beneficiary` who gets
    what is left when an exit ends. `batch_gap_blocks` is the pace that the poster keeps on average:
    with it `max_unfinalised` never holds up an honest sequencer, which is checked.
    `proof_fee_per_gas` is the fee that half a bond must pay a worst proof at, four times over. A
    batch is final after challenge and reveal window together; a reward waits one reveal window for
    older commitments. `receipt_stake` backs the receipts of whoever puts it. `guardian`, if there
    is one, may let open batches wait `guardian_delay_blocks` more, each once.
    Raises ConfigError with every contradiction found.
    """

    chain_id: int
    settlement: bytes
    sequencer: bytes
    operator: bytes
    beneficiary: bytes
    law_version: int = LAW_VERSION

    challenge_window_blocks: int
    reveal_window_blocks: int
    max_unfinalised: int
    batch_gap_blocks: int
    bond: int
    receipt_stake: int
    proof_fee_per_gas: int

    batch_bytes_max: int
    batch_steps_max: int
    evidence_bytes_max: int

    drift_ms: int
    forced_delay_ms: int
    reference_age_blocks: int

    # Lags of the tip's clock behind the base layer beyond which anyone may open posting, or freeze.
    open_lag_ms: int
    freeze_lag_ms: int
    law_delay_ms: int  # from the announcement of a law to its first batch, at least
    # Counted from the block that the exit begins in: claims filed until, payments made until.
    exit_claim_blocks: int
    exit_end_blocks: int

    # What is assumed of the base layer, and checked against the windows.
    block_time_ms: int
    epoch_blocks: int
    block_gas_limit: int

    # Of the simulated chain alone.
    fee_per_gas_min: int
    mempool_max: int
    faucet: bool

    committee: Committee = NO_COMMITTEE
    guardian: bytes = NOBODY
    guardian_delay_blocks: int = 0

    def __post_init__(self) -> None:
        """Refuse every contradiction at once."""
        problems = list(_shape_problems(self)) or list(_problems(self))
        if problems:
            raise ConfigError(problems)

    @property
    def final_after_blocks(self) -> int:
        """Blocks after its own in which a batch that nobody delays is open: both its windows."""
        return self.challenge_window_blocks + self.reveal_window_blocks

    @property
    def committee_steps_max(self) -> int:
        """Most steps of a batch that a committee holds.

        Half of the gas of the blocks between two batches pays for answering an ask for each of
        them; otherwise asking alone could bring an honest batch down.
        """
        blocks = min(self.batch_gap_blocks, self.challenge_window_blocks // 3)
        room = blocks * self.block_gas_limit // 2
        return min(self.batch_steps_max, room // gas.answering_max(STEP_BYTES_MAX))

    @classmethod
    def production(cls, **place: Unpack[Place]) -> CourtConfig:
        """A week's window on blocks of twelve seconds; a batch every twenty minutes."""
        return cls._preset(0, **place)

    @classmethod
    def devnet(cls, **place: Unpack[Place]) -> CourtConfig:
        """A window of a hundred one-second blocks, roomy blocks, and a faucet."""
        return cls._preset(1, **place)

    @classmethod
    def test(cls, **place: Unpack[Place]) -> CourtConfig:
        """The shortest windows that are consistent, for simulations without a wall clock."""
        return cls._preset(2, **place)

    @classmethod
    def _preset(cls, column: int, **place: Unpack[Place]) -> CourtConfig:
        operator = place.get("operator") or place["sequencer"]
        addresses = {"operator": operator, "beneficiary": place.get("beneficiary") or operator}
        decided: dict[str, Any] = {name: row[column] for name, row in _PRESETS.items()}
        return cls(**{**decided, **place, **addresses})


# What each preset decides: production, devnet, test.
_PRESETS: dict[str, tuple[int, int, int]] = {
    "challenge_window_blocks": (50_400, 100, 10),
    "reveal_window_blocks": (300, 30, 8),
    "max_unfinalised": (512, 256, 20),
    "batch_gap_blocks": (100, 1, 1),
    "bond": (40 * GIGA, 2 * GIGA, 2 * GIGA),
    "receipt_stake": (160 * GIGA, 8 * GIGA, 8 * GIGA),
    "proof_fee_per_gas": (200, 10, 10),
    "batch_bytes_max": (1 << 20, 16 << 20, 1 << 20),
    "batch_steps_max": (BATCH_STEPS_MAX,) * 3,
    "evidence_bytes_max": (EVIDENCE_BYTES_MIN,) * 3,
    "drift_ms": (120_000, 10_000, 10_000),
    "forced_delay_ms": (86_400_000, 600_000, 60_000),
    "reference_age_blocks": (REFERENCE_AGE_MAX, 64, 16),
    "open_lag_ms": (43_200_000, 1_800_000, 120_000),
    "freeze_lag_ms": (864_000_000, 7_200_000, 600_000),
    "law_delay_ms": (1_209_600_000, 7_200_000, 300_000),
    "exit_claim_blocks": (201_600, 300, 40),
    "exit_end_blocks": (2_628_000, 100_000, 200),
    "block_time_ms": (12_000, 1_000, 1_000),
    "epoch_blocks": (32, 8, 2),
    "block_gas_limit": (60_000_000, 1_000_000_000, 60_000_000),
    "fee_per_gas_min": (1, 1, 1),
    "mempool_max": (4_096, 4_096, 1_024),
    "faucet": (False, True, True),
}


def _shape_problems(config: CourtConfig) -> Iterator[str]:
    """Types and ranges of single fields; what follows may rely on them."""
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in ADDRESSES:
            if not isinstance(value, bytes) or len(value) != ADDRESS_BYTES or not any(value):
                yield f"expected {field.name} to be an address of 20 bytes, was {value!r}"
        elif field.name == "faucet":
            if not isinstance(value, bool):
                yield f"expected faucet to be true or false, was {value!r}"
        elif field.name == "guardian":
            if not isinstance(value, bytes) or len(value) != ADDRESS_BYTES:
                yield f"expected guardian to be an address of 20 bytes or zeros, was {value!r}"
        elif field.name == "guardian_delay_blocks" and value == 0 and type(value) is int:
            continue
        elif field.name == "committee":
            yield from value.problems()
        elif type(value) is not int or not 1 <= value <= INTEGER_MAX:
            yield f"expected {field.name} to be an integer of 1 to 2^62 - 1, was {value!r}"


def _problems(config: CourtConfig) -> Iterator[str]:
    """Contradictions between fields."""
    finality = FINALITY_EPOCHS * config.epoch_blocks
    if config.law_version != LAW_VERSION:
        yield f"expected law_version {LAW_VERSION}, was {config.law_version}"
    if config.batch_steps_max > BATCH_STEPS_MAX:
        yield f"expected batch_steps_max of at most {BATCH_STEPS_MAX}, was {config.batch_steps_max}"
    if config.batch_bytes_max > BATCH_BYTES_MAX:
        yield f"expected batch_bytes_max of at most {BATCH_BYTES_MAX}, was {config.batch_bytes_max}"
    if config.evidence_bytes_max < EVIDENCE_BYTES_MIN:
        yield (
            f"expected evidence_bytes_max of at least {EVIDENCE_BYTES_MIN}, the longest evidence, "
            f"was {config.evidence_bytes_max}"
        )
    if config.forced_delay_ms >= GATE_PASS_MS:
        # Otherwise an operator could let the pass of a forced withdrawal lapse.
        yield (
            f"expected forced_delay_ms below {GATE_PASS_MS}, how long a pass through the gates is "
            f"good for, was {config.forced_delay_ms}"
        )
    yield from _window_problems(config, finality)
    if not finality < config.reference_age_blocks <= REFERENCE_AGE_MAX:
        # A poster that refers to final blocks alone must never find them too old.
        yield (
            f"expected reference_age_blocks in {finality + 1}..{REFERENCE_AGE_MAX}, "
            f"was {config.reference_age_blocks}"
        )
    yield from _lag_problems(config, finality)
    worst_post = gas.posting_max(config.batch_bytes_max, config.batch_steps_max)
    if config.committee.members:
        worst_post += gas.attesting(len(config.committee.members))
        if config.committee_steps_max < 1:
            yield "expected blocks with room to answer for a step of a committee's batch, was none"
    worst_proof = gas.proving_max(config.evidence_bytes_max)
    for name, worst in (("batch", worst_post), ("proof", worst_proof)):
        if worst > config.block_gas_limit:
            yield f"expected block_gas_limit of at least {worst}, the largest {name}'s gas"
    reward_min = PROOF_FEE_MARGIN * worst_proof * config.proof_fee_per_gas
    for name in ("bond", "receipt_stake"):
        if getattr(config, name) // 2 < reward_min:
            yield f"expected {name} of at least {2 * reward_min}, twice what a proof must earn"


def _window_problems(config: CourtConfig, finality: int) -> Iterator[str]:
    """Contradictions between the windows of a batch."""
    windows = config.final_after_blocks + config.guardian_delay_blocks
    if config.max_unfinalised * config.batch_gap_blocks < windows:
        yield (
            f"expected max_unfinalised {config.max_unfinalised} * batch_gap_blocks "
            f"{config.batch_gap_blocks} to be at least {windows}, challenge and reveal window and "
            "the guardian's delay together"
        )
    for name in ("challenge_window_blocks", "reveal_window_blocks"):
        # Otherwise a batch could become final in the court before its block is on the base layer,
        # or a reward be settled before anybody can rely on the proof that earned it.
        if getattr(config, name) <= finality:
            yield (
                f"expected {name} above {FINALITY_EPOCHS} epochs ({finality}), "
                f"was {getattr(config, name)}"
            )
    if config.committee.members and config.challenge_window_blocks // 3 <= finality:
        # An ask, or the answer to one, that a reorganisation takes back must find a place again in
        # its third: otherwise a forged batch that is withheld could become final, or an honest one
        # be brought down.
        yield (
            f"expected a third of challenge_window_blocks {config.challenge_window_blocks}, in "
            "which steps of a committee's batch are asked for or answered, to be above "
            f"{FINALITY_EPOCHS} epochs ({finality}), was {config.challenge_window_blocks // 3}"
        )
    if (config.guardian == NOBODY) != (config.guardian_delay_blocks == 0):
        yield (
            "expected a guardian with a delay or neither, was "
            f"{config.guardian.hex()} with {config.guardian_delay_blocks} blocks"
        )
    if config.guardian_delay_blocks > config.challenge_window_blocks:
        # Whoever can delay must not be able to hold up an exit for long.
        yield (
            f"expected guardian_delay_blocks of at most challenge_window_blocks "
            f"{config.challenge_window_blocks}, was {config.guardian_delay_blocks}"
        )


def _lag_problems(config: CourtConfig, finality: int) -> Iterator[str]:
    """Contradictions between the windows in which everyone may act, leave, or be paid."""
    pace = (config.batch_gap_blocks + finality) * config.block_time_ms
    if config.drift_ms > config.forced_delay_ms:
        # Otherwise a message could be overdue although the clock does not lag.
        yield (
            f"expected drift_ms of at most forced_delay_ms {config.forced_delay_ms}, "
            f"was {config.drift_ms}"
        )
    if config.open_lag_ms <= pace:
        # Otherwise posting would be opened over an honest sequencer at its pace.
        yield (
            f"expected open_lag_ms above {pace}, a batch gap and the way to finality, "
            f"was {config.open_lag_ms}"
        )
    if config.freeze_lag_ms <= time_to_leave_ms(config):
        # A batch that falls takes the clock back by up to its windows: even then others get open
        # lag and forced delay to bring it up, before anybody may freeze.
        yield (
            f"expected freeze_lag_ms above {time_to_leave_ms(config)}, in which others may save "
            f"the house even after a late proof, was {config.freeze_lag_ms}"
        )
    if config.law_delay_ms < time_to_leave_ms(config):
        yield (
            f"expected law_delay_ms of at least {time_to_leave_ms(config)}, in which everybody can "
            f"leave first, was {config.law_delay_ms}"
        )
    if config.exit_claim_blocks < config.challenge_window_blocks:
        yield (
            f"expected exit_claim_blocks of at least challenge_window_blocks "
            f"{config.challenge_window_blocks}, was {config.exit_claim_blocks}"
        )
    if config.exit_end_blocks < 2 * config.exit_claim_blocks:
        yield (
            f"expected exit_end_blocks of at least twice exit_claim_blocks "
            f"{config.exit_claim_blocks}, was {config.exit_end_blocks}"
        )


def time_to_leave_ms(config: CourtConfig) -> int:
    """Return the longest time in ms that a forced withdrawal takes past a silent operator."""
    windows = config.final_after_blocks + config.guardian_delay_blocks
    return config.forced_delay_ms + config.open_lag_ms + windows * config.block_time_ms
