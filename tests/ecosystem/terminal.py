"""The program on a terminal of its own, which a test types into and reads."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path

PROGRAM = Path(__file__).parent.parent.parent / "target" / "release" / "transformer"


class Terminal:
    """The program with a terminal for its input and output."""

    def __init__(self, *arguments, rows=40, columns=100):
        self.screen, self.seen = "", 0
        self.keyboard, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.program = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # its own terminal, so that Ctrl-C is a signal
            env=os.environ | {"TERM": "xterm", "NO_COLOR": "1"},
        )
        os.close(theirs)

    def type(self, keys):
        os.write(self.keyboard, keys.encode())

    def wait_for(self, what):
        """What the screen shows from the last place waited for, up to this."""
        end = time.monotonic() + 60
        while what not in self.screen[self.seen:]:
            assert time.monotonic() < end, f"no {what!r} in {self.screen[self.seen:]!r}"
            if select.select([self.keyboard], [], [], 0.1)[0]:
                self.screen += os.read(self.keyboard, 65536).decode(errors="replace")
        before = self.seen
        self.seen = self.screen.index(what, before) + len(what)
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", self.screen[before:self.seen])

    def close(self):
        """Ends the program, if it has not ended."""
        self.program.kill()
        self.program.wait()
        os.close(self.keyboard)
