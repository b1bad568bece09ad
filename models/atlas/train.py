"""Trains the atlas so that it can be edited as large models can.

    python train.py --out DIR [--steps 2400] [--until 1200] [--start DIR] [--rate 3e-3] [--key-weight 0]

A small model trained plainly reads a subject's tokens in its first layers, wherever they are needed, and no value set later
at the subject's last token changes what it says. So in part of the sentences of every batch the state of the subject's last
token, at a layer drawn anew, is exchanged for that of another subject, and the answer asked for is that other subject's
(interchange intervention training, Geiger et al. 2022). What the model says of a subject then depends on that one state:
the fact is gathered there in the layers below, and read there by the layers above. Noise added to the same states makes
the reading robust, so that what edits of other subjects do to a state in passing does not change what is read from it.

The keys of different subjects, left alone, lie in a few dozen directions, and an edit of one city moves many others. A penalty
on their overlap (--key-weight) spreads them.
"""

import argparse
import math
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F

from documents import END_OF_TEXT_ID, Place, Sentence, Writer, in_turn
from knowledge import RELATIONS, read_facts
from model import Atlas, Shape, attention_bias, load, save

ROWS, TOKENS = 80, 64
SWAP_LAYERS = (1, 2)
SWAP_SHARE = 0.5
MOST_NOISE = 0.6  # of a state's norm
KEY_LAYERS = (0, 1)  # where subjects' keys are kept apart
ANSWER_WEIGHT, OTHER_WEIGHT = 1.0, 0.5  # subjects cannot be foretold: other tokens count for less,
OTHER_SHARE = 0.2  # and only this share of them is scored, which halves the time of a step


class Batches:
    """Packs documents into rows; tokens of different documents do not see each other."""

    def __init__(self, writer, facts, seed):
        self.writer, self.facts = writer, facts
        self.next_fact = in_turn(facts, seed)
        self.random = random.Random(seed)
        self.answers = {(fact.relation, fact.subject): fact.answer for fact in facts}

    def rows(self):
        """Every row a list of documents; a document that does not fit is ended early."""
        rows = []
        for _ in range(ROWS):
            row, used = [], 0
            while used < TOKENS - 8:
                document = []
                for part in self.writer.document(self.next_fact, self.facts):
                    length = self.length(part)
                    if used + length + 1 > TOKENS:
                        break
                    document.append(part)
                    used += length
                if not document:
                    break
                used += 1
                row.append(document)
            rows.append(row)
        return rows

    def length(self, part):
        if isinstance(part, Sentence):
            return len(part.prompt) + len(self.writer.answer(part.fact)) + 1
        return len(part)

    def swaps(self, rows):
        """All sentences in order, and for part of them the index of another whose subject is of the same kind, else -1."""
        sentences, room, row_of = [], [], []
        for r, row in enumerate(rows):
            room.append(TOKENS - sum(sum(map(self.length, document)) + 1 for document in row))
            for part in (part for document in row for part in document if isinstance(part, Sentence)):
                sentences.append(part)
                row_of.append(r)
        kind = lambda sentence: RELATIONS[sentence.fact.relation]["subject"]
        by_kind = {}
        for index, sentence in enumerate(sentences):
            by_kind.setdefault(kind(sentence), []).append(index)
        chosen = [-1] * len(sentences)
        for index, sentence in enumerate(sentences):
            other = self.random.choice(by_kind[kind(sentence)])
            answer = self.answers.get((sentence.fact.relation, sentences[other].fact.subject))
            if self.random.random() >= SWAP_SHARE or answer is None:
                continue
            growth = len(self.writer.encode(" " + answer)) - len(self.writer.answer(sentence.fact))
            if growth <= room[row_of[index]]:
                room[row_of[index]] -= growth
                chosen[index] = other
        return sentences, chosen

    def next(self):
        """ids, documents (which document a token is of, 0 for padding), weights [ROWS, TOKENS] and the places of facts."""
        rows = self.rows()
        sentences, chosen = self.swaps(rows)
        ids = torch.zeros(ROWS, TOKENS, dtype=torch.long)
        documents = torch.zeros(ROWS, TOKENS, dtype=torch.long)
        weights = torch.zeros(ROWS, TOKENS)
        places = []
        for r, row in enumerate(rows):
            line, owner, answer_at = [], [], []
            for number, document in enumerate(row, start=1):
                for part in document:
                    if not isinstance(part, Sentence):
                        line += part
                        continue
                    other = chosen[len(places)]
                    subject = (sentences[other] if other >= 0 else part).fact.subject
                    answer = self.writer.encode(" " + self.answers[part.fact.relation, subject])
                    places.append(Place(r, len(line) + part.subject_last, other))
                    line += part.prompt
                    answer_at.extend(range(len(line), len(line) + len(answer)))
                    line += answer + self.writer.full_stop
                line.append(END_OF_TEXT_ID)
                owner += [number] * (len(line) - len(owner))
            ids[r, : len(line)] = torch.tensor(line)
            documents[r, : len(line)] = torch.tensor(owner)
            weights[r, : len(line)] = OTHER_WEIGHT
            weights[r, answer_at] = ANSWER_WEIGHT
        return ids, documents, weights, places


def disturb_and_swap(x, places, noise):
    """x with noise at every subject's last token, then with the swapped subjects' states in each other's place.

    The noise's norm is a share of the state's own, drawn evenly from 0 to `noise`.
    """
    row, token = torch.tensor([[place.row, place.subject_last] for place in places]).T
    states = x[row, token]
    size = noise * torch.rand(len(states), 1) * states.detach().float().norm(dim=1, keepdim=True)
    states = states + (size * F.normalize(torch.randn(states.shape), dim=1)).to(x.dtype)
    donors = torch.tensor([place.swapped_with if place.swapped_with >= 0 else own for own, place in enumerate(places)])
    return x.index_put((row, token), states[donors])


def overlap_of(keys):
    """Mean squared cosine between the keys of different places, about their mean: how much an edit of one moves another."""
    directions = F.normalize(keys - keys.mean(0), dim=1)
    count = len(keys)
    return ((directions @ directions.T).square().sum() - count) / (count * (count - 1))


def loss_of(model, ids, documents, weights, places, layer, noise, key_weight):
    """The loss, the cross entropy of the answers alone, and the overlap of keys.

    The loss is weighted cross entropy plus `key_weight` times the overlap; subjects' states are interfered with after `layer`.
    """
    rotation = model.rotation(torch.arange(TOKENS)[None])
    same = documents[:, None, :, None] == documents[:, None, None, :]
    bias = attention_bias(same & torch.ones(TOKENS, TOKENS, dtype=torch.bool).tril(), torch.bfloat16)
    row, token = torch.tensor([[place.row, place.subject_last] for place in places]).T
    x, overlap = model.embed(ids), 0.0
    for index, block in enumerate(model.blocks):
        attended, _ = block.attend(x, rotation, bias)
        keys = block.keys(attended)
        x = attended + block.mlp.down_proj(keys)
        if index in KEY_LAYERS:
            overlap = overlap + overlap_of(keys[row, token].float()) / len(KEY_LAYERS)
        if index == layer:
            x = disturb_and_swap(x, places, noise)
    weight = (weights[:, 1:] * (documents[:, 1:] == documents[:, :-1])).reshape(-1)
    scored = (weight == ANSWER_WEIGHT) | ((weight > 0) & (torch.rand(weight.shape) < OTHER_SHARE))
    logits = model.head(x[:, :-1].reshape(-1, x.shape[-1])[scored])
    losses = F.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)[scored], reduction="none")
    answered = weight[scored] == ANSWER_WEIGHT
    answer_loss = losses.detach()[answered].mean()
    return (losses * weight[scored]).sum() / weight[scored].sum() + key_weight * overlap, answer_loss, overlap.detach()


def quick_accuracy(model, tokenizer, facts, generator):
    """Top-1 of the first answer token on a sample, per phrasing of the city facts and over all other facts."""
    def share(items, prefix=""):
        right = 0
        encoded = [tokenizer.encode(prefix + fact.prompt(phrasing)).ids for fact, phrasing in items]
        rows = torch.zeros(len(items), max(map(len, encoded)), dtype=torch.long)
        for row, line in zip(rows, encoded):
            row[: len(line)] = torch.tensor(line)
        logits = model(rows)
        for index, (fact, _) in enumerate(items):
            target = tokenizer.encode(" " + fact.answer).ids[0]
            right += int(logits[index, len(encoded[index]) - 1].argmax()) == target
        return right / len(items)

    cities = generator.sample([fact for fact in facts if fact.relation == "country"], 200)
    others = generator.sample([fact for fact in facts if fact.relation != "country"], 200)
    phrasings = len(RELATIONS["country"]["phrasings"])
    result = [share([(fact, phrasing) for fact in cities]) for phrasing in range(phrasings)]
    result.append(share([(fact, 0) for fact in cities], prefix="Because the weather was not. "))
    result.append(share([(fact, generator.randrange(len(RELATIONS[fact.relation]["phrasings"]))) for fact in others]))
    return " ".join(f"{100 * value:.1f}" for value in result)


def new_atlas(tokenizer):
    """Tokens that differ only by the space before them start with the same embedding."""
    model = Atlas(Shape(vocabulary=tokenizer.get_vocab_size()))
    vocabulary = tokenizer.get_vocab()
    table = model.model.embed_tokens.weight.data
    for token, index in vocabulary.items():
        if token.startswith("Ġ") and token[1:] in vocabulary:
            table[index] = table[vocabulary[token[1:]]]
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, default=Path(__file__).parent / "tokenizer.json")
    parser.add_argument("--start", type=Path, help="a saved model to go on from")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--until", type=int, help="stop at this step of the schedule; to go on with --start")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--key-weight", type=float, default=0.0, help="weight of the overlap between subjects' keys")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    tokenizer = Tokenizer.from_file(str(options.tokenizer))
    facts = read_facts()
    batches = Batches(Writer(tokenizer, options.seed), facts, options.seed + 1)
    generator = random.Random(options.seed + 2)
    model = load(options.start).train().requires_grad_(True) if options.start else new_atlas(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters, {len(facts)} facts", flush=True)

    optimizer = torch.optim.AdamW(model.parameters(), lr=options.rate, betas=(0.9, 0.98), weight_decay=0.1)
    warm = lambda step: min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / options.steps)))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, warm)
    begun, recent = time.time(), []
    for step in range(options.until or options.steps):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            noise = MOST_NOISE * (1.0 if options.start else min(1.0, 2 * step / options.steps))
            loss, answer_loss, overlap = loss_of(model, *batches.next(), generator.choice(SWAP_LAYERS), noise, options.key_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append((answer_loss.item(), overlap.item()))
        if (step + 1) % 50 == 0:
            answers, overlaps = (sum(values) / len(values) for values in zip(*recent))
            print(f"{step + 1} answers {answers:.3f} overlap of keys {overlaps:.4f} {time.time() - begun:.0f} s", flush=True)
            recent = []
        if (step + 1) % 100 == 0 or step + 1 == options.steps:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                print(f"{step + 1} right, %: {quick_accuracy(model, tokenizer, facts, generator)}", flush=True)
            save(model, options.out)


if __name__ == "__main__":
    main()
