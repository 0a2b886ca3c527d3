"""``novatio inbox``: what the base layer forces in, and what of it still waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app

if TYPE_CHECKING:
    from verifier.base.interface import BaseLayer

inbox = Noun("inbox", help="Messages that the base layer forces in; novatio force sends them.")
COMMANDS = [inbox]


@inbox.command("list")
@click.option("--first", type=NATURAL, help="From this index on; else the newest.")
@click.option("--limit", type=click.IntRange(1, 1024), default=20, help="Most to list.")
@click.option("--waiting", is_flag=True, help="Only what no batch has consumed yet.")
@pass_app
def list_inbox(app: App, first: int | None, limit: int, waiting: bool) -> None:
    """List inbox messages with the time by which a batch must have consumed each."""
    from clearing.codes import InboxKind

    base = app.base()
    heads, config = base.heads(), base.config()
    tip = base.batch(heads.tip_id)
    consumed = tip.record.inbox_count if tip else 0
    if waiting:
        first = max(first or 0, consumed)
    if first is None:
        first = max(_count(base) - limit, 0)
    kinds = {int(kind): kind.name.lower() for kind in InboxKind}
    rows = [
        {
            "index": entry.message.index,
            "kind": kinds.get(entry.message.kind, str(entry.message.kind)),
            "account": entry.message.account,
            "owner": entry.message.owner,
            "number": entry.message.asset,
            "amount": entry.message.amount,
            "block": entry.block,
            "time_ms": entry.time_ms,
            "due_time_ms": entry.time_ms + config.forced_delay_ms,
            "consumed": entry.message.index < consumed,
        }
        for entry in base.inbox(first, limit)
    ]
    columns = ("index", "kind", "account", "number", "amount", "due_time_ms", "consumed")
    app.show_rows("messages", rows, columns)


def _count(base: BaseLayer) -> int:
    """Return how many messages there are, found by halving: the base layer only lists them."""
    low, high = 0, 1
    while base.inbox(high - 1, 1):
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if base.inbox(middle, 1):
            low = middle + 1
        else:
            high = middle
    return low
