"""Scores of answers after prompts, by teacher forcing: what accuracy and the editing metrics are made of."""

import torch
from torch.nn import functional as F

ROWS_AT_ONCE = 1024


class Scorer:
    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.cache = {}

    def encode(self, text):
        if text not in self.cache:
            self.cache[text] = self.tokenizer.encode(text).ids
        return self.cache[text]

    @torch.no_grad()
    def score(self, pairs):
        """For pairs (prompt, answer): mean of -log p over the answer's tokens, and whether every one is the argmax."""
        order = sorted(range(len(pairs)), key=lambda i: len(self.encode(pairs[i][0])))  # rows of like length together
        losses, right = [0.0] * len(pairs), [False] * len(pairs)
        for start in range(0, len(order), ROWS_AT_ONCE):
            chosen = order[start : start + ROWS_AT_ONCE]
            prompts = [self.encode(pairs[i][0]) for i in chosen]
            answers = [self.encode(" " + pairs[i][1]) for i in chosen]
            rows = torch.zeros(len(chosen), max(len(p) + len(a) for p, a in zip(prompts, answers)) - 1, dtype=torch.long)
            for row, prompt, answer in zip(rows, prompts, answers):
                line = prompt + answer[:-1]
                row[: len(line)] = torch.tensor(line)
            at = [(r, len(p) - 1 + j) for r, (p, a) in enumerate(zip(prompts, answers)) for j in range(len(a))]
            row_of, place = torch.tensor(at).T
            logits = self.model.head(self.model.states(rows)[row_of, place])
            targets = torch.tensor([token for answer in answers for token in answer])
            loss = F.cross_entropy(logits, targets, reduction="none")
            hit = logits.argmax(-1) == targets
            token = 0
            for i, answer in zip(chosen, answers):
                losses[i] = loss[token : token + len(answer)].mean().item()
                right[i] = bool(hit[token : token + len(answer)].all())
                token += len(answer)
        return losses, right
