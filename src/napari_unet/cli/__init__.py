"""The command line: the same engine without a window, for tests, servers and clusters."""

import signal


def main() -> None:
    """Run the command that was typed.

    Until there is work to save, Ctrl-C ends the program without a word: while torch is imported,
    which takes seconds, an exception could come out of it anywhere and as anything.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # nobody has it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from napari_unet.cli.app import main as run  # noqa: PLC0415

    run()
