from __future__ import print_function
import argparse, random, numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torchvision
from torch.utils.data import Dataset
from torchvision import datasets
from torchvision import transforms as T
from torch.optim.lr_scheduler import StepLR


class SiameseNetwork(nn.Module):
    def __init__(self):
        super(SiameseNetwork, self).__init__()
        self.resnet = torchvision.models.resnet18(weights=None)
        self.resnet.conv1 = nn.Conv2d(
            1, 64, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3), bias=False
        )
        self.fc_in_features = self.resnet.fc.in_features
        self.resnet = torch.nn.Sequential(*(list(self.resnet.children())[:-1]))
        self.fc = nn.Sequential(
            nn.Linear(self.fc_in_features * 2, 32), nn.ReLU(inplace=True), nn.Linear(32, 1)
        )
        self.sigmoid = nn.Sigmoid()
        self.resnet.apply(self.init_weights)
        self.fc.apply(self.init_weights)

    def init_weights(self, m):
        if isinstance(m, nn.Linear):
            torch.nn.init.xavier_uniform_(m.weight)
            m.bias.data.fill_(0.01)

    def forward_once(self, x):
        output = self.resnet(x)
        return output.view(output.size()[0], -1)

    def forward(self, input1, input2):
        output = torch.cat((self.forward_once(input1), self.forward_once(input2)), 1)
        return self.sigmoid(self.fc(output))


class APP_MATCHER(Dataset):
    def __init__(self):
        super().__init__()
        g = torch.Generator().manual_seed(5)
        self.targets = torch.randint(0, 4, (64,), generator=g)
        base = torch.rand(4, 28, 28, generator=g) * 255
        self.data = (
            (base[self.targets] + torch.rand(64, 28, 28, generator=g) * 40)
            .clamp(0, 255)
            .to(torch.uint8)
        )
        self.data = self.data.unsqueeze(1).clone()
        self.group_examples()

    def group_examples(self):
        np_arr = np.array(self.targets.clone())
        self.grouped_examples = {i: np.where((np_arr == i))[0] for i in range(4)}

    def __len__(self):
        return self.data.shape[0]

    def __getitem__(self, index):
        c = random.randint(0, 3)
        i1 = random.choice(list(self.grouped_examples[c]))
        image_1 = self.data[i1].clone().float()
        if index % 2 == 0:
            image_2 = self.data[random.choice(list(self.grouped_examples[c]))].clone().float()
            target = torch.tensor(1, dtype=torch.float)
        else:
            o = random.choice([k for k in range(4) if k != c])
            image_2 = self.data[random.choice(list(self.grouped_examples[o]))].clone().float()
            target = torch.tensor(0, dtype=torch.float)
        return image_1 / 255, image_2 / 255, target


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, o1, o2, label):
        d = F.pairwise_distance(o1, o2, keepdim=True)
        return torch.mean(
            (1 - label) * torch.pow(d, 2)
            + label * torch.pow(torch.clamp(self.margin - d, min=0.0), 2)
        )


random.seed(0)
torch.manual_seed(1)
model = SiameseNetwork()
loader = torch.utils.data.DataLoader(APP_MATCHER(), batch_size=8)
optimizer = optim.Adadelta(model.parameters(), lr=0.3)
criterion = nn.BCELoss()
model.train()
for i, (a, b, t) in enumerate(loader):
    optimizer.zero_grad()
    outputs = model(a, b).squeeze()
    loss = criterion(outputs, t)
    loss.backward()
    optimizer.step()
    print("Loss: {:.6f}".format(loss.item()))
    if i == 1:
        break
emb = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.PReLU(), nn.Linear(32, 2))
opt = optim.RMSprop(emb.parameters(), lr=1e-3, momentum=0.5)
cl = ContrastiveLoss()
tr = nn.TripletMarginLoss(margin=1.0, p=2)
cos = nn.CosineEmbeddingLoss(margin=0.2)
for a, b, t in loader:
    opt.zero_grad()
    ea, eb = emb(a), emb(b)
    loss = (
        cl(ea, eb, 1 - t.unsqueeze(1)) + 0.1 * tr(ea, eb, eb.flip(0)) + 0.1 * cos(ea, eb, t * 2 - 1)
    )
    loss.backward()
    opt.step()
    print(
        "contrastive {:.6f} {:.5f}".format(loss.item(), F.cosine_similarity(ea, eb).mean().item())
    )
