"""`python -m tap_emaillogs` is the command `tap-emaillogs`."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command."""
    gc.disable()  # what is imported stays: there is nothing to be found
    from tap_emaillogs.cli import check_level  # noqa: PLC0415 - likewise
    from tap_emaillogs.tap import TapEmailLogs  # noqa: PLC0415 - see above

    check_level()
    gc.freeze()
    gc.enable()
    TapEmailLogs.cli()


if __name__ == "__main__":
    main()
