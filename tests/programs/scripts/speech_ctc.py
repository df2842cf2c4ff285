"""Speech recognition on noise: convolution, GRU and CTC with labels padded as floats."""

import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(0)


class CNNLayerNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.ln = nn.LayerNorm(n)

    def forward(self, x):
        x = x.transpose(2, 3).contiguous()
        x = self.ln(x)
        return x.transpose(2, 3).contiguous()


class Net(nn.Module):
    def __init__(self, nf=16, nc=6):
        super().__init__()
        self.cnn = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.ln = CNNLayerNorm(nf // 2)
        self.fc = nn.Linear(4 * nf // 2, 24)
        self.rnn = nn.GRU(24, 16, num_layers=2, batch_first=True, bidirectional=True, dropout=0.0)
        self.cls = nn.Sequential(nn.Linear(32, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, nc))

    def forward(self, x):
        x = F.gelu(self.ln(self.cnn(x)))
        b, c, f, t = x.size()
        x = x.view(b, c * f, t).transpose(1, 2)
        x = self.fc(x)
        x, _ = self.rnn(x)
        return self.cls(x)


spec = [torch.randn(t, 16) for t in (40, 32, 36)]
labels = [torch.Tensor([1, 2, 3, 4]), torch.Tensor([2, 2, 5]), torch.Tensor([4, 1])]
il = [s.shape[0] // 2 for s in spec]
ll = [len(l) for l in labels]
S = nn.utils.rnn.pad_sequence(spec, batch_first=True).unsqueeze(1).transpose(2, 3)
L = nn.utils.rnn.pad_sequence(labels, batch_first=True)
m = Net()
crit = nn.CTCLoss(blank=0, zero_infinity=True)
opt = torch.optim.AdamW(m.parameters(), 5e-3)
sch = torch.optim.lr_scheduler.OneCycleLR(
    opt, max_lr=1e-2, steps_per_epoch=1, epochs=20, anneal_strategy="linear"
)
for e in range(20):
    opt.zero_grad()
    o = F.log_softmax(m(S), dim=2).transpose(0, 1)
    loss = crit(o, L, il, ll)
    loss.backward()
    opt.step()
    sch.step()
    if e % 5 == 0:
        print(e, loss.item(), sch.get_last_lr()[0])
m.eval()
o = m(S).softmax(-1)
for row in torch.argmax(o, dim=2):
    print([int(k) for k in torch.unique_consecutive(row) if k != 0])
packed = nn.utils.rnn.pack_padded_sequence(
    S.squeeze(1).transpose(1, 2), [40, 32, 36], batch_first=True, enforce_sorted=False
)
print(packed.batch_sizes[-5:], packed.sorted_indices)
print(m)
