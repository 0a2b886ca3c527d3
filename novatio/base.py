"""Transactions on the base layer: signing, sending, and waiting for their receipt."""

from __future__ import annotations

import time
from collections.abc import Callable

from clearing.keccak import keccak256
from novatio.errors import OutcomeUnknown, RefusedByCourt
from novatio.signing import Signer
from verifier.base.interface import BaseLayer, Receipt
from verifier.base.transactions import Body, Faucet, Transaction
from verifier.host import gas

__all__ = ["send", "wait_for"]

POLL_SECONDS = 0.05
# Magic, ids, nonce, fees and the signature around a body.
AROUND_BODY_BYTES = 256
# What helps whoever is refused for such a reason; the others look at the batches.
_WHO_RUNS_THE_HOUSE = (
    "NOT_OPERATOR", "NOT_SUCCESSOR", "HANDOVER_TOO_SOON", "INVALID_ADDRESS", "UNKNOWN_LAW",
    "LAW_TOO_SOON", "NOT_LAGGING", "STILL_LAGGING", "POSTING_MODE", "FROZEN", "ALREADY_STAKED",
    "NO_STAKE", "STAKE_LOCKED",
)  # fmt: skip


def gas_limit_of(body: Body) -> int:
    """Return the most that a deposit, a claim or a proof about a receipt can cost."""
    length = len(body.encode())
    work = gas.claiming(length) + gas.hashing(512, 32) + 2 * gas.RECOVERY_GAS
    return gas.intrinsic(length + AROUND_BODY_BYTES) + work


def send(base: BaseLayer, signer: Signer, body: Body, nonce: int | None = None) -> bytes:
    """Sign and submit a deposit, a claim or a faucet's gift; return the transaction's hash.

    ``nonce`` is by default the signer's next on the chain: name it to send several at once. Raises
    verifier.errors.Refused if the mempool does not take it, RefusedByCourt if the signer cannot
    pay the gas: no block would ever take it.
    """
    config, account = base.config(), base.account(signer.address)
    gas_limit = min(gas_limit_of(body), config.block_gas_limit)
    needed = gas_limit * config.fee_per_gas_min
    if account.native < needed and not isinstance(body, Faucet):
        raise RefusedByCourt(
            f"expected at least {needed} gwei of 0x{signer.address.hex()} for gas, was "
            f"{account.native}",
            reason="NO_GAS_MONEY",
            next_step="fund the address, or use another --key",
        )
    transaction = Transaction(
        config.chain_id,
        config.settlement,
        account.nonce if nonce is None else nonce,
        gas_limit,
        config.fee_per_gas_min,
        body,
    )
    payload = transaction.encode()
    return base.submit(payload + signer.sign(keccak256(payload)))


def wait_for(
    base: BaseLayer,
    transaction_hash: bytes,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Receipt:
    """Return the receipt once the transaction is on a block.

    Raises OutcomeUnknown after ``seconds``, RefusedByCourt if the court refused it.
    """
    end = time.monotonic() + seconds
    while True:
        receipt = base.receipt(transaction_hash)
        if receipt is not None:
            break
        if time.monotonic() >= end:
            raise OutcomeUnknown(
                f"transaction 0x{transaction_hash.hex()}: expected a block to take it within "
                f"{seconds:g} s, was still waiting",
                metadata={"transaction_hash": transaction_hash.hex()},
                next_step="run the same command again; what was done already is refused",
            )
        sleep(POLL_SECONDS)
    if receipt.error is not None:
        raise RefusedByCourt(
            f"the court refused the transaction: {receipt.text}",
            reason=receipt.error.name,
            metadata={"transaction_hash": transaction_hash.hex()},
            next_step="novatio operator status"
            if receipt.error.name in _WHO_RUNS_THE_HOUSE
            else "novatio root list",
        )
    return receipt
