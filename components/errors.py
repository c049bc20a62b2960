"""What stops the program before it creates anything."""

import pulumi


class ProgramError(pulumi.RunError):
    """A mistake in the program or its settings; Pulumi prints the message alone, without a traceback."""
