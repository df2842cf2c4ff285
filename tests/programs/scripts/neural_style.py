import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
import torchvision.models as models

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.set_default_device(device)
torch.manual_seed(3)
content_img, style_img = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)


class ContentLoss(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    G = torch.mm(features, features.t())
    return G.div(a * b * c * d)


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super().__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


cnn = nn.Sequential()
for width_in, width_out, pool in ((3, 16, True), (16, 32, True), (32, 32, False), (32, 32, False)):
    cnn.append(nn.Conv2d(width_in, width_out, 3, padding=1))
    cnn.append(nn.ReLU(inplace=True))
    if pool:
        cnn.append(nn.MaxPool2d(2, 2))
cnn = cnn.eval()
cnn_normalization_mean = torch.tensor([0.485, 0.456, 0.406])
cnn_normalization_std = torch.tensor([0.229, 0.224, 0.225])


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean = mean.clone().detach().view(-1, 1, 1)
        self.std = torch.tensor(std.tolist()).view(-1, 1, 1)

    def forward(self, img):
        return (img - self.mean) / self.std


model = nn.Sequential(Normalization(cnn_normalization_mean, cnn_normalization_std))
content_losses, style_losses = [], []
i = 0
for layer in cnn.children():
    if isinstance(layer, nn.Conv2d):
        i += 1
        name = f"conv_{i}"
    elif isinstance(layer, nn.ReLU):
        name = f"relu_{i}"
        layer = nn.ReLU(inplace=False)
    elif isinstance(layer, nn.MaxPool2d):
        name = f"pool_{i}"
    model.add_module(name, layer)
    if name in ["conv_3"]:
        target = model(content_img).detach()
        content_loss = ContentLoss(target)
        model.add_module(f"content_loss_{i}", content_loss)
        content_losses.append(content_loss)
    if name in ["conv_1", "conv_2", "conv_3"]:
        target_feature = model(style_img).detach()
        style_loss = StyleLoss(target_feature)
        model.add_module(f"style_loss_{i}", style_loss)
        style_losses.append(style_loss)
input_img = content_img.clone()
input_img.requires_grad_(True)
model.eval()
model.requires_grad_(False)
optimizer = optim.LBFGS([input_img], max_iter=4)
feats = {}
h = model.conv_2.register_forward_hook(lambda m, a, o: feats.__setitem__("conv_2", o.detach()))
run = [0]
while run[0] <= 6:

    def closure():
        with torch.no_grad():
            input_img.clamp_(0, 1)
        optimizer.zero_grad()
        model(input_img)
        style_score = 0
        content_score = 0
        for sl in style_losses:
            style_score += sl.loss
        for cl in content_losses:
            content_score += cl.loss
        style_score *= 1e6
        content_score *= 1
        loss = style_score + content_score
        loss.backward()
        run[0] += 1
        if run[0] % 3 == 0:
            print(
                "run {}: Style Loss : {:4f} Content Loss: {:4f}".format(
                    run, style_score.item(), content_score.item()
                )
            )
        return style_score + content_score

    optimizer.step(closure)
h.remove()
print(feats["conv_2"].shape)
with torch.no_grad():
    input_img.clamp_(0, 1)
print(input_img.mean().item())
