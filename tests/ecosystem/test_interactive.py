"""`sample --interactive` on a terminal: a line editor with a history, Ctrl-C stops a text, Ctrl-D ends."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from terminal import PROGRAM, Terminal

SMALL = ["--n_layer=1", "--n_head=2", "--n_embd=16", "--block_size=16", "--batch_size=4", "--max_iters=10"]
TEXT = "the quick brown fox jumps over the lazy dog\n" * 30
PROMPT = "> "


class Interactive(unittest.TestCase):
    def test_a_conversation(self):
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "text.txt").write_text(TEXT)
            run = f"{directory}/run"
            train = [PROGRAM, "train", *SMALL, f"--data={directory}/text.txt", f"--out_dir={run}"]
            subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
            terminal = Terminal("sample", "--interactive", "--max_new_tokens=1000000000", f"--from={run}")
            self.addCleanup(terminal.close)
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
