import collections, random
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable

random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
text = (
    "the quick brown fox jumps over the lazy dog the fox is quick and the dog is lazy " * 6
).split()
counts = collections.Counter(text)
vocab = sorted(counts)
w2i = {w: i for i, w in enumerate(vocab)}
freq = np.array([counts[w] for w in vocab]) ** 0.75
weights = torch.from_numpy(freq / freq.sum())
pairs = [
    (w2i[text[i]], w2i[text[j]])
    for i in range(len(text))
    for j in range(max(0, i - 2), min(len(text), i + 3))
    if i != j
]


class SkipGram(nn.Module):
    def __init__(self, v, d):
        super().__init__()
        self.u = nn.Embedding(v, d, sparse=False)
        self.v = nn.Embedding(v, d, sparse=False)
        initrange = 1.0 / d
        nn.init.uniform_(self.u.weight.data, -initrange, initrange)
        nn.init.constant_(self.v.weight.data, 0)

    def forward(self, pu, pv, nv):
        eu, ev, en = self.u(pu), self.v(pv), self.v(nv)
        score = torch.clamp(torch.sum(torch.mul(eu, ev), dim=1), max=10, min=-10)
        score = -F.logsigmoid(score)
        neg = torch.bmm(en, eu.unsqueeze(2)).squeeze()
        neg = torch.clamp(neg, max=10, min=-10)
        neg = -torch.sum(F.logsigmoid(-neg), dim=1)
        return torch.mean(score + neg)


model = SkipGram(len(vocab), 16)
opt = optim.SGD(model.parameters(), lr=0.5)
sched = optim.lr_scheduler.LambdaLR(opt, lambda e: 0.9**e)
data = torch.tensor(pairs)
for epoch in range(4):
    perm = torch.randperm(len(data))
    total = 0.0
    for chunk in perm.split(64):
        b = data[chunk]
        neg = torch.multinomial(weights, len(b) * 5, replacement=True).view(len(b), 5)
        opt.zero_grad()
        loss = model(Variable(b[:, 0]), Variable(b[:, 1]), neg)
        loss.backward()
        opt.step()
        total += loss.item() * len(b)
    sched.step()
    print("epoch", epoch, "loss", total / len(data), "lr", sched.get_last_lr()[0])
e = F.normalize(model.u.weight.detach(), dim=1)
sim = e @ e.t()
print(sim.topk(3, dim=1)[0].sum().item())
CONTEXT_SIZE, EMBEDDING_DIM = 2, 10
trigrams = [
    ([text[i - j - 1] for j in range(CONTEXT_SIZE)], text[i]) for i in range(CONTEXT_SIZE, 30)
]


class NGram(nn.Module):
    def __init__(self, vocab_size, embedding_dim, context_size):
        super().__init__()
        self.embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.linear1 = nn.Linear(context_size * embedding_dim, 32)
        self.linear2 = nn.Linear(32, vocab_size)

    def forward(self, inputs):
        embeds = self.embeddings(inputs).view((1, -1))
        return F.log_softmax(self.linear2(F.relu(self.linear1(embeds))), dim=1)


losses = []
model = NGram(len(vocab), EMBEDDING_DIM, CONTEXT_SIZE)
optimizer = optim.SGD(model.parameters(), lr=0.01)
for epoch in range(3):
    total_loss = 0
    for context, target in trigrams:
        context_idxs = torch.tensor([w2i[w] for w in context], dtype=torch.long)
        model.zero_grad()
        loss = nn.NLLLoss()(model(context_idxs), torch.tensor([w2i[target]], dtype=torch.long))
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
    losses.append(total_loss)
print(losses)
bag = nn.EmbeddingBag(len(vocab), 8, mode="mean")
print(bag(torch.arange(6), torch.tensor([0, 2, 5])).sum().item())
