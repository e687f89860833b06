"""What every test may ask for; see tests/harness."""

pytest_plugins = ["tests.harness.fixtures"]
