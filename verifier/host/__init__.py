"""What a base layer gives to a contract, simulated: storage that a failed call leaves untouched,
balances, a gas meter, and the call itself with its block.

The court stands on these four modules and on nothing else of the base layer. A house of the court
on another base layer replaces them with what is there: storage slots, transfers, the machine's own
metering, and the message and block that a call runs in.
"""
