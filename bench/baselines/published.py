"""The published algebra of one layer in PyTorch, float64, with its parts timed apart; published.mjs speaks to it.

A request is a line of JSON on stdin, its answer one on stdout. Matrices travel through files of raw float64, row-major, with
facts as rows; below they are columns, as in the paper. LyapLock, section 3; reference, section 9.
"""

import json
import sys
import time

import torch


def read(path, rows, cols):
    return torch.from_file(path, size=rows * cols, dtype=torch.float64).view(rows, cols).clone()


class Stopwatch:
    def __init__(self):
        self.seconds = {}
        self.last = time.perf_counter()

    def lap(self, part):
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0) + now - self.last
        self.last = now


class Layer:
    def begin(self, d, m, covariance, weight, threads):
        torch.set_num_threads(threads)
        self.d, self.m = d, m
        self.C = read(covariance, d, d)
        self.W0 = read(weight, m, d)
        # The published code reads W0 C and tr(W0 C W0^T) from files.
        self.W0C = self.W0 @ self.C
        self.constant = (self.W0C @ self.W0.T).trace()
        small = torch.eye(256, dtype=torch.float64)
        torch.linalg.solve(small, small)  # what the library sets up with its first call is no part of a batch
        self.reset()
        return {"torch": torch.__version__, "threads": torch.get_num_threads()}

    def reset(self):
        self.W = self.W0.clone()
        self.S = torch.zeros(self.d, self.d, dtype=torch.float64)
        self.M = torch.zeros(self.m, self.d, dtype=torch.float64)
        return {}

    def keep(self):
        self.kept = [matrix.clone() for matrix in (self.W, self.S, self.M)]
        return {}

    def recall(self):
        for matrix, kept in zip((self.W, self.S, self.M), self.kept, strict=True):
            matrix.copy_(kept)
        return {}

    def update(self, keys, residuals, facts, weight):
        K = read(keys, facts, self.d).T
        R = read(residuals, facts, self.m).T
        watch = Stopwatch()
        A = K @ K.T + self.S + weight * self.C
        left = R @ K.T + weight * (self.W0C - self.W @ self.C) + (self.M - self.W @ self.S)
        identity = torch.eye(self.d, dtype=torch.float64)
        watch.lap("rest")
        inverse = torch.linalg.solve(A, identity)
        watch.lap("solve")
        change = left @ inverse
        watch.lap("update")
        self.W += change
        watch.lap("rest")
        loss = (self.C @ self.W.T @ self.W).trace() - 2 * (self.W0C @ self.W.T).trace() + self.constant
        watch.lap("loss")
        self.remember(K)
        watch.lap("rest")
        return {"seconds": watch.seconds, "preservationLoss": loss.item()}

    def follow(self, keys, facts, drift):
        """Takes in a batch that was solved elsewhere and left the weight at W0 + drift."""
        self.W = self.W0 + read(drift, self.m, self.d)
        self.remember(read(keys, facts, self.d).T)
        return {}

    def compare(self, drift):
        ours = read(drift, self.m, self.d)
        theirs = self.W - self.W0
        return {"difference": (torch.linalg.norm(ours - theirs) / torch.linalg.norm(theirs)).item()}

    def remember(self, K):
        self.M += (self.W @ K) @ K.T
        self.S += K @ K.T


layer = Layer()
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(getattr(layer, request.pop("do"))(**request)), flush=True)
