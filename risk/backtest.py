"""Back-test of one-day Value at Risk and Expected Shortfall over a series of daily prices.

    python -m risk.backtest FILE.csv --out DIRECTORY

Every forecast uses only what was known the evening before. The report (`backtest.json`) and the
picture (`backtest.png`) show each model as it is, rejections too. Models:

- historical: the plain losses of the last 500 days;
- ewma: RiskMetrics, decay 0.94, normal tails;
- garch: GARCH(1,1) with Student innovations, fitted again every 20 days;
- fhs: the empirical tails of the last 500 standardised returns of the same GARCH(1,1).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from risk.black76 import Floats
from risk.var import (
    ESTest,
    LikelihoodRatio,
    acerbi_szekely,
    conditional_coverage,
    expected_shortfall,
    independence,
    kupiec,
    value_at_risk,
)
from risk.volatility import ewma, fit_garch, log_returns

__all__ = ["LEVELS", "MODELS", "Forecasts", "Result", "Series", "backtest", "main", "read_series"]

Model = Literal["historical", "ewma", "garch", "fhs"]
MODELS: Final[tuple[Model, ...]] = ("historical", "ewma", "garch", "fhs")
LEVELS: Final = (0.975, 0.99)
WINDOW: Final = 500
REFIT_DAYS: Final = 20
FIT_DAYS_MAX: Final = 1_000
SIGNIFICANCE: Final = 0.05
DAY_COLUMNS: Final = ("date", "day", "time", "time_utc", "timestamp")
PRICE_COLUMNS: Final = ("close", "price", "value")


@dataclass(frozen=True, slots=True)
class Series:
    """Daily closes in ascending order of days; `dropped` rows had no usable day or price."""

    days: NDArray[np.datetime64]
    prices: Floats
    dropped: int


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Of each day tested: the realised loss, and the forecasts of the evening before."""

    days: NDArray[np.datetime64]
    losses: Floats
    value_at_risk: Floats
    shortfall: Floats

    @property
    def exceedances(self) -> NDArray[np.bool_]:
        """Days on which more was lost than the Value at Risk."""
        return np.asarray(self.losses > self.value_at_risk)


@dataclass(frozen=True, slots=True)
class Result:
    """What a model's forecasts at a level came to; a test rejects below a p-value of 0.05."""

    model: Model
    level: float
    days: int
    exceedances: int
    expected: float
    mean_value_at_risk: float
    mean_shortfall: float
    kupiec: LikelihoodRatio
    independence: LikelihoodRatio
    conditional_coverage: LikelihoodRatio
    shortfall_test: ESTest
    rejected: tuple[str, ...]


def read_series(path: str | Path) -> Series:
    """Read a CSV (plain or .gz) with a column of days (ISO) and one of closes.

    Rows without a usable day or a price above 0 are dropped and counted; days are sorted, and the
    last row of a day that stands twice is its close. Raises ValueError if a column is missing or
    fewer than two days are left.
    """
    path = Path(path)
    try:
        return _read_series(path)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error, csv.Error) as error:
        raise ValueError(f"{path.name}: expected CSV in UTF-8, was none: {error}") from error


def _read_series(path: Path) -> Series:
    opened = gzip.open if path.suffix == ".gz" else open
    closes: dict[date, float] = {}
    dropped = 0
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        names = {name.strip().lstrip("#").lower(): name for name in reader.fieldnames or ()}
        day_name = next((names[name] for name in DAY_COLUMNS if name in names), None)
        price_name = next((names[name] for name in PRICE_COLUMNS if name in names), None)
        if day_name is None or price_name is None:
            raise ValueError(
                f"{path.name}: expected a column of {', '.join(DAY_COLUMNS)} and one of "
                f"{', '.join(PRICE_COLUMNS)}, but the header is {list(names)}"
            )
        for row in reader:
            try:
                day = date.fromisoformat((row[day_name] or "").strip()[:10])
                price = float(row[price_name])
            except (TypeError, ValueError):
                price = math.nan
            if math.isfinite(price) and price > 0:
                closes[day] = price
            else:
                dropped += 1
    if len(closes) < 2:
        raise ValueError(f"{path.name}: fewer than two days with a price")
    days = sorted(closes)
    prices = np.array([closes[day] for day in days])
    return Series(np.array(days, dtype="datetime64[D]"), prices, dropped)


def backtest(
    series: Series, levels: Sequence[float] = LEVELS, window: int = WINDOW
) -> tuple[list[Result], dict[tuple[Model, float], Forecasts]]:
    """Return the results of every model and level, and the forecasts that they judge.

    Args:
        series: at least `window` + 2 days.
        levels: each in 0 .. 1.
        window: days that a forecast looks back on, at least 100.
    """
    returns = log_returns(series.prices)
    if window < 100 or len(returns) <= window:
        raise ValueError(
            f"a window of at least 100 days and more than {window} returns are needed, but there "
            f"are {len(returns)}; give a longer series or a shorter --window"
        )
    made = _forecasts(returns, levels, window)
    results, forecasts = [], {}
    for (model, level), (bounds, shortfalls) in made.items():
        one = Forecasts(series.days[window + 1 :], -returns[window:], bounds, shortfalls)
        forecasts[model, level] = one
        results.append(_judged(model, level, one))
    return results, forecasts


def _forecasts(
    returns: Floats, levels: Sequence[float], window: int
) -> dict[tuple[Model, float], tuple[Floats, Floats]]:
    """Return Value at Risk and Expected Shortfall of each tested day, by model and level."""
    days = range(window, len(returns))
    smooth = ewma(returns)
    tables: dict[tuple[Model, float], list[tuple[float, float]]] = {
        (model, level): [] for model in MODELS for level in levels
    }
    for day in days:
        past = returns[:day]
        if (day - window) % REFIT_DAYS == 0:
            garch = fit_garch(past[-FIT_DAYS_MAX:], "student")
        deviations = garch.deviations(past)
        standard = (past[-window:] - garch.mean) / deviations[-window - 1 : -1]
        now = float(deviations[-1])
        for level in levels:
            plain = -past[-window:]
            tables["historical", level].append(
                (value_at_risk(plain, level), expected_shortfall(plain, level))
            )
            bound, tail = _normal_tail(level)
            tables["ewma", level].append((bound * smooth[day], tail * smooth[day]))
            bound, tail = _student_tail(level, garch.freedom)
            tables["garch", level].append((bound * now - garch.mean, tail * now - garch.mean))
            bound, tail = value_at_risk(-standard, level), expected_shortfall(-standard, level)
            tables["fhs", level].append((bound * now - garch.mean, tail * now - garch.mean))
    return {
        key: (np.array([bound for bound, _ in rows]), np.array([tail for _, tail in rows]))
        for key, rows in tables.items()
    }


def _normal_tail(level: float) -> tuple[float, float]:
    """Return quantile and tail mean of a standard normal loss."""
    quantile = float(norm.ppf(level))
    return quantile, float(norm.pdf(quantile)) / (1 - level)


def _student_tail(level: float, freedom: float) -> tuple[float, float]:
    """Return quantile and tail mean of a Student loss scaled to variance 1."""
    quantile = float(student.ppf(level, freedom))
    mean = (freedom + quantile**2) / (freedom - 1) * float(student.pdf(quantile, freedom))
    scale = math.sqrt((freedom - 2) / freedom)
    return quantile * scale, mean / (1 - level) * scale


def _judged(model: Model, level: float, forecasts: Forecasts) -> Result:
    hits = forecasts.exceedances
    tests = {
        "kupiec": kupiec(hits, level),
        "independence": independence(hits),
        "conditional_coverage": conditional_coverage(hits, level),
    }
    shortfall = acerbi_szekely(
        forecasts.losses, forecasts.value_at_risk, forecasts.shortfall, level
    )
    rejected = [name for name, test in tests.items() if test.p_value < SIGNIFICANCE]
    return Result(
        model=model,
        level=level,
        days=len(hits),
        exceedances=int(hits.sum()),
        expected=len(hits) * (1 - level),
        mean_value_at_risk=float(forecasts.value_at_risk.mean()),
        mean_shortfall=float(forecasts.shortfall.mean()),
        shortfall_test=shortfall,
        rejected=(*rejected, *(["shortfall_test"] if shortfall.rejected else [])),
        **tests,
    )


def report(series: Series, name: str, window: int, results: Sequence[Result]) -> dict[str, Any]:
    """Return the report as JSON-ready values."""
    return {
        "series": name,
        "first_day": str(series.days[0]),
        "last_day": str(series.days[-1]),
        "prices": len(series.prices),
        "rows_dropped": series.dropped,
        "window_days": window,
        "loss": "minus the daily logarithmic return of a long position",
        "significance": SIGNIFICANCE,
        "results": [asdict(result) for result in results],
    }


def draw(path: Path, name: str, level: float, forecasts: dict[Model, Forecasts]) -> None:
    """Write a picture: returns, minus VaR and ES, and the exceedances, a panel a model."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3 * len(forecasts)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(forecasts), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (model, one) in zip(panels, forecasts.items(), strict=True):
        hits = one.exceedances
        panel.bar(one.days, -one.losses, width=1.0, color="0.7", label="return")
        panel.plot(one.days, -one.value_at_risk, lw=1, color="tab:blue", label=f"-VaR {level:g}")
        panel.plot(one.days, -one.shortfall, lw=1, color="tab:orange", label=f"-ES {level:g}")
        panel.plot(one.days[hits], -one.losses[hits], "v", ms=5, color="tab:red", label="exceeded")
        expected = len(hits) * (1 - level)
        panel.set_title(f"{model}: {hits.sum()} exceedances, {expected:.1f} expected", loc="left")
        panel.set_ylabel("log return")
    panels[0].legend(loc="lower left", ncols=4, fontsize="small")
    figure.suptitle(f"One-day forecasts, {name}")
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, or 2 if the file or an argument cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m risk.backtest", description="Back-test VaR and ES over daily prices."
    )
    parser.add_argument("file", type=Path, help="CSV with a day and a close a row")
    parser.add_argument("--out", type=Path, required=True, help="directory for report and picture")
    parser.add_argument("--window", type=int, default=WINDOW, help="days a forecast looks back on")
    chosen = parser.parse_args(arguments)
    try:
        series = read_series(chosen.file)
        results, forecasts = backtest(series, window=chosen.window)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report(series, chosen.file.name, chosen.window, results), indent=2)
    (chosen.out / "backtest.json").write_text(text + "\n", "utf-8")
    level = max(LEVELS)
    shown = {model: forecasts[model, level] for model in MODELS}
    draw(chosen.out / "backtest.png", chosen.file.name, level, shown)
    print(f"{'model':<11}{'level':>6}{'exceeded':>10}{'expected':>10}{'kupiec p':>10}  rejected by")
    for one in results:
        print(
            f"{one.model:<11}{one.level:>6}{one.exceedances:>10}{one.expected:>10.1f}"
            f"{one.kupiec.p_value:>10.3f}  {', '.join(one.rejected) or '-'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
