"""The face: what people import and type.

The client with its signing, the `novatio` command, and the market data for demonstrations.
"""
