import torch, torch.nn as nn, torch.nn.functional as F, warnings
from torch.cuda.amp import autocast, GradScaler

warnings.filterwarnings("ignore")
torch.manual_seed(0)
device = "cuda" if torch.cuda.is_available() else "cpu"
teacher = nn.Sequential(
    nn.Linear(20, 64, bias=False),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 5),
).to(device)
student = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 5)).to(device)
x = torch.randn(200, 20)
y = (x[:, :5] + 0.3 * torch.randn(200, 5)).argmax(1)
scaler = GradScaler(enabled=torch.cuda.is_available())
opt = torch.optim.Adam(teacher.parameters(), lr=1e-2, amsgrad=True)
for e in range(6):
    for i in range(0, 200, 50):
        opt.zero_grad()
        with autocast(enabled=torch.cuda.is_available()):
            loss = F.cross_entropy(teacher(x[i : i + 50]), y[i : i + 50])
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
    print("teacher", e, round(loss.item(), 5), scaler.get_scale())


def kd(s, t, labels, T=4.0, alpha=0.7):
    soft = F.kl_div(F.log_softmax(s / T, dim=1), F.softmax(t / T, dim=1), reduction="batchmean") * (
        T * T
    )
    return alpha * soft + (1 - alpha) * F.cross_entropy(s, labels)


teacher.eval()
for p in teacher.parameters():
    p.requires_grad = False
opt = torch.optim.NAdam(student.parameters(), lr=1e-2)
sch = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=3, T_mult=2)
for e in range(6):
    with torch.no_grad():
        t = teacher(x)
    loss = kd(student(x), t, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sch.step()
    print("student", e, round(loss.item(), 5), sch.get_last_lr())
net = nn.Sequential(nn.Linear(20, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 5))
opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
for e in range(4):
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        out = net(x)
        loss = F.cross_entropy(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    print("bf16", e, out.dtype, loss.dtype, round(loss.item(), 2))
