"""The system as Pulumi components, one concern a file. It describes what AWS shall have, and never imports boto3."""
