"""Generated stubs of proto/prover/v1; `make proto` writes them."""
