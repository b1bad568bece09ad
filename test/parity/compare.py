"""Compares what lyaplock computes with a model with what transformers does.

    python test/parity/compare.py DIR [PROMPT ...]

DIR is any model directory, edited by lyaplock or not; without prompts a few are taken. Compared are the tokens of every
prompt, logits at every position, and at the last one the output of every block and the input of every down-projection
(the keys of an edit). Needs a built lyaplock (npm run build), torch, transformers and safetensors; both compute in float32.
Exit code 0 if all agree, 1 if not.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

# Two float32 implementations that add in different order differ by some 1e-6 of the largest element; a wrong weight or a
# transposed matrix by its size.
TOLERANCE = 1e-4

PROMPTS = ["The capital of France is", "I", "She said: «où est-ce?» and 3 + 4 =", "The mother tongue of Danielle Darrieux is"]

# Where a family has its blocks, and in a block the down-projection.
FAMILIES = [("model.layers", "mlp.down_proj"), ("transformer.h", "mlp.c_proj"), ("transformer.h", "mlp.fc_out")]


def ours(directory: str, prompts: list[str]) -> dict[str, torch.Tensor]:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "states.safetensors"
        script = Path(__file__).with_name("states.mjs")
        subprocess.run(["node", str(script), directory, str(out), *prompts], check=True)
        return load_file(out)


def parts(model: torch.nn.Module) -> list[tuple[torch.nn.Module, torch.nn.Module]]:
    """Every block with its down-projection."""
    for blocks, down in FAMILIES:
        try:
            return [(block, block.get_submodule(down)) for block in model.get_submodule(blocks)]
        except AttributeError:
            continue
    raise SystemExit(f"where the down-projections of {type(model).__name__} are is not known here")


class Record:
    """What passes through a model at the last position."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.states: dict[str, torch.Tensor] = {}
        for layer, (block, down) in enumerate(parts(model)):
            down.register_forward_pre_hook(lambda _, args, name=f"{layer}.key": self.keep(name, args[0]))
            block.register_forward_hook(lambda _, args, out, name=f"{layer}.output": self.keep(name, out))

    def keep(self, name: str, value: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        tensor = value[0] if isinstance(value, tuple) else value
        self.states[name] = tensor.reshape(-1, tensor.shape[-1])[-1:].clone()


class Verdict:
    """The worst of one kind of comparison."""

    def __init__(self, name: str) -> None:
        self.name, self.worst, self.count = name, 0.0, 0

    def compare(self, mine: torch.Tensor, theirs: torch.Tensor) -> None:
        if mine.shape != theirs.shape:
            raise SystemExit(f"{self.name}: shapes differ: {tuple(mine.shape)} here, {tuple(theirs.shape)} in transformers")
        difference = (mine.double() - theirs.double()).abs().max() / theirs.double().abs().max()
        self.worst = max(self.worst, difference.item()) if difference == difference else float("inf")
        self.count += mine.numel()

    def tell(self) -> bool:
        close = 0 < self.count and self.worst <= TOLERANCE
        verdict = "agree" if close else "DIFFER"
        print(f"{self.name:8} {verdict}: {self.count} numbers, largest difference {self.worst:.2e} of the largest number")
        return close


def main(directory: str, prompts: list[str]) -> int:
    mine = ours(directory, prompts)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    record = Record(model)
    verdicts = {name: Verdict(name) for name in ("logits", "outputs", "keys")}
    for p, prompt in enumerate(prompts):
        tokens = tokenizer(prompt, return_tensors="pt").input_ids
        found = [int(token) for token in mine[f"{p}.tokens"][0]]
        if tokens[0].tolist() != found:
            print(f"tokens of {prompt!r} differ: {found} here, {tokens[0].tolist()} in transformers")
            return 1
        with torch.no_grad():
            logits = model(tokens).logits[0]
        verdicts["logits"].compare(mine[f"{p}.logits"], logits)
        for layer in range(len(parts(model))):
            verdicts["outputs"].compare(mine[f"{p}.{layer}.output"], record.states[f"{layer}.output"])
            verdicts["keys"].compare(mine[f"{p}.{layer}.key"], record.states[f"{layer}.key"])
    return 0 if all([verdict.tell() for verdict in verdicts.values()]) else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__)
        sys.exit(2)
    sys.exit(main(sys.argv[1], sys.argv[2:] or PROMPTS))
