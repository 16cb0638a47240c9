"""What `train --tensorboard` writes is read by TensorBoard itself, also after a resumed run.

    python -m unittest discover tests/ecosystem

needs tensorboard, and the built program in target/release (see .ci/run).
"""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

PROGRAM = Path(__file__).parent.parent.parent / "target" / "release" / "transformer"
SMALL = ["--n_layer", 2, "--n_head", 2, "--n_embd", 16, "--block_size", 16, "--batch_size", 4, "--eval_interval", 20,
         "--eval_iters", 2, "--log_interval", 5, "--tensorboard"]


def train(out_dir, *flags):
    command = [PROGRAM, "train", "--out_dir", out_dir, *flags]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def scalars(run):
    """`{tag: [(step, value)]}`, as TensorBoard shows them."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class TensorBoard(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.run_directory = Path(directory.name) / "run"
        self.text = Path(directory.name) / "text.txt"
        self.text.write_text("the quick brown fox jumps over the lazy dog\n" * 40)

    def assert_same(self, found, expected):
        self.assertEqual([step for step, _ in found], [step for step, _ in expected])
        for (_, a), (_, b) in zip(found, expected):
            self.assertAlmostEqual(a, b, delta=1e-6 * abs(b))

    def assert_events_are_the_lines(self):
        found = scalars(self.run_directory)
        metrics = lines(self.run_directory / "metrics.jsonl")
        for tag, field in [("loss/train", "train_loss"), ("loss/validation", "val_loss"), ("lr", "lr"),
                           ("grad_norm/all", "grad_norm"), ("tokens_per_second", "tokens_per_second")]:
            self.assert_same(found[tag], [(line["step"], line[field]) for line in metrics if field in line])
        layers = lines(self.run_directory / "layers.jsonl")
        for i, name in enumerate(["embedding", "blocks.0", "blocks.1", "head"]):
            norms = [(line["step"], line["layers"][i]["grad_norm"]) for line in layers]
            self.assert_same(found[f"grad_norm/{name}"], norms)
            ratio = lambda layer: layer["update_norm"] / layer["weight_norm"]
            self.assert_same(found[f"update_ratio/{name}"], [(line["step"], ratio(line["layers"][i])) for line in layers])

    def test_every_measurement_is_a_scalar_at_its_step(self):
        train(self.run_directory, "--data", self.text, *SMALL, "--max_iters", 60)
        self.assert_events_are_the_lines()

    def test_what_a_resumed_run_repeats_is_there_once(self):
        train(self.run_directory, "--data", self.text, *SMALL, "--max_iters", 60)
        # As if it had been killed after step 60 with the checkpoint of step 40: set back, it repeats twenty steps.
        early = self.run_directory.with_name("early")
        train(early, "--data", self.text, *SMALL, "--max_iters", 40, "--lr_decay_iters", 60)
        for file in ["trainer.json", "model.safetensors", "optimizer.safetensors"]:
            (self.run_directory / file).write_bytes((early / file).read_bytes())
        train(self.run_directory, "--resume", "--tensorboard", "--max_iters", 60)
        self.assertEqual(len(list((self.run_directory / "tensorboard").iterdir())), 2)
        self.assert_events_are_the_lines()


if __name__ == "__main__":
    unittest.main()
