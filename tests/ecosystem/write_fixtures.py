"""Writes tests/fixtures/huggingface: checkpoints by `transformers`, and the logits that it computes from them.

    python tests/ecosystem/write_fixtures.py

`cargo test --test gpt2_parity` imports them and compares, without Python.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from models import CONTEXT, MODELS, logits, save

FIXTURES = Path(__file__).parent.parent / "fixtures" / "huggingface"

HOW = {
    "gpt2-gelu-untied": dict(max_shard_size="14KB"),
    "gpt2-relu": dict(bare=True, dtype=torch.bfloat16),
    "llama": dict(),
    "llama-tied-bias": dict(dtype=torch.float16),
}

for name, how in HOW.items():
    directory = FIXTURES / name
    model = save(MODELS[name](), directory, **how)
    (directory / "generation_config.json").unlink(missing_ok=True)  # of no use here
    tokens = [[(3 * i * i + 5 * i + row) % 29 for i in range(CONTEXT)] for row in range(2)]
    expected = {"tokens": torch.tensor(tokens, dtype=torch.float32), "logits": logits(model.double(), tokens)}
    save_file(expected, directory / "expected.safetensors")
