"""The published LyapLock procedure on the atlas, for sweeps: values, keys, updates in the dual form, queue and metrics.

All facts of a batch are optimised together, and only the tokens from the subject's last one on are run again in each step;
the numbers are those of the one-at-a-time procedure up to rounding. Batches are stateless but for `Layer`.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from model import attention_bias
from scoring import Scorer


@dataclass(frozen=True)
class Settings:
    layers: tuple = (1, 2)
    value_rate: float = 0.5
    clamp: float = 2.0  # of the norm of the state, for the norm of a value's change
    value_steps: int = 25
    value_weight_decay: float = 0.5
    kl_factor: float = 0.0625
    preserve: float = 1.0  # lambda, mom2_update_weight
    alpha: float = 60.0


class Rows:
    """Right-padded token rows, each with the place of its subject's last token."""

    def __init__(self, encoded):
        self.lengths = torch.tensor([len(ids) for ids, _ in encoded])
        self.lookups = torch.tensor([lookup for _, lookup in encoded])
        self.ids = torch.zeros(len(encoded), int(self.lengths.max()), dtype=torch.long)
        for row, (ids, _) in zip(self.ids, encoded):
            row[: len(ids)] = torch.tensor(ids)

    def at_lookup(self, x):
        return x[torch.arange(len(x)), self.lookups]


def template_weights(templates):
    """[(template, weight)] of the key's mean: a half for each of the two groups, shared evenly within it."""
    return [(template, 1 / len(templates) / len(group)) for group in templates for template in group]


def encode_filled(tokenizer, prompt, subject):
    """Token ids of a prompt with its subject, and the index of the subject's last token."""
    before, _ = prompt.split("{}")
    return tokenizer.encode(prompt.format(subject)).ids, len(tokenizer.encode(before + subject).ids) - 1


class Suffixes:
    """What the layers above the value layer need of every row: states, and keys and values before the lookup."""

    def __init__(self, model, rows, layer):
        count, tokens = rows.ids.shape
        rotation = model.rotation(torch.arange(tokens)[None])
        bias = attention_bias(torch.ones(1, 1, tokens, tokens, dtype=torch.bool).tril())
        x = model.states(rows.ids, layer + 1)
        before = torch.arange(tokens)[None] < rows.lookups[:, None]
        width = int((rows.lengths - rows.lookups).max())
        places = (rows.lookups[:, None] + torch.arange(width)).clamp(max=tokens - 1)
        self.states = x[torch.arange(count)[:, None], places]
        self.positions = rows.lookups[:, None] + torch.arange(width)
        seen = torch.cat((before[:, None].expand(-1, width, -1), torch.ones(width, width, dtype=torch.bool).tril().expand(count, -1, -1)), -1)
        self.bias = attention_bias(seen)[:, None]
        self.past = []
        for block in model.blocks[layer + 1 :]:
            attended, present = block.attend(x, rotation, bias)
            self.past.append(present)
            x = attended + block.mlp(block.post_attention_layernorm(attended))

    def run(self, model, layer, delta, chosen):
        """Final states [rows, suffix, width] of the chosen rows with delta [rows, width] added at the lookup."""
        x = self.states[chosen]
        x = torch.cat((x[:, :1] + delta[:, None], x[:, 1:]), dim=1)
        rotation, bias = model.rotation(self.positions[chosen]), self.bias[chosen]
        for block, (k, v) in zip(model.blocks[layer + 1 :], self.past):
            x = block(x, rotation, bias, (k[chosen], v[chosen]))
        return x


def target_values(model, tokenizer, requests, templates, settings):
    """z [facts, width] of every request, and the last loss of each."""
    layer = settings.layers[-1]
    weighted = template_weights(templates)
    rewriting, essence, wanted = [], [], []
    for request in requests:
        target = tokenizer.encode(" " + request["target_new"]["str"]).ids
        for template, _ in weighted:
            ids, lookup = encode_filled(tokenizer, template.format(request["prompt"]), request["subject"])
            wanted.append((len(ids) - 1 - lookup, target))
            rewriting.append((ids + target[:-1], lookup))
        essence.append(encode_filled(tokenizer, "{} is a", request["subject"]))
    essence = [(ids[: lookup + 1], lookup) for ids, lookup in essence]
    count, contexts = len(requests), len(weighted)
    rows, essence_rows = Rows(rewriting), Rows(essence)
    suffixes, essence_suffixes = Suffixes(model, rows, layer), Suffixes(model, essence_rows, layer)

    # Where each target token is predicted, in the suffix of its row; -100 where a row has fewer target tokens than another.
    longest = max(len(target) for _, target in wanted)
    places, labels = torch.zeros(len(wanted), longest, dtype=torch.long), torch.full((len(wanted), longest), -100)
    for row, (start, target) in enumerate(wanted):
        places[row, : len(target)] = start + torch.arange(len(target))
        labels[row, : len(target)] = torch.tensor(target)

    h0 = rows.at_lookup(model.states(rows.ids, layer + 1))[::contexts]
    norms = h0.norm(dim=1)
    delta = torch.zeros_like(h0)
    moment, square = torch.zeros_like(h0), torch.zeros_like(h0)
    active = torch.arange(count)
    before = essence_suffixes.run(model, layer, delta, active)[:, 0]
    before = model.head(before).log_softmax(-1)
    losses = torch.zeros(count)
    for step in range(settings.value_steps):
        leaf = delta[active].requires_grad_(True)
        chosen = (active[:, None] * contexts + torch.arange(contexts)).view(-1)
        x = suffixes.run(model, layer, leaf.repeat_interleave(contexts, 0), chosen)
        x = x.gather(1, places[chosen][..., None].expand(-1, -1, x.shape[-1]))
        scored = labels[chosen] >= 0
        loss = F.cross_entropy(model.head(x[scored]), labels[chosen][scored], reduction="none")
        nll = torch.zeros(scored.shape).masked_scatter(scored, loss).sum(1) / scored.sum(1)
        nll = nll.view(-1, contexts).mean(1)
        after = model.head(essence_suffixes.run(model, layer, leaf, active)[:, 0]).log_softmax(-1)
        kl = settings.kl_factor * (after.exp() * (after - before[active])).sum(1)
        # The square root's gradient at zero is taken as zero.
        size = leaf.square().sum(1)
        size = torch.where(size > 0, size, torch.ones(())).sqrt() * (size > 0)
        total = nll + kl + settings.value_weight_decay * size / norms[active].square()
        losses[active] = total.detach()
        if step == settings.value_steps - 1:
            break
        (gradient,) = torch.autograd.grad(total.sum(), leaf)
        going = total.detach() >= 0.05
        active, gradient = active[going], gradient[going]
        if not len(active):
            break
        moment[active] = 0.9 * moment[active] + 0.1 * gradient
        square[active] = 0.999 * square[active] + 0.001 * gradient.square()
        corrected = moment[active] / (1 - 0.9 ** (step + 1))
        scale = (square[active] / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
        changed = delta[active] - settings.value_rate * corrected / scale
        shrink = (settings.clamp * norms[active] / changed.norm(dim=1)).clamp(max=1.0)
        delta[active] = changed * shrink[:, None]
    return h0 + delta, losses


def second_moments(model, tokenizer, texts, layers):
    """C [hidden, hidden] in float64 of each layer: the mean of k kᵀ over every token of the texts."""
    encoded = sorted((tokenizer.encode(text).ids for text in texts), key=len)
    sums = {layer: torch.zeros(model.shape.hidden, model.shape.hidden, dtype=torch.float64) for layer in layers}
    tokens = 0
    for start in range(0, len(encoded), 256):
        chunk = encoded[start : start + 256]
        rows = Rows([(ids, 0) for ids in chunk])
        real = torch.arange(rows.ids.shape[1])[None] < rows.lengths[:, None]
        tokens += int(real.sum())
        for layer, keys in keys_of(model, rows.ids, layers).items():
            k = keys[real].double()
            sums[layer] += k.T @ k
    return {layer: total / tokens for layer, total in sums.items()}, tokens


def keys_of(model, ids, layers):
    """The down-projection's input [rows, tokens, hidden] at each of the layers."""
    rotation = model.rotation(torch.arange(ids.shape[1])[None])
    bias = attention_bias(torch.ones(1, 1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril())
    x, keys = model.embed(ids), {}
    for index, block in enumerate(model.blocks[: max(layers) + 1]):
        attended, _ = block.attend(x, rotation, bias)
        k = block.keys(attended)
        if index in layers:
            keys[index] = k
        x = attended + block.mlp.down_proj(k)
    return keys


class Layer:
    """The state of one edited layer: drift, ledger of keys and values, queue. Keys and values are columns, in float64."""

    def __init__(self, weight, moment):
        self.weight, self.original = weight, weight.detach().clone()
        self.factor = torch.linalg.cholesky(moment)
        self.keys = torch.zeros(moment.shape[0], 0, dtype=torch.float64)
        self.solved = self.keys  # C⁻¹ keys
        self.values = torch.zeros(weight.shape[0], 0, dtype=torch.float64)
        self.drift = torch.zeros(weight.shape, dtype=torch.float64)
        self.base_loss, self.queue, self.loss = None, 1.0, 0.0

    def update(self, keys, residual, settings):
        keys, residual = keys.double(), residual.double()
        weight = settings.preserve * self.queue
        values = torch.cat((self.values, self.drift @ keys + residual), dim=1)
        self.keys = torch.cat((self.keys, keys), dim=1)
        self.solved = torch.cat((self.solved, torch.cholesky_solve(keys, self.factor)), dim=1)
        gram = self.keys.T @ self.solved
        q = torch.linalg.solve(gram + weight * torch.eye(len(gram), dtype=torch.float64), values, left=False)
        self.drift = q @ self.solved.T
        reached = self.drift @ keys
        self.values = torch.cat((self.values, reached), dim=1)
        self.loss = float((q * values).sum() - weight * (q * q).sum())
        if self.base_loss is None:
            self.base_loss = self.loss
        self.queue = max(self.queue + self.loss / (settings.alpha * self.base_loss) - 1, 1.0)
        self.weight.copy_(self.original + self.drift.float())


class Editor:
    def __init__(self, model, tokenizer, templates, settings, moments):
        self.model, self.tokenizer, self.templates, self.settings = model, tokenizer, templates, settings
        self.layers = {l: Layer(model.blocks[l].mlp.down_proj.weight, moments[l]) for l in settings.layers}

    def edit(self, requests):
        """Edits the model with one batch; returns the last loss of every value."""
        model, settings = self.model, self.settings
        z, losses = target_values(model, self.tokenizer, requests, self.templates, settings)
        with torch.no_grad():
            weighted = template_weights(self.templates)
            encoded = []
            for request in requests:
                for template, _ in weighted:
                    ids, lookup = encode_filled(self.tokenizer, template.format(request["prompt"]), request["subject"])
                    encoded.append((ids[: lookup + 1], lookup))
            rows, bare = Rows(encoded), Rows(encoded[:: len(weighted)])
            mean = torch.tensor([weight for _, weight in weighted])
            for index, (l, layer) in enumerate(self.layers.items()):
                keys = rows.at_lookup(keys_of(model, rows.ids, [l])[l])
                keys = (keys.view(len(requests), len(weighted), -1) * mean[:, None]).sum(1)
                h = bare.at_lookup(model.states(bare.ids, settings.layers[-1] + 1))
                layer.update(keys.T, ((z - h) / (len(self.layers) - index)).T, settings)
        return losses


def metrics(model, tokenizer, records, neighbours=10):
    """Efficacy, generalization and specificity in percent, and the share of rewrites that are the argmax."""
    pairs, owners = [], []
    for number, record in enumerate(records):
        rewrite = record["requested_rewrite"]
        kinds = {
            "efficacy": [rewrite["prompt"].format(rewrite["subject"])],
            "generalization": record["paraphrase_prompts"],
            "specificity": record["neighborhood_prompts"][:neighbours],
        }
        for kind, prompts in kinds.items():
            for prompt in prompts:
                for target in ("target_new", "target_true"):
                    pairs.append((prompt, rewrite[target]["str"]))
                owners.append((number, kind, len(prompts)))
    unique = list(dict.fromkeys(pairs))
    losses, right = Scorer(model, tokenizer).score(unique)
    scored = dict(zip(unique, zip(losses, right)))
    result = {"efficacy": 0.0, "generalization": 0.0, "specificity": 0.0, "accuracy": 0.0}
    for index, (_, kind, size) in enumerate(owners):
        (new, hit), (true, _) = scored[pairs[2 * index]], scored[pairs[2 * index + 1]]
        result[kind] += 100 * (true < new if kind == "specificity" else true > new) / size / len(records)
        if kind == "efficacy":
            result["accuracy"] += 100 * hit / len(records)
    return result
