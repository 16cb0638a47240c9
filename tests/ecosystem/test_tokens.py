"""Tokenizers and files of ids mean there what they mean here: Hugging Face's `tokenizers`, nanoGPT, llm.c.

    python -m unittest discover tests/ecosystem

needs the program in target/release, built with the feature `tokenizers` (see .ci/run).
"""

import random
import tempfile
import unicodedata
import unittest
from pathlib import Path

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from models import lively, logits
from test_huggingface import our_greedy_text, our_logits, program, their_greedy_text

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFG 0123456789", "    \n\n\t", ".,;:!?'-()\"", "'s 'll n't",
    "éèüñçøß", "абвгдежзийклмноп", "αβγδεζηθ", "日本語中文字漢", "한국어글자나랏말싸미", "हिन्दी", "ไทยภาษา", "عربي", "🦊🐕🌳👩‍🚀",
    "e\u0301a\u0308\u0323", "\u200b\u00a0\u2003", "ﬁ①½",
]  # fmt: skip
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def multilingual(seed, words):
    """Words of several scripts and signs, at random."""
    draw = random.Random(seed)
    word = lambda: "".join(draw.choices(draw.choice(ALPHABETS), k=draw.randint(1, 7)))
    return "".join(word() + draw.choice([" ", " ", "", "\n"]) for _ in range(words))


def trained(tokenizer, kind=trainers.BpeTrainer, **options):
    tokenizer.train_from_iterator([multilingual(1, 4000)], kind(vocab_size=600, show_progress=False, **options))
    return tokenizer


def gpt2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return trained(
        tokenizer, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )


def llama_3():
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(LLAMA_3), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Sequence([split, bytes_]), decoders.ByteLevel()
    return trained(tokenizer, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def llama_2():
    """sentencepiece's pairs: spaces as ▁, and bytes for what has no token."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    return trained(tokenizer, special_tokens=["<unk>"] + bytes_, max_token_length=8)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return trained(tokenizer, trainers.UnigramTrainer, unk_token="<unk>", special_tokens=["<unk>"])


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return trained(tokenizer, trainers.WordPieceTrainer, special_tokens=["[UNK]"])


class Tokens(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return Path(self.directory.name) / name

    def write(self, text):
        self.path("text.txt").write_text(text, newline="")
        return self.path("text.txt")

    def prepare(self, text, tokenizer, *flags):
        """The directory with the ids of a text."""
        out = self.path("ids")
        program("prepare", "--data", self.write(text), "--tokenizer", tokenizer, "--out", out, "--overwrite", *flags)
        return out

    def parts(self, text):
        trained_on = int(0.9 * len(text))
        return text[:trained_on], text[trained_on:]

    def train(self, data, tokenizer, *flags):
        sizes = ["--n_layer", 1, "--n_head", 2, "--n_embd", 16, "--block_size", 32, "--batch_size", 4]
        steps = ["--max_iters", 2, "--eval_iters", 1, "--overwrite", "--out_dir", self.path("run")]
        program("train", *sizes, *steps, "--data", data, "--tokenizer", tokenizer, *flags)
        return self.path("run")

    def assert_same_ids(self, file, theirs, seed, words=3000):
        """Both parts of a text have the ids that Python gives them, as nanoGPT reads them."""
        text = multilingual(seed, words)
        ids = self.prepare(text, file)
        for name, part in zip(["train.bin", "val.bin"], self.parts(text)):
            data = np.memmap(ids / name, dtype=np.uint16, mode="r")
            expected = theirs.encode(part, add_special_tokens=False).ids
            self.assertEqual(data.astype(np.int64).tolist(), expected, f"{file}, {name}")

    def assert_same_text(self, tokenizer, theirs, seed):
        """A model that adds nothing writes its prompt: the ids of it, decoded one by one as they come."""
        run = self.train(self.write(multilingual(seed, 3000)), tokenizer)
        for i in range(5):
            text = multilingual(seed + i, 20) + "end"
            self.path("prompt.txt").write_text(text, newline="")
            flags = ["--num_samples", 1, "--max_new_tokens", 0, "--start", f"FILE:{self.path('prompt.txt')}"]
            ours = program("sample", "--from", run, *flags).removesuffix("\n---------------\n")
            expected = theirs.decode(theirs.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)
            self.assertEqual(ours, expected, tokenizer)

    def test_any_tokenizer_of_hugging_face_gives_the_same_ids_and_the_same_text(self):
        for make in [gpt2, llama_3, llama_2, unigram, bert]:
            with self.subTest(make.__name__):
                theirs = make()
                theirs.save(str(self.path("tokenizer.json")))
                self.assert_same_ids(self.path("tokenizer.json"), theirs, seed=2)
                self.assert_same_text(self.path("tokenizer.json"), theirs, seed=3)

    def test_a_long_text_in_pieces_has_the_ids_of_the_whole(self):
        for make in [gpt2, llama_3]:
            with self.subTest(make.__name__):
                theirs = make()
                theirs.save(str(self.path("tokenizer.json")))
                self.assert_same_ids(self.path("tokenizer.json"), theirs, seed=4, words=500_000)

    def test_byte_pairs_learned_here_are_those_learned_there(self):
        text = multilingual(5, 4000)
        ours = Tokenizer.from_file(str(self.prepare(text, "bpe:700") / "tokenizer.json"))
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=alphabet)
        tokenizer.train_from_iterator([self.parts(text)[0]], trainer)
        self.assertEqual(ours.get_vocab_size(), 700)
        self.assertEqual(ours.get_vocab(), tokenizer.get_vocab())

    def test_what_is_built_in_means_the_same_there(self):
        everything = "".join(ALPHABETS)
        for tokenizer in ["char", "byte", "jamo", "bpe:500"]:
            with self.subTest(tokenizer):
                text = everything + multilingual(6, 2000) + everything
                ids = self.prepare(text, tokenizer)
                theirs = Tokenizer.from_file(str(ids / "tokenizer.json"))
                for name, part in zip(["train.bin", "val.bin"], self.parts(text)):
                    found = np.memmap(ids / name, dtype=np.uint16, mode="r").tolist()
                    self.assertEqual(found, theirs.encode(part).ids)
                    # Jamo come back decomposed there; NFC puts them together.
                    form = (lambda text: unicodedata.normalize("NFC", text)) if tokenizer == "jamo" else str
                    self.assertEqual(form(theirs.decode(found)), form(part))

    def test_llm_c_finds_the_header_that_it_checks(self):
        """As dataloader_load_shard_ in llm.c's llmc/dataloader.h does."""
        text = multilingual(7, 3000)
        plain = {name: np.fromfile(self.prepare(text, "byte") / name, np.uint16) for name in ["train.bin", "val.bin"]}
        for form, magic, version, kind in [("gpt2", 20240520, 1, np.uint16), ("llama3", 20240801, 7, np.uint32)]:
            ids = self.prepare(text, "byte", "--format", form)
            for name, expected in plain.items():
                header = np.fromfile(ids / name, np.int32, count=256)
                self.assertEqual(header[:3].tolist(), [magic, version, len(expected)])
                self.assertEqual((ids / name).stat().st_size, 256 * 4 + len(expected) * np.dtype(kind).itemsize)
                self.assertTrue((np.fromfile(ids / name, kind, offset=256 * 4) == expected).all())

    def test_files_that_nano_gpt_and_llm_c_write_are_trained_on(self):
        """Three writers, one text: the same ids, so the same model to the last bit."""
        theirs, text = gpt2(), multilingual(8, 3000)
        theirs.save(str(self.path("tokenizer.json")))
        tokens = [theirs.encode(part).ids for part in self.parts(text)]
        trained = []
        for header, kind in [([], np.uint16), ([20240520, 1], np.uint16), ([20240801, 7], np.uint32)]:
            data = self.path(f"data{len(trained)}")
            data.mkdir()
            for name, ids in zip(["tiny_train.bin", "tiny_val.bin"], tokens):
                with open(data / name, "wb") as file:
                    if header:
                        numbers = np.zeros(256, np.int32)
                        numbers[:3] = header + [len(ids)]
                        file.write(numbers.tobytes())
                    file.write(np.array(ids, kind).tobytes())
            run = self.train(data, self.path("tokenizer.json"))
            trained.append((run / "model.safetensors").read_bytes())
        run = self.train(self.write(text), self.path("tokenizer.json"))
        trained.append((run / "model.safetensors").read_bytes())
        self.assertEqual(len(set(trained)), 1)

    def test_a_run_with_byte_pairs_is_a_model_there(self):
        """AutoTokenizer and AutoModelForCausalLM load what `export` writes, and write what is written here."""
        text = "the quick brown fox jumps over the lazy dog, and the dog sleeps. 다람쥐 헌 쳇바퀴에 타고파\n" * 40
        run = self.train(self.write(text), "bpe:400", "--bias", "--max_iters", 60)
        program("export", "--from", run, "--out", self.path("exported"))
        model = AutoModelForCausalLM.from_pretrained(self.path("exported"))
        tokenizer = AutoTokenizer.from_pretrained(self.path("exported"))
        ids = tokenizer(text[:60])["input_ids"]
        self.assertLess(len(ids), 40)
        self.assertEqual(tokenizer.decode(ids), text[:60])
        difference = (our_logits(run, ids[:32]) - logits(model.eval(), [ids[:32]])[0]).abs().max().item()
        self.assertLess(difference, 1e-5)
        start, new = "the quick", 32 - len(tokenizer("the quick")["input_ids"])
        self.assertEqual(our_greedy_text(run, start, new), their_greedy_text(self.path("exported"), start, new))
        self.assertIn("bits per byte", program("eval", "--from", run))
        program("trace", "--from", run, "--text", "the dog")
        program("check", "--from", run, "--derivatives", 2)

    def test_a_gpt_2_with_its_own_tokenizer_is_taken_over(self):
        """The vocabulary of the model is padded, as that of GPT-2 in nanoGPT is."""
        theirs = gpt2()
        torch.manual_seed(9)
        config = GPT2Config(vocab_size=640, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
        model = lively(GPT2LMHeadModel(config))
        model.save_pretrained(self.path("checkpoint"))
        PreTrainedTokenizerFast(tokenizer_object=theirs).save_pretrained(self.path("checkpoint"))
        program("import", self.path("checkpoint"), "--out", self.path("run"))
        ids = theirs.encode("abc 한국어 éé").ids
        self.assertLess((our_logits(self.path("run"), ids) - logits(model, [ids])[0]).abs().max().item(), 1e-5)
        evaluated = program("eval", "--from", self.path("run"), "--data", self.write(multilingual(10, 2000)))
        self.assertIn("nats a token", evaluated)
        program("export", "--from", self.path("run"), "--out", self.path("exported"))
        again = AutoTokenizer.from_pretrained(self.path("exported"))
        self.assertEqual(again("abc 한국어 éé")["input_ids"], ids)


if __name__ == "__main__":
    unittest.main()
