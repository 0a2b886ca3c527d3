"""``novatio asset``: collateral assets."""

from __future__ import annotations

from novatio.cli._app import App, Noun, pass_app

asset = Noun("asset", help="Collateral assets.")
COMMANDS = [asset]


@asset.command("list")
@pass_app
def list_assets(app: App) -> None:
    """List the collateral assets with prices, haircuts and caps."""
    columns = ("id", "price_micro", "haircut_ppm", "initial_haircut_ppm", "held", "cap")
    rows = [
        {field.name: getattr(one, field.name) for field in one.DESCRIPTOR.fields}
        for one in app.client().assets()
    ]
    app.show_rows("assets", rows, columns)
