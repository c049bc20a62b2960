"""The runtime of Orchestra: what ships to Lambda. It never imports pulumi."""
