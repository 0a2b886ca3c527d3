"""The challenger's hands: reads a base layer, sends transactions, keeps its verdicts on disk."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from clearing.keys import address_of
from prover.challenger import (
    ASKS_MAX,
    Alert,
    AskSteps,
    Challenger,
    ClaimReward,
    DataFetched,
    Effect,
    FetchData,
    FinaliseBatch,
    Observed,
    SettleAsks,
)
from prover.gather import Gathered, StepSource, asks_of, gather, wanted_of
from prover.pursuit import Accusation, Claims, CommitTo, Prove, Settle
from prover.replica import Replica, Verdict
from verifier.base.interface import LIST_MAX, BaseLayer, BatchView, Head
from verifier.base.transactions import (
    AskStep,
    Body,
    ClaimCredit,
    Commit,
    Finalise,
    ProveFraud,
    SettleAsk,
    SettleReward,
    SignedTransaction,
    Transaction,
)
from verifier.batches import BatchStatus
from verifier.errors import CourtError, Refused, TransactionError
from verifier.header import Header
from verifier.host import gas
from verifier.withheld import AskStatus, prepayment

RESEND_BLOCKS = 2  # blocks after which a transaction that is on none is sent again, as it is
RETRY_BLOCKS = 8  # and after which it is made anew, dearer
CURSOR_VERSION = 1
SETTLED = frozenset(
    (
        CourtError.ALREADY_REVERTED,
        CourtError.NO_SUCH_BATCH,
        CourtError.REWARD_SETTLED,
        CourtError.NO_OLDER_COMMITMENT,
    )
)
SIGNATURE_AND_HEAD_BYTES = 256


class CursorError(RuntimeError):
    """The cursor file is of another chain, or damaged."""


@dataclass(frozen=True)
class Sent:
    """Transactions that wait for a block since ``block``; ``next_nonce`` follows the last one's.

    ``rank`` is the highest of theirs, see ``_rank``. ``encoded`` are those that the base layer took
    or may have taken, by hash; they were last submitted in ``at_block``.
    """

    encoded: Mapping[bytes, bytes]
    block: int
    next_nonce: int
    rank: int
    at_block: int


class ChallengerProcess:
    """Drives a ``Challenger`` over a base layer; call ``tick`` again and again.

    Without ``private_key`` it only observes. ``commits`` says whether to commit to a proof before
    it is shown. ``cursor`` is a file of verdicts and accusations; the state itself is rebuilt from
    genesis at every start, and must then reach the verdicts that the file holds. ``notify`` gets
    every effect as it happens. Step bytes that a committee holds come from ``members``.
    """

    def __init__(
        self,
        base: BaseLayer,
        replica: Replica,
        private_key: bytes | None = None,
        cursor: Path | None = None,
        notify: Callable[[Effect], None] = lambda effect: None,
        members: StepSource | None = None,
        asks_max: int = ASKS_MAX,
        *,
        commits: bool = True,
    ) -> None:
        """Raises CursorError for a cursor, and ValueError for a base layer, of another genesis."""
        self._base = base
        self._key = private_key
        self._address = address_of(private_key) if private_key else None
        self._cursor = cursor
        self._notify = notify
        self._members = members
        self._asked: dict[bytes, None] = {}
        self._config = base.config()
        self._sent: Sent | None = None
        self._fee = self._config.fee_per_gas_min
        self._genesis_id = replica.genesis_id
        genesis = base.batches(0, 1)[0].record.batch_id
        if genesis != replica.genesis_id:
            raise ValueError(
                f"expected a base layer with genesis batch {replica.genesis_id.hex()}, was "
                f"{genesis.hex()}; point to the chain of this genesis"
            )
        kept = Kept({}, {}) if cursor is None else load_cursor(cursor, replica.genesis_id)
        self._saved = Kept(dict(kept.verdicts), dict(kept.accused))
        self.challenger = Challenger(
            replica,
            self._config.challenge_window_blocks,
            kept.verdicts,
            kept.accused,
            address=self._address,
            commits=commits,
            asks_max=asks_max,
        )

    def tick(self) -> None:
        """Look once, do what follows, and save the verdicts.

        Raises BlockUnknown if the base layer reorganised away the block being looked at, and
        BaseLayerUnavailable; both ask for another tick later.
        """
        head = self._base.head()
        seen = self._look(head)
        # An earlier life may have asked.
        self._asked.update((view.record.batch_id, None) for view in seen.batches if view.open_asks)
        headers = {view.record.batch_id: view.record.header for view in seen.batches}
        queue = deque(self.challenger.handle(seen))
        bodies: list[Body] = list(self._recoverable(head))
        gathered = Gathered(None)
        while queue:
            effect = queue.popleft()
            self._notify(effect)
            if isinstance(effect, FetchData):
                header = Header.decode(headers[effect.batch_id])
                gathered = gather(self._base, header, head.hash, self._members)
                data, _, missing, asked = gathered
                fetched = DataFetched(effect.batch_id, data, missing, asked)
                queue.extend(self.challenger.handle(fetched))
            elif isinstance(effect, AskSteps):
                bodies.extend(self._asks(effect, gathered, head))
            elif isinstance(effect, SettleAsks):
                bodies.append(self._settlement(effect.batch_id, head))
            elif isinstance(effect, Prove):
                bodies.append(ProveFraud(effect.batch_id, effect.evidence))
            elif isinstance(effect, CommitTo):
                bodies.append(Commit(effect.commitment))
            elif isinstance(effect, Settle):
                bodies.append(SettleReward(effect.generation, effect.batch_id))
            elif isinstance(effect, FinaliseBatch):
                bodies.append(Finalise(effect.batch_id))
            elif isinstance(effect, ClaimReward):
                bodies.append(ClaimCredit())
        self._save()
        bodies.sort(key=_rank, reverse=True)
        if self._key is not None and bodies and self._may_send(head, _rank(bodies[0])):
            self._send(head, bodies)

    def _asks(self, effect: AskSteps, gathered: Gathered, head: Head) -> list[AskStep]:
        """Return the asks that we can prepay."""
        if self._address is None:
            return []
        native = self._base.account(self._address, head.hash).native
        affordable = native // (2 * prepayment(self._config))
        if affordable < len(effect.steps):
            self._notify(
                Alert(
                    f"expected money to ask for {len(effect.steps)} steps of batch "
                    f"{effect.number}, {2 * prepayment(self._config)} gwei each, was {native}; "
                    f"fund {self._address.hex()}"
                )
            )
        wanted = effect.steps[:affordable]
        return [AskStep(effect.batch_id, wanted_of(gathered.pairs, step)) for step in wanted]

    def _settlement(self, batch_id: bytes, head: Head) -> SettleAsk:
        """Return the call that takes a batch back over its first unanswered ask."""
        asks = asks_of(self._base, batch_id, head.hash)
        step = next(ask.step for ask in asks if ask.status == AskStatus.OPEN)
        return SettleAsk(batch_id, step)

    def _recoverable(self, head: Head) -> Iterator[SettleAsk]:
        """Yield what brings back our prepayments for batches that fell."""
        for batch_id in list(self._asked):
            view = self._base.batch(batch_id, head.hash)
            if view is None or view.status == BatchStatus.POSTED:
                continue
            mine = [
                ask.step
                for ask in asks_of(self._base, batch_id, head.hash)
                if ask.asker == self._address and ask.status == AskStatus.OPEN
            ]
            yield from (SettleAsk(batch_id, step) for step in mine)
            if not mine:
                del self._asked[batch_id]

    def _save(self) -> None:
        kept = Kept(self.challenger.verdicts, self.challenger.pursuit.accused)
        if self._cursor is not None and kept != self._saved:
            save_cursor(self._cursor, self._genesis_id, kept)
            self._saved = Kept(dict(kept.verdicts), dict(kept.accused))

    def _look(self, head: Head) -> Observed:
        credit = 0 if self._address is None else self._base.credit(self._address, head.hash)
        return Observed(
            head,
            self._base.heads(head.hash),
            self._base.heads(head.finalised_hash).finalised_number,
            tuple(self._batches(self.challenger.watch_after + 1, head)),
            credit,
            self._claims(head),
        )

    def _claims(self, head: Head) -> Claims:
        """Read what is our own; only of what we accuse, so mostly nothing."""
        accused = self.challenger.pursuit.accused
        if self._address is None:
            return Claims({}, {})
        mine = self._base.commitments(self._address, head.hash)
        found = (self._base.reward(one.generation, id, head.hash) for id, one in accused.items())
        rewards = {reward.subject: reward for reward in found if reward is not None}
        return Claims({one.hash: one.place for one in mine}, rewards)

    def _batches(self, first: int, head: Head) -> list[BatchView]:
        views: list[BatchView] = []
        while True:
            page = self._base.batches(first + len(views), LIST_MAX, head.hash)
            views.extend(page)
            if len(page) < LIST_MAX:
                return views

    def _may_send(self, head: Head, rank: int) -> bool:
        """Wait for what was sent before; after a while, offer more and send again.

        A proof, or a commitment to one, never waits behind lesser calls: offering more, it takes
        their place.
        """
        if self._sent is None:
            return True
        if self._is_settled(self._sent, head):
            self._fee = self._config.fee_per_gas_min
            self._sent = None
            return True
        overtakes = rank > self._sent.rank
        if not overtakes and head.number - self._sent.block < RETRY_BLOCKS:
            self._send_again(self._sent, head)
            return False
        self._fee *= 2
        self._sent = None
        return True

    def _is_settled(self, sent: Sent, head: Head) -> bool:
        """Tell whether all of it is on a block, itself or by another copy of the same nonce."""
        assert self._address is not None
        if self._base.account(self._address, head.hash).nonce >= sent.next_nonce:
            return True
        return all(self._base.receipt(one) is not None for one in sent.encoded)

    def _send_again(self, sent: Sent, head: Head) -> None:
        """Submit the same bytes again: who took them may have forgotten them, and time runs."""
        if head.number - sent.at_block < RESEND_BLOCKS:
            return
        self._sent = replace(sent, at_block=head.number)
        for name, encoded in sent.encoded.items():
            if self._base.receipt(name) is None:
                self._submit(encoded)

    def _send(self, head: Head, bodies: list[Body]) -> None:
        assert self._key is not None and self._address is not None
        account = self._base.account(self._address, head.hash)
        nonce = account.nonce
        # A sender who cannot pay is dropped: offers beyond the balance would silence us for good.
        dearest = max(self._gas_limit(body) for body in bodies)
        self._fee = max(min(self._fee, account.native // dearest), self._config.fee_per_gas_min)
        sent: dict[bytes, bytes] = {}
        for body in bodies:
            signed = self._signed(body, nonce + len(sent))
            if isinstance(body, ProveFraud) and not self._would_succeed(signed):
                continue
            if isinstance(body, AskStep):
                self._asked[body.batch_id] = None
            taken = self._submit(signed)
            if taken is None:
                break
            sent[taken] = signed
        if sent:
            last, rank = nonce + len(sent), _rank(bodies[0])
            self._sent = Sent(sent, head.number, last, rank, head.number)

    def _submit(self, signed: bytes) -> bytes | None:
        """Return the hash of what is taken, None if it was refused; whoever must know is told."""
        try:
            return self._base.submit(signed)
        except Refused as error:
            if error.code == TransactionError.ALREADY_KNOWN:
                # It waits since a call whose answer was lost, and gets dearer like any other.
                return SignedTransaction.decode(signed).hash
            if error.code != TransactionError.STALE_NONCE:
                self._notify(Alert(f"the base layer refused a transaction: {error}"))
            return None

    def _signed(self, body: Body, nonce: int) -> bytes:
        assert self._key is not None
        config = self._config
        return Transaction(
            config.chain_id,
            config.settlement,
            nonce,
            self._gas_limit(body),
            self._fee,
            body,
        ).sign(self._key)

    def _gas_limit(self, body: Body) -> int:
        limit = gas.intrinsic(len(body.encode()) + SIGNATURE_AND_HEAD_BYTES)
        if isinstance(body, ProveFraud):
            limit += gas.proving(len(body.evidence))
        elif isinstance(body, AskStep):
            limit += gas.asking()
        limit += gas.CALL_GAS
        return min(limit, self._config.block_gas_limit)

    def _would_succeed(self, signed: bytes) -> bool:
        """Try the proof on the base layer; somebody else's success is ours too."""
        receipt = self._base.dry_run(signed)
        if receipt.error is not None and receipt.error not in SETTLED:
            self._notify(Alert(f"a proof would fail on the base layer: {receipt.text}"))
        return receipt.error is None


def _rank(body: Body) -> int:
    """Return how much a call matters: proofs most, then what leads to a batch's end in time."""
    if isinstance(body, ProveFraud):
        return 2
    return 1 if isinstance(body, Commit | AskStep | SettleAsk) else 0


class Kept(NamedTuple):
    """What outlives the process: verdicts and accusations by batch id."""

    verdicts: dict[bytes, Verdict]
    accused: dict[bytes, Accusation]


def load_cursor(path: Path, genesis_id: bytes) -> Kept:
    """Return what a cursor file holds, nothing if there is no file. Raises CursorError."""
    try:
        content: Any = json.loads(path.read_text("ascii"))
    except FileNotFoundError:
        return Kept({}, {})
    except ValueError as error:
        raise _cursor_error(path, "JSON", error) from error
    if not isinstance(content, dict) or content.get("version") != CURSOR_VERSION:
        raise _cursor_error(path, f"version {CURSOR_VERSION}", content)
    if content.get("genesis") != genesis_id.hex():
        raise _cursor_error(path, f"genesis {genesis_id.hex()}", content.get("genesis"))
    try:
        verdicts = {bytes.fromhex(id): Verdict(made) for id, made in content["verdicts"].items()}
        accused = [_accusation(one) for one in content.get("accused", [])]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise _cursor_error(path, "verdicts by batch id, and accusations", error) from error
    return Kept(verdicts, {one.batch_id: one for one in accused})


def _accusation(content: Any) -> Accusation:
    return Accusation(
        bytes.fromhex(content["batch_id"]),
        int(content["number"]),
        int(content["generation"]),
        bytes.fromhex(content["evidence"]),
        int(content["since_block"]),
    )


def save_cursor(path: Path, genesis_id: bytes, kept: Kept) -> None:
    """Replace the cursor file, whole and durable."""
    content = {
        "version": CURSOR_VERSION,
        "genesis": genesis_id.hex(),
        "verdicts": {id.hex(): verdict.value for id, verdict in kept.verdicts.items()},
        "accused": [
            asdict(one) | {"batch_id": one.batch_id.hex(), "evidence": one.evidence.hex()}
            for one in kept.accused.values()
        ],
    }
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _cursor_error(path: Path, expected: str, was: object) -> CursorError:
    return CursorError(
        f"cursor {path}: expected {expected}, was {was}; remove the file to start afresh, "
        "the memory of verdicts is lost, and of rewards for what others copied"
    )
