"""Models move between this program and Hugging Face's `transformers`, both ways, without a script.

    python -m unittest discover tests/ecosystem

needs torch and transformers, and the built program and example in target/release (see .ci/run).
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models import CONTEXT, MODELS, logits, save

RELEASE = Path(__file__).parent.parent.parent / "target" / "release"
TOKENS = [(3 * i * i + 5 * i + 1) % 29 for i in range(CONTEXT)]
FEW = [token % 20 for token in TOKENS]  # TEXT has fewer characters
TEXT = "the quick brown fox jumps over the lax dog.\n" * 40


def program(*arguments):
    """What the program prints."""
    return run(RELEASE / "transformer", *arguments)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stderr}"
    return done.stdout


def our_logits(run_directory, tokens):
    lines = run(RELEASE / "examples" / "logits", run_directory, *tokens).splitlines()
    return torch.tensor([json.loads(line) for line in lines])


def our_greedy_text(run_directory, start, new):
    flags = ["--temperature", 0, "--num_samples", 1, "--max_new_tokens", new, "--start", start]
    printed = program("sample", "--from", run_directory, *flags)
    return printed.removesuffix("\n---------------\n")


def their_greedy_text(directory, start, new):
    """By AutoTokenizer and `generate`, as a user has it."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(directory), AutoTokenizer.from_pretrained(directory)
    ids = tokenizer(start, return_tensors="pt")["input_ids"]
    ids = model.generate(ids, max_new_tokens=new, do_sample=False, pad_token_id=0, eos_token_id=None)
    return tokenizer.decode(ids[0])


class HuggingFace(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return Path(self.directory.name) / name

    def assert_close(self, found, expected):
        difference = (found - expected).abs().max().item()
        self.assertLess(difference, 1e-5, "the logits differ by this much")

    def assert_imports(self, name, **how):
        """A checkpoint of `transformers` computes here what it computes there, and what is exported again as well."""
        model = save(MODELS[name](), self.path("checkpoint"), **how)
        program("import", self.path("checkpoint"), "--out", self.path("run"))
        expected = logits(model, [TOKENS])[0]
        self.assert_close(our_logits(self.path("run"), TOKENS), expected)

        program("export", "--from", self.path("run"), "--out", self.path("exported"))
        exported, report = AutoModelForCausalLM.from_pretrained(self.path("exported"), output_loading_info=True)
        self.assertEqual(type(exported), type(model))
        self.assertEqual([len(report[kind]) for kind in ["missing_keys", "unexpected_keys"]], [0, 0], report)
        self.assert_close(logits(exported.eval(), [TOKENS])[0], expected)

        start, new = "the quick", CONTEXT - len("the quick")
        ours = our_greedy_text(self.path("run"), start, new)
        self.assertEqual(len(ours), CONTEXT)
        self.assertEqual(ours, their_greedy_text(self.path("exported"), start, new))

    def test_a_gpt_2(self):
        self.assert_imports("gpt2")

    def test_a_gpt_2_in_shards(self):
        self.assert_imports("gpt2", max_shard_size="10KB")

    def test_a_gpt_2_without_prefix(self):
        self.assert_imports("gpt2", bare=True)

    def test_a_gpt_2_of_16_bits(self):
        self.assert_imports("gpt2", dtype=torch.float16)

    def test_a_gpt_2_of_16_bits_as_bfloat(self):
        self.assert_imports("gpt2", dtype=torch.bfloat16)

    def test_a_gpt_2_with_gelu_by_erf_and_a_head_and_a_width_of_its_own(self):
        self.assert_imports("gpt2-gelu-untied")

    def test_a_gpt_2_with_relu_and_another_epsilon(self):
        self.assert_imports("gpt2-relu")

    def test_a_llama_whose_queries_share_keys_and_values(self):
        self.assert_imports("llama")

    def test_a_llama_in_shards(self):
        self.assert_imports("llama", max_shard_size="10KB")

    def test_a_tied_llama_with_biases_of_16_bits(self):
        self.assert_imports("llama-tied-bias", dtype=torch.bfloat16)

    def assert_exports(self, *flags):
        """A model trained here computes the same there, and writes the same text."""
        self.path("text.txt").write_text(TEXT)
        sizes = ["--n_layer", 2, "--n_head", 4, "--n_embd", 32, "--block_size", 32, "--max_iters", 60]
        data = ["--data", self.path("text.txt"), "--out_dir", self.path("run")]
        program("train", *sizes, *data, "--preset", "tiny", *flags)
        program("export", "--from", self.path("run"), "--out", self.path("exported"))
        model, report = AutoModelForCausalLM.from_pretrained(self.path("exported"), output_loading_info=True)
        self.assertEqual([len(report[kind]) for kind in ["missing_keys", "unexpected_keys"]], [0, 0], report)
        tokenizer = AutoTokenizer.from_pretrained(self.path("exported"))
        tokens = tokenizer(TEXT[:32])["input_ids"]
        self.assertEqual(tokenizer.decode(tokens), TEXT[:32])
        self.assert_close(our_logits(self.path("run"), tokens), logits(model.eval(), [tokens])[0])
        ours = our_greedy_text(self.path("run"), "the", 29)
        self.assertEqual(len(ours), 32)
        self.assertEqual(ours, their_greedy_text(self.path("exported"), "the", 29))
        return model

    def test_a_gpt_2_trained_here(self):
        self.assertEqual(type(self.assert_exports("--bias")).__name__, "GPT2LMHeadModel")

    def test_a_gpt_2_trained_here_without_biases(self):
        self.assert_exports("--tie_word_embeddings=false", "--activation", "relu")

    def test_a_llama_trained_here(self):
        self.assertEqual(type(self.assert_exports("--design", "llama", "--n_kv_head", 2)).__name__, "LlamaForCausalLM")

    def test_a_run_s_directory_is_a_checkpoint_as_it_is(self):
        self.assert_exports("--bias")
        model = AutoModelForCausalLM.from_pretrained(self.path("run"))
        self.assert_close(our_logits(self.path("run"), FEW), logits(model.eval(), [FEW])[0])

    def test_training_goes_on_there_under_torchrun(self):
        """The command of the book: the loss of the exported model falls under `torchrun`."""
        self.assert_exports("--bias")
        script = Path(__file__).parent / "go_on.py"
        losses = run(
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", script,
            self.path("exported"), self.path("text.txt"), self.path("further"),
        )  # fmt: skip
        first, last = [float(line.split()[-1]) for line in losses.splitlines() if line.startswith("loss")]
        self.assertLess(last, first)
        program("import", self.path("further"), "--out", self.path("back"))
        further = AutoModelForCausalLM.from_pretrained(self.path("further"))
        self.assert_close(our_logits(self.path("back"), FEW), logits(further.eval(), [FEW])[0])


if __name__ == "__main__":
    unittest.main()
