import argparse
from math import log10
import torch
import torch.nn as nn
import torch.nn.init as init
import torch.optim as optim
import torch.utils.data as data
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, CenterCrop, ToTensor, Resize, ToPILImage
from PIL import Image
import numpy as np


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super(Net, self).__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 16, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(16, 16, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(16, 8, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(8, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        return self.pixel_shuffle(self.conv4(x))

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


class Images(data.Dataset):
    def __init__(self, n, crop, factor, seed):
        rng = np.random.RandomState(seed)
        yy, xx = np.mgrid[:48, :48]
        self.images = []
        for i in range(n):
            a, b, c = rng.rand(3)
            im = 127 + 60 * np.sin(xx * a) + 60 * np.cos(yy * b + c)
            self.images.append(
                Image.fromarray(np.stack([im, im * 0.8, im * 0.6], -1).clip(0, 255).astype("uint8"))
            )
        self.input_transform = Compose([CenterCrop(crop), Resize(crop // factor), ToTensor()])
        self.target_transform = Compose([CenterCrop(crop), ToTensor()])

    def __getitem__(self, index):
        img, _, _ = self.images[index].convert("YCbCr").split()
        return self.input_transform(img), self.target_transform(img.copy())

    def __len__(self):
        return len(self.images)


parser = argparse.ArgumentParser()
parser.add_argument("--upscale_factor", type=int, default=2)
parser.add_argument("--nEpochs", type=int, default=3)
opt = parser.parse_args()
torch.manual_seed(123)
train_loader = DataLoader(
    Images(16, 40, opt.upscale_factor, 0), batch_size=4, shuffle=True, num_workers=0
)
test_loader = DataLoader(Images(4, 40, opt.upscale_factor, 1), batch_size=2)
model = Net(opt.upscale_factor)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(1, opt.nEpochs + 1):
    epoch_loss = 0
    for it, batch in enumerate(train_loader, 1):
        input, target = batch[0], batch[1]
        optimizer.zero_grad()
        loss = criterion(model(input), target)
        epoch_loss += loss.item()
        loss.backward()
        optimizer.step()
        print(
            "===> Epoch[{}]({}/{}): Loss: {:.4f}".format(epoch, it, len(train_loader), loss.item())
        )
    avg_psnr = 0
    with torch.no_grad():
        for batch in test_loader:
            avg_psnr += 10 * log10(1 / criterion(model(batch[0]), batch[1]).item())
    print("===> Avg. PSNR: {:.4f} dB".format(avg_psnr / len(test_loader)))
torch.save(model, "model_epoch.pth")
model = torch.load("model_epoch.pth", weights_only=False)
img_to_tensor = ToTensor()
img = Images(1, 40, 2, 7).images[0].convert("YCbCr")
y, cb, cr = img.split()
out = model(img_to_tensor(y).view(1, -1, y.size[1], y.size[0])).cpu()
out_img_y = (out[0].detach().numpy() * 255.0).clip(0, 255)
out_img_y = Image.fromarray(np.uint8(out_img_y[0]), mode="L")
cb = cb.resize(out_img_y.size, Image.BICUBIC)
cr = cr.resize(out_img_y.size, Image.BICUBIC)
rgb = Image.merge("YCbCr", [out_img_y, cb, cr]).convert("RGB")
print(rgb.size)
