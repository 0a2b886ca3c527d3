from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AttestRequest(_message.Message):
    __slots__ = ("generation", "number", "step_count", "data", "signature")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STEP_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    generation: int
    number: int
    step_count: int
    data: bytes
    signature: bytes
    def __init__(self, generation: _Optional[int] = ..., number: _Optional[int] = ..., step_count: _Optional[int] = ..., data: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class AttestResponse(_message.Message):
    __slots__ = ("public_key", "signature")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    signature: bytes
    def __init__(self, public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class GetDataRequest(_message.Message):
    __slots__ = ("generation", "number", "data_hash")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DATA_HASH_FIELD_NUMBER: _ClassVar[int]
    generation: int
    number: int
    data_hash: bytes
    def __init__(self, generation: _Optional[int] = ..., number: _Optional[int] = ..., data_hash: _Optional[bytes] = ...) -> None: ...

class GetDataResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class GetMemberRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMemberResponse(_message.Message):
    __slots__ = ("public_key", "registered", "batch_count", "data_bytes")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    BATCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    DATA_BYTES_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    registered: bool
    batch_count: int
    data_bytes: int
    def __init__(self, public_key: _Optional[bytes] = ..., registered: _Optional[bool] = ..., batch_count: _Optional[int] = ..., data_bytes: _Optional[int] = ...) -> None: ...
