"""Generated stubs of proto/node/v1; `make proto` writes them."""
