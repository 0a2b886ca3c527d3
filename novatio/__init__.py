"""The face: what people import and type.

The client with its signing, the `novatio` command, and the market data for demonstrations. Names
are loaded when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from novatio._flows import Outcome
    from novatio._wire import Tls
    from novatio.aio import AsyncClient
    from novatio.client import Client
    from novatio.errors import (
        BadRequest,
        ConfigInvalid,
        CorruptData,
        Inexact,
        KeyUnusable,
        NotFound,
        NotReady,
        NovatioError,
        OutcomeUnknown,
        Overloaded,
        RefusedByCourt,
        RejectedByLaw,
        Unauthenticated,
        Unavailable,
        VerificationFailed,
    )
    from novatio.netting import NetLeg, Netting
    from novatio.orders import (
        Market,
        SignedOrder,
        from_micro,
        match,
        micro,
        ppm,
        sign_bulk,
        sign_order,
        sign_trade,
    )
    from novatio.proofs import (
        ProvenAccount,
        WithdrawalLeaf,
        verify_account_proof,
        verify_withdrawal_proof,
    )
    from novatio.signing import LocalSigner, Signer, write_key
    from novatio.statements import Fill, Period, Statement

__all__ = [
    "AsyncClient",
    "BadRequest",
    "Client",
    "ConfigInvalid",
    "CorruptData",
    "Fill",
    "Inexact",
    "KeyUnusable",
    "LocalSigner",
    "Market",
    "NetLeg",
    "Netting",
    "NotFound",
    "NotReady",
    "NovatioError",
    "Outcome",
    "OutcomeUnknown",
    "Overloaded",
    "Period",
    "ProvenAccount",
    "RefusedByCourt",
    "RejectedByLaw",
    "SignedOrder",
    "Signer",
    "Statement",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "VerificationFailed",
    "WithdrawalLeaf",
    "from_micro",
    "match",
    "micro",
    "ppm",
    "sign_bulk",
    "sign_order",
    "sign_trade",
    "verify_account_proof",
    "verify_withdrawal_proof",
    "write_key",
]

_HOMES = {
    "novatio._flows": ("Outcome",),
    "novatio._wire": ("Tls",),
    "novatio.aio": ("AsyncClient",),
    "novatio.client": ("Client",),
    "novatio.errors": (
        "BadRequest",
        "ConfigInvalid",
        "CorruptData",
        "Inexact",
        "KeyUnusable",
        "NotFound",
        "NotReady",
        "NovatioError",
        "OutcomeUnknown",
        "Overloaded",
        "RefusedByCourt",
        "RejectedByLaw",
        "Unauthenticated",
        "Unavailable",
        "VerificationFailed",
    ),
    "novatio.netting": ("NetLeg", "Netting"),
    "novatio.orders": (
        "Market",
        "SignedOrder",
        "from_micro",
        "match",
        "micro",
        "ppm",
        "sign_bulk",
        "sign_order",
        "sign_trade",
    ),
    "novatio.proofs": (
        "ProvenAccount",
        "WithdrawalLeaf",
        "verify_account_proof",
        "verify_withdrawal_proof",
    ),
    "novatio.signing": ("LocalSigner", "Signer", "write_key"),
    "novatio.statements": ("Fill", "Period", "Statement"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'novatio' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
