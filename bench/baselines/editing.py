"""The published editing procedure in PyTorch and transformers, on the CPU, with its parts timed apart; editing.mjs speaks to it.

A request is a line of JSON on stdin, its answer one on stdout. Matrices travel through files of raw values, row-major, with
facts as rows; below they are columns, as in the paper. Models are in float32, updates in float64. Sections are those of the
reference: work is done in its order and at its places, the wasteful ones too.
"""

import json
import math
import sys
import time
from contextlib import contextmanager

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.pytorch_utils import Conv1D

PROMPTS_AT_ONCE = 128  # section 7
STOP_LOSS = 0.05  # section 6
IGNORED = -100  # a label that is none


def write(path, matrix):
    matrix.detach().contiguous().numpy().tofile(path)


def read(path, dtype, *shape):
    return torch.from_file(path, size=math.prod(shape), dtype=dtype).view(*shape).clone()


@contextmanager
def hooked(module, hook):
    """`hook(input, output)` at every call of the module; what it returns, if anything, is the output instead."""
    handle = module.register_forward_hook(lambda _, inputs, output: hook(inputs[0], output))
    try:
        yield
    finally:
        handle.remove()


def hidden(output):
    """A block returns its hidden states, or, by the version of transformers, a tuple that begins with them."""
    return output[0] if isinstance(output, tuple) else output


class Prompts:
    """Texts and tokens (section 3)."""

    def __init__(self, directory, templates):
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.tokenizer.padding_side = "right"
        self.tokenizer.pad_token = self.tokenizer.eos_token
        self.groups = templates

    def encode(self, text):
        return self.tokenizer(text)["input_ids"]

    def padded(self, texts):
        batch = self.tokenizer(texts, padding=True, return_tensors="pt")
        return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}

    def target(self, text):
        ids = self.encode(text if text.startswith(" ") else " " + text)
        return ids[1:] if ids[0] in (self.tokenizer.bos_token_id, self.tokenizer.unk_token_id) else ids

    def lookup(self, template, subject):
        """Where the subject's last token is."""
        prefix, _ = template.split("{}")
        return len(self.encode(prefix + subject)) - 1

    def in_contexts(self, fact):
        """The fact's prompt in every context, with a place for the subject; the first is the prompt itself."""
        return [context.replace("{}", fact["prompt"]) for group in self.groups for context in group]

    def mean_over_groups(self, rows):
        """A row per fact from one for each of its contexts: the mean of the groups' means (section 7)."""
        sizes = [len(group) for group in self.groups]
        of_fact = rows.view(-1, sum(sizes), rows.shape[1]).split(sizes, dim=1)
        return torch.stack([group.mean(1) for group in of_fact]).mean(0)


class Layer:
    """One edited matrix, and what LyapLock remembers of it (section 9); float64, weights are [m, d]."""

    def __init__(self, module, C):
        self.module, self.C = module, C
        self.transposed = isinstance(module, Conv1D)
        self.original = module.weight.detach().clone()
        self.W0 = self.weight()
        # The published code reads W0 C and tr(W0 C W0^T) from files (section 5).
        self.W0C = self.W0 @ C
        self.constant = (self.W0C @ self.W0.T).trace()
        self.reset()

    def reset(self):
        self.module.weight.data.copy_(self.original)
        self.S = torch.zeros_like(self.C)
        self.M = torch.zeros_like(self.W0)
        self.queue, self.base_loss = 1.0, None

    def weight(self):
        W = self.module.weight.detach().double()
        return W.T if self.transposed else W

    def update(self, K, R, weight, alpha):
        """One batch. In the first one, the sums are zero and the queue is 1."""
        W, mu = self.weight(), weight * self.queue
        A = K @ K.T + self.S + mu * self.C
        left = R @ K.T + (self.M - W @ self.S) + mu * (self.W0C - W @ self.C)
        change = left @ torch.linalg.solve(A, torch.eye(len(A), dtype=torch.float64))
        self.module.weight.data += (change.T if self.transposed else change).float()
        W = self.weight()
        loss = (self.C @ W.T @ W).trace() - 2 * (self.W0C @ W.T).trace() + self.constant
        if self.base_loss is None:
            self.base_loss = loss
        self.queue = max(self.queue + (loss / (alpha * self.base_loss)).item() - 1, 1.0)
        self.M += (W @ K) @ K.T
        self.S += K @ K.T
        return loss.item()


class Editing:
    def begin(self, model, templates, hparams, facts, alpha, moments, threads):
        """`hparams` as in the published JSON files; `moments`: a file of C [d, d], float64, for every layer."""
        torch.set_num_threads(threads)
        transformers.utils.logging.disable_progress_bar()
        self.prompts = Prompts(model, templates)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self.model.requires_grad_(False)
        self.hparams, self.facts, self.alpha = hparams, facts, alpha
        self.norm = self.model.get_submodule(hparams["ln_f_module"])
        self.head = self.model.get_submodule(hparams["lm_head_module"])
        self.layers = {}
        for layer, file in zip(hparams["layers"], moments, strict=True):
            module = self.down_projection(layer)
            d = module.weight.shape[0 if isinstance(module, Conv1D) else 1]
            self.layers[layer] = Layer(module, read(file, torch.float64, d, d))
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "threads": torch.get_num_threads(),
        }

    def block(self, layer):
        return self.model.get_submodule(self.hparams["layer_module_tmp"].format(layer))

    def down_projection(self, layer):
        return self.model.get_submodule(self.hparams["rewrite_module_tmp"].format(layer))

    def run(self, batch):
        """Logits at every position of a padded batch."""
        return self.model(**batch, use_cache=False).logits

    # Section 6

    def value(self, fact):
        """Optimises the value of one fact, given by its number."""
        begun = time.perf_counter()
        fact, hparams = self.facts[fact], self.hparams
        target = self.prompts.target(fact["target_new"])
        read_target = self.prompts.tokenizer.decode(target[:-1])
        rewriting = [prompt + read_target for prompt in self.prompts.in_contexts(fact)]
        templates = [*rewriting, "{} is a"]
        batch = self.prompts.padded([template.replace("{}", fact["subject"]) for template in templates])
        lookups = torch.tensor([self.prompts.lookup(template, fact["subject"]) for template in templates])
        rows = torch.arange(len(templates))
        labels = self.labels(batch["attention_mask"][: len(rewriting)], target)

        optimised = hparams["layers"][-1]
        loss_block = self.block(max(hparams["v_loss_layer"], optimised))
        delta = torch.zeros(self.model.config.hidden_size, requires_grad=True)
        adam = torch.optim.Adam([delta], lr=hparams["v_lr"])
        seen = {}

        def add_delta(_, output):
            states = hidden(output)
            seen.setdefault("initial", states[0, lookups[0]].detach().clone())
            states[rows, lookups] += delta
            return output

        def keep_output(_, output):
            seen["output"] = hidden(output)

        losses = []
        for iteration in range(hparams["v_num_grad_steps"]):
            adam.zero_grad()
            with hooked(self.block(optimised), add_delta), hooked(loss_block, keep_output):
                logits = self.run(batch)
            # The head works twice: in the model, for the KL divergence, and on the output of the loss layer.
            now = logits[-1, lookups[-1]].log_softmax(0)
            before = seen.setdefault("distribution", now.detach().clone())
            log_p = self.head(self.norm(seen["output"][: len(rewriting)])).log_softmax(2)
            likelihood = self.negative_log_likelihood(log_p, labels, len(target))
            # Sum of p_now (log p_now - log p_before).
            divergence = hparams["kl_factor"] * torch.nn.functional.kl_div(before, now, reduction="sum", log_target=True)
            decay = hparams["v_weight_decay"] * (delta.norm() / seen["initial"].norm() ** 2)
            loss = likelihood + divergence + decay
            losses.append(loss.item())
            if losses[-1] < STOP_LOSS or iteration + 1 == hparams["v_num_grad_steps"]:
                break
            loss.backward()
            adam.step()
            limit = hparams["clamp_norm_factor"] * seen["initial"].norm()
            if delta.norm() > limit:
                with torch.no_grad():
                    delta *= limit / delta.norm()

        value = seen["initial"] + delta.detach()
        return {
            "seconds": time.perf_counter() - begun,
            "value": value.tolist(),
            "losses": losses,
            "iterations": len(losses),
        }

    @staticmethod
    def labels(mask, target):
        """The target's tokens at the last positions of every row: the text lacks the last one, so nothing is shifted."""
        labels = torch.full_like(mask, IGNORED)
        for row, length in enumerate(mask.sum(1).tolist()):
            labels[row, length - len(target) : length] = torch.tensor(target)
        return labels

    @staticmethod
    def negative_log_likelihood(log_p, labels, length):
        wanted = labels != IGNORED
        of_labels = log_p.gather(2, labels.where(wanted, 0).unsqueeze(2)).squeeze(2)
        return (-(of_labels * wanted).sum(1) / length).mean()

    # Sections 7 and 8

    def states_at_subjects(self, module, templates, subjects, of):
        """`of(input, output)` of a module at the subjects' last tokens, a row per prompt: whole prompts through the whole
        model."""
        lookups = [self.prompts.lookup(template, subject) for template, subject in zip(templates, subjects, strict=True)]
        texts = [template.replace("{}", subject) for template, subject in zip(templates, subjects, strict=True)]
        found = []
        for begin in range(0, len(texts), PROMPTS_AT_ONCE):
            part = slice(begin, begin + PROMPTS_AT_ONCE)
            at = torch.tensor(lookups[part])

            def take(inputs, output, at=at):
                found.append(of(inputs, output)[torch.arange(len(at)), at].clone())

            with torch.no_grad(), hooked(module, take):
                self.run(self.prompts.padded(texts[part]))
        return torch.cat(found)

    def keys(self, layer):
        """[u, d]"""
        templates, subjects = [], []
        for fact in self.facts:
            of_fact = self.prompts.in_contexts(fact)
            templates += of_fact
            subjects += [fact["subject"]] * len(of_fact)
        rows = self.states_at_subjects(self.down_projection(layer), templates, subjects, lambda inputs, _: inputs)
        return self.prompts.mean_over_groups(rows)

    def outputs(self, layer):
        """[u, m]"""
        templates = [fact["prompt"] for fact in self.facts]
        subjects = [fact["subject"] for fact in self.facts]
        return self.states_at_subjects(self.block(layer), templates, subjects, lambda _, output: hidden(output))

    def batch(self, values, update, into):
        """The layers one after the other, with values [u, m] of all facts; keys and residuals go to `into`. Without
        `update`, nothing is edited."""
        layers = self.hparams["layers"]
        Z = read(values, torch.float32, len(self.facts), self.model.config.hidden_size).T
        seconds, losses = {"keys": 0.0, "updates": 0.0}, []
        for done, layer in enumerate(layers):
            begun = time.perf_counter()
            K = self.keys(layer).T.double()
            R = (Z - self.outputs(layers[-1]).T).double() / (len(layers) - done)
            seconds["keys"] += time.perf_counter() - begun
            write(f"{into}.{layer}.keys", K.T)
            write(f"{into}.{layer}.residuals", R.T)
            if not update:
                continue
            begun = time.perf_counter()
            losses.append(self.layers[layer].update(K, R, self.hparams["mom2_update_weight"], self.alpha))
            seconds["updates"] += time.perf_counter() - begun
        return {
            "seconds": seconds,
            "preservationLosses": losses,
            "queues": [layer.queue for layer in self.layers.values()],
        }

    def weights(self, into):
        """Weights [m, d] as they are, float32."""
        for layer, edited in self.layers.items():
            write(f"{into}.{layer}.weight", edited.weight().float())
        return {}

    def choose(self, facts):
        """Goes on with other facts."""
        self.facts = facts
        return {}

    def reset(self):
        for layer in self.layers.values():
            layer.reset()
        return {}

    # Section 12.1

    @torch.no_grad()
    def scores(self):
        """Mean of -log p per token of either target after the prompt of every fact."""
        scores = []
        for fact in self.facts:
            prompt = fact["prompt"].replace("{}", fact["subject"])
            targets = {name: self.prompts.target(fact[name]) for name in ("target_new", "target_true")}
            texts = [f"{prompt} {fact[name].lstrip()}" for name in targets]
            log_p = self.run(self.prompts.padded(texts)).log_softmax(2)
            first = len(self.prompts.encode(prompt)) - 1
            score = {}
            for row, (name, target) in enumerate(targets.items()):
                positions = torch.arange(first, first + len(target))
                score[name] = -log_p[row, positions, torch.tensor(target)].mean().item()
            scores.append(score)
        return {"scores": scores}

    # What any model does

    @torch.no_grad()
    def forward(self, tokens, rows, cols, into):
        """Logits at every token of sequences of one length."""
        ids = read(tokens, torch.int32, rows, cols).long()
        begun = time.perf_counter()
        logits = self.run({"input_ids": ids})
        seconds = time.perf_counter() - begun
        if into is not None:
            write(into, logits)
        return {"seconds": seconds}

    @torch.no_grad()
    def continuations(self, prompts, tokens):
        """The most probable next token, `tokens` times, with the logits between it and the next best; without a cache of keys
        and values, which could only differ."""
        answers = []
        for prompt in prompts:
            ids, margins = self.prompts.encode(prompt), []
            length = len(ids)
            for _ in range(tokens):
                best = self.run({"input_ids": torch.tensor([ids])})[0, -1].topk(2)
                margins.append((best.values[0] - best.values[1]).item())
                ids.append(best.indices[0].item())
            answers.append({"prompt": ids[:length], "tokens": ids[length:], "margins": margins})
        return {"continuations": answers}

    @torch.no_grad()
    def perplexity(self, text, tokens, window, into):
        """Of the first tokens of a file, in windows that do not overlap; the first token of each is not predicted."""
        with open(text, encoding="utf8") as file:
            ids = torch.tensor(self.prompts.encode(file.read())[:tokens])
        write(into, ids.int())
        total, count = 0.0, 0
        for part in ids.split(window):
            logits = self.run({"input_ids": part.unsqueeze(0)})[0, :-1]
            total += torch.nn.functional.cross_entropy(logits, part[1:], reduction="none").double().sum().item()
            count += len(part) - 1
        return {"perplexity": math.exp(total / count), "predicted": count}


editing = Editing()
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(getattr(editing, request.pop("do"))(**request)), flush=True)
