"""Long tests of chance, run by `nox -s soak`."""
