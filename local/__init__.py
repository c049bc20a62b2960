"""The local target: the unmodified Pulumi program, deployed to an AWS emulator on this machine."""
