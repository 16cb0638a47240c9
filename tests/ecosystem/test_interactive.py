"""`sample --interactive` on a terminal: a line editor with a history, Ctrl-C stops a text, Ctrl-D ends."""

import os
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

PROGRAM = Path(__file__).parent.parent.parent / "target" / "release" / "transformer"
SMALL = ["--n_layer=1", "--n_head=2", "--n_embd=16", "--block_size=16", "--batch_size=4", "--max_iters=10"]
TEXT = "the quick brown fox jumps over the lazy dog\n" * 30
PROMPT = "> "


class Terminal:
    """The program with a terminal for its input and output."""

    def __init__(self, *arguments):
        self.screen, self.seen = "", 0
        self.keyboard, theirs = pty.openpty()
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


class Interactive(unittest.TestCase):
    def test_a_conversation(self):
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "text.txt").write_text(TEXT)
            run = f"{directory}/run"
            train = [PROGRAM, "train", *SMALL, f"--data={directory}/text.txt", f"--out_dir={run}"]
            subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
            terminal = Terminal("sample", "--interactive", "--max_new_tokens=1000000000", f"--from={run}")
            self.assertIn("Ctrl-D ends", terminal.wait_for(PROMPT))

            terminal.type("fox 漢\r")
            self.assertIn("U+6F22", terminal.wait_for("way out"))
            terminal.wait_for(PROMPT)

            terminal.type("brown fox\r")
            terminal.wait_for("\nbrown fox")  # the text itself, after the line typed
            terminal.type("\x03")  # Ctrl-C: stops the text
            terminal.wait_for(PROMPT)
            self.assertIsNone(terminal.program.poll(), "the program goes on")

            terminal.type("\x1b[A")  # arrow up: the line before
            terminal.wait_for("brown fox")
            terminal.type("\x03")  # forgets the line
            terminal.wait_for(PROMPT)
            terminal.type("\x04")  # Ctrl-D
            self.assertEqual(terminal.program.wait(timeout=60), 0)
            self.assertNotIn("history", " ".join(os.listdir(run)), "what was typed is not saved")


if __name__ == "__main__":
    unittest.main()
