"""The `orchestra` command."""
