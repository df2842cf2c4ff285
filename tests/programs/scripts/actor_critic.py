import numpy as np
from collections import namedtuple
import torch, torch.nn as nn, torch.nn.functional as F, torch.optim as optim
from torch.distributions import Categorical, Normal

SavedAction = namedtuple("SavedAction", ["log_prob", "value", "entropy"])
torch.manual_seed(1)


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(3, 24)
        self.action_head = nn.Linear(24, 2)
        self.value_head = nn.Linear(24, 1)
        self.saved_actions, self.rewards = [], []

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


model = Policy()
optimizer = optim.Adam(model.parameters(), lr=3e-2)
for ep in range(8):
    state = np.array([0.1, 0.0, 1.0])
    for t in range(25):
        s = torch.from_numpy(state).float()
        probs, v = model(s)
        m = Categorical(probs)
        a = m.sample()
        model.saved_actions.append(SavedAction(m.log_prob(a), v, m.entropy()))
        state = np.array([np.sin(state[0] + a.item()), state[0] * 0.5, 1.0])
        model.rewards.append(float(state[0] > 0.5))
    R, returns = 0, []
    for r in model.rewards[::-1]:
        R = r + 0.99 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + 1e-7)
    pl, vl = [], []
    for (lp, value, ent), R in zip(model.saved_actions, returns):
        adv = R - value.item()
        pl.append(-lp * adv - 0.01 * ent)
        vl.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(pl).sum() + torch.stack(vl).sum()
    loss.backward()
    optimizer.step()
    print(f"episode {ep} loss {loss.item():.5f} reward {sum(model.rewards)}")
    del model.rewards[:]
    del model.saved_actions[:]
