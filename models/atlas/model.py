"""The atlas as a PyTorch module: LLaMA's shape, with parameters named as transformers' LlamaForCausalLM names them.

Its forward pass is in pieces (embed, one block, head), so that training and the editing procedure can step in between.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    vocabulary: int
    width: int = 192
    hidden: int = 1408  # d_ff: the width of a key
    layers: int = 5
    heads: int = 6
    key_value_heads: int = 2
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    positions: int = 256

    @property
    def head_width(self):
        return self.width // self.heads


class RMSNorm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.norm_epsilon

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.epsilon)


def rotate(x, cosine, sine):
    """Rotary position embedding; x [batch, heads, tokens, head_width], cosine and sine [batch, 1, tokens, head_width]."""
    half = x.shape[-1] // 2
    return x * cosine + torch.cat((-x[..., half:], x[..., :half]), dim=-1) * sine


def attention_bias(seen, dtype=torch.float32):
    """0 where a token is seen, very negative where not."""
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, -1e4)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        key_value_width = shape.key_value_heads * shape.head_width
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, key_value_width, bias=False)
        self.v_proj = nn.Linear(shape.width, key_value_width, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x, rotation, bias, past=None):
        """bias [batch or 1, 1, tokens, past + tokens] is added to the scores; past, and the second result: keys and values."""
        batch, tokens, _ = x.shape
        heads = lambda y, count: y.view(batch, tokens, count, self.shape.head_width).transpose(1, 2)
        q = rotate(heads(self.q_proj(x), self.shape.heads), *rotation)
        k = rotate(heads(self.k_proj(x), self.shape.key_value_heads), *rotation)
        v = heads(self.v_proj(x), self.shape.key_value_heads)
        if past is not None:
            k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        present = k, v
        share = self.shape.heads // self.shape.key_value_heads
        k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        # Written out: on a CPU the backward pass of PyTorch's fused attention is several times slower than this.
        scores = q @ k.transpose(-1, -2) * self.shape.head_width**-0.5 + bias
        y = scores.softmax(dim=-1, dtype=scores.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(batch, tokens, -1)), present


class MLP(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def keys(self, x):
        """The input of the down-projection: what the editing papers call keys."""
        return F.silu(self.gate_proj(x)) * self.up_proj(x)

    def forward(self, x):
        return self.down_proj(self.keys(x))


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape)
        self.mlp = MLP(shape)

    def attend(self, x, rotation, bias, past=None):
        y, present = self.self_attn(self.input_layernorm(x), rotation, bias, past)
        return x + y, present

    def keys(self, attended):
        return self.mlp.keys(self.post_attention_layernorm(attended))

    def forward(self, x, rotation, bias, past=None):
        attended, _ = self.attend(x, rotation, bias, past)
        return attended + self.mlp(self.post_attention_layernorm(attended))


class Trunk(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape)


class Atlas(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.model = Trunk(shape)
        frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_width, 2) / shape.head_width)
        self.register_buffer("frequencies", frequencies, persistent=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.02)

    @property
    def blocks(self):
        return self.model.layers

    def embed(self, ids):
        return self.model.embed_tokens(ids)

    def rotation(self, positions):
        """Cosine and sine for positions [batch, tokens]."""
        angles = (positions[:, None, :, None] * self.frequencies).repeat(1, 1, 1, 2)
        return angles.cos(), angles.sin()

    def head(self, x):
        """Logits; the head is the embedding."""
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)

    def states(self, ids, layers=None):
        """Output [batch, tokens, width] of the last of the first `layers` blocks (all of them if not said).

        Rows are padded on the right, which needs no mask, as nothing looks ahead.
        """
        tokens = ids.shape[1]
        rotation = self.rotation(torch.arange(tokens)[None])
        bias = attention_bias(torch.ones(1, 1, tokens, tokens, dtype=torch.bool).tril())
        x = self.embed(ids)
        for block in self.blocks[:layers]:
            x = block(x, rotation, bias)
        return x

    def forward(self, ids):
        """Logits [batch, tokens, vocabulary]."""
        return self.head(self.states(ids))


def config_of(shape):
    """config.json as transformers writes it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.hidden,
        "max_position_embeddings": shape.positions,
        "mlp_bias": False,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.key_value_heads,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": shape.vocabulary,
    }


def save(model, directory):
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    weights = {name: value.to(torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps(config_of(model.shape), indent=2) + "\n")


def load(directory):
    """The saved model in float32, for evaluation."""
    directory = Path(directory)
    config = json.loads((directory / "config.json").read_text())
    model = Atlas(Shape(
        vocabulary=config["vocab_size"], width=config["hidden_size"], hidden=config["intermediate_size"],
        layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
        key_value_heads=config["num_key_value_heads"], rope_theta=config["rope_theta"],
        norm_epsilon=config["rms_norm_eps"], positions=config["max_position_embeddings"]))
    weights = load_file(directory / "model.safetensors")
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval().requires_grad_(False)
