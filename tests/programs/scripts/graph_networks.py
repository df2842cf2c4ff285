import argparse, math
import torch
from torch import nn
import torch.nn.functional as F
from torch.optim import Adam


class GraphConv(nn.Module):
    def __init__(self, input_dim, output_dim, use_bias=False):
        super(GraphConv, self).__init__()
        self.kernel = nn.Parameter(torch.Tensor(input_dim, output_dim))
        nn.init.xavier_normal_(self.kernel)
        self.bias = None
        if use_bias:
            self.bias = nn.Parameter(torch.Tensor(output_dim))
            nn.init.zeros_(self.bias)

    def forward(self, input_tensor, adj_mat):
        support = torch.mm(input_tensor, self.kernel)
        output = torch.mm(adj_mat, support)
        if self.bias is not None:
            output = output + self.bias
        return output


class GCN(nn.Module):
    def __init__(self, i, h, o, dropout_p=0.1):
        super().__init__()
        self.gc1 = GraphConv(i, h, use_bias=True)
        self.gc2 = GraphConv(h, o)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        return F.log_softmax(self.gc2(self.dropout(x), adj), dim=1)


class GraphAttentionLayer(nn.Module):
    def __init__(
        self, in_features, out_features, n_heads, concat=False, dropout=0.4, leaky_relu_slope=0.2
    ):
        super().__init__()
        self.n_heads, self.concat, self.dropout = n_heads, concat, dropout
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(leaky_relu_slope)
        self.softmax = nn.Softmax(dim=1)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def _get_attention_scores(self, h):
        source = torch.matmul(h, self.a[:, : self.n_hidden, :])
        target = torch.matmul(h, self.a[:, self.n_hidden :, :])
        return self.leakyrelu(source + target.mT)

    def forward(self, h, adj_mat):
        n = h.shape[0]
        h = torch.mm(h, self.W)
        h = F.dropout(h, self.dropout, training=self.training)
        h = h.view(n, self.n_heads, self.n_hidden).permute(1, 0, 2)
        e = self._get_attention_scores(h)
        mask = -9e16 * torch.ones_like(e)
        attention = torch.where(adj_mat > 0, e, mask)
        attention = F.softmax(attention, dim=-1)
        attention = F.dropout(attention, self.dropout, training=self.training)
        hp = torch.matmul(attention, h)
        if self.concat:
            return hp.permute(1, 0, 2).contiguous().view(n, self.n_hidden * self.n_heads)
        return hp.mean(dim=0)


class GAT(nn.Module):
    def __init__(self, i, h, heads, o):
        super().__init__()
        self.gat1 = GraphAttentionLayer(i, h, heads, concat=True)
        self.gat2 = GraphAttentionLayer(h, o, 1)

    def forward(self, x, adj):
        return F.log_softmax(self.gat2(F.elu(self.gat1(x, adj)), adj), dim=1)


torch.manual_seed(13)
n, classes = 60, 3
labels = torch.arange(n) % classes
x = F.one_hot(labels, 8).float() + torch.randn(n, 8)
edges = torch.randint(0, n, (2, 200))
adj = torch.eye(n)
adj[edges[0], edges[1]] = 1
adj = torch.maximum(adj, adj.T)
d = torch.diag(adj.sum(1).pow(-0.5))
norm = d @ adj @ d
idx = torch.randperm(n)
tr, te = idx[:40], idx[40:]
for name, model, a in (("gcn", GCN(8, 16, classes), norm), ("gat", GAT(8, 16, 4, classes), adj)):
    optimizer = Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    criterion = nn.NLLLoss()
    for epoch in range(15):
        model.train()
        optimizer.zero_grad()
        output = model(x, a)
        loss = criterion(output[tr], labels[tr])
        loss.backward()
        optimizer.step()
        if epoch % 3 == 0:
            print(f"{name} Epoch: {epoch:04d} loss: {loss.item():.4f}")
    model.eval()
    with torch.no_grad():
        output = model(x, a)
        print(
            f"{name} loss_test {criterion(output[te], labels[te]).item():.4f} acc {output[te].argmax(dim=1).eq(labels[te]).float().mean().item():.4f}"
        )
src, dst = edges
deg = torch.zeros(n).scatter_add_(0, dst, torch.ones(edges.size(1)))
agg = torch.zeros(n, 8).index_add_(0, dst, x[src]) / deg.clamp(min=1).unsqueeze(1)
mx = torch.zeros(n, 8).scatter_reduce(
    0, dst.unsqueeze(1).expand(-1, 8), x[src], reduce="amax", include_self=False
)
print(agg.sum().item(), mx.sum().item(), deg.max().item())
