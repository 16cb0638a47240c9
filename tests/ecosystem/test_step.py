"""`trace --step` on a terminal: keys lead from step to step, each is shown in full within the window, q gives it back."""

import re
import unittest
from terminal import Terminal

ROWS, COLUMNS = 30, 80


class Step(unittest.TestCase):
    def setUp(self):
        self.terminal = Terminal("trace", "--step", "--text", "the cat", rows=ROWS, columns=COLUMNS)
        self.last = int(re.search(r"step 0 of (\d+)", self.screen("step 0 of ", "numbers")).group(1))

    def tearDown(self):
        self.terminal.close()

    def screen(self, *signs):
        """What is shown up to the last of these signs, which come in this order."""
        return "".join(self.terminal.wait_for(sign) for sign in signs)

    def press(self, keys, *signs):
        self.terminal.type(keys)
        return self.screen(*signs)

    def test_keys_lead_on_back_to_a_number_and_to_both_ends(self):
        self.press("n", "step 1 of", "numbers")
        self.press("\x1b[C", "step 2 of", "numbers")  # arrow to the right
        self.press("b", "step 1 of", "numbers")
        self.terminal.type("g")
        self.terminal.wait_for("go to step:")
        shown = self.press("23\r", "step 23 of", "numbers")
        self.assertIn("Adds entry by entry", shown)
        self.assertIn("y = a + b", shown)
        shown = self.press("\x1b[F", f"step {self.last} of", "first number:")  # End
        self.assertIn("AdamW moves", shown)
        self.press("n\x1b[H", f"step {self.last} of", "step 0 of", "numbers")  # no further; Home

    def test_each_step_fits_the_window(self):
        for step in range(0, self.last, 23):
            self.terminal.type("g")
            self.terminal.wait_for("go to step:")
            lines = self.press(f"{step}\r", f"step {step} of").replace("\r", "").split("\n")[1:]
            self.assertLessEqual(max(map(len, lines)), COLUMNS, lines)
            self.assertLessEqual(len(lines), ROWS, lines)

    def test_q_ends_it_and_the_shell_has_its_terminal_back(self):
        self.terminal.type("q")
        self.assertEqual(self.terminal.program.wait(timeout=60), 0)


if __name__ == "__main__":
    unittest.main()
