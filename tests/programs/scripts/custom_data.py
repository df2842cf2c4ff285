import os, random, numpy as np, torch, pandas as pd
from torch.utils.data import (
    Dataset,
    DataLoader,
    Sampler,
    IterableDataset,
    ConcatDataset,
    Subset,
    WeightedRandomSampler,
    BatchSampler,
    SequentialSampler,
    random_split,
    default_collate,
    ChainDataset,
    get_worker_info,
    SubsetRandomSampler,
)
from torch.nn.utils.rnn import pad_sequence
import torch.nn as nn


def seed_everything(seed):
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


seed_everything(42)
torch.set_num_threads(1)


class Words(Dataset):
    def __init__(self, n=60):
        rng = random.Random(1)
        self.seqs = [[rng.randint(1, 19) for _ in range(rng.randint(2, 10))] for _ in range(n)]
        self.labels = [int(sum(s) > 10 * len(s)) for s in self.seqs]

    def __len__(self):
        return len(self.seqs)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        return torch.tensor(self.seqs[idx]), self.labels[idx]


class BucketSampler(Sampler):
    def __init__(self, data, batch_size):
        self.data, self.batch_size = data, batch_size

    def __iter__(self):
        order = sorted(range(len(self.data)), key=lambda i: len(self.data.seqs[i]))
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        for i in torch.randperm(len(batches)).tolist():
            yield batches[i]

    def __len__(self):
        return (len(self.data) + self.batch_size - 1) // self.batch_size


def collate(batch):
    batch = sorted(batch, key=lambda b: len(b[0]), reverse=True)
    xs, ys = zip(*batch)
    return (
        pad_sequence(xs, batch_first=True),
        torch.tensor([len(x) for x in xs]),
        torch.tensor(ys, dtype=torch.float),
    )


def seed_worker(worker_id):
    worker_seed = torch.initial_seed() % 2**32
    np.random.seed(worker_seed)
    random.seed(worker_seed)


ds = Words()
emb, gru, fc = nn.Embedding(20, 8, padding_idx=0), nn.GRU(8, 12, batch_first=True), nn.Linear(12, 1)
params = list(emb.parameters()) + list(gru.parameters()) + list(fc.parameters())
opt = torch.optim.Adagrad(params, lr=0.05)
loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.5))
for epoch in range(3):
    for x, lengths, y in DataLoader(
        ds,
        batch_sampler=BucketSampler(ds, 16),
        collate_fn=collate,
        num_workers=0,
        worker_init_fn=seed_worker,
    ):
        packed = nn.utils.rnn.pack_padded_sequence(emb(x), lengths, batch_first=True)
        _, h = gru(packed)
        loss = loss_fn(fc(h[-1]).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
w = [3.0 if l else 1.0 for l in ds.labels]
dl = DataLoader(
    ds, batch_size=20, sampler=WeightedRandomSampler(w, 40, replacement=True), collate_fn=collate
)
print([b[2].sum().item() for b in dl])
a, b, c = random_split(ds, [0.5, 0.3, 0.2], generator=torch.Generator().manual_seed(3))
print(len(a), len(b), len(c), a.indices[:5])
print(
    [
        len(x[1])
        for x in DataLoader(
            ConcatDataset([a, b]),
            batch_size=16,
            shuffle=True,
            drop_last=True,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(9),
        )
    ]
)


class Stream(IterableDataset):
    def __init__(self, lo, hi):
        self.lo, self.hi = lo, hi

    def __iter__(self):
        info = get_worker_info()
        lo, hi = self.lo, self.hi
        if info is not None:
            k = (hi - lo + info.num_workers - 1) // info.num_workers
            lo, hi = lo + info.id * k, min(lo + (info.id + 1) * k, hi)
        for i in range(lo, hi):
            yield {"i": i, "x": np.float32(i) * np.ones(2, dtype=np.float32), "name": f"n{i}"}


for batch in DataLoader(Stream(0, 6), batch_size=4):
    print(batch)
if __name__ == "__main__":
    print([b["i"].tolist() for b in DataLoader(Stream(0, 12), batch_size=3, num_workers=2)])
    g = torch.Generator()
    g.manual_seed(0)
    print(
        [
            y.tolist()
            for _, _, y in DataLoader(
                ds,
                batch_size=15,
                shuffle=True,
                num_workers=2,
                collate_fn=collate,
                worker_init_fn=seed_worker,
                generator=g,
                persistent_workers=True,
                prefetch_factor=2,
            )
        ]
    )
df = pd.DataFrame({"x1": np.arange(6.0), "x2": np.arange(6.0) ** 2, "y": [0, 1, 0, 1, 1, 0]})
X, y = torch.tensor(df[["x1", "x2"]].values, dtype=torch.float32), torch.tensor(df["y"].values)
print(X.mean(0), y.dtype, torch.from_numpy(df["x1"].to_numpy()).sum())
print(
    list(BatchSampler(SequentialSampler(range(7)), 3, False)),
    sorted(SubsetRandomSampler([4, 2, 7])),
)
print(
    default_collate([(1, 2.5, "a"), (2, 3.5, "b")]),
    default_collate([{"a": torch.ones(2)}, {"a": torch.zeros(2)}]),
)
