"""`python -m tap_emaillogs` is the command `tap-emaillogs`."""

from tap_emaillogs.tap import TapEmailLogs

TapEmailLogs.cli()
