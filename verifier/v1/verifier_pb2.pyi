from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_SEQUENCER: _ClassVar[Mode]
    MODE_OPEN: _ClassVar[Mode]
    MODE_FROZEN: _ClassVar[Mode]

class BatchStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BATCH_STATUS_UNSPECIFIED: _ClassVar[BatchStatus]
    BATCH_STATUS_POSTED: _ClassVar[BatchStatus]
    BATCH_STATUS_FINALISED: _ClassVar[BatchStatus]
    BATCH_STATUS_REVERTED: _ClassVar[BatchStatus]

class AskStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ASK_STATUS_UNSPECIFIED: _ClassVar[AskStatus]
    ASK_STATUS_OPEN: _ClassVar[AskStatus]
    ASK_STATUS_ANSWERED: _ClassVar[AskStatus]
    ASK_STATUS_RETURNED: _ClassVar[AskStatus]

class HeadChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEAD_CHANGE_KIND_UNSPECIFIED: _ClassVar[HeadChangeKind]
    HEAD_CHANGE_KIND_BLOCK: _ClassVar[HeadChangeKind]
    HEAD_CHANGE_KIND_REORG: _ClassVar[HeadChangeKind]
MODE_UNSPECIFIED: Mode
MODE_SEQUENCER: Mode
MODE_OPEN: Mode
MODE_FROZEN: Mode
BATCH_STATUS_UNSPECIFIED: BatchStatus
BATCH_STATUS_POSTED: BatchStatus
BATCH_STATUS_FINALISED: BatchStatus
BATCH_STATUS_REVERTED: BatchStatus
ASK_STATUS_UNSPECIFIED: AskStatus
ASK_STATUS_OPEN: AskStatus
ASK_STATUS_ANSWERED: AskStatus
ASK_STATUS_RETURNED: AskStatus
HEAD_CHANGE_KIND_UNSPECIFIED: HeadChangeKind
HEAD_CHANGE_KIND_BLOCK: HeadChangeKind
HEAD_CHANGE_KIND_REORG: HeadChangeKind

class SubmitRequest(_message.Message):
    __slots__ = ("transaction",)
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction: bytes
    def __init__(self, transaction: _Optional[bytes] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("transaction_hash",)
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    transaction_hash: bytes
    def __init__(self, transaction_hash: _Optional[bytes] = ...) -> None: ...

class DryRunRequest(_message.Message):
    __slots__ = ("transaction",)
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    transaction: bytes
    def __init__(self, transaction: _Optional[bytes] = ...) -> None: ...

class DryRunResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class GetConfigRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConfigResponse(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: CourtConfig
    def __init__(self, config: _Optional[_Union[CourtConfig, _Mapping]] = ...) -> None: ...

class GetHeadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHeadResponse(_message.Message):
    __slots__ = ("head",)
    HEAD_FIELD_NUMBER: _ClassVar[int]
    head: Head
    def __init__(self, head: _Optional[_Union[Head, _Mapping]] = ...) -> None: ...

class GetBlockRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class GetBlockResponse(_message.Message):
    __slots__ = ("block",)
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    block: Block
    def __init__(self, block: _Optional[_Union[Block, _Mapping]] = ...) -> None: ...

class GetReceiptRequest(_message.Message):
    __slots__ = ("transaction_hash",)
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    transaction_hash: bytes
    def __init__(self, transaction_hash: _Optional[bytes] = ...) -> None: ...

class GetReceiptResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: Receipt
    def __init__(self, receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("address", "at_block", "asset")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    at_block: bytes
    asset: int
    def __init__(self, address: _Optional[bytes] = ..., at_block: _Optional[bytes] = ..., asset: _Optional[int] = ...) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: Account
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ...) -> None: ...

class GetHeadsRequest(_message.Message):
    __slots__ = ("at_block",)
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    at_block: bytes
    def __init__(self, at_block: _Optional[bytes] = ...) -> None: ...

class GetHeadsResponse(_message.Message):
    __slots__ = ("heads",)
    HEADS_FIELD_NUMBER: _ClassVar[int]
    heads: Heads
    def __init__(self, heads: _Optional[_Union[Heads, _Mapping]] = ...) -> None: ...

class GetBatchRequest(_message.Message):
    __slots__ = ("batch_id", "at_block")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    at_block: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetBatchResponse(_message.Message):
    __slots__ = ("batch",)
    BATCH_FIELD_NUMBER: _ClassVar[int]
    batch: Batch
    def __init__(self, batch: _Optional[_Union[Batch, _Mapping]] = ...) -> None: ...

class GetBatchDataRequest(_message.Message):
    __slots__ = ("batch_id", "at_block")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    at_block: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetBatchDataResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ListAsksRequest(_message.Message):
    __slots__ = ("batch_id", "first", "limit", "at_block")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    first: int
    limit: int
    at_block: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., first: _Optional[int] = ..., limit: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class ListAsksResponse(_message.Message):
    __slots__ = ("asks",)
    ASKS_FIELD_NUMBER: _ClassVar[int]
    asks: _containers.RepeatedCompositeFieldContainer[Ask]
    def __init__(self, asks: _Optional[_Iterable[_Union[Ask, _Mapping]]] = ...) -> None: ...

class GetAnswerRequest(_message.Message):
    __slots__ = ("batch_id", "step", "at_block")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    step: int
    at_block: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., step: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetAnswerResponse(_message.Message):
    __slots__ = ("step_bytes",)
    STEP_BYTES_FIELD_NUMBER: _ClassVar[int]
    step_bytes: bytes
    def __init__(self, step_bytes: _Optional[bytes] = ...) -> None: ...

class ListBatchesRequest(_message.Message):
    __slots__ = ("first_number", "limit", "at_block")
    FIRST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    first_number: int
    limit: int
    at_block: bytes
    def __init__(self, first_number: _Optional[int] = ..., limit: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class ListBatchesResponse(_message.Message):
    __slots__ = ("batches",)
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    batches: _containers.RepeatedCompositeFieldContainer[Batch]
    def __init__(self, batches: _Optional[_Iterable[_Union[Batch, _Mapping]]] = ...) -> None: ...

class ListInboxRequest(_message.Message):
    __slots__ = ("first_index", "limit", "at_block")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    limit: int
    at_block: bytes
    def __init__(self, first_index: _Optional[int] = ..., limit: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class ListInboxResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[InboxEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[InboxEntry, _Mapping]]] = ...) -> None: ...

class GetAccountIdRequest(_message.Message):
    __slots__ = ("owner", "subaccount", "at_block")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SUBACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    subaccount: int
    at_block: bytes
    def __init__(self, owner: _Optional[bytes] = ..., subaccount: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetAccountIdResponse(_message.Message):
    __slots__ = ("account_id",)
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    account_id: int
    def __init__(self, account_id: _Optional[int] = ...) -> None: ...

class GetWithdrawalRequest(_message.Message):
    __slots__ = ("index", "at_block")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    index: int
    at_block: bytes
    def __init__(self, index: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetWithdrawalResponse(_message.Message):
    __slots__ = ("claimed",)
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    claimed: bool
    def __init__(self, claimed: _Optional[bool] = ...) -> None: ...

class GetCreditRequest(_message.Message):
    __slots__ = ("address", "at_block")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    at_block: bytes
    def __init__(self, address: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetCreditResponse(_message.Message):
    __slots__ = ("credit",)
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    credit: int
    def __init__(self, credit: _Optional[int] = ...) -> None: ...

class GetBondTotalsRequest(_message.Message):
    __slots__ = ("at_block",)
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    at_block: bytes
    def __init__(self, at_block: _Optional[bytes] = ...) -> None: ...

class GetBondTotalsResponse(_message.Message):
    __slots__ = ("totals",)
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    totals: BondTotals
    def __init__(self, totals: _Optional[_Union[BondTotals, _Mapping]] = ...) -> None: ...

class GetRewardRequest(_message.Message):
    __slots__ = ("generation", "subject", "at_block")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    generation: int
    subject: bytes
    at_block: bytes
    def __init__(self, generation: _Optional[int] = ..., subject: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetRewardResponse(_message.Message):
    __slots__ = ("reward",)
    REWARD_FIELD_NUMBER: _ClassVar[int]
    reward: Reward
    def __init__(self, reward: _Optional[_Union[Reward, _Mapping]] = ...) -> None: ...

class ListCommitmentsRequest(_message.Message):
    __slots__ = ("address", "at_block")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    at_block: bytes
    def __init__(self, address: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class ListCommitmentsResponse(_message.Message):
    __slots__ = ("commitments",)
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    commitments: _containers.RepeatedCompositeFieldContainer[Commitment]
    def __init__(self, commitments: _Optional[_Iterable[_Union[Commitment, _Mapping]]] = ...) -> None: ...

class GetStakeRequest(_message.Message):
    __slots__ = ("address", "at_block")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    at_block: bytes
    def __init__(self, address: _Optional[bytes] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetStakeResponse(_message.Message):
    __slots__ = ("stake",)
    STAKE_FIELD_NUMBER: _ClassVar[int]
    stake: Stake
    def __init__(self, stake: _Optional[_Union[Stake, _Mapping]] = ...) -> None: ...

class GetReceiptSignerRequest(_message.Message):
    __slots__ = ("generation", "at_block")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    generation: int
    at_block: bytes
    def __init__(self, generation: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetReceiptSignerResponse(_message.Message):
    __slots__ = ("signer",)
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    signer: bytes
    def __init__(self, signer: _Optional[bytes] = ...) -> None: ...

class GetFirstBoundRequest(_message.Message):
    __slots__ = ("generation", "at_block")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    generation: int
    at_block: bytes
    def __init__(self, generation: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetFirstBoundResponse(_message.Message):
    __slots__ = ("generation",)
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    generation: int
    def __init__(self, generation: _Optional[int] = ...) -> None: ...

class GetSolvencyRequest(_message.Message):
    __slots__ = ("at_block", "asset")
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    at_block: bytes
    asset: int
    def __init__(self, at_block: _Optional[bytes] = ..., asset: _Optional[int] = ...) -> None: ...

class GetSolvencyResponse(_message.Message):
    __slots__ = ("solvency",)
    SOLVENCY_FIELD_NUMBER: _ClassVar[int]
    solvency: Solvency
    def __init__(self, solvency: _Optional[_Union[Solvency, _Mapping]] = ...) -> None: ...

class ListRevertsRequest(_message.Message):
    __slots__ = ("first_generation", "limit", "at_block")
    FIRST_GENERATION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    first_generation: int
    limit: int
    at_block: bytes
    def __init__(self, first_generation: _Optional[int] = ..., limit: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class ListRevertsResponse(_message.Message):
    __slots__ = ("reverts",)
    REVERTS_FIELD_NUMBER: _ClassVar[int]
    reverts: _containers.RepeatedCompositeFieldContainer[BatchReverted]
    def __init__(self, reverts: _Optional[_Iterable[_Union[BatchReverted, _Mapping]]] = ...) -> None: ...

class GetStandingRequest(_message.Message):
    __slots__ = ("at_block",)
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    at_block: bytes
    def __init__(self, at_block: _Optional[bytes] = ...) -> None: ...

class GetStandingResponse(_message.Message):
    __slots__ = ("standing",)
    STANDING_FIELD_NUMBER: _ClassVar[int]
    standing: Standing
    def __init__(self, standing: _Optional[_Union[Standing, _Mapping]] = ...) -> None: ...

class GetExitRequest(_message.Message):
    __slots__ = ("at_block",)
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    at_block: bytes
    def __init__(self, at_block: _Optional[bytes] = ...) -> None: ...

class GetExitResponse(_message.Message):
    __slots__ = ("totals",)
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    totals: ExitTotals
    def __init__(self, totals: _Optional[_Union[ExitTotals, _Mapping]] = ...) -> None: ...

class GetExitClaimRequest(_message.Message):
    __slots__ = ("account", "at_block")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    AT_BLOCK_FIELD_NUMBER: _ClassVar[int]
    account: int
    at_block: bytes
    def __init__(self, account: _Optional[int] = ..., at_block: _Optional[bytes] = ...) -> None: ...

class GetExitClaimResponse(_message.Message):
    __slots__ = ("claim",)
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    claim: ExitClaim
    def __init__(self, claim: _Optional[_Union[ExitClaim, _Mapping]] = ...) -> None: ...

class ListHeadChangesRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: int
    limit: int
    def __init__(self, after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListHeadChangesResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[HeadChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[HeadChange, _Mapping]]] = ...) -> None: ...

class MineRequest(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class MineResponse(_message.Message):
    __slots__ = ("head",)
    HEAD_FIELD_NUMBER: _ClassVar[int]
    head: Head
    def __init__(self, head: _Optional[_Union[Head, _Mapping]] = ...) -> None: ...

class ReorgRequest(_message.Message):
    __slots__ = ("depth", "dropped")
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    depth: int
    dropped: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, depth: _Optional[int] = ..., dropped: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ReorgResponse(_message.Message):
    __slots__ = ("head",)
    HEAD_FIELD_NUMBER: _ClassVar[int]
    head: Head
    def __init__(self, head: _Optional[_Union[Head, _Mapping]] = ...) -> None: ...

class AdvanceRequest(_message.Message):
    __slots__ = ("milliseconds",)
    MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    milliseconds: int
    def __init__(self, milliseconds: _Optional[int] = ...) -> None: ...

class AdvanceResponse(_message.Message):
    __slots__ = ("time_ms",)
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    time_ms: int
    def __init__(self, time_ms: _Optional[int] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: int
    def __init__(self, after: _Optional[int] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: HeadChange
    def __init__(self, change: _Optional[_Union[HeadChange, _Mapping]] = ...) -> None: ...

class CourtConfig(_message.Message):
    __slots__ = ("chain_id", "settlement", "sequencer", "law_version", "challenge_window_blocks", "max_unfinalised", "batch_gap_blocks", "bond", "proof_fee_per_gas", "batch_bytes_max", "batch_steps_max", "evidence_bytes_max", "drift_ms", "forced_delay_ms", "reference_age_blocks", "block_time_ms", "epoch_blocks", "block_gas_limit", "fee_per_gas_min", "mempool_max", "faucet", "operator", "beneficiary", "open_lag_ms", "freeze_lag_ms", "law_delay_ms", "exit_claim_blocks", "exit_end_blocks", "committee", "reveal_window_blocks", "receipt_stake", "guardian", "guardian_delay_blocks")
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCER_FIELD_NUMBER: _ClassVar[int]
    LAW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_WINDOW_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MAX_UNFINALISED_FIELD_NUMBER: _ClassVar[int]
    BATCH_GAP_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    PROOF_FEE_PER_GAS_FIELD_NUMBER: _ClassVar[int]
    BATCH_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    BATCH_STEPS_MAX_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    DRIFT_MS_FIELD_NUMBER: _ClassVar[int]
    FORCED_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_AGE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BLOCK_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BLOCK_GAS_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FEE_PER_GAS_MIN_FIELD_NUMBER: _ClassVar[int]
    MEMPOOL_MAX_FIELD_NUMBER: _ClassVar[int]
    FAUCET_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    BENEFICIARY_FIELD_NUMBER: _ClassVar[int]
    OPEN_LAG_MS_FIELD_NUMBER: _ClassVar[int]
    FREEZE_LAG_MS_FIELD_NUMBER: _ClassVar[int]
    LAW_DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    EXIT_CLAIM_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    EXIT_END_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    COMMITTEE_FIELD_NUMBER: _ClassVar[int]
    REVEAL_WINDOW_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_STAKE_FIELD_NUMBER: _ClassVar[int]
    GUARDIAN_FIELD_NUMBER: _ClassVar[int]
    GUARDIAN_DELAY_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    chain_id: int
    settlement: bytes
    sequencer: bytes
    law_version: int
    challenge_window_blocks: int
    max_unfinalised: int
    batch_gap_blocks: int
    bond: int
    proof_fee_per_gas: int
    batch_bytes_max: int
    batch_steps_max: int
    evidence_bytes_max: int
    drift_ms: int
    forced_delay_ms: int
    reference_age_blocks: int
    block_time_ms: int
    epoch_blocks: int
    block_gas_limit: int
    fee_per_gas_min: int
    mempool_max: int
    faucet: bool
    operator: bytes
    beneficiary: bytes
    open_lag_ms: int
    freeze_lag_ms: int
    law_delay_ms: int
    exit_claim_blocks: int
    exit_end_blocks: int
    committee: Committee
    reveal_window_blocks: int
    receipt_stake: int
    guardian: bytes
    guardian_delay_blocks: int
    def __init__(self, chain_id: _Optional[int] = ..., settlement: _Optional[bytes] = ..., sequencer: _Optional[bytes] = ..., law_version: _Optional[int] = ..., challenge_window_blocks: _Optional[int] = ..., max_unfinalised: _Optional[int] = ..., batch_gap_blocks: _Optional[int] = ..., bond: _Optional[int] = ..., proof_fee_per_gas: _Optional[int] = ..., batch_bytes_max: _Optional[int] = ..., batch_steps_max: _Optional[int] = ..., evidence_bytes_max: _Optional[int] = ..., drift_ms: _Optional[int] = ..., forced_delay_ms: _Optional[int] = ..., reference_age_blocks: _Optional[int] = ..., block_time_ms: _Optional[int] = ..., epoch_blocks: _Optional[int] = ..., block_gas_limit: _Optional[int] = ..., fee_per_gas_min: _Optional[int] = ..., mempool_max: _Optional[int] = ..., faucet: _Optional[bool] = ..., operator: _Optional[bytes] = ..., beneficiary: _Optional[bytes] = ..., open_lag_ms: _Optional[int] = ..., freeze_lag_ms: _Optional[int] = ..., law_delay_ms: _Optional[int] = ..., exit_claim_blocks: _Optional[int] = ..., exit_end_blocks: _Optional[int] = ..., committee: _Optional[_Union[Committee, _Mapping]] = ..., reveal_window_blocks: _Optional[int] = ..., receipt_stake: _Optional[int] = ..., guardian: _Optional[bytes] = ..., guardian_delay_blocks: _Optional[int] = ...) -> None: ...

class Committee(_message.Message):
    __slots__ = ("members", "threshold")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[CommitteeMember]
    threshold: int
    def __init__(self, members: _Optional[_Iterable[_Union[CommitteeMember, _Mapping]]] = ..., threshold: _Optional[int] = ...) -> None: ...

class CommitteeMember(_message.Message):
    __slots__ = ("public_key", "proof")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    proof: bytes
    def __init__(self, public_key: _Optional[bytes] = ..., proof: _Optional[bytes] = ...) -> None: ...

class Standing(_message.Message):
    __slots__ = ("mode", "operator", "sequencer", "successor", "clock_ms", "lag_ms", "opens_ms", "freezes_ms", "waiting_index", "waiting_ms", "law_version", "next_law_version", "next_law_number", "next_law_ms", "claims_close_block", "exit_ends_block", "accepts_block")
    MODE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SEQUENCER_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_FIELD_NUMBER: _ClassVar[int]
    CLOCK_MS_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    OPENS_MS_FIELD_NUMBER: _ClassVar[int]
    FREEZES_MS_FIELD_NUMBER: _ClassVar[int]
    WAITING_INDEX_FIELD_NUMBER: _ClassVar[int]
    WAITING_MS_FIELD_NUMBER: _ClassVar[int]
    LAW_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_LAW_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEXT_LAW_NUMBER_FIELD_NUMBER: _ClassVar[int]
    NEXT_LAW_MS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_CLOSE_BLOCK_FIELD_NUMBER: _ClassVar[int]
    EXIT_ENDS_BLOCK_FIELD_NUMBER: _ClassVar[int]
    ACCEPTS_BLOCK_FIELD_NUMBER: _ClassVar[int]
    mode: Mode
    operator: bytes
    sequencer: bytes
    successor: bytes
    clock_ms: int
    lag_ms: int
    opens_ms: int
    freezes_ms: int
    waiting_index: int
    waiting_ms: int
    law_version: int
    next_law_version: int
    next_law_number: int
    next_law_ms: int
    claims_close_block: int
    exit_ends_block: int
    accepts_block: int
    def __init__(self, mode: _Optional[_Union[Mode, str]] = ..., operator: _Optional[bytes] = ..., sequencer: _Optional[bytes] = ..., successor: _Optional[bytes] = ..., clock_ms: _Optional[int] = ..., lag_ms: _Optional[int] = ..., opens_ms: _Optional[int] = ..., freezes_ms: _Optional[int] = ..., waiting_index: _Optional[int] = ..., waiting_ms: _Optional[int] = ..., law_version: _Optional[int] = ..., next_law_version: _Optional[int] = ..., next_law_number: _Optional[int] = ..., next_law_ms: _Optional[int] = ..., claims_close_block: _Optional[int] = ..., exit_ends_block: _Optional[int] = ..., accepts_block: _Optional[int] = ...) -> None: ...

class ExitTotals(_message.Message):
    __slots__ = ("escrow", "paid", "left", "seized", "senior", "junior", "claims", "claims_paid")
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    SEIZED_FIELD_NUMBER: _ClassVar[int]
    SENIOR_FIELD_NUMBER: _ClassVar[int]
    JUNIOR_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_PAID_FIELD_NUMBER: _ClassVar[int]
    escrow: _containers.RepeatedScalarFieldContainer[int]
    paid: _containers.RepeatedScalarFieldContainer[int]
    left: _containers.RepeatedScalarFieldContainer[int]
    seized: _containers.RepeatedScalarFieldContainer[int]
    senior: int
    junior: int
    claims: int
    claims_paid: int
    def __init__(self, escrow: _Optional[_Iterable[int]] = ..., paid: _Optional[_Iterable[int]] = ..., left: _Optional[_Iterable[int]] = ..., seized: _Optional[_Iterable[int]] = ..., senior: _Optional[int] = ..., junior: _Optional[int] = ..., claims: _Optional[int] = ..., claims_paid: _Optional[int] = ...) -> None: ...

class Holding(_message.Message):
    __slots__ = ("number", "amount")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    number: int
    amount: int
    def __init__(self, number: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class ExitClaim(_message.Message):
    __slots__ = ("account", "recipient", "senior", "junior", "home", "seized", "shares", "late", "paid")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SENIOR_FIELD_NUMBER: _ClassVar[int]
    JUNIOR_FIELD_NUMBER: _ClassVar[int]
    HOME_FIELD_NUMBER: _ClassVar[int]
    SEIZED_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    account: int
    recipient: bytes
    senior: int
    junior: int
    home: _containers.RepeatedCompositeFieldContainer[Holding]
    seized: _containers.RepeatedCompositeFieldContainer[Holding]
    shares: _containers.RepeatedCompositeFieldContainer[Holding]
    late: bool
    paid: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, account: _Optional[int] = ..., recipient: _Optional[bytes] = ..., senior: _Optional[int] = ..., junior: _Optional[int] = ..., home: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., seized: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., shares: _Optional[_Iterable[_Union[Holding, _Mapping]]] = ..., late: _Optional[bool] = ..., paid: _Optional[_Iterable[int]] = ...) -> None: ...

class Head(_message.Message):
    __slots__ = ("number", "hash", "parent", "time_ms", "safe_number", "safe_hash", "finalised_number", "finalised_hash")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SAFE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SAFE_HASH_FIELD_NUMBER: _ClassVar[int]
    FINALISED_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FINALISED_HASH_FIELD_NUMBER: _ClassVar[int]
    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    safe_number: int
    safe_hash: bytes
    finalised_number: int
    finalised_hash: bytes
    def __init__(self, number: _Optional[int] = ..., hash: _Optional[bytes] = ..., parent: _Optional[bytes] = ..., time_ms: _Optional[int] = ..., safe_number: _Optional[int] = ..., safe_hash: _Optional[bytes] = ..., finalised_number: _Optional[int] = ..., finalised_hash: _Optional[bytes] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("number", "hash", "parent", "time_ms", "gas_used", "transaction_hashes")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    GAS_USED_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_HASHES_FIELD_NUMBER: _ClassVar[int]
    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    gas_used: int
    transaction_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, number: _Optional[int] = ..., hash: _Optional[bytes] = ..., parent: _Optional[bytes] = ..., time_ms: _Optional[int] = ..., gas_used: _Optional[int] = ..., transaction_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("native", "token", "nonce")
    NATIVE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    native: int
    token: int
    nonce: int
    def __init__(self, native: _Optional[int] = ..., token: _Optional[int] = ..., nonce: _Optional[int] = ...) -> None: ...

class Heads(_message.Message):
    __slots__ = ("tip_id", "tip_number", "tip_root", "finalised_id", "finalised_number", "generation")
    TIP_ID_FIELD_NUMBER: _ClassVar[int]
    TIP_NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIP_ROOT_FIELD_NUMBER: _ClassVar[int]
    FINALISED_ID_FIELD_NUMBER: _ClassVar[int]
    FINALISED_NUMBER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    tip_id: bytes
    tip_number: int
    tip_root: bytes
    finalised_id: bytes
    finalised_number: int
    generation: int
    def __init__(self, tip_id: _Optional[bytes] = ..., tip_number: _Optional[int] = ..., tip_root: _Optional[bytes] = ..., finalised_id: _Optional[bytes] = ..., finalised_number: _Optional[int] = ..., generation: _Optional[int] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("batch_id", "generation", "number", "header", "post_root", "steps_root", "clock", "inbox_count", "custody", "withdrawal_count", "withdrawals_root", "posted_block", "status", "open_asks", "closes_block", "sequenced_count", "sequenced_accumulator")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    POST_ROOT_FIELD_NUMBER: _ClassVar[int]
    STEPS_ROOT_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    INBOX_COUNT_FIELD_NUMBER: _ClassVar[int]
    CUSTODY_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWALS_ROOT_FIELD_NUMBER: _ClassVar[int]
    POSTED_BLOCK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPEN_ASKS_FIELD_NUMBER: _ClassVar[int]
    CLOSES_BLOCK_FIELD_NUMBER: _ClassVar[int]
    SEQUENCED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCED_ACCUMULATOR_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    generation: int
    number: int
    header: bytes
    post_root: bytes
    steps_root: bytes
    clock: int
    inbox_count: int
    custody: int
    withdrawal_count: int
    withdrawals_root: bytes
    posted_block: int
    status: BatchStatus
    open_asks: int
    closes_block: int
    sequenced_count: int
    sequenced_accumulator: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., generation: _Optional[int] = ..., number: _Optional[int] = ..., header: _Optional[bytes] = ..., post_root: _Optional[bytes] = ..., steps_root: _Optional[bytes] = ..., clock: _Optional[int] = ..., inbox_count: _Optional[int] = ..., custody: _Optional[int] = ..., withdrawal_count: _Optional[int] = ..., withdrawals_root: _Optional[bytes] = ..., posted_block: _Optional[int] = ..., status: _Optional[_Union[BatchStatus, str]] = ..., open_asks: _Optional[int] = ..., closes_block: _Optional[int] = ..., sequenced_count: _Optional[int] = ..., sequenced_accumulator: _Optional[bytes] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("step", "asker", "block", "step_hash", "status")
    STEP_FIELD_NUMBER: _ClassVar[int]
    ASKER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    STEP_HASH_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    step: int
    asker: bytes
    block: int
    step_hash: bytes
    status: AskStatus
    def __init__(self, step: _Optional[int] = ..., asker: _Optional[bytes] = ..., block: _Optional[int] = ..., step_hash: _Optional[bytes] = ..., status: _Optional[_Union[AskStatus, str]] = ...) -> None: ...

class InboxEntry(_message.Message):
    __slots__ = ("message", "accumulator", "deposited", "block", "time_ms")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ACCUMULATOR_FIELD_NUMBER: _ClassVar[int]
    DEPOSITED_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    message: bytes
    accumulator: bytes
    deposited: _containers.RepeatedScalarFieldContainer[int]
    block: int
    time_ms: int
    def __init__(self, message: _Optional[bytes] = ..., accumulator: _Optional[bytes] = ..., deposited: _Optional[_Iterable[int]] = ..., block: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class BondTotals(_message.Message):
    __slots__ = ("deposited", "paid", "burned", "held")
    DEPOSITED_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    BURNED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    deposited: int
    paid: int
    burned: int
    held: int
    def __init__(self, deposited: _Optional[int] = ..., paid: _Optional[int] = ..., burned: _Optional[int] = ..., held: _Optional[int] = ...) -> None: ...

class Reward(_message.Message):
    __slots__ = ("generation", "subject", "amount", "sender", "winner", "place", "closes_block", "paid")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CLOSES_BLOCK_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    generation: int
    subject: bytes
    amount: int
    sender: bytes
    winner: bytes
    place: int
    closes_block: int
    paid: bool
    def __init__(self, generation: _Optional[int] = ..., subject: _Optional[bytes] = ..., amount: _Optional[int] = ..., sender: _Optional[bytes] = ..., winner: _Optional[bytes] = ..., place: _Optional[int] = ..., closes_block: _Optional[int] = ..., paid: _Optional[bool] = ...) -> None: ...

class Commitment(_message.Message):
    __slots__ = ("hash", "place")
    HASH_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    place: int
    def __init__(self, hash: _Optional[bytes] = ..., place: _Optional[int] = ...) -> None: ...

class Stake(_message.Message):
    __slots__ = ("serial", "amount", "generation", "last_number", "answers_until")
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LAST_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_UNTIL_FIELD_NUMBER: _ClassVar[int]
    serial: int
    amount: int
    generation: int
    last_number: int
    answers_until: int
    def __init__(self, serial: _Optional[int] = ..., amount: _Optional[int] = ..., generation: _Optional[int] = ..., last_number: _Optional[int] = ..., answers_until: _Optional[int] = ...) -> None: ...

class Solvency(_message.Message):
    __slots__ = ("escrow", "custody", "unclaimed", "unconsumed")
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    CUSTODY_FIELD_NUMBER: _ClassVar[int]
    UNCLAIMED_FIELD_NUMBER: _ClassVar[int]
    UNCONSUMED_FIELD_NUMBER: _ClassVar[int]
    escrow: int
    custody: int
    unclaimed: int
    unconsumed: int
    def __init__(self, escrow: _Optional[int] = ..., custody: _Optional[int] = ..., unclaimed: _Optional[int] = ..., unconsumed: _Optional[int] = ...) -> None: ...

class HeadChange(_message.Message):
    __slots__ = ("sequence", "kind", "number", "hash", "parent", "time_ms")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: HeadChangeKind
    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[HeadChangeKind, str]] = ..., number: _Optional[int] = ..., hash: _Optional[bytes] = ..., parent: _Optional[bytes] = ..., time_ms: _Optional[int] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("transaction_hash", "sender", "kind", "block_number", "block_hash", "index", "error", "text", "gas_used", "fee", "events")
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BLOCK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_HASH_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    GAS_USED_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    transaction_hash: bytes
    sender: bytes
    kind: int
    block_number: int
    block_hash: bytes
    index: int
    error: int
    text: str
    gas_used: int
    fee: int
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, transaction_hash: _Optional[bytes] = ..., sender: _Optional[bytes] = ..., kind: _Optional[int] = ..., block_number: _Optional[int] = ..., block_hash: _Optional[bytes] = ..., index: _Optional[int] = ..., error: _Optional[int] = ..., text: _Optional[str] = ..., gas_used: _Optional[int] = ..., fee: _Optional[int] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("deposited", "batch_posted", "batch_reverted", "batch_finalised", "withdrawal_claimed", "credit_claimed", "forced", "sequencer_changed", "successor_named", "law_announced", "posting_changed", "frozen", "exit_begun", "exit_filed", "exit_paid", "deposit_refunded", "surplus_taken", "step_asked", "step_answered", "ask_returned", "committed", "revealed", "reward_settled", "windows_prolonged", "staked", "stake_returned", "receipt_broken")
    DEPOSITED_FIELD_NUMBER: _ClassVar[int]
    BATCH_POSTED_FIELD_NUMBER: _ClassVar[int]
    BATCH_REVERTED_FIELD_NUMBER: _ClassVar[int]
    BATCH_FINALISED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    CREDIT_CLAIMED_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCER_CHANGED_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_NAMED_FIELD_NUMBER: _ClassVar[int]
    LAW_ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    POSTING_CHANGED_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    EXIT_BEGUN_FIELD_NUMBER: _ClassVar[int]
    EXIT_FILED_FIELD_NUMBER: _ClassVar[int]
    EXIT_PAID_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_REFUNDED_FIELD_NUMBER: _ClassVar[int]
    SURPLUS_TAKEN_FIELD_NUMBER: _ClassVar[int]
    STEP_ASKED_FIELD_NUMBER: _ClassVar[int]
    STEP_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    ASK_RETURNED_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_FIELD_NUMBER: _ClassVar[int]
    REVEALED_FIELD_NUMBER: _ClassVar[int]
    REWARD_SETTLED_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_PROLONGED_FIELD_NUMBER: _ClassVar[int]
    STAKED_FIELD_NUMBER: _ClassVar[int]
    STAKE_RETURNED_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_BROKEN_FIELD_NUMBER: _ClassVar[int]
    deposited: Deposited
    batch_posted: BatchPosted
    batch_reverted: BatchReverted
    batch_finalised: BatchFinalised
    withdrawal_claimed: WithdrawalClaimed
    credit_claimed: CreditClaimed
    forced: Forced
    sequencer_changed: SequencerChanged
    successor_named: SuccessorNamed
    law_announced: LawAnnounced
    posting_changed: PostingChanged
    frozen: Frozen
    exit_begun: ExitBegun
    exit_filed: ExitFiled
    exit_paid: ExitPaid
    deposit_refunded: DepositRefunded
    surplus_taken: SurplusTaken
    step_asked: StepAsked
    step_answered: StepAnswered
    ask_returned: AskReturned
    committed: Committed
    revealed: Revealed
    reward_settled: RewardSettled
    windows_prolonged: WindowsProlonged
    staked: Staked
    stake_returned: StakeReturned
    receipt_broken: ReceiptBroken
    def __init__(self, deposited: _Optional[_Union[Deposited, _Mapping]] = ..., batch_posted: _Optional[_Union[BatchPosted, _Mapping]] = ..., batch_reverted: _Optional[_Union[BatchReverted, _Mapping]] = ..., batch_finalised: _Optional[_Union[BatchFinalised, _Mapping]] = ..., withdrawal_claimed: _Optional[_Union[WithdrawalClaimed, _Mapping]] = ..., credit_claimed: _Optional[_Union[CreditClaimed, _Mapping]] = ..., forced: _Optional[_Union[Forced, _Mapping]] = ..., sequencer_changed: _Optional[_Union[SequencerChanged, _Mapping]] = ..., successor_named: _Optional[_Union[SuccessorNamed, _Mapping]] = ..., law_announced: _Optional[_Union[LawAnnounced, _Mapping]] = ..., posting_changed: _Optional[_Union[PostingChanged, _Mapping]] = ..., frozen: _Optional[_Union[Frozen, _Mapping]] = ..., exit_begun: _Optional[_Union[ExitBegun, _Mapping]] = ..., exit_filed: _Optional[_Union[ExitFiled, _Mapping]] = ..., exit_paid: _Optional[_Union[ExitPaid, _Mapping]] = ..., deposit_refunded: _Optional[_Union[DepositRefunded, _Mapping]] = ..., surplus_taken: _Optional[_Union[SurplusTaken, _Mapping]] = ..., step_asked: _Optional[_Union[StepAsked, _Mapping]] = ..., step_answered: _Optional[_Union[StepAnswered, _Mapping]] = ..., ask_returned: _Optional[_Union[AskReturned, _Mapping]] = ..., committed: _Optional[_Union[Committed, _Mapping]] = ..., revealed: _Optional[_Union[Revealed, _Mapping]] = ..., reward_settled: _Optional[_Union[RewardSettled, _Mapping]] = ..., windows_prolonged: _Optional[_Union[WindowsProlonged, _Mapping]] = ..., staked: _Optional[_Union[Staked, _Mapping]] = ..., stake_returned: _Optional[_Union[StakeReturned, _Mapping]] = ..., receipt_broken: _Optional[_Union[ReceiptBroken, _Mapping]] = ...) -> None: ...

class StepAsked(_message.Message):
    __slots__ = ("batch_id", "step", "asker", "prepaid")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ASKER_FIELD_NUMBER: _ClassVar[int]
    PREPAID_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    step: int
    asker: bytes
    prepaid: int
    def __init__(self, batch_id: _Optional[bytes] = ..., step: _Optional[int] = ..., asker: _Optional[bytes] = ..., prepaid: _Optional[int] = ...) -> None: ...

class StepAnswered(_message.Message):
    __slots__ = ("batch_id", "step", "answerer", "paid", "returned")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ANSWERER_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    step: int
    answerer: bytes
    paid: int
    returned: int
    def __init__(self, batch_id: _Optional[bytes] = ..., step: _Optional[int] = ..., answerer: _Optional[bytes] = ..., paid: _Optional[int] = ..., returned: _Optional[int] = ...) -> None: ...

class AskReturned(_message.Message):
    __slots__ = ("batch_id", "step", "asker", "returned")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    ASKER_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    step: int
    asker: bytes
    returned: int
    def __init__(self, batch_id: _Optional[bytes] = ..., step: _Optional[int] = ..., asker: _Optional[bytes] = ..., returned: _Optional[int] = ...) -> None: ...

class Deposited(_message.Message):
    __slots__ = ("index", "account", "owner", "subaccount", "asset", "amount")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SUBACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    index: int
    account: int
    owner: bytes
    subaccount: int
    asset: int
    amount: int
    def __init__(self, index: _Optional[int] = ..., account: _Optional[int] = ..., owner: _Optional[bytes] = ..., subaccount: _Optional[int] = ..., asset: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class Forced(_message.Message):
    __slots__ = ("index", "kind", "sender", "account", "number", "other", "amount")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: int
    sender: bytes
    account: int
    number: int
    other: int
    amount: int
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[int] = ..., sender: _Optional[bytes] = ..., account: _Optional[int] = ..., number: _Optional[int] = ..., other: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class BatchPosted(_message.Message):
    __slots__ = ("batch_id", "number", "generation", "proposer")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    number: int
    generation: int
    proposer: bytes
    def __init__(self, batch_id: _Optional[bytes] = ..., number: _Optional[int] = ..., generation: _Optional[int] = ..., proposer: _Optional[bytes] = ...) -> None: ...

class BatchReverted(_message.Message):
    __slots__ = ("batch_id", "number", "generation", "step", "prover", "slashed", "rewarded", "burned", "block", "forfeited")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PROVER_FIELD_NUMBER: _ClassVar[int]
    SLASHED_FIELD_NUMBER: _ClassVar[int]
    REWARDED_FIELD_NUMBER: _ClassVar[int]
    BURNED_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    FORFEITED_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    number: int
    generation: int
    step: int
    prover: bytes
    slashed: int
    rewarded: int
    burned: int
    block: int
    forfeited: int
    def __init__(self, batch_id: _Optional[bytes] = ..., number: _Optional[int] = ..., generation: _Optional[int] = ..., step: _Optional[int] = ..., prover: _Optional[bytes] = ..., slashed: _Optional[int] = ..., rewarded: _Optional[int] = ..., burned: _Optional[int] = ..., block: _Optional[int] = ..., forfeited: _Optional[int] = ...) -> None: ...

class Committed(_message.Message):
    __slots__ = ("committer", "commitment", "place", "price")
    COMMITTER_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    committer: bytes
    commitment: bytes
    place: int
    price: int
    def __init__(self, committer: _Optional[bytes] = ..., commitment: _Optional[bytes] = ..., place: _Optional[int] = ..., price: _Optional[int] = ...) -> None: ...

class Revealed(_message.Message):
    __slots__ = ("generation", "subject", "winner", "place")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    subject: bytes
    winner: bytes
    place: int
    def __init__(self, generation: _Optional[int] = ..., subject: _Optional[bytes] = ..., winner: _Optional[bytes] = ..., place: _Optional[int] = ...) -> None: ...

class RewardSettled(_message.Message):
    __slots__ = ("generation", "subject", "winner", "amount")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    generation: int
    subject: bytes
    winner: bytes
    amount: int
    def __init__(self, generation: _Optional[int] = ..., subject: _Optional[bytes] = ..., winner: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class WindowsProlonged(_message.Message):
    __slots__ = ("number", "blocks")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    number: int
    blocks: int
    def __init__(self, number: _Optional[int] = ..., blocks: _Optional[int] = ...) -> None: ...

class Staked(_message.Message):
    __slots__ = ("owner", "serial", "amount")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    serial: int
    amount: int
    def __init__(self, owner: _Optional[bytes] = ..., serial: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class StakeReturned(_message.Message):
    __slots__ = ("owner", "amount")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    amount: int
    def __init__(self, owner: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class ReceiptBroken(_message.Message):
    __slots__ = ("signer", "serial", "prover", "rewarded", "burned")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    PROVER_FIELD_NUMBER: _ClassVar[int]
    REWARDED_FIELD_NUMBER: _ClassVar[int]
    BURNED_FIELD_NUMBER: _ClassVar[int]
    signer: bytes
    serial: int
    prover: bytes
    rewarded: int
    burned: int
    def __init__(self, signer: _Optional[bytes] = ..., serial: _Optional[int] = ..., prover: _Optional[bytes] = ..., rewarded: _Optional[int] = ..., burned: _Optional[int] = ...) -> None: ...

class BatchFinalised(_message.Message):
    __slots__ = ("batch_id", "number", "proposer", "bond")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    number: int
    proposer: bytes
    bond: int
    def __init__(self, batch_id: _Optional[bytes] = ..., number: _Optional[int] = ..., proposer: _Optional[bytes] = ..., bond: _Optional[int] = ...) -> None: ...

class WithdrawalClaimed(_message.Message):
    __slots__ = ("batch_id", "index", "recipient", "amount", "asset")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    index: int
    recipient: bytes
    amount: int
    asset: int
    def __init__(self, batch_id: _Optional[bytes] = ..., index: _Optional[int] = ..., recipient: _Optional[bytes] = ..., amount: _Optional[int] = ..., asset: _Optional[int] = ...) -> None: ...

class CreditClaimed(_message.Message):
    __slots__ = ("address", "amount")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    amount: int
    def __init__(self, address: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class SequencerChanged(_message.Message):
    __slots__ = ("operator", "sequencer", "generation")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SEQUENCER_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    operator: bytes
    sequencer: bytes
    generation: int
    def __init__(self, operator: _Optional[bytes] = ..., sequencer: _Optional[bytes] = ..., generation: _Optional[int] = ...) -> None: ...

class SuccessorNamed(_message.Message):
    __slots__ = ("operator", "successor")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SUCCESSOR_FIELD_NUMBER: _ClassVar[int]
    operator: bytes
    successor: bytes
    def __init__(self, operator: _Optional[bytes] = ..., successor: _Optional[bytes] = ...) -> None: ...

class LawAnnounced(_message.Message):
    __slots__ = ("version", "number", "ready_ms")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    READY_MS_FIELD_NUMBER: _ClassVar[int]
    version: int
    number: int
    ready_ms: int
    def __init__(self, version: _Optional[int] = ..., number: _Optional[int] = ..., ready_ms: _Optional[int] = ...) -> None: ...

class PostingChanged(_message.Message):
    __slots__ = ("opened", "lag_ms", "generation")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    opened: bool
    lag_ms: int
    generation: int
    def __init__(self, opened: _Optional[bool] = ..., lag_ms: _Optional[int] = ..., generation: _Optional[int] = ...) -> None: ...

class Frozen(_message.Message):
    __slots__ = ("tip_number", "lag_ms", "generation")
    TIP_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    tip_number: int
    lag_ms: int
    generation: int
    def __init__(self, tip_number: _Optional[int] = ..., lag_ms: _Optional[int] = ..., generation: _Optional[int] = ...) -> None: ...

class ExitBegun(_message.Message):
    __slots__ = ("batch_id", "number", "escrow", "claims_close_block", "exit_ends_block")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_CLOSE_BLOCK_FIELD_NUMBER: _ClassVar[int]
    EXIT_ENDS_BLOCK_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    number: int
    escrow: _containers.RepeatedScalarFieldContainer[int]
    claims_close_block: int
    exit_ends_block: int
    def __init__(self, batch_id: _Optional[bytes] = ..., number: _Optional[int] = ..., escrow: _Optional[_Iterable[int]] = ..., claims_close_block: _Optional[int] = ..., exit_ends_block: _Optional[int] = ...) -> None: ...

class ExitFiled(_message.Message):
    __slots__ = ("account", "recipient", "senior", "junior", "late")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SENIOR_FIELD_NUMBER: _ClassVar[int]
    JUNIOR_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    account: int
    recipient: bytes
    senior: int
    junior: int
    late: bool
    def __init__(self, account: _Optional[int] = ..., recipient: _Optional[bytes] = ..., senior: _Optional[int] = ..., junior: _Optional[int] = ..., late: _Optional[bool] = ...) -> None: ...

class ExitPaid(_message.Message):
    __slots__ = ("account", "recipient", "amounts")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNTS_FIELD_NUMBER: _ClassVar[int]
    account: int
    recipient: bytes
    amounts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, account: _Optional[int] = ..., recipient: _Optional[bytes] = ..., amounts: _Optional[_Iterable[int]] = ...) -> None: ...

class DepositRefunded(_message.Message):
    __slots__ = ("index", "recipient", "asset", "amount")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    index: int
    recipient: bytes
    asset: int
    amount: int
    def __init__(self, index: _Optional[int] = ..., recipient: _Optional[bytes] = ..., asset: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class SurplusTaken(_message.Message):
    __slots__ = ("recipient", "asset", "amount")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    recipient: bytes
    asset: int
    amount: int
    def __init__(self, recipient: _Optional[bytes] = ..., asset: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...
