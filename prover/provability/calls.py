"""Rows for calls beside posting: deposits, forced messages, asks, proofs and finalisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from clearing.codes import InboxKind
from clearing.keys import address_of
from clearing.units import AMOUNT_MAX, ASSETS_MAX, SETTLEMENT_ASSET
from prover.forge import Posting
from prover.provability.exits import final
from prover.provability.house import BATCH_BLOCK, Caught, House, play
from prover.provability.market import FIRST_TRADER, key_of
from prover.provability.postings import honest
from prover.provability.table import Part, Row
from verifier.batch import BatchData
from verifier.header import Header
from verifier.inbox import FORCED_KINDS, ForcedRequest
from verifier.withheld import answer_closes, ask_closes

OWNED = 1_000  # micro-quote that a depositor has
Calls = tuple[Callable[[House], object], ...]
Tried = tuple[str, str, str, str, Calls, Calls]


def call_rows() -> Iterator[Row]:
    """Yield the rows of these calls: of their fields, and of when they come."""
    for rows in (_inbox, _withheld, _ends):
        for subject, field, mutation, code, attack, twin in rows():
            yield Row(
                Part.CALL, subject, field, mutation, Caught.CHALLENGER, code,
                partial(play, attack), partial(play, twin),
            )  # fmt: skip


# Into the inbox


def _deposit(house: House, asset: int = SETTLEMENT_ASSET, amount: int = OWNED) -> None:
    owner = address_of(key_of(0))
    house.ledger.mint(owner, 0, OWNED)
    house.court.deposit(house.call(sender=owner), owner, 0, asset, amount)


def _force(
    house: House,
    kind: int = InboxKind.WITHDRAW,
    account: int = FIRST_TRADER,
    number: int = SETTLEMENT_ASSET,
    amount: int = 1,
) -> None:
    owner = address_of(key_of(0))
    request = ForcedRequest(kind, account, number, 0, amount)
    house.court.force(house.call(sender=owner), request)


def _inbox() -> Iterator[Tried]:
    for field, mutation, code, call in (
        ("asset", "none that can be listed", "UNKNOWN_ASSET", partial(_deposit, asset=ASSETS_MAX)),
        ("amount", "nothing", "AMOUNT_OUT_OF_BOUNDS", partial(_deposit, amount=0)),
        ("amount", "more than the sender has", "INSUFFICIENT_TOKENS",
         partial(_deposit, amount=AMOUNT_MAX)),
    ):  # fmt: skip
        yield "deposit", field, mutation, code, (call,), (_deposit,)
    for field, mutation, code, call in (
        ("kind", "one that nobody forces", "UNKNOWN_REQUEST",
         partial(_force, kind=max(FORCED_KINDS) + 1)),
        ("account", "none that exists", "NO_SUCH_ACCOUNT", partial(_force, account=10**6)),
        ("number", "no asset", "UNKNOWN_ASSET", partial(_force, number=ASSETS_MAX)),
        ("amount", "nothing", "AMOUNT_OUT_OF_BOUNDS", partial(_force, amount=0)),
    ):  # fmt: skip
        yield "force", field, mutation, code, (call,), (_force,)


# Steps that a committee holds


class _Held:
    """An honest batch whose steps a committee holds, and calls about the first of them."""

    def __init__(self) -> None:
        self.posting: Posting
        self.header: Header
        self.block = 0

    def post(self, house: House) -> None:
        """Post the batch."""
        self.posting, self.block = honest(house), house.block
        self.header, offer = house.held(self.posting)
        house.court.post_batch(
            house.call(sender=offer.sender), house.config.bond, offer.header, offer.opening,
            offer.data,
        )  # fmt: skip

    def post_inline(self, house: House) -> None:
        """Post the batch with its steps."""
        self.posting, self.block = honest(house), house.block
        self.header = self.posting.header
        house.post(self.posting)

    def ask(self, house: House) -> None:
        """Ask for the step."""
        wanted = house.wanted(self.posting, 0)
        house.court.ask_step(house.call(), self.header.batch_id(), wanted)

    def answer(self, house: House) -> None:
        """Answer for it."""
        steps = BatchData.decode(self.posting.data, self.header.step_count).steps
        house.court.answer_step(house.call(), self.header.batch_id(), 0, steps[0].encode())

    def settle(self, house: House) -> None:
        """End the ask, nobody having answered."""
        house.court.settle_ask(house.call(), self.header.batch_id(), 0)

    def finalise(self, house: House) -> None:
        """Make the batch final."""
        house.court.finalise(house.call(), self.header.batch_id())

    def too_late_to_ask(self, house: House) -> None:
        """Let the time for asks pass."""
        house.block = ask_closes(house.config.challenge_window_blocks, self.block) + 1

    def too_late_to_answer(self, house: House) -> None:
        """Let the time for answers pass."""
        house.block = answer_closes(house.config.challenge_window_blocks, self.block) + 1


def _withheld() -> Iterator[Tried]:
    held = _Held()
    asked: Calls = (held.post, held.ask)
    answered: Calls = (*asked, held.answer)
    closed: Calls = (*asked, held.too_late_to_answer, held.settle)
    yield from (
        (
            "ask",
            "batch_id",
            "of an inline batch",
            "DATA_ARE_INLINE",
            (held.post_inline, held.ask),
            asked,
        ),
        ("ask", "time", "a second time", "ALREADY_ASKED", (*asked, held.ask), asked),
        (
            "ask",
            "time",
            "after the first third",
            "ASK_WINDOW_CLOSED",
            (held.post, held.too_late_to_ask, held.ask),
            asked,
        ),
        ("answer", "step", "nobody asked for", "NO_OPEN_ASK", (held.post, held.answer), answered),
        (
            "answer",
            "time",
            "after the second third",
            "ANSWER_WINDOW_CLOSED",
            (*asked, held.too_late_to_answer, held.answer),
            answered,
        ),
        (
            "silence",
            "time",
            "while answers may come",
            "ANSWER_WINDOW_OPEN",
            (*asked, held.settle),
            closed,
        ),
        (
            "finalise",
            "asks",
            "one is open",
            "ASKS_OPEN",
            (_far, held.post, held.ask, _end_tip, held.finalise),
            (_far, held.post, held.ask, held.answer, _end_tip, held.finalise),
        ),
    )


# The end of a batch


def _far(house: House) -> None:
    """Make the first batch final, so that the next one may be."""
    house.block = BATCH_BLOCK + house.config.final_after_blocks + 1
    house.court.finalise(house.call(), house.court.heads().tip_id)


def _end_tip(house: House) -> None:
    """Let the windows of what was posted last pass."""
    house.block += house.config.final_after_blocks + 1


def _finalise_tip(house: House) -> None:
    house.court.finalise(house.call(), house.court.heads().tip_id)


def _extend(house: House) -> None:
    house.extend([])


def _ends() -> Iterator[Tried]:
    yield (
        "finalise", "batch_id", "one whose parent is open", "NOT_NEXT_TO_FINALISE",
        (_extend, _end_tip, _finalise_tip), (_far, _extend, _end_tip, _finalise_tip),
    )  # fmt: skip
    yield (
        "finalise", "time", "within its windows", "CHALLENGE_WINDOW_OPEN",
        (_finalise_tip,), (_end_tip, _finalise_tip),
    )  # fmt: skip
    yield (
        "finalise",
        "time",
        "a second time",
        "ALREADY_FINALISED",
        (final, _finalise_tip),
        (final,),
    )
