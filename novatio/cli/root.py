"""``novatio root``: the state roots that the base layer holds, and how final they are."""

from __future__ import annotations

from typing import Any

import click

from novatio.cli._app import NATURAL, App, Noun, pass_app
from novatio.errors import NotFound

root = Noun("root", help="State roots as the base layer holds them.")
COMMANDS = [root]


def record_of(view: Any) -> dict[str, Any]:
    """Return the record of a batch as the court holds it."""
    record = view.record
    return {
        "number": record.number,
        "status": view.status.name.lower(),
        "generation": record.generation,
        "post_root": record.post_root,
        "batch_id": record.batch_id,
        "clock_time_ms": record.clock,
        "posted_block": record.posted_block,
        "inbox_count": record.inbox_count,
        "custody_micro": record.custody,
        "withdrawal_count": record.withdrawal_count,
        "withdrawals_root": record.withdrawals_root,
        "steps_root": record.steps_root,
    }


def canonical(base: Any, number: int) -> Any:
    """Return canonical batch ``number`` of the base layer. Raises NotFound."""
    found = base.batches(number, 1)
    if not found:
        tip = base.heads().tip_number
        raise NotFound(
            f"batch {number}: expected a batch on the base layer, 0 .. {tip}, was none",
            reason="NO_SUCH_BATCH",
            metadata={"number": str(number), "tip_number": str(tip)},
            next_step="novatio root list",
        )
    return found[0]


@root.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, help="Most roots to list.")
@pass_app
def list_roots(app: App, limit: int) -> None:
    """List the roots of the canonical batches, newest first."""
    base = app.base()
    tip = base.heads().tip_number
    views = base.batches(max(tip - limit + 1, 0), limit)
    rows = [record_of(view) for view in reversed(views)]
    columns = (
        "number", "status", "generation", "post_root", "clock_time_ms", "posted_block",
    )  # fmt: skip
    app.show_rows("roots", rows, columns)


@root.command("show")
@click.argument("number", type=NATURAL, required=False)
@pass_app
def show_root(app: App, number: int | None) -> None:
    """Show the root of batch NUMBER; without it, the newest final one."""
    base = app.base()
    chosen = base.heads().finalised_number if number is None else number
    app.show(record_of(canonical(base, chosen)))
