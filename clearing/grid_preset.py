"""The stress grid that an underlying begins with: shocks and damping, parts per million.

A lattice of nine price levels by three volatilities, index = level * 3 + volatility (down, none,
up), then six tails at unchanged volatility, the two low ones and the four high ones ascending.
"""

LEVELS = (-180_000, -135_000, -90_000, -45_000, 0, 45_000, 90_000, 135_000, 180_000)
TAILS = (
    (-660_000, 210_000),
    (-330_000, 420_000),
    (500_000, 277_200),
    (1_000_000, 138_600),
    (2_000_000, 69_300),
    (4_000_000, 34_650),
)
# (price shock, share of the loss that counts)
POINTS = tuple((level, 1_000_000) for level in LEVELS for _ in range(3)) + TAILS
VOLATILITY_DOWN_PPM = -300_000
VOLATILITY_UP_PPM = 500_000
