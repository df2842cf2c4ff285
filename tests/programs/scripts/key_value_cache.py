import torch, math
from torch import nn
from torch.nn import functional as F
from typing import Optional, Tuple

torch.manual_seed(0)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-06):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        return self._norm(x.float()).type_as(x) * self.weight


def precompute_freqs_cis(dim, end, theta=10000.0):
    freqs = 1.0 / theta ** (torch.arange(0, dim, 2)[: dim // 2].float() / dim)
    t = torch.arange(end, device=freqs.device)
    freqs = torch.outer(t, freqs).float()
    return torch.polar(torch.ones_like(freqs), freqs)


def reshape_for_broadcast(freqs_cis, x):
    ndim = x.ndim
    shape = [d if i == 1 or i == ndim - 1 else 1 for i, d in enumerate(x.shape)]
    return freqs_cis.view(*shape)


def apply_rotary_emb(xq, xk, freqs_cis):
    xq_ = torch.view_as_complex(xq.float().reshape(*xq.shape[:-1], -1, 2))
    xk_ = torch.view_as_complex(xk.float().reshape(*xk.shape[:-1], -1, 2))
    freqs_cis = reshape_for_broadcast(freqs_cis, xq_)
    xq_out = torch.view_as_real(xq_ * freqs_cis).flatten(3)
    xk_out = torch.view_as_real(xk_ * freqs_cis).flatten(3)
    return (xq_out.type_as(xq), xk_out.type_as(xk))


def repeat_kv(x, n_rep):
    bs, slen, h, d = x.shape
    if n_rep == 1:
        return x
    return x[:, :, :, None, :].expand(bs, slen, h, n_rep, d).reshape(bs, slen, h * n_rep, d)


class Attention(nn.Module):
    def __init__(self, dim, n_heads, n_kv, max_b, max_s):
        super().__init__()
        self.nh, self.nkv, self.hd = (n_heads, n_kv, dim // n_heads)
        self.wq = nn.Linear(dim, n_heads * self.hd, bias=False)
        self.wk = nn.Linear(dim, n_kv * self.hd, bias=False)
        self.wv = nn.Linear(dim, n_kv * self.hd, bias=False)
        self.wo = nn.Linear(n_heads * self.hd, dim, bias=False)
        self.register_buffer("cache_k", torch.zeros(max_b, max_s, n_kv, self.hd), persistent=False)
        self.register_buffer("cache_v", torch.zeros(max_b, max_s, n_kv, self.hd), persistent=False)

    def forward(self, x, start_pos, freqs_cis, mask, use_cache):
        b, s, _ = x.shape
        xq = self.wq(x).view(b, s, self.nh, self.hd)
        xk = self.wk(x).view(b, s, self.nkv, self.hd)
        xv = self.wv(x).view(b, s, self.nkv, self.hd)
        xq, xk = apply_rotary_emb(xq, xk, freqs_cis=freqs_cis)
        if use_cache:
            self.cache_k = self.cache_k.to(xq)
            self.cache_k[:b, start_pos : start_pos + s] = xk
            self.cache_v[:b, start_pos : start_pos + s] = xv
            xk, xv = (self.cache_k[:b, : start_pos + s], self.cache_v[:b, : start_pos + s])
        xk, xv = (repeat_kv(xk, self.nh // self.nkv), repeat_kv(xv, self.nh // self.nkv))
        xq, xk, xv = (xq.transpose(1, 2), xk.transpose(1, 2), xv.transpose(1, 2))
        scores = torch.matmul(xq, xk.transpose(2, 3)) / math.sqrt(self.hd)
        if mask is not None:
            scores = scores + mask
        scores = F.softmax(scores.float(), dim=-1).type_as(xq)
        return self.wo(torch.matmul(scores, xv).transpose(1, 2).contiguous().view(b, s, -1))


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1, self.w2, self.w3 = (
            nn.Linear(dim, hidden, bias=False),
            nn.Linear(hidden, dim, bias=False),
            nn.Linear(dim, hidden, bias=False),
        )

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, dim, nh, nkv, b, s):
        super().__init__()
        self.attention, self.feed_forward = (
            Attention(dim, nh, nkv, b, s),
            FeedForward(dim, 4 * dim * 2 // 3),
        )
        self.attention_norm, self.ffn_norm = (RMSNorm(dim), RMSNorm(dim))

    def forward(self, x, *a):
        h = x + self.attention(self.attention_norm(x), *a)
        return h + self.feed_forward(self.ffn_norm(h))


class Llama(nn.Module):
    def __init__(self, vocab=50, dim=64, layers=2, nh=8, nkv=2, b=4, s=64):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.layers = torch.nn.ModuleList((Block(dim, nh, nkv, b, s) for _ in range(layers)))
        self.norm, self.output = (RMSNorm(dim), nn.Linear(dim, vocab, bias=False))
        self.freqs_cis = precompute_freqs_cis(dim // nh, s * 2)

    def forward(self, tokens, start_pos=0, use_cache=False):
        b, s = tokens.shape
        h = self.tok(tokens)
        fc = self.freqs_cis[start_pos : start_pos + s]
        mask = None
        if s > 1:
            mask = torch.full((s, s), float("-inf"), device=tokens.device)
            mask = torch.triu(mask, diagonal=1)
            mask = torch.hstack([torch.zeros((s, start_pos), device=tokens.device), mask]).type_as(
                h
            )
        for l in self.layers:
            h = l(h, start_pos, fc, mask, use_cache)
        return self.output(self.norm(h)).float()


def sample_top_p(probs, p):
    probs_sort, probs_idx = torch.sort(probs, dim=-1, descending=True)
    probs_sum = torch.cumsum(probs_sort, dim=-1)
    mask = probs_sum - probs_sort > p
    probs_sort[mask] = 0.0
    probs_sort.div_(probs_sort.sum(dim=-1, keepdim=True))
    next_token = torch.multinomial(probs_sort, num_samples=1)
    return torch.gather(probs_idx, -1, next_token)


model = Llama()
print(sum((p.numel() for p in model.parameters())), model.freqs_cis.dtype)
seq = torch.randint(0, 50, (4, 33))
seq[:, 16:32] = seq[:, :16]
opt = torch.optim.AdamW(model.parameters(), 0.003, betas=(0.9, 0.95))
for i in range(60):
    logits = model(seq[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, 50), seq[:, 1:].reshape(-1))
    opt.zero_grad()
    loss.backward()
    opt.step()
    if i % 10 == 0:
        print(i, round(loss.item(), 4))
model.eval()


@torch.inference_mode()
def generate(prompt, n, temperature):
    tokens = torch.full((prompt.shape[0], prompt.shape[1] + n), 0, dtype=torch.long)
    tokens[:, : prompt.shape[1]] = prompt
    prev = 0
    for cur in range(prompt.shape[1], tokens.shape[1]):
        logits = model(tokens[:, prev:cur], prev, True)
        if temperature > 0:
            nt = sample_top_p(torch.softmax(logits[:, -1] / temperature, dim=-1), 0.9)
        else:
            nt = torch.argmax(logits[:, -1], dim=-1)
        tokens[:, cur] = nt.reshape(-1)
        prev = cur
    return tokens


print(generate(seq[:, :17], 12, 0))
print(generate(seq[:2, :5], 12, 0.7))
full = model(seq[:, :20])
with torch.no_grad():
    for l in model.layers:
        l.attention.cache_k.zero_()
    step = torch.cat([model(seq[:, i : i + 1], i, True) for i in range(20)], 1)
print(torch.allclose(full, step, atol=0.0001), (full - step).abs().max().item() < 0.0001)
