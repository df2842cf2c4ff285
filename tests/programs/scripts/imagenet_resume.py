import argparse, os, shutil, time
from enum import Enum
import torch, torch.nn as nn
import torch.backends.cudnn as cudnn
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.parallel
import torch.optim
import torch.utils.data
import torch.utils.data.distributed
import torchvision.datasets as datasets
import torchvision.models as models
import torchvision.transforms as transforms
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import Subset
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

model_names = sorted(
    name
    for name in models.__dict__
    if name.islower() and not name.startswith("__") and callable(models.__dict__[name])
)
assert "resnet18" in model_names
best_acc1 = 0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.b = nn.Sequential(
            nn.Linear(8 * 64, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 32), nn.ReLU()
        )
        self.c = nn.Linear(32, 10)

    def forward(self, x):
        x = self.a(x).flatten(1)
        x = checkpoint(self.b, x, use_reentrant=False)
        return self.c(x)


class Summary(Enum):
    NONE = 0
    AVERAGE = 1


class AverageMeter(object):
    def __init__(self, name, fmt=":f", summary_type=Summary.AVERAGE):
        self.name, self.fmt = name, fmt
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def all_reduce(self):
        total = torch.tensor([self.sum, self.count], dtype=torch.float32)
        dist.all_reduce(total, dist.ReduceOp.SUM, async_op=False)
        self.sum, self.count = total.tolist()

    def __str__(self):
        return ("{name} {val" + self.fmt + "} ({avg" + self.fmt + "})").format(**self.__dict__)


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        batch_size = target.size(0)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        return [
            correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / batch_size)
            for k in topk
        ]


def run(epochs, resume):
    global best_acc1
    model = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
    start = 0
    if resume:
        ck = torch.load("checkpoint.pth.tar")
        start = ck["epoch"]
        best_acc1 = ck["best_acc1"]
        model.load_state_dict(ck["state_dict"])
        optimizer.load_state_dict(ck["optimizer"])
        scheduler.load_state_dict(ck["scheduler"])
        torch.set_rng_state(ck["rng"])
        print("=> loaded checkpoint (epoch {})".format(ck["epoch"]))
    ds = datasets.FakeData(
        96,
        (3, 16, 16),
        10,
        transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
            ]
        ),
    )
    loader = torch.utils.data.DataLoader(
        ds, batch_size=32, shuffle=True, num_workers=0, pin_memory=True, sampler=None
    )
    for epoch in range(start, epochs):
        losses, top1, top5 = (
            AverageMeter("Loss", ":.4e"),
            AverageMeter("Acc@1", ":6.2f"),
            AverageMeter("Acc@5", ":6.2f"),
        )
        model.train()
        for images, target in loader:
            images, target = (
                images.to("cpu", non_blocking=True),
                target.to("cpu", non_blocking=True),
            )
            output = model(images)
            loss = criterion(output, target)
            acc1, acc5 = accuracy(output, target, topk=(1, 5))
            losses.update(loss.item(), images.size(0))
            top1.update(acc1[0], images.size(0))
            top5.update(acc5[0], images.size(0))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        print(f"Epoch: [{epoch}]", losses, top1, top5)
        is_best = top1.avg > best_acc1
        best_acc1 = max(top1.avg, best_acc1)
        torch.save(
            {
                "epoch": epoch + 1,
                "arch": "net",
                "state_dict": model.state_dict(),
                "best_acc1": best_acc1,
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "rng": torch.get_rng_state(),
            },
            "checkpoint.pth.tar",
        )
        if is_best:
            shutil.copyfile("checkpoint.pth.tar", "model_best.pth.tar")
    return model


torch.manual_seed(5)
run(4, False)
torch.manual_seed(5)
run(2, False)
torch.manual_seed(99)
run(4, True)
