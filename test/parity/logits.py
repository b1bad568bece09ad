"""Compares logits written by lyaplock with those of transformers.

    lyaplock logits --model DIR --prompt TEXT --all --out logits.safetensors
    python test/parity/logits.py DIR logits.safetensors TEXT

DIR is any model directory, edited by lyaplock or not. Needs torch, transformers and safetensors. Exit code 0 if tokens are
equal and logits agree, 1 if not.
"""

import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

# Two float32 implementations that add in different order differ by some 1e-6 of the largest logit; a wrong weight or a
# transposed matrix by its size.
TOLERANCE = 1e-4


def main(directory: str, file: str, prompt: str) -> int:
    ours = load_file(file)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()

    tokens = tokenizer(prompt, return_tensors="pt").input_ids
    if tokens[0].tolist() != ours["tokens"].tolist():
        print(f"tokens differ: {ours['tokens'].tolist()} here, {tokens[0].tolist()} in transformers")
        return 1

    with torch.no_grad():
        theirs = model(tokens).logits[0]
    if theirs.shape != ours["logits"].shape:
        print(f"shapes differ: {tuple(ours['logits'].shape)} here, {tuple(theirs.shape)} in transformers")
        return 1

    largest = theirs.abs().max().item()
    difference = (theirs - ours["logits"]).abs().max().item()
    close = difference <= TOLERANCE * largest  # asked this way round, NaN is not close
    verdict = "agree" if close else "DIFFER"
    print(
        f"{tuple(theirs.shape)} logits {verdict}: largest difference {difference:.2e}, largest logit {largest:.2f}, "
        f"{difference / (TOLERANCE * largest):.1%} of the tolerance"
    )
    return 0 if close else 1


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print(__doc__)
        sys.exit(2)
    sys.exit(main(*sys.argv[1:]))
