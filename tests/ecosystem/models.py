"""Small random models of Hugging Face's `transformers`, each of another kind, with a tokenizer of single characters."""

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHARACTERS = "\n !,.abcdefghijklmnopqrstuvwx"  # 29
CONTEXT = 24


def gpt2(seed, **options):
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(CHARACTERS), n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
        **options,
    )
    return lively(GPT2LMHeadModel(config))


def llama(seed, **options):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(CHARACTERS), max_position_embeddings=CONTEXT, hidden_size=16, intermediate_size=24,
        num_hidden_layers=2, num_attention_heads=4, bos_token_id=None, eos_token_id=None, pad_token_id=None,
        **options,
    )
    return lively(LlamaForCausalLM(config))


def lively(model):
    """Every parameter at random: a bias of 0 or a weight of 1 would hide a mistake."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "ln_" in name or "norm" in name
            parameter.normal_(1.0 if norm and name.endswith("weight") else 0.0, 0.2)
    return model.eval()


MODELS = {
    "gpt2": lambda: gpt2(1),
    "gpt2-gelu-untied": lambda: gpt2(2, activation_function="gelu", tie_word_embeddings=False, n_inner=40),
    "gpt2-relu": lambda: gpt2(3, activation_function="relu", layer_norm_epsilon=1e-3),
    "llama": lambda: llama(4, num_key_value_heads=2, rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
    "llama-tied-bias": lambda: llama(
        5, num_key_value_heads=1, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3
    ),
}


def character_tokenizer():
    """As `transformer train` writes one."""
    vocabulary = {character: i for i, character in enumerate(CHARACTERS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)


def save(model, directory, bare=False, dtype=torch.float32, **options):
    """Writes a checkpoint, and returns the model as `transformers` reads it at 32 bits. `bare` is the model without its
    head, whose parameters have no prefix."""
    model = model.to(dtype)
    (model.base_model if bare else model).save_pretrained(directory, **options)
    character_tokenizer().save_pretrained(directory)
    return type(model).from_pretrained(directory, dtype=torch.float32).eval()


def logits(model, tokens):
    """[b, n] → [b, n, v], at the precision of the model."""
    with torch.no_grad():
        return model(torch.tensor(tokens)).logits
