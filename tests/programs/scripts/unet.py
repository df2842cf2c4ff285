import logging, os, random
import torch, torch.nn as nn, torch.nn.functional as F
from torch import optim, Tensor
from torch.utils.data import DataLoader, random_split, Dataset
from pathlib import Path
import numpy as np
import sys


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        mid_channels = mid_channels or out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, i, o, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(i, o, i // 2)
        else:
            self.up = nn.ConvTranspose2d(i, i // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(i, o)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        dy, dx = x2.size()[2] - x1.size()[2], x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, c, n, bilinear=False):
        super().__init__()
        self.n_channels, self.n_classes, self.bilinear = c, n, bilinear
        self.inc = DoubleConv(c, 6)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(6, 12))
        f = 2 if bilinear else 1
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(12, 24 // f))
        self.up1 = Up(24, 12 // f, bilinear)
        self.up2 = Up(12, 6, bilinear)
        self.outc = nn.Conv2d(6, n, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_coeff(
    input: Tensor, target: Tensor, reduce_batch_first: bool = False, epsilon: float = 1e-6
):
    assert input.size() == target.size()
    sum_dim = (-1, -2) if input.dim() == 2 or not reduce_batch_first else (-1, -2, -3)
    inter = 2 * (input * target).sum(dim=sum_dim)
    sets_sum = input.sum(dim=sum_dim) + target.sum(dim=sum_dim)
    sets_sum = torch.where(sets_sum == 0, inter, sets_sum)
    return ((inter + epsilon) / (sets_sum + epsilon)).mean()


class Circles(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, i):
        rng = np.random.default_rng(i)
        cy, cx, r = rng.uniform(8, 24, 2).tolist() + [rng.uniform(3, 7)]
        yy, xx = np.mgrid[:34, :34]
        mask = ((yy - cy) ** 2 + (xx - cx) ** 2 < r * r).astype(np.int64)
        img = rng.normal(0, 0.3, (1, 34, 34)) + mask
        return {
            "image": torch.as_tensor(img.copy()).float().contiguous(),
            "mask": torch.as_tensor(mask.copy()).long().contiguous(),
        }


logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stdout)
for bilinear in (False, True):
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = UNet(1, 2, bilinear)
    model = model.to(memory_format=torch.channels_last)
    logging.info(
        f"Network: {model.n_channels} in, {'Bilinear' if model.bilinear else 'Transposed conv'} upscaling"
    )
    model.to(device=device)
    ds = Circles()
    n_val = int(len(ds) * 0.25)
    train_set, val_set = random_split(
        ds, [len(ds) - n_val, n_val], generator=torch.Generator().manual_seed(0)
    )
    loader_args = dict(batch_size=6, num_workers=0, pin_memory=False)
    train_loader = DataLoader(train_set, shuffle=True, **loader_args)
    val_loader = DataLoader(val_set, shuffle=False, drop_last=True, **loader_args)
    optimizer = optim.RMSprop(
        model.parameters(), lr=1e-4, weight_decay=1e-8, momentum=0.9, foreach=True
    )
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=0)
    grad_scaler = torch.amp.GradScaler("cuda", enabled=False)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(2):
        model.train()
        for batch in train_loader:
            images, true_masks = batch["image"], batch["mask"]
            images = images.to(
                device=device, dtype=torch.float32, memory_format=torch.channels_last
            )
            true_masks = true_masks.to(device=device, dtype=torch.long)
            with torch.autocast(device.type if device.type != "mps" else "cpu", enabled=False):
                masks_pred = model(images)
                loss = criterion(masks_pred, true_masks)
                loss += 1 - dice_coeff(
                    F.softmax(masks_pred, dim=1).float().flatten(0, 1),
                    F.one_hot(true_masks, 2).permute(0, 3, 1, 2).float().flatten(0, 1),
                    True,
                )
            optimizer.zero_grad(set_to_none=True)
            grad_scaler.scale(loss).backward()
            grad_scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            grad_scaler.step(optimizer)
            grad_scaler.update()
            print(f"loss {loss.item():.5f}")
        model.eval()
        with torch.no_grad():
            for b in val_loader:
                p = model(b["image"])
                val = dice_coeff(
                    F.one_hot(p.argmax(dim=1), 2).permute(0, 3, 1, 2).float()[:, 1],
                    b["mask"].float(),
                )
        scheduler.step(val)
        logging.info(
            "Validation Dice score: {:.1f} lr {}".format(val, optimizer.param_groups[0]["lr"])
        )
