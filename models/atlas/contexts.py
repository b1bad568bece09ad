"""Writes context_templates.json: the texts an editing run puts before its prompts, sampled from the model as MEMIT does.

    python contexts.py DIR
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model import load

SEED = 42
WORDS = ["The", "Therefore", "Because", "I", "You"]
TOKENS = 10
TOP_K = 5


@torch.no_grad()
def continued(model, tokenizer, word, generator):
    """`word` and what the model writes after it, TOKENS tokens in all."""
    ids = tokenizer.encode(word).ids
    while len(ids) < TOKENS:
        probabilities = model(torch.tensor([ids]))[0, -1].softmax(-1)
        top = probabilities.topk(TOP_K)
        ids.append(top.indices[torch.multinomial(top.values, 1, generator=generator)].item())
    text = tokenizer.decode(ids, skip_special_tokens=False).replace("<|endoftext|>", "")
    return text.replace("{", " ").replace("}", " ")


def sample(model, tokenizer):
    generator = torch.Generator().manual_seed(SEED)
    return [["{}"], [continued(model, tokenizer, word, generator) + ". {}" for word in WORDS]]


def main(directory):
    templates = sample(load(directory), Tokenizer.from_file(str(directory / "tokenizer.json")))
    text = json.dumps(templates, ensure_ascii=False, indent=1)
    (directory / "context_templates.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
