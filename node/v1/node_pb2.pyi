from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PostingMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSTING_MODE_UNSPECIFIED: _ClassVar[PostingMode]
    POSTING_MODE_SEQUENCER: _ClassVar[PostingMode]
    POSTING_MODE_OPEN: _ClassVar[PostingMode]
    POSTING_MODE_FROZEN: _ClassVar[PostingMode]

class NodeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NODE_STATUS_UNSPECIFIED: _ClassVar[NodeStatus]
    NODE_STATUS_ACTIVE: _ClassVar[NodeStatus]
    NODE_STATUS_CATCHING_UP: _ClassVar[NodeStatus]
    NODE_STATUS_HALTED: _ClassVar[NodeStatus]
    NODE_STATUS_STOPPING: _ClassVar[NodeStatus]
    NODE_STATUS_FAILED: _ClassVar[NodeStatus]

class MarginMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_MODE_UNSPECIFIED: _ClassVar[MarginMode]
    MARGIN_MODE_CROSS: _ClassVar[MarginMode]
    MARGIN_MODE_ISOLATED: _ClassVar[MarginMode]
    MARGIN_MODE_PORTFOLIO: _ClassVar[MarginMode]

class NoLiquidationPrice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NO_LIQUIDATION_PRICE_UNSPECIFIED: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_SAFE: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_OPTION: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_TIED: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_PORTFOLIO: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_SETTLING: _ClassVar[NoLiquidationPrice]
    NO_LIQUIDATION_PRICE_OVERFLOW: _ClassVar[NoLiquidationPrice]

class LineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINE_KIND_UNSPECIFIED: _ClassVar[LineKind]
    LINE_KIND_FILL: _ClassVar[LineKind]
    LINE_KIND_FEE: _ClassVar[LineKind]
    LINE_KIND_FUNDING: _ClassVar[LineKind]
    LINE_KIND_DEPOSIT: _ClassVar[LineKind]
    LINE_KIND_WITHDRAWAL: _ClassVar[LineKind]
    LINE_KIND_TRANSFER: _ClassVar[LineKind]
    LINE_KIND_LIQUIDATION: _ClassVar[LineKind]
    LINE_KIND_INSURANCE_FEE: _ClassVar[LineKind]
    LINE_KIND_INSURANCE_COVER: _ClassVar[LineKind]
    LINE_KIND_SETTLEMENT: _ClassVar[LineKind]
    LINE_KIND_AUCTION: _ClassVar[LineKind]
    LINE_KIND_AUCTION_REWARD: _ClassVar[LineKind]
    LINE_KIND_DELEVERAGE: _ClassVar[LineKind]
    LINE_KIND_LOSS_SHARE: _ClassVar[LineKind]
    LINE_KIND_POOL_TRADE: _ClassVar[LineKind]
    LINE_KIND_POOL_IMPACT: _ClassVar[LineKind]
    LINE_KIND_POOL_TAKEOVER: _ClassVar[LineKind]
    LINE_KIND_POOL_EQUITY: _ClassVar[LineKind]
    LINE_KIND_POOL_SLEEVE: _ClassVar[LineKind]
    LINE_KIND_POOL_SHARES: _ClassVar[LineKind]
    LINE_KIND_CONVERSION: _ClassVar[LineKind]

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_MAKER: _ClassVar[Role]
    ROLE_TAKER: _ClassVar[Role]
    ROLE_KEEPER: _ClassVar[Role]
    ROLE_LIQUIDATED: _ClassVar[Role]
    ROLE_BIDDER: _ClassVar[Role]
    ROLE_POOL: _ClassVar[Role]

class MarginBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_BASIS_UNSPECIFIED: _ClassVar[MarginBasis]
    MARGIN_BASIS_MAINTENANCE: _ClassVar[MarginBasis]
    MARGIN_BASIS_INITIAL: _ClassVar[MarginBasis]

class MarginCallStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_CALL_STATUS_UNSPECIFIED: _ClassVar[MarginCallStatus]
    MARGIN_CALL_STATUS_RAISED: _ClassVar[MarginCallStatus]
    MARGIN_CALL_STATUS_STANDING: _ClassVar[MarginCallStatus]
    MARGIN_CALL_STATUS_MET: _ClassVar[MarginCallStatus]

class BatchStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BATCH_STATUS_UNSPECIFIED: _ClassVar[BatchStatus]
    BATCH_STATUS_SEALED: _ClassVar[BatchStatus]
    BATCH_STATUS_POSTED: _ClassVar[BatchStatus]
    BATCH_STATUS_SAFE: _ClassVar[BatchStatus]
    BATCH_STATUS_FINALISED: _ClassVar[BatchStatus]
    BATCH_STATUS_WITHDRAWABLE: _ClassVar[BatchStatus]
POSTING_MODE_UNSPECIFIED: PostingMode
POSTING_MODE_SEQUENCER: PostingMode
POSTING_MODE_OPEN: PostingMode
POSTING_MODE_FROZEN: PostingMode
NODE_STATUS_UNSPECIFIED: NodeStatus
NODE_STATUS_ACTIVE: NodeStatus
NODE_STATUS_CATCHING_UP: NodeStatus
NODE_STATUS_HALTED: NodeStatus
NODE_STATUS_STOPPING: NodeStatus
NODE_STATUS_FAILED: NodeStatus
MARGIN_MODE_UNSPECIFIED: MarginMode
MARGIN_MODE_CROSS: MarginMode
MARGIN_MODE_ISOLATED: MarginMode
MARGIN_MODE_PORTFOLIO: MarginMode
NO_LIQUIDATION_PRICE_UNSPECIFIED: NoLiquidationPrice
NO_LIQUIDATION_PRICE_SAFE: NoLiquidationPrice
NO_LIQUIDATION_PRICE_OPTION: NoLiquidationPrice
NO_LIQUIDATION_PRICE_TIED: NoLiquidationPrice
NO_LIQUIDATION_PRICE_PORTFOLIO: NoLiquidationPrice
NO_LIQUIDATION_PRICE_SETTLING: NoLiquidationPrice
NO_LIQUIDATION_PRICE_OVERFLOW: NoLiquidationPrice
LINE_KIND_UNSPECIFIED: LineKind
LINE_KIND_FILL: LineKind
LINE_KIND_FEE: LineKind
LINE_KIND_FUNDING: LineKind
LINE_KIND_DEPOSIT: LineKind
LINE_KIND_WITHDRAWAL: LineKind
LINE_KIND_TRANSFER: LineKind
LINE_KIND_LIQUIDATION: LineKind
LINE_KIND_INSURANCE_FEE: LineKind
LINE_KIND_INSURANCE_COVER: LineKind
LINE_KIND_SETTLEMENT: LineKind
LINE_KIND_AUCTION: LineKind
LINE_KIND_AUCTION_REWARD: LineKind
LINE_KIND_DELEVERAGE: LineKind
LINE_KIND_LOSS_SHARE: LineKind
LINE_KIND_POOL_TRADE: LineKind
LINE_KIND_POOL_IMPACT: LineKind
LINE_KIND_POOL_TAKEOVER: LineKind
LINE_KIND_POOL_EQUITY: LineKind
LINE_KIND_POOL_SLEEVE: LineKind
LINE_KIND_POOL_SHARES: LineKind
LINE_KIND_CONVERSION: LineKind
ROLE_UNSPECIFIED: Role
ROLE_MAKER: Role
ROLE_TAKER: Role
ROLE_KEEPER: Role
ROLE_LIQUIDATED: Role
ROLE_BIDDER: Role
ROLE_POOL: Role
MARGIN_BASIS_UNSPECIFIED: MarginBasis
MARGIN_BASIS_MAINTENANCE: MarginBasis
MARGIN_BASIS_INITIAL: MarginBasis
MARGIN_CALL_STATUS_UNSPECIFIED: MarginCallStatus
MARGIN_CALL_STATUS_RAISED: MarginCallStatus
MARGIN_CALL_STATUS_STANDING: MarginCallStatus
MARGIN_CALL_STATUS_MET: MarginCallStatus
BATCH_STATUS_UNSPECIFIED: BatchStatus
BATCH_STATUS_SEALED: BatchStatus
BATCH_STATUS_POSTED: BatchStatus
BATCH_STATUS_SAFE: BatchStatus
BATCH_STATUS_FINALISED: BatchStatus
BATCH_STATUS_WITHDRAWABLE: BatchStatus

class Submission(_message.Message):
    __slots__ = ("actions", "lengths")
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    actions: bytes
    lengths: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, actions: _Optional[bytes] = ..., lengths: _Optional[_Iterable[int]] = ...) -> None: ...

class Outcomes(_message.Message):
    __slots__ = ("codes", "sequences", "repeats", "rejections", "receipt")
    CODES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    REPEATS_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedScalarFieldContainer[int]
    sequences: _containers.RepeatedScalarFieldContainer[int]
    repeats: _containers.RepeatedScalarFieldContainer[int]
    rejections: _containers.RepeatedCompositeFieldContainer[Rejection]
    receipt: FrameReceipt
    def __init__(self, codes: _Optional[_Iterable[int]] = ..., sequences: _Optional[_Iterable[int]] = ..., repeats: _Optional[_Iterable[int]] = ..., rejections: _Optional[_Iterable[_Union[Rejection, _Mapping]]] = ..., receipt: _Optional[_Union[FrameReceipt, _Mapping]] = ...) -> None: ...

class Rejection(_message.Message):
    __slots__ = ("index", "code", "name", "acceptance", "message", "operands")
    class OperandsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTANCE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    index: int
    code: int
    name: str
    acceptance: str
    message: str
    operands: _containers.ScalarMap[str, str]
    def __init__(self, index: _Optional[int] = ..., code: _Optional[int] = ..., name: _Optional[str] = ..., acceptance: _Optional[str] = ..., message: _Optional[str] = ..., operands: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FrameReceipt(_message.Message):
    __slots__ = ("generation", "count", "accumulator", "signature", "count_before", "accumulator_before", "step_counts", "step_roots", "own_steps", "own_hashes", "token")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ACCUMULATOR_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    COUNT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ACCUMULATOR_BEFORE_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNTS_FIELD_NUMBER: _ClassVar[int]
    STEP_ROOTS_FIELD_NUMBER: _ClassVar[int]
    OWN_STEPS_FIELD_NUMBER: _ClassVar[int]
    OWN_HASHES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    generation: int
    count: int
    accumulator: bytes
    signature: bytes
    count_before: int
    accumulator_before: bytes
    step_counts: _containers.RepeatedScalarFieldContainer[int]
    step_roots: bytes
    own_steps: _containers.RepeatedScalarFieldContainer[int]
    own_hashes: bytes
    token: int
    def __init__(self, generation: _Optional[int] = ..., count: _Optional[int] = ..., accumulator: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., count_before: _Optional[int] = ..., accumulator_before: _Optional[bytes] = ..., step_counts: _Optional[_Iterable[int]] = ..., step_roots: _Optional[bytes] = ..., own_steps: _Optional[_Iterable[int]] = ..., own_hashes: _Optional[bytes] = ..., token: _Optional[int] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason", "message", "operands", "retry_after_ms")
    class OperandsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OPERANDS_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    operands: _containers.ScalarMap[str, str]
    retry_after_ms: int
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., operands: _Optional[_Mapping[str, str]] = ..., retry_after_ms: _Optional[int] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("submission",)
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    submission: Submission
    def __init__(self, submission: _Optional[_Union[Submission, _Mapping]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("outcomes",)
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: Outcomes
    def __init__(self, outcomes: _Optional[_Union[Outcomes, _Mapping]] = ...) -> None: ...

class SubmitStreamRequest(_message.Message):
    __slots__ = ("client_sequence", "submission")
    CLIENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    client_sequence: int
    submission: Submission
    def __init__(self, client_sequence: _Optional[int] = ..., submission: _Optional[_Union[Submission, _Mapping]] = ...) -> None: ...

class SubmitStreamResponse(_message.Message):
    __slots__ = ("client_sequence", "outcomes", "refusal")
    CLIENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    client_sequence: int
    outcomes: Outcomes
    refusal: Refusal
    def __init__(self, client_sequence: _Optional[int] = ..., outcomes: _Optional[_Union[Outcomes, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class GetActionRequest(_message.Message):
    __slots__ = ("action_hash",)
    ACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    action_hash: bytes
    def __init__(self, action_hash: _Optional[bytes] = ...) -> None: ...

class GetActionResponse(_message.Message):
    __slots__ = ("sequence", "code", "name", "token", "receipt")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    code: int
    name: str
    token: int
    receipt: FrameReceipt
    def __init__(self, sequence: _Optional[int] = ..., code: _Optional[int] = ..., name: _Optional[str] = ..., token: _Optional[int] = ..., receipt: _Optional[_Union[FrameReceipt, _Mapping]] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("sequence", "token", "time_ms", "state_root")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    token: int
    time_ms: int
    state_root: bytes
    def __init__(self, sequence: _Optional[int] = ..., token: _Optional[int] = ..., time_ms: _Optional[int] = ..., state_root: _Optional[bytes] = ...) -> None: ...

class GetInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInfoResponse(_message.Message):
    __slots__ = ("node_version", "law_version", "chain_id", "settlement", "domain_separator", "genesis_root", "sequencer", "actions_max", "bytes_max", "action_bytes_max", "actions_per_step")
    NODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    LAW_VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_SEPARATOR_FIELD_NUMBER: _ClassVar[int]
    GENESIS_ROOT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCER_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_MAX_FIELD_NUMBER: _ClassVar[int]
    BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    ACTION_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_PER_STEP_FIELD_NUMBER: _ClassVar[int]
    node_version: str
    law_version: int
    chain_id: int
    settlement: bytes
    domain_separator: bytes
    genesis_root: bytes
    sequencer: bytes
    actions_max: int
    bytes_max: int
    action_bytes_max: int
    actions_per_step: int
    def __init__(self, node_version: _Optional[str] = ..., law_version: _Optional[int] = ..., chain_id: _Optional[int] = ..., settlement: _Optional[bytes] = ..., domain_separator: _Optional[bytes] = ..., genesis_root: _Optional[bytes] = ..., sequencer: _Optional[bytes] = ..., actions_max: _Optional[int] = ..., bytes_max: _Optional[int] = ..., action_bytes_max: _Optional[int] = ..., actions_per_step: _Optional[int] = ...) -> None: ...

class GetHeadsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Head(_message.Message):
    __slots__ = ("number", "sequence", "state_root")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    number: int
    sequence: int
    state_root: bytes
    def __init__(self, number: _Optional[int] = ..., sequence: _Optional[int] = ..., state_root: _Optional[bytes] = ...) -> None: ...

class GetHeadsResponse(_message.Message):
    __slots__ = ("status", "sequenced", "sealed", "posted", "safe", "finalised", "withdrawable", "generation", "base_block", "inbox_consumed", "inbox_available", "foreign_batch", "posting_error", "posting_mode", "lag_ms", "opens_time_ms", "freezes_time_ms")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCED_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    POSTED_FIELD_NUMBER: _ClassVar[int]
    SAFE_FIELD_NUMBER: _ClassVar[int]
    FINALISED_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWABLE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    BASE_BLOCK_FIELD_NUMBER: _ClassVar[int]
    INBOX_CONSUMED_FIELD_NUMBER: _ClassVar[int]
    INBOX_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    FOREIGN_BATCH_FIELD_NUMBER: _ClassVar[int]
    POSTING_ERROR_FIELD_NUMBER: _ClassVar[int]
    POSTING_MODE_FIELD_NUMBER: _ClassVar[int]
    LAG_MS_FIELD_NUMBER: _ClassVar[int]
    OPENS_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FREEZES_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    status: NodeStatus
    sequenced: Point
    sealed: Head
    posted: Head
    safe: Head
    finalised: Head
    withdrawable: Head
    generation: int
    base_block: int
    inbox_consumed: int
    inbox_available: int
    foreign_batch: bool
    posting_error: str
    posting_mode: PostingMode
    lag_ms: int
    opens_time_ms: int
    freezes_time_ms: int
    def __init__(self, status: _Optional[_Union[NodeStatus, str]] = ..., sequenced: _Optional[_Union[Point, _Mapping]] = ..., sealed: _Optional[_Union[Head, _Mapping]] = ..., posted: _Optional[_Union[Head, _Mapping]] = ..., safe: _Optional[_Union[Head, _Mapping]] = ..., finalised: _Optional[_Union[Head, _Mapping]] = ..., withdrawable: _Optional[_Union[Head, _Mapping]] = ..., generation: _Optional[int] = ..., base_block: _Optional[int] = ..., inbox_consumed: _Optional[int] = ..., inbox_available: _Optional[int] = ..., foreign_batch: _Optional[bool] = ..., posting_error: _Optional[str] = ..., posting_mode: _Optional[_Union[PostingMode, str]] = ..., lag_ms: _Optional[int] = ..., opens_time_ms: _Optional[int] = ..., freezes_time_ms: _Optional[int] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("initial_ppm", "maintenance_ppm", "open_interest_lower_micro", "open_interest_upper_micro")
    INITIAL_PPM_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_PPM_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_LOWER_MICRO_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_UPPER_MICRO_FIELD_NUMBER: _ClassVar[int]
    initial_ppm: int
    maintenance_ppm: int
    open_interest_lower_micro: int
    open_interest_upper_micro: int
    def __init__(self, initial_ppm: _Optional[int] = ..., maintenance_ppm: _Optional[int] = ..., open_interest_lower_micro: _Optional[int] = ..., open_interest_upper_micro: _Optional[int] = ...) -> None: ...

class GetParamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetParamsResponse(_message.Message):
    __slots__ = ("version", "price_quorum", "price_band_ppm", "price_stale_open_ms", "price_stale_margin_ms", "price_jump_ppm", "price_drift_ms", "funding_interval_ms", "funding_cap_ppm", "liquidation_buffer_ppm", "liquidation_penalty_ppm", "insurance_fee_ppm", "transfer_margin_ppm", "tiers", "publishers", "funds_micro", "record", "governance_sequence")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRICE_QUORUM_FIELD_NUMBER: _ClassVar[int]
    PRICE_BAND_PPM_FIELD_NUMBER: _ClassVar[int]
    PRICE_STALE_OPEN_MS_FIELD_NUMBER: _ClassVar[int]
    PRICE_STALE_MARGIN_MS_FIELD_NUMBER: _ClassVar[int]
    PRICE_JUMP_PPM_FIELD_NUMBER: _ClassVar[int]
    PRICE_DRIFT_MS_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    FUNDING_CAP_PPM_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_BUFFER_PPM_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PENALTY_PPM_FIELD_NUMBER: _ClassVar[int]
    INSURANCE_FEE_PPM_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_MARGIN_PPM_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    PUBLISHERS_FIELD_NUMBER: _ClassVar[int]
    FUNDS_MICRO_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    GOVERNANCE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    version: int
    price_quorum: int
    price_band_ppm: int
    price_stale_open_ms: int
    price_stale_margin_ms: int
    price_jump_ppm: int
    price_drift_ms: int
    funding_interval_ms: int
    funding_cap_ppm: int
    liquidation_buffer_ppm: int
    liquidation_penalty_ppm: int
    insurance_fee_ppm: int
    transfer_margin_ppm: int
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    publishers: _containers.RepeatedScalarFieldContainer[bytes]
    funds_micro: _containers.RepeatedScalarFieldContainer[int]
    record: _containers.RepeatedScalarFieldContainer[int]
    governance_sequence: int
    def __init__(self, version: _Optional[int] = ..., price_quorum: _Optional[int] = ..., price_band_ppm: _Optional[int] = ..., price_stale_open_ms: _Optional[int] = ..., price_stale_margin_ms: _Optional[int] = ..., price_jump_ppm: _Optional[int] = ..., price_drift_ms: _Optional[int] = ..., funding_interval_ms: _Optional[int] = ..., funding_cap_ppm: _Optional[int] = ..., liquidation_buffer_ppm: _Optional[int] = ..., liquidation_penalty_ppm: _Optional[int] = ..., insurance_fee_ppm: _Optional[int] = ..., transfer_margin_ppm: _Optional[int] = ..., tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ..., publishers: _Optional[_Iterable[bytes]] = ..., funds_micro: _Optional[_Iterable[int]] = ..., record: _Optional[_Iterable[int]] = ..., governance_sequence: _Optional[int] = ...) -> None: ...

class Instrument(_message.Message):
    __slots__ = ("id", "symbol", "kind", "status", "tier", "tick_micro", "lot_size_nano", "open_interest_lots", "mark_price_micro", "index_price_micro", "price_time_ms", "funding_index", "funding_time_ms", "pot_micro", "open_interest_cap_lots", "position_cap_lots", "underlying", "strike_micro", "expiry_ms", "series", "pool", "settlement_price_micro", "stable_price_micro", "confidence_ppm", "auction_end_ms", "row_number", "row_micro", "debt_micro", "sweep", "call")
    ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    TICK_MICRO_FIELD_NUMBER: _ClassVar[int]
    LOT_SIZE_NANO_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_LOTS_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    INDEX_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    PRICE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    FUNDING_INDEX_FIELD_NUMBER: _ClassVar[int]
    FUNDING_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    POT_MICRO_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_CAP_LOTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_CAP_LOTS_FIELD_NUMBER: _ClassVar[int]
    UNDERLYING_FIELD_NUMBER: _ClassVar[int]
    STRIKE_MICRO_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_MS_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    POOL_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    STABLE_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_PPM_FIELD_NUMBER: _ClassVar[int]
    AUCTION_END_MS_FIELD_NUMBER: _ClassVar[int]
    ROW_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ROW_MICRO_FIELD_NUMBER: _ClassVar[int]
    DEBT_MICRO_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    id: int
    symbol: str
    kind: int
    status: int
    tier: int
    tick_micro: int
    lot_size_nano: int
    open_interest_lots: int
    mark_price_micro: int
    index_price_micro: int
    price_time_ms: int
    funding_index: str
    funding_time_ms: int
    pot_micro: int
    open_interest_cap_lots: int
    position_cap_lots: int
    underlying: int
    strike_micro: int
    expiry_ms: int
    series: int
    pool: int
    settlement_price_micro: int
    stable_price_micro: int
    confidence_ppm: int
    auction_end_ms: int
    row_number: int
    row_micro: _containers.RepeatedScalarFieldContainer[int]
    debt_micro: int
    sweep: Sweep
    call: Call
    def __init__(self, id: _Optional[int] = ..., symbol: _Optional[str] = ..., kind: _Optional[int] = ..., status: _Optional[int] = ..., tier: _Optional[int] = ..., tick_micro: _Optional[int] = ..., lot_size_nano: _Optional[int] = ..., open_interest_lots: _Optional[int] = ..., mark_price_micro: _Optional[int] = ..., index_price_micro: _Optional[int] = ..., price_time_ms: _Optional[int] = ..., funding_index: _Optional[str] = ..., funding_time_ms: _Optional[int] = ..., pot_micro: _Optional[int] = ..., open_interest_cap_lots: _Optional[int] = ..., position_cap_lots: _Optional[int] = ..., underlying: _Optional[int] = ..., strike_micro: _Optional[int] = ..., expiry_ms: _Optional[int] = ..., series: _Optional[int] = ..., pool: _Optional[int] = ..., settlement_price_micro: _Optional[int] = ..., stable_price_micro: _Optional[int] = ..., confidence_ppm: _Optional[int] = ..., auction_end_ms: _Optional[int] = ..., row_number: _Optional[int] = ..., row_micro: _Optional[_Iterable[int]] = ..., debt_micro: _Optional[int] = ..., sweep: _Optional[_Union[Sweep, _Mapping]] = ..., call: _Optional[_Union[Call, _Mapping]] = ...) -> None: ...

class Sweep(_message.Message):
    __slots__ = ("mode", "phase", "account", "side", "cursor", "deadline_ms", "top")
    MODE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    mode: int
    phase: int
    account: int
    side: int
    cursor: int
    deadline_ms: int
    top: bytes
    def __init__(self, mode: _Optional[int] = ..., phase: _Optional[int] = ..., account: _Optional[int] = ..., side: _Optional[int] = ..., cursor: _Optional[int] = ..., deadline_ms: _Optional[int] = ..., top: _Optional[bytes] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("low_micro", "step_micro", "bid_lots", "ask_lots", "found", "price_micro", "executed_lots", "imbalance_lots", "filled_lots", "opened_ms", "orders_until_ms", "deadline_ms")
    LOW_MICRO_FIELD_NUMBER: _ClassVar[int]
    STEP_MICRO_FIELD_NUMBER: _ClassVar[int]
    BID_LOTS_FIELD_NUMBER: _ClassVar[int]
    ASK_LOTS_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_LOTS_FIELD_NUMBER: _ClassVar[int]
    IMBALANCE_LOTS_FIELD_NUMBER: _ClassVar[int]
    FILLED_LOTS_FIELD_NUMBER: _ClassVar[int]
    OPENED_MS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    low_micro: int
    step_micro: int
    bid_lots: _containers.RepeatedScalarFieldContainer[int]
    ask_lots: _containers.RepeatedScalarFieldContainer[int]
    found: bool
    price_micro: int
    executed_lots: int
    imbalance_lots: int
    filled_lots: int
    opened_ms: int
    orders_until_ms: int
    deadline_ms: int
    def __init__(self, low_micro: _Optional[int] = ..., step_micro: _Optional[int] = ..., bid_lots: _Optional[_Iterable[int]] = ..., ask_lots: _Optional[_Iterable[int]] = ..., found: _Optional[bool] = ..., price_micro: _Optional[int] = ..., executed_lots: _Optional[int] = ..., imbalance_lots: _Optional[int] = ..., filled_lots: _Optional[int] = ..., opened_ms: _Optional[int] = ..., orders_until_ms: _Optional[int] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class CallOrder(_message.Message):
    __slots__ = ("instrument", "lots", "level", "filled_lots", "left_lots")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    FILLED_LOTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_LOTS_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    lots: int
    level: int
    filled_lots: int
    left_lots: int
    def __init__(self, instrument: _Optional[int] = ..., lots: _Optional[int] = ..., level: _Optional[int] = ..., filled_lots: _Optional[int] = ..., left_lots: _Optional[int] = ...) -> None: ...

class OfferedClose(_message.Message):
    __slots__ = ("instrument", "lots", "time_ms")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    lots: int
    time_ms: int
    def __init__(self, instrument: _Optional[int] = ..., lots: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class GetInstrumentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GetInstrumentResponse(_message.Message):
    __slots__ = ("instrument", "point")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    instrument: Instrument
    point: Point
    def __init__(self, instrument: _Optional[_Union[Instrument, _Mapping]] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Asset(_message.Message):
    __slots__ = ("id", "withdraw_only", "price_micro", "stable_price_micro", "price_time_ms", "haircut_ppm", "initial_haircut_ppm", "scale", "cap", "held")
    ID_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_ONLY_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    STABLE_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    PRICE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    HAIRCUT_PPM_FIELD_NUMBER: _ClassVar[int]
    INITIAL_HAIRCUT_PPM_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    id: int
    withdraw_only: bool
    price_micro: int
    stable_price_micro: int
    price_time_ms: int
    haircut_ppm: int
    initial_haircut_ppm: int
    scale: int
    cap: int
    held: int
    def __init__(self, id: _Optional[int] = ..., withdraw_only: _Optional[bool] = ..., price_micro: _Optional[int] = ..., stable_price_micro: _Optional[int] = ..., price_time_ms: _Optional[int] = ..., haircut_ppm: _Optional[int] = ..., initial_haircut_ppm: _Optional[int] = ..., scale: _Optional[int] = ..., cap: _Optional[int] = ..., held: _Optional[int] = ...) -> None: ...

class ListAssetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListAssetsResponse(_message.Message):
    __slots__ = ("assets", "point")
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    assets: _containers.RepeatedCompositeFieldContainer[Asset]
    point: Point
    def __init__(self, assets: _Optional[_Iterable[_Union[Asset, _Mapping]]] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Pool(_message.Message):
    __slots__ = ("id", "account", "sleeve", "shares", "value_micro", "share_price_micro", "equity_micro", "sleeve_equity_micro", "notional_micro", "impact_pot_micro", "lock_ms", "deposit_cap_micro", "sleeve_cap_micro", "reserve_ppm", "impact_ppm", "profit_cap_ppm")
    ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    SLEEVE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    VALUE_MICRO_FIELD_NUMBER: _ClassVar[int]
    SHARE_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    EQUITY_MICRO_FIELD_NUMBER: _ClassVar[int]
    SLEEVE_EQUITY_MICRO_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_MICRO_FIELD_NUMBER: _ClassVar[int]
    IMPACT_POT_MICRO_FIELD_NUMBER: _ClassVar[int]
    LOCK_MS_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_CAP_MICRO_FIELD_NUMBER: _ClassVar[int]
    SLEEVE_CAP_MICRO_FIELD_NUMBER: _ClassVar[int]
    RESERVE_PPM_FIELD_NUMBER: _ClassVar[int]
    IMPACT_PPM_FIELD_NUMBER: _ClassVar[int]
    PROFIT_CAP_PPM_FIELD_NUMBER: _ClassVar[int]
    id: int
    account: int
    sleeve: int
    shares: int
    value_micro: int
    share_price_micro: int
    equity_micro: int
    sleeve_equity_micro: int
    notional_micro: int
    impact_pot_micro: int
    lock_ms: int
    deposit_cap_micro: int
    sleeve_cap_micro: int
    reserve_ppm: int
    impact_ppm: int
    profit_cap_ppm: int
    def __init__(self, id: _Optional[int] = ..., account: _Optional[int] = ..., sleeve: _Optional[int] = ..., shares: _Optional[int] = ..., value_micro: _Optional[int] = ..., share_price_micro: _Optional[int] = ..., equity_micro: _Optional[int] = ..., sleeve_equity_micro: _Optional[int] = ..., notional_micro: _Optional[int] = ..., impact_pot_micro: _Optional[int] = ..., lock_ms: _Optional[int] = ..., deposit_cap_micro: _Optional[int] = ..., sleeve_cap_micro: _Optional[int] = ..., reserve_ppm: _Optional[int] = ..., impact_ppm: _Optional[int] = ..., profit_cap_ppm: _Optional[int] = ...) -> None: ...

class GetPoolRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GetPoolResponse(_message.Message):
    __slots__ = ("pool", "point")
    POOL_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    pool: Pool
    point: Point
    def __init__(self, pool: _Optional[_Union[Pool, _Mapping]] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class ListInstrumentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListInstrumentsResponse(_message.Message):
    __slots__ = ("instruments", "next_page_token", "point")
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    instruments: _containers.RepeatedCompositeFieldContainer[Instrument]
    next_page_token: str
    point: Point
    def __init__(self, instruments: _Optional[_Iterable[_Union[Instrument, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("expiry_ms", "option_count", "active_number", "active_time_ms", "staged_number", "staged_time_ms", "staged_count", "reference_price_micro", "discount_long_ppm", "discount_short_ppm", "confidence_ppm", "settlement_price_micro", "forward_price_micro", "discount_nano")
    EXPIRY_MS_FIELD_NUMBER: _ClassVar[int]
    OPTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STAGED_NUMBER_FIELD_NUMBER: _ClassVar[int]
    STAGED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STAGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_LONG_PPM_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_SHORT_PPM_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_PPM_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    FORWARD_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_NANO_FIELD_NUMBER: _ClassVar[int]
    expiry_ms: int
    option_count: int
    active_number: int
    active_time_ms: int
    staged_number: int
    staged_time_ms: int
    staged_count: int
    reference_price_micro: int
    discount_long_ppm: int
    discount_short_ppm: int
    confidence_ppm: int
    settlement_price_micro: int
    forward_price_micro: int
    discount_nano: int
    def __init__(self, expiry_ms: _Optional[int] = ..., option_count: _Optional[int] = ..., active_number: _Optional[int] = ..., active_time_ms: _Optional[int] = ..., staged_number: _Optional[int] = ..., staged_time_ms: _Optional[int] = ..., staged_count: _Optional[int] = ..., reference_price_micro: _Optional[int] = ..., discount_long_ppm: _Optional[int] = ..., discount_short_ppm: _Optional[int] = ..., confidence_ppm: _Optional[int] = ..., settlement_price_micro: _Optional[int] = ..., forward_price_micro: _Optional[int] = ..., discount_nano: _Optional[int] = ...) -> None: ...

class Underlying(_message.Message):
    __slots__ = ("id", "reference_instrument", "index_price_micro", "price_time_ms", "volatility_down_ppm", "volatility_up_ppm", "price_shocks_ppm", "dampings_ppm", "series", "scenario_time_ms", "scenario_prices_ppm", "scenario_volatilities_ppm", "scenario_rest", "next_grid_time_ms", "next_volatility_down_ppm", "next_volatility_up_ppm", "next_price_shocks_ppm", "next_dampings_ppm")
    ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    INDEX_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    PRICE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    VOLATILITY_DOWN_PPM_FIELD_NUMBER: _ClassVar[int]
    VOLATILITY_UP_PPM_FIELD_NUMBER: _ClassVar[int]
    PRICE_SHOCKS_PPM_FIELD_NUMBER: _ClassVar[int]
    DAMPINGS_PPM_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_PRICES_PPM_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_VOLATILITIES_PPM_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_REST_FIELD_NUMBER: _ClassVar[int]
    NEXT_GRID_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    NEXT_VOLATILITY_DOWN_PPM_FIELD_NUMBER: _ClassVar[int]
    NEXT_VOLATILITY_UP_PPM_FIELD_NUMBER: _ClassVar[int]
    NEXT_PRICE_SHOCKS_PPM_FIELD_NUMBER: _ClassVar[int]
    NEXT_DAMPINGS_PPM_FIELD_NUMBER: _ClassVar[int]
    id: int
    reference_instrument: int
    index_price_micro: int
    price_time_ms: int
    volatility_down_ppm: int
    volatility_up_ppm: int
    price_shocks_ppm: _containers.RepeatedScalarFieldContainer[int]
    dampings_ppm: _containers.RepeatedScalarFieldContainer[int]
    series: _containers.RepeatedCompositeFieldContainer[Series]
    scenario_time_ms: int
    scenario_prices_ppm: _containers.RepeatedScalarFieldContainer[int]
    scenario_volatilities_ppm: _containers.RepeatedScalarFieldContainer[int]
    scenario_rest: int
    next_grid_time_ms: int
    next_volatility_down_ppm: int
    next_volatility_up_ppm: int
    next_price_shocks_ppm: _containers.RepeatedScalarFieldContainer[int]
    next_dampings_ppm: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, id: _Optional[int] = ..., reference_instrument: _Optional[int] = ..., index_price_micro: _Optional[int] = ..., price_time_ms: _Optional[int] = ..., volatility_down_ppm: _Optional[int] = ..., volatility_up_ppm: _Optional[int] = ..., price_shocks_ppm: _Optional[_Iterable[int]] = ..., dampings_ppm: _Optional[_Iterable[int]] = ..., series: _Optional[_Iterable[_Union[Series, _Mapping]]] = ..., scenario_time_ms: _Optional[int] = ..., scenario_prices_ppm: _Optional[_Iterable[int]] = ..., scenario_volatilities_ppm: _Optional[_Iterable[int]] = ..., scenario_rest: _Optional[int] = ..., next_grid_time_ms: _Optional[int] = ..., next_volatility_down_ppm: _Optional[int] = ..., next_volatility_up_ppm: _Optional[int] = ..., next_price_shocks_ppm: _Optional[_Iterable[int]] = ..., next_dampings_ppm: _Optional[_Iterable[int]] = ...) -> None: ...

class GetUnderlyingRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GetUnderlyingResponse(_message.Message):
    __slots__ = ("underlying", "point")
    UNDERLYING_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    underlying: Underlying
    point: Point
    def __init__(self, underlying: _Optional[_Union[Underlying, _Mapping]] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("instrument", "lots", "entry_cost_micro", "value_micro", "funding_micro")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_COST_MICRO_FIELD_NUMBER: _ClassVar[int]
    VALUE_MICRO_FIELD_NUMBER: _ClassVar[int]
    FUNDING_MICRO_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    lots: int
    entry_cost_micro: int
    value_micro: int
    funding_micro: int
    def __init__(self, instrument: _Optional[int] = ..., lots: _Optional[int] = ..., entry_cost_micro: _Optional[int] = ..., value_micro: _Optional[int] = ..., funding_micro: _Optional[int] = ...) -> None: ...

class Margin(_message.Message):
    __slots__ = ("equity_micro", "initial_micro", "maintenance_micro", "notional_micro")
    EQUITY_MICRO_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MICRO_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_MICRO_FIELD_NUMBER: _ClassVar[int]
    NOTIONAL_MICRO_FIELD_NUMBER: _ClassVar[int]
    equity_micro: int
    initial_micro: int
    maintenance_micro: int
    notional_micro: int
    def __init__(self, equity_micro: _Optional[int] = ..., initial_micro: _Optional[int] = ..., maintenance_micro: _Optional[int] = ..., notional_micro: _Optional[int] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("id", "owner", "subaccount", "cash_micro", "order_floor", "request_sequence", "positions", "margin", "keys", "collaterals", "not_before_ms", "hold_until_ms", "hold_instrument", "auction_time_ms", "call_order", "offered_close", "mode")
    ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SUBACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CASH_MICRO_FIELD_NUMBER: _ClassVar[int]
    ORDER_FLOOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    COLLATERALS_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    HOLD_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    HOLD_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    AUCTION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CALL_ORDER_FIELD_NUMBER: _ClassVar[int]
    OFFERED_CLOSE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    id: int
    owner: bytes
    subaccount: int
    cash_micro: int
    order_floor: int
    request_sequence: int
    positions: _containers.RepeatedCompositeFieldContainer[Position]
    margin: Margin
    keys: _containers.RepeatedCompositeFieldContainer[SessionKey]
    collaterals: _containers.RepeatedCompositeFieldContainer[Collateral]
    not_before_ms: int
    hold_until_ms: int
    hold_instrument: int
    auction_time_ms: int
    call_order: CallOrder
    offered_close: OfferedClose
    mode: MarginMode
    def __init__(self, id: _Optional[int] = ..., owner: _Optional[bytes] = ..., subaccount: _Optional[int] = ..., cash_micro: _Optional[int] = ..., order_floor: _Optional[int] = ..., request_sequence: _Optional[int] = ..., positions: _Optional[_Iterable[_Union[Position, _Mapping]]] = ..., margin: _Optional[_Union[Margin, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[SessionKey, _Mapping]]] = ..., collaterals: _Optional[_Iterable[_Union[Collateral, _Mapping]]] = ..., not_before_ms: _Optional[int] = ..., hold_until_ms: _Optional[int] = ..., hold_instrument: _Optional[int] = ..., auction_time_ms: _Optional[int] = ..., call_order: _Optional[_Union[CallOrder, _Mapping]] = ..., offered_close: _Optional[_Union[OfferedClose, _Mapping]] = ..., mode: _Optional[_Union[MarginMode, str]] = ...) -> None: ...

class Collateral(_message.Message):
    __slots__ = ("asset", "amount", "unlock_time_ms")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    UNLOCK_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    asset: int
    amount: int
    unlock_time_ms: int
    def __init__(self, asset: _Optional[int] = ..., amount: _Optional[int] = ..., unlock_time_ms: _Optional[int] = ...) -> None: ...

class SessionKey(_message.Message):
    __slots__ = ("address", "scope", "first_instrument", "last_instrument", "limit_micro", "expiry_ms")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    FIRST_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LAST_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_MICRO_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_MS_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    scope: int
    first_instrument: int
    last_instrument: int
    limit_micro: int
    expiry_ms: int
    def __init__(self, address: _Optional[bytes] = ..., scope: _Optional[int] = ..., first_instrument: _Optional[int] = ..., last_instrument: _Optional[int] = ..., limit_micro: _Optional[int] = ..., expiry_ms: _Optional[int] = ...) -> None: ...

class GetAccountRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class LiquidationPrice(_message.Message):
    __slots__ = ("instrument", "price_micro", "absence")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    price_micro: int
    absence: NoLiquidationPrice
    def __init__(self, instrument: _Optional[int] = ..., price_micro: _Optional[int] = ..., absence: _Optional[_Union[NoLiquidationPrice, str]] = ...) -> None: ...

class Greeks(_message.Message):
    __slots__ = ("underlying", "delta_micro", "gamma_micro", "vega_micro", "theta_micro")
    UNDERLYING_FIELD_NUMBER: _ClassVar[int]
    DELTA_MICRO_FIELD_NUMBER: _ClassVar[int]
    GAMMA_MICRO_FIELD_NUMBER: _ClassVar[int]
    VEGA_MICRO_FIELD_NUMBER: _ClassVar[int]
    THETA_MICRO_FIELD_NUMBER: _ClassVar[int]
    underlying: int
    delta_micro: int
    gamma_micro: int
    vega_micro: int
    theta_micro: int
    def __init__(self, underlying: _Optional[int] = ..., delta_micro: _Optional[int] = ..., gamma_micro: _Optional[int] = ..., vega_micro: _Optional[int] = ..., theta_micro: _Optional[int] = ...) -> None: ...

class ScenarioTail(_message.Message):
    __slots__ = ("scenarios", "losses", "value_at_risk_micro", "expected_shortfall_micro")
    SCENARIOS_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    VALUE_AT_RISK_MICRO_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_SHORTFALL_MICRO_FIELD_NUMBER: _ClassVar[int]
    scenarios: int
    losses: int
    value_at_risk_micro: int
    expected_shortfall_micro: int
    def __init__(self, scenarios: _Optional[int] = ..., losses: _Optional[int] = ..., value_at_risk_micro: _Optional[int] = ..., expected_shortfall_micro: _Optional[int] = ...) -> None: ...

class AccountRisk(_message.Message):
    __slots__ = ("free_collateral_micro", "margin_ratio_ppm", "liquidation_prices", "greeks", "tail")
    FREE_COLLATERAL_MICRO_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_PPM_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICES_FIELD_NUMBER: _ClassVar[int]
    GREEKS_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    free_collateral_micro: int
    margin_ratio_ppm: int
    liquidation_prices: _containers.RepeatedCompositeFieldContainer[LiquidationPrice]
    greeks: _containers.RepeatedCompositeFieldContainer[Greeks]
    tail: ScenarioTail
    def __init__(self, free_collateral_micro: _Optional[int] = ..., margin_ratio_ppm: _Optional[int] = ..., liquidation_prices: _Optional[_Iterable[_Union[LiquidationPrice, _Mapping]]] = ..., greeks: _Optional[_Iterable[_Union[Greeks, _Mapping]]] = ..., tail: _Optional[_Union[ScenarioTail, _Mapping]] = ...) -> None: ...

class GetAccountResponse(_message.Message):
    __slots__ = ("account", "point", "risk")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    account: Account
    point: Point
    risk: AccountRisk
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., point: _Optional[_Union[Point, _Mapping]] = ..., risk: _Optional[_Union[AccountRisk, _Mapping]] = ...) -> None: ...

class ListAccountsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "owner")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    owner: bytes
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., owner: _Optional[bytes] = ...) -> None: ...

class ListAccountsResponse(_message.Message):
    __slots__ = ("accounts", "next_page_token", "point")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedCompositeFieldContainer[Account]
    next_page_token: str
    point: Point
    def __init__(self, accounts: _Optional[_Iterable[_Union[Account, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Line(_message.Message):
    __slots__ = ("sequence", "time_ms", "kind", "action_kind", "instrument", "lots", "price_micro", "amount_micro", "cash_micro", "counterparty", "role", "order_slot", "reference", "fund")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACTION_KIND_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICRO_FIELD_NUMBER: _ClassVar[int]
    CASH_MICRO_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ORDER_SLOT_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    FUND_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    time_ms: int
    kind: LineKind
    action_kind: int
    instrument: int
    lots: int
    price_micro: int
    amount_micro: int
    cash_micro: int
    counterparty: int
    role: Role
    order_slot: int
    reference: int
    fund: int
    def __init__(self, sequence: _Optional[int] = ..., time_ms: _Optional[int] = ..., kind: _Optional[_Union[LineKind, str]] = ..., action_kind: _Optional[int] = ..., instrument: _Optional[int] = ..., lots: _Optional[int] = ..., price_micro: _Optional[int] = ..., amount_micro: _Optional[int] = ..., cash_micro: _Optional[int] = ..., counterparty: _Optional[int] = ..., role: _Optional[_Union[Role, str]] = ..., order_slot: _Optional[int] = ..., reference: _Optional[int] = ..., fund: _Optional[int] = ...) -> None: ...

class ListStatementRequest(_message.Message):
    __slots__ = ("account", "from_sequence", "to_sequence", "from_time_ms", "to_time_ms", "kinds", "page_size", "page_token")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TO_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    account: int
    from_sequence: int
    to_sequence: int
    from_time_ms: int
    to_time_ms: int
    kinds: _containers.RepeatedScalarFieldContainer[LineKind]
    page_size: int
    page_token: str
    def __init__(self, account: _Optional[int] = ..., from_sequence: _Optional[int] = ..., to_sequence: _Optional[int] = ..., from_time_ms: _Optional[int] = ..., to_time_ms: _Optional[int] = ..., kinds: _Optional[_Iterable[_Union[LineKind, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStatementResponse(_message.Message):
    __slots__ = ("lines", "next_page_token", "closing_cash_micro", "opening_cash_micro", "sequence")
    LINES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLOSING_CASH_MICRO_FIELD_NUMBER: _ClassVar[int]
    OPENING_CASH_MICRO_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[Line]
    next_page_token: str
    closing_cash_micro: int
    opening_cash_micro: int
    sequence: int
    def __init__(self, lines: _Optional[_Iterable[_Union[Line, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., closing_cash_micro: _Optional[int] = ..., opening_cash_micro: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class GetNettingRequest(_message.Message):
    __slots__ = ("cycle_ms", "time_ms")
    CYCLE_MS_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    cycle_ms: int
    time_ms: int
    def __init__(self, cycle_ms: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class GetNettingResponse(_message.Message):
    __slots__ = ("summary", "legs", "positions", "trades")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    TRADES_FIELD_NUMBER: _ClassVar[int]
    summary: NettingSummary
    legs: _containers.RepeatedCompositeFieldContainer[NettingLeg]
    positions: _containers.RepeatedCompositeFieldContainer[CompressedPosition]
    trades: _containers.RepeatedCompositeFieldContainer[CompressedTrade]
    def __init__(self, summary: _Optional[_Union[NettingSummary, _Mapping]] = ..., legs: _Optional[_Iterable[_Union[NettingLeg, _Mapping]]] = ..., positions: _Optional[_Iterable[_Union[CompressedPosition, _Mapping]]] = ..., trades: _Optional[_Iterable[_Union[CompressedTrade, _Mapping]]] = ...) -> None: ...

class NettingSummary(_message.Message):
    __slots__ = ("from_time_ms", "to_time_ms", "closed", "sequence", "total", "instruments")
    FROM_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENTS_FIELD_NUMBER: _ClassVar[int]
    from_time_ms: int
    to_time_ms: int
    closed: bool
    sequence: int
    total: NettingFigures
    instruments: _containers.RepeatedCompositeFieldContainer[InstrumentNetting]
    def __init__(self, from_time_ms: _Optional[int] = ..., to_time_ms: _Optional[int] = ..., closed: _Optional[bool] = ..., sequence: _Optional[int] = ..., total: _Optional[_Union[NettingFigures, _Mapping]] = ..., instruments: _Optional[_Iterable[_Union[InstrumentNetting, _Mapping]]] = ...) -> None: ...

class NettingFigures(_message.Message):
    __slots__ = ("lines", "gross_micro", "net_micro", "netting_ratio_ppm", "parties")
    LINES_FIELD_NUMBER: _ClassVar[int]
    GROSS_MICRO_FIELD_NUMBER: _ClassVar[int]
    NET_MICRO_FIELD_NUMBER: _ClassVar[int]
    NETTING_RATIO_PPM_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    lines: int
    gross_micro: int
    net_micro: int
    netting_ratio_ppm: int
    parties: int
    def __init__(self, lines: _Optional[int] = ..., gross_micro: _Optional[int] = ..., net_micro: _Optional[int] = ..., netting_ratio_ppm: _Optional[int] = ..., parties: _Optional[int] = ...) -> None: ...

class InstrumentNetting(_message.Message):
    __slots__ = ("instrument", "cash", "compression")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    CASH_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    cash: NettingFigures
    compression: Compression
    def __init__(self, instrument: _Optional[int] = ..., cash: _Optional[_Union[NettingFigures, _Mapping]] = ..., compression: _Optional[_Union[Compression, _Mapping]] = ...) -> None: ...

class NettingLeg(_message.Message):
    __slots__ = ("account", "fund", "pot", "instrument", "received_micro", "paid_micro", "net_micro")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    FUND_FIELD_NUMBER: _ClassVar[int]
    POT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_MICRO_FIELD_NUMBER: _ClassVar[int]
    PAID_MICRO_FIELD_NUMBER: _ClassVar[int]
    NET_MICRO_FIELD_NUMBER: _ClassVar[int]
    account: int
    fund: int
    pot: int
    instrument: int
    received_micro: int
    paid_micro: int
    net_micro: int
    def __init__(self, account: _Optional[int] = ..., fund: _Optional[int] = ..., pot: _Optional[int] = ..., instrument: _Optional[int] = ..., received_micro: _Optional[int] = ..., paid_micro: _Optional[int] = ..., net_micro: _Optional[int] = ...) -> None: ...

class Compression(_message.Message):
    __slots__ = ("trades", "compressed_trades", "gross_lots", "compressed_lots", "uniform_price_micro", "positions_kept")
    TRADES_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_TRADES_FIELD_NUMBER: _ClassVar[int]
    GROSS_LOTS_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_LOTS_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_KEPT_FIELD_NUMBER: _ClassVar[int]
    trades: int
    compressed_trades: int
    gross_lots: int
    compressed_lots: int
    uniform_price_micro: int
    positions_kept: bool
    def __init__(self, trades: _Optional[int] = ..., compressed_trades: _Optional[int] = ..., gross_lots: _Optional[int] = ..., compressed_lots: _Optional[int] = ..., uniform_price_micro: _Optional[int] = ..., positions_kept: _Optional[bool] = ...) -> None: ...

class CompressedPosition(_message.Message):
    __slots__ = ("account", "instrument", "bought_lots", "sold_lots", "net_lots", "cash_micro", "variation_micro")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    BOUGHT_LOTS_FIELD_NUMBER: _ClassVar[int]
    SOLD_LOTS_FIELD_NUMBER: _ClassVar[int]
    NET_LOTS_FIELD_NUMBER: _ClassVar[int]
    CASH_MICRO_FIELD_NUMBER: _ClassVar[int]
    VARIATION_MICRO_FIELD_NUMBER: _ClassVar[int]
    account: int
    instrument: int
    bought_lots: int
    sold_lots: int
    net_lots: int
    cash_micro: int
    variation_micro: int
    def __init__(self, account: _Optional[int] = ..., instrument: _Optional[int] = ..., bought_lots: _Optional[int] = ..., sold_lots: _Optional[int] = ..., net_lots: _Optional[int] = ..., cash_micro: _Optional[int] = ..., variation_micro: _Optional[int] = ...) -> None: ...

class CompressedTrade(_message.Message):
    __slots__ = ("instrument", "buyer", "seller", "lots", "price_micro")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    buyer: int
    seller: int
    lots: int
    price_micro: int
    def __init__(self, instrument: _Optional[int] = ..., buyer: _Optional[int] = ..., seller: _Optional[int] = ..., lots: _Optional[int] = ..., price_micro: _Optional[int] = ...) -> None: ...

class ExplainActionRequest(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class ExplainActionResponse(_message.Message):
    __slots__ = ("sequence", "action_hash", "action_kind", "time_ms", "rejection")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    ACTION_KIND_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    action_hash: bytes
    action_kind: int
    time_ms: int
    rejection: Rejection
    def __init__(self, sequence: _Optional[int] = ..., action_hash: _Optional[bytes] = ..., action_kind: _Optional[int] = ..., time_ms: _Optional[int] = ..., rejection: _Optional[_Union[Rejection, _Mapping]] = ...) -> None: ...

class WatchMarginCallsRequest(_message.Message):
    __slots__ = ("owner", "basis", "multiple_ppm", "token", "heartbeat_ms")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    MULTIPLE_PPM_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    owner: bytes
    basis: MarginBasis
    multiple_ppm: int
    token: int
    heartbeat_ms: int
    def __init__(self, owner: _Optional[bytes] = ..., basis: _Optional[_Union[MarginBasis, str]] = ..., multiple_ppm: _Optional[int] = ..., token: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ...) -> None: ...

class MarginCall(_message.Message):
    __slots__ = ("status", "account", "owner", "sequence", "time_ms", "equity_micro", "initial_micro", "maintenance_micro", "threshold_micro", "shortfall_micro", "moved_instrument", "mark_before_micro", "mark_micro")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_MICRO_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MICRO_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_MICRO_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MICRO_FIELD_NUMBER: _ClassVar[int]
    SHORTFALL_MICRO_FIELD_NUMBER: _ClassVar[int]
    MOVED_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    MARK_BEFORE_MICRO_FIELD_NUMBER: _ClassVar[int]
    MARK_MICRO_FIELD_NUMBER: _ClassVar[int]
    status: MarginCallStatus
    account: int
    owner: bytes
    sequence: int
    time_ms: int
    equity_micro: int
    initial_micro: int
    maintenance_micro: int
    threshold_micro: int
    shortfall_micro: int
    moved_instrument: int
    mark_before_micro: int
    mark_micro: int
    def __init__(self, status: _Optional[_Union[MarginCallStatus, str]] = ..., account: _Optional[int] = ..., owner: _Optional[bytes] = ..., sequence: _Optional[int] = ..., time_ms: _Optional[int] = ..., equity_micro: _Optional[int] = ..., initial_micro: _Optional[int] = ..., maintenance_micro: _Optional[int] = ..., threshold_micro: _Optional[int] = ..., shortfall_micro: _Optional[int] = ..., moved_instrument: _Optional[int] = ..., mark_before_micro: _Optional[int] = ..., mark_micro: _Optional[int] = ...) -> None: ...

class WatchMarginCallsResponse(_message.Message):
    __slots__ = ("token", "restarted", "calls")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESTARTED_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    token: int
    restarted: bool
    calls: _containers.RepeatedCompositeFieldContainer[MarginCall]
    def __init__(self, token: _Optional[int] = ..., restarted: _Optional[bool] = ..., calls: _Optional[_Iterable[_Union[MarginCall, _Mapping]]] = ...) -> None: ...

class HypotheticalFill(_message.Message):
    __slots__ = ("instrument", "lots", "price_micro", "fee_ppm")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICRO_FIELD_NUMBER: _ClassVar[int]
    FEE_PPM_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    lots: int
    price_micro: int
    fee_ppm: int
    def __init__(self, instrument: _Optional[int] = ..., lots: _Optional[int] = ..., price_micro: _Optional[int] = ..., fee_ppm: _Optional[int] = ...) -> None: ...

class WhatIfMarginRequest(_message.Message):
    __slots__ = ("account", "fills")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    account: int
    fills: _containers.RepeatedCompositeFieldContainer[HypotheticalFill]
    def __init__(self, account: _Optional[int] = ..., fills: _Optional[_Iterable[_Union[HypotheticalFill, _Mapping]]] = ...) -> None: ...

class WhatIfMarginResponse(_message.Message):
    __slots__ = ("before", "after", "legal", "point")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LEGAL_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    before: Margin
    after: Margin
    legal: bool
    point: Point
    def __init__(self, before: _Optional[_Union[Margin, _Mapping]] = ..., after: _Optional[_Union[Margin, _Mapping]] = ..., legal: _Optional[bool] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("number", "status", "id", "header", "step_count", "data_bytes", "sequence_before", "sequence", "pre_root", "post_root", "sealed_time_ms", "postings")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_BYTES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PRE_ROOT_FIELD_NUMBER: _ClassVar[int]
    POST_ROOT_FIELD_NUMBER: _ClassVar[int]
    SEALED_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    POSTINGS_FIELD_NUMBER: _ClassVar[int]
    number: int
    status: BatchStatus
    id: bytes
    header: bytes
    step_count: int
    data_bytes: int
    sequence_before: int
    sequence: int
    pre_root: bytes
    post_root: bytes
    sealed_time_ms: int
    postings: int
    def __init__(self, number: _Optional[int] = ..., status: _Optional[_Union[BatchStatus, str]] = ..., id: _Optional[bytes] = ..., header: _Optional[bytes] = ..., step_count: _Optional[int] = ..., data_bytes: _Optional[int] = ..., sequence_before: _Optional[int] = ..., sequence: _Optional[int] = ..., pre_root: _Optional[bytes] = ..., post_root: _Optional[bytes] = ..., sealed_time_ms: _Optional[int] = ..., postings: _Optional[int] = ...) -> None: ...

class ListBatchesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBatchesResponse(_message.Message):
    __slots__ = ("batches", "next_page_token")
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    batches: _containers.RepeatedCompositeFieldContainer[Batch]
    next_page_token: str
    def __init__(self, batches: _Optional[_Iterable[_Union[Batch, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetBatchRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class GetBatchResponse(_message.Message):
    __slots__ = ("batch", "opening")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    batch: Batch
    opening: bytes
    def __init__(self, batch: _Optional[_Union[Batch, _Mapping]] = ..., opening: _Optional[bytes] = ...) -> None: ...

class GetBatchDataRequest(_message.Message):
    __slots__ = ("number",)
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    number: int
    def __init__(self, number: _Optional[int] = ...) -> None: ...

class GetBatchDataResponse(_message.Message):
    __slots__ = ("piece", "total_bytes")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    piece: bytes
    total_bytes: int
    def __init__(self, piece: _Optional[bytes] = ..., total_bytes: _Optional[int] = ...) -> None: ...

class GetAccountProofRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class GetAccountProofResponse(_message.Message):
    __slots__ = ("leaf", "account_count", "siblings", "opening", "point")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIBLINGS_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    leaf: bytes
    account_count: int
    siblings: bytes
    opening: bytes
    point: Point
    def __init__(self, leaf: _Optional[bytes] = ..., account_count: _Optional[int] = ..., siblings: _Optional[bytes] = ..., opening: _Optional[bytes] = ..., point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...

class GetWithdrawalProofRequest(_message.Message):
    __slots__ = ("index", "batch_number")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    BATCH_NUMBER_FIELD_NUMBER: _ClassVar[int]
    index: int
    batch_number: int
    def __init__(self, index: _Optional[int] = ..., batch_number: _Optional[int] = ...) -> None: ...

class GetWithdrawalProofResponse(_message.Message):
    __slots__ = ("leaf", "withdrawal_count", "siblings", "batch_number", "batch_id", "amount_micro", "recipient", "account")
    LEAF_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    SIBLINGS_FIELD_NUMBER: _ClassVar[int]
    BATCH_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_MICRO_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    leaf: bytes
    withdrawal_count: int
    siblings: bytes
    batch_number: int
    batch_id: bytes
    amount_micro: int
    recipient: bytes
    account: int
    def __init__(self, leaf: _Optional[bytes] = ..., withdrawal_count: _Optional[int] = ..., siblings: _Optional[bytes] = ..., batch_number: _Optional[int] = ..., batch_id: _Optional[bytes] = ..., amount_micro: _Optional[int] = ..., recipient: _Optional[bytes] = ..., account: _Optional[int] = ...) -> None: ...

class TailRequest(_message.Message):
    __slots__ = ("token", "heartbeat_ms", "omit_actions")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    OMIT_ACTIONS_FIELD_NUMBER: _ClassVar[int]
    token: int
    heartbeat_ms: int
    omit_actions: bool
    def __init__(self, token: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., omit_actions: _Optional[bool] = ...) -> None: ...

class TailResponse(_message.Message):
    __slots__ = ("next_token", "frame", "batch", "heartbeat")
    NEXT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    next_token: int
    frame: Frame
    batch: Batch
    heartbeat: Heartbeat
    def __init__(self, next_token: _Optional[int] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("token", "time_ms", "sequence_before", "inbox_count", "actions", "lengths", "codes", "step_counts", "post_roots")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    INBOX_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    LENGTHS_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNTS_FIELD_NUMBER: _ClassVar[int]
    POST_ROOTS_FIELD_NUMBER: _ClassVar[int]
    token: int
    time_ms: int
    sequence_before: int
    inbox_count: int
    actions: bytes
    lengths: _containers.RepeatedScalarFieldContainer[int]
    codes: _containers.RepeatedScalarFieldContainer[int]
    step_counts: _containers.RepeatedScalarFieldContainer[int]
    post_roots: bytes
    def __init__(self, token: _Optional[int] = ..., time_ms: _Optional[int] = ..., sequence_before: _Optional[int] = ..., inbox_count: _Optional[int] = ..., actions: _Optional[bytes] = ..., lengths: _Optional[_Iterable[int]] = ..., codes: _Optional[_Iterable[int]] = ..., step_counts: _Optional[_Iterable[int]] = ..., post_roots: _Optional[bytes] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("point",)
    POINT_FIELD_NUMBER: _ClassVar[int]
    point: Point
    def __init__(self, point: _Optional[_Union[Point, _Mapping]] = ...) -> None: ...
