"""Finding rows by id, in the whole state of a node and in the partial state of a witness alike."""

from clearing.compiler import law
from clearing.layout import Grid, Rows
from clearing.records import Account, State
from clearing.units import PAGE_SLOTS

ABSENT = -1  # the state has no such id: the law rejects
MISSING = -2  # only the witness lacks it: whoever built the witness is at fault, nobody else

MISSING_ACCOUNT = 1
MISSING_INSTRUMENT = 2
MISSING_PAGE = 3
MISSING_UNDERLYING = 4


@law
def find(ids: Rows[int], id: int, count: int) -> int:
    """Return the row of `id`, ABSENT or MISSING. Ids are dense, so the count alone proves absence.

    `ids` is empty in a node (row = id), sorted and distinct in a witness.
    """
    if id < 0 or id >= count:
        return ABSENT
    if ids.shape[0] == 0:
        return id
    low = 0
    high = ids.shape[0]
    while low < high:
        middle = (low + high) // 2
        if ids[middle] < id:
            low = middle + 1
        else:
            high = middle
    if low < ids.shape[0] and ids[low] == id:
        return low
    return MISSING


@law
def find_account(state: State, id: int) -> int:
    """Return the row of account `id`, ABSENT, or MISSING (noted in the scratch record)."""
    row = find(state.account_ids, id, state.globals[0].account_count)
    if row == MISSING:
        note_missing(state, MISSING_ACCOUNT, id)
    return row


@law
def find_instrument(state: State, id: int) -> int:
    """Return the row of instrument `id`, ABSENT, or MISSING (noted in the scratch record)."""
    row = find(state.instrument_ids, id, state.globals[0].instrument_count)
    if row == MISSING:
        note_missing(state, MISSING_INSTRUMENT, id)
    return row


@law
def find_underlying(state: State, id: int) -> int:
    """Return the row of underlying `id`, ABSENT, or MISSING (noted in the scratch record)."""
    row = find(state.underlying_ids, id, state.globals[0].underlying_count)
    if row == MISSING:
        note_missing(state, MISSING_UNDERLYING, id)
    return row


@law
def draft_of(state: State, instrument: int, drafted: int) -> int:
    """Return the row of the instrument's draft among the first `drafted`, or -1."""
    for draft in range(drafted):
        if state.instrument_drafts[draft].id == instrument:
            return draft
    return -1


@law
def find_page(state: State, account: Account, slot: int) -> int:
    """Return the row of the fill page that holds `slot`, ABSENT, or MISSING (noted)."""
    number = slot // PAGE_SLOTS
    row = account.page_rows[number]
    if row >= 0 and state.pages[row].known == 0:
        note_missing(state, MISSING_PAGE, account.id * 16 + number)
        return MISSING
    return row


@law
def note_missing(state: State, kind: int, id: int) -> None:
    """Remember the first thing that a witness lacks; the run is void from here on."""
    scratch = state.scratch[0]
    if scratch.missing_kind == 0:
        scratch.missing_kind = kind
        scratch.missing_id = id


@law
def find_position(account: Account, instrument: int) -> int:
    """Return the place of the position in `instrument`, or -1 - (place where it would stand)."""
    low = 0
    high = account.position_count
    while low < high:
        middle = (low + high) // 2
        if account.positions[middle].instrument < instrument:
            low = middle + 1
        else:
            high = middle
    if low < account.position_count and account.positions[low].instrument == instrument:
        return low
    return -1 - low


@law
def lots_of(account: Account, instrument: int) -> int:
    """Return the account's signed lots in `instrument`; zero without a position."""
    place = find_position(account, instrument)
    if place < 0:
        return 0
    return account.positions[place].lots


@law
def signed_by(signers: Grid, row: int, address: Rows[int]) -> bool:
    """Tell whether signature `row` recovered to `address`. The null address signs nothing."""
    if signers[row, 1] == 0 and signers[row, 2] == 0 and signers[row, 3] == 0:
        return False
    return same_word(signers[row], address)


@law
def same_word(left: Rows[int], right: Rows[int]) -> bool:
    """Tell whether two words (four pieces each) are equal."""
    return (
        left[0] == right[0] and left[1] == right[1] and left[2] == right[2] and left[3] == right[3]
    )


@law
def is_zero(word: Rows[int]) -> bool:
    """Tell whether all four pieces of a word are zero."""
    return word[0] == 0 and word[1] == 0 and word[2] == 0 and word[3] == 0
