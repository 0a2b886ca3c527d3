"""The models: opinions about the future. Floating point lives here and nowhere else.

Nothing here reaches the law by itself: a model's output becomes integers, is signed by publishers
and checked by the law like any other action. Modules, each with its public names in `__all__`:

- `risk.black76`: prices, Greeks and implied volatility of European options.
- `risk.chain`: `read_chain` reads a file of quotes; forwards, discounts and spot follow from
  put-call parity (`risk.parity`).
- `risk.surface`: `fit_surface` gives a volatility surface (SVI smiles, `risk.smile`).
- `risk.published`: checks the Greeks that a chain's distributor published.
- `risk.grid`: the presets of stress grids, as integers; `STRESS_GRID`, `span_grid`.
- `risk.rows`: `option_rows` values options at every grid point, in integers that pass the law's
  checks.
- `risk.listed`: `listed_rows` values a listed expiry by a surface, with discounts and confidence.
- `risk.volatility`: EWMA and GARCH(1,1), and floors against procyclical margins.
- `risk.scenarios`: `filtered_scenarios` makes joint (price, volatility) shocks, and correlation.
- `risk.var`: Value at Risk, Expected Shortfall and their tests.
- `risk.backtest`: the back-test as a command, `python -m risk.backtest FILE.csv --out DIRECTORY`.
- `risk.proposals`: margin parameters proposed from forecasts, within bounds, never imposed.
"""
