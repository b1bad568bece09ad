"""Edits the atlas with every combination of the settings given, and prints a table of what came out.

    python sweep.py DIR --edits 500 --batch 50 --layers 1,2 2,3 --clamp 1 2 --preserve 1 10
"""

import argparse
import itertools
import json
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from model import load
from procedure import Editor, Settings, metrics, second_moments

AXES = {"layers": str, "value_rate": float, "clamp": float, "preserve": float, "alpha": float, "value_weight_decay": float, "kl_factor": float}


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="index of the first record")
    for axis, kind in AXES.items():
        default = getattr(Settings, axis)
        default = ",".join(map(str, default)) if axis == "layers" else default
        parser.add_argument(f"--{axis.replace('_', '-')}", type=kind, nargs="+", default=[default])
    return parser.parse_args()


def combinations(options):
    for values in itertools.product(*(getattr(options, axis) for axis in AXES)):
        chosen = dict(zip(AXES, values))
        chosen["layers"] = tuple(int(layer) for layer in chosen["layers"].split(","))
        yield Settings(**chosen)


def main():
    options = parse()
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(options.directory / "tokenizer.json"))
    templates = json.loads((options.directory / "context_templates.json").read_text())
    records = json.loads((options.directory / "edits.json").read_text())[options.first : options.first + options.edits]
    texts = (options.directory / "texts.txt").read_text().splitlines()
    settings = list(combinations(options))
    model = load(options.directory)
    edited = sorted({layer for each in settings for layer in each.layers})
    moments, tokens = second_moments(model, tokenizer, texts, edited)
    for layer, moment in moments.items():
        values = torch.linalg.eigvalsh(moment)
        print(f"layer {layer}: {tokens} tokens, eigenvalues of C over its trace: smallest {values[0] / values.sum():.1e}, largest {values[-1] / values.sum():.2f}")
    before = metrics(model, tokenizer, records, options.neighbours)
    numbers = lambda m: " | ".join(f"{value:.1f}" for value in m.values())
    print(f"\n{len(records)} edits in batches of {options.batch}\n")
    print("| layers | rate | clamp | λ | α | decay | KL | efficacy | generalization | specificity | argmax | value loss, worst | largest loss / threshold | seconds |")
    print("| --- |" + " ---: |" * 13)
    print(f"| before | | | | | | | {numbers(before)} | | | |", flush=True)
    for each in settings:
        model = load(options.directory)
        editor = Editor(model, tokenizer, templates, each, moments)
        begun, losses, excess = time.time(), [], 0.0
        for start in range(0, len(records), options.batch):
            losses.append(editor.edit([record["requested_rewrite"] for record in records[start : start + options.batch]]))
            excess = max([excess] + [layer.loss / (each.alpha * layer.base_loss) for layer in editor.layers.values()])
        seconds = time.time() - begun
        losses = torch.cat(losses)
        after = metrics(model, tokenizer, records, options.neighbours)
        print(f"| {','.join(map(str, each.layers))} | {each.value_rate} | {each.clamp} | {each.preserve:g} | {each.alpha:g} | "
              f"{each.value_weight_decay:g} | {each.kl_factor:g} | {numbers(after)} | {losses.mean():.2f}, {losses.max():.2f} | {excess:.2f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
