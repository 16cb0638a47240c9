"""What is measured: layers, heads, width, context, vocabulary, batch. The same as `transformer bench`."""

CONFIGS = {
    "tiny": (2, 2, 64, 32, 65, 8),
    "char": (4, 4, 128, 64, 65, 12),
    "baby": (6, 6, 384, 256, 65, 4),
    "gpt2": (12, 12, 768, 64, 50257, 4),
}
