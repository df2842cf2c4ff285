import math, torch, copy
from torch import nn
from torch.nn import functional as F, CrossEntropyLoss
from dataclasses import dataclass, field, asdict
from typing import Optional, Tuple, List, Dict, Any, Union
from collections import OrderedDict
import logging

logger = logging.getLogger(__name__)


class ModelOutput(OrderedDict):
    def __init__(self, **k):
        super().__init__(((a, b) for a, b in k.items() if b is not None))

    def __getattr__(self, k):
        try:
            return self[k]
        except KeyError:
            raise AttributeError(k)

    def to_tuple(self):
        return tuple(self.values())


@dataclass
class Config:
    vocab_size: int = 40
    hidden_size: int = 48
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    intermediate_size: int = 96
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    max_position_embeddings: int = 32
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0


class NewGELUActivation(nn.Module):
    def forward(self, input):
        return (
            0.5
            * input
            * (
                1.0
                + torch.tanh(math.sqrt(2.0 / math.pi) * (input + 0.044715 * torch.pow(input, 3.0)))
            )
        )


ACT2FN = {"gelu": F.gelu, "relu": F.relu, "silu": nn.SiLU(), "gelu_new": NewGELUActivation()}


class BertEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c.vocab_size, c.hidden_size, padding_idx=c.pad_token_id)
        self.position_embeddings = nn.Embedding(c.max_position_embeddings, c.hidden_size)
        self.token_type_embeddings = nn.Embedding(c.type_vocab_size, c.hidden_size)
        self.LayerNorm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.dropout = nn.Dropout(c.hidden_dropout_prob)
        self.register_buffer(
            "position_ids",
            torch.arange(c.max_position_embeddings).expand((1, -1)),
            persistent=False,
        )
        self.register_buffer(
            "token_type_ids",
            torch.zeros(self.position_ids.size(), dtype=torch.long),
            persistent=False,
        )

    def forward(self, input_ids, token_type_ids=None):
        b, s = input_ids.size()
        pos = self.position_ids[:, :s]
        if token_type_ids is None:
            token_type_ids = self.token_type_ids[:, :s].expand(b, s)
        e = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        e += self.position_embeddings(pos)
        return self.dropout(self.LayerNorm(e))


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.h, self.d = (c.num_attention_heads, c.hidden_size // c.num_attention_heads)
        self.query, self.key, self.value, self.out = (
            nn.Linear(c.hidden_size, c.hidden_size) for _ in range(4)
        )
        self.dropout = nn.Dropout(0.1)

    def transpose_for_scores(self, x):
        return x.view(x.size()[:-1] + (self.h, self.d)).permute(0, 2, 1, 3)

    def forward(self, x, attention_mask=None, output_attentions=False):
        q, k, v = (self.transpose_for_scores(f(x)) for f in (self.query, self.key, self.value))
        s = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.d)
        if attention_mask is not None:
            s = s + attention_mask
        p = self.dropout(nn.functional.softmax(s, dim=-1))
        c = torch.matmul(p, v).permute(0, 2, 1, 3).contiguous()
        c = c.view(c.size()[:-2] + (self.h * self.d,))
        return (self.out(c), p) if output_attentions else (self.out(c),)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention = SelfAttention(c)
        self.ln1, self.ln2 = (
            nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps),
            nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps),
        )
        self.intermediate, self.output = (
            nn.Linear(c.hidden_size, c.intermediate_size),
            nn.Linear(c.intermediate_size, c.hidden_size),
        )
        self.act = ACT2FN[c.hidden_act]

    def forward(self, x, m, o):
        a = self.attention(x, m, o)
        x = self.ln1(x + a[0])
        return (self.ln2(x + self.output(self.act(self.intermediate(x)))),) + a[1:]


class PreTrainedModel(nn.Module):
    def __init__(self, config, *inputs, **kwargs):
        super().__init__()
        self.config = config

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if module.padding_idx is not None:
                module.weight.data[module.padding_idx].zero_()
        elif isinstance(module, nn.LayerNorm):
            module.bias.data.zero_()
            module.weight.data.fill_(1.0)

    @property
    def dtype(self):
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def num_parameters(self, only_trainable: bool = False) -> int:
        return sum((p.numel() for p in self.parameters() if p.requires_grad or not only_trainable))


class BertForMaskedLM(PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.transform = nn.Sequential(
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.GELU(),
            nn.LayerNorm(config.hidden_size),
        )
        self.decoder = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.decoder.bias = self.bias
        self.apply(self._init_weights)
        self.decoder.weight = self.embeddings.word_embeddings.weight

    def get_extended_attention_mask(self, m):
        m = m[:, None, None, :].to(dtype=self.dtype)
        return (1.0 - m) * torch.finfo(self.dtype).min

    def forward(
        self, input_ids, attention_mask=None, labels=None, output_attentions=False, return_dict=True
    ):
        if attention_mask is None:
            attention_mask = torch.ones(input_ids.shape, device=input_ids.device)
        m = self.get_extended_attention_mask(attention_mask)
        h = self.embeddings(input_ids)
        att = ()
        for l in self.encoder:
            o = l(h, m, output_attentions)
            h = o[0]
            if output_attentions:
                att = att + (o[1],)
        logits = self.decoder(self.transform(h))
        loss = None
        if labels is not None:
            loss = CrossEntropyLoss()(logits.view(-1, self.config.vocab_size), labels.view(-1))
        return ModelOutput(loss=loss, logits=logits, attentions=att or None)


torch.manual_seed(0)
model = BertForMaskedLM(Config())
print(
    model.num_parameters(),
    model.device,
    model.dtype,
    sorted(model.state_dict().keys())[:4],
    model.decoder.bias is model.bias,
)


def mask_tokens(inputs, p=0.15):
    labels = inputs.clone()
    pm = torch.full(labels.shape, p)
    special = labels.eq(0)
    pm.masked_fill_(special, value=0.0)
    mi = torch.bernoulli(pm).bool()
    labels[~mi] = -100
    rep = torch.bernoulli(torch.full(labels.shape, 0.8)).bool() & mi
    inputs[rep] = 39
    rnd = torch.bernoulli(torch.full(labels.shape, 0.5)).bool() & mi & ~rep
    inputs[rnd] = torch.randint(40, labels.shape, dtype=torch.long)[rnd]
    return (inputs, labels)


no_decay = ["bias", "LayerNorm.weight"]
groups = [
    {
        "params": [p for n, p in model.named_parameters() if not any((nd in n for nd in no_decay))],
        "weight_decay": 0.01,
    },
    {
        "params": [p for n, p in model.named_parameters() if any((nd in n for nd in no_decay))],
        "weight_decay": 0.0,
    },
]
opt = torch.optim.AdamW(groups, lr=0.003, eps=1e-08)
sched = torch.optim.lr_scheduler.LambdaLR(
    opt, lambda s: s / 5 if s < 5 else max(0.0, (40 - s) / 35)
)
base = torch.arange(1, 21).repeat(16, 1)
base[::2] = base[::2].flip(1)
am = torch.ones(16, 20)
am[3, 12:] = 0
base[3, 12:] = 0
for i in range(30):
    x, y = mask_tokens(base.clone())
    out = model(x, am, labels=y)
    out.loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    sched.step()
    model.zero_grad()
    if i % 6 == 0:
        print(i, round(out.loss.item(), 5), sched.get_last_lr()[0])
model.eval()
o = model(base[:2], output_attentions=True)
print(
    o.logits.shape,
    len(o.attentions),
    o.attentions[0][0, 0, 0, :4],
    list(o.keys()),
    o.logits[0, 0, :5],
)
print(model.embeddings)
