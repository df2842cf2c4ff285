from torch import Tensor
import torch, math
import torch.nn as nn
from torch.nn import Transformer

torch.manual_seed(0)
PAD_IDX, BOS_IDX, EOS_IDX = 1, 2, 3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 100):
        super(PositionalEncoding, self).__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        pos_embedding = pos_embedding.unsqueeze(-2)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding)

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[: token_embedding.size(0), :])


class Seq2SeqTransformer(nn.Module):
    def __init__(self, ne, nd, emb, nhead, sv, tv, ff=64, dropout=0.1):
        super(Seq2SeqTransformer, self).__init__()
        self.transformer = Transformer(
            d_model=emb,
            nhead=nhead,
            num_encoder_layers=ne,
            num_decoder_layers=nd,
            dim_feedforward=ff,
            dropout=dropout,
        )
        self.generator = nn.Linear(emb, tv)
        self.src_tok_emb, self.tgt_tok_emb = nn.Embedding(sv, emb), nn.Embedding(tv, emb)
        self.emb = emb
        self.positional_encoding = PositionalEncoding(emb, dropout=dropout)

    def forward(
        self,
        src,
        trg,
        src_mask,
        tgt_mask,
        src_padding_mask,
        tgt_padding_mask,
        memory_key_padding_mask,
    ):
        s = self.positional_encoding(self.src_tok_emb(src.long()) * math.sqrt(self.emb))
        t = self.positional_encoding(self.tgt_tok_emb(trg.long()) * math.sqrt(self.emb))
        return self.generator(
            self.transformer(
                s,
                t,
                src_mask,
                tgt_mask,
                None,
                src_padding_mask,
                tgt_padding_mask,
                memory_key_padding_mask,
            )
        )

    def encode(self, src, src_mask):
        return self.transformer.encoder(
            self.positional_encoding(self.src_tok_emb(src) * math.sqrt(self.emb)), src_mask
        )

    def decode(self, tgt, memory, tgt_mask):
        return self.transformer.decoder(
            self.positional_encoding(self.tgt_tok_emb(tgt) * math.sqrt(self.emb)), memory, tgt_mask
        )


def generate_square_subsequent_mask(sz):
    mask = (torch.triu(torch.ones((sz, sz), device=DEVICE)) == 1).transpose(0, 1)
    return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0))


def create_mask(src, tgt):
    return (
        torch.zeros((src.shape[0], src.shape[0]), device=DEVICE).type(torch.bool),
        generate_square_subsequent_mask(tgt.shape[0]),
        (src == PAD_IDX).transpose(0, 1),
        (tgt == PAD_IDX).transpose(0, 1),
    )


model = Seq2SeqTransformer(2, 2, 32, 4, 20, 20)
for p in model.parameters():
    if p.dim() > 1:
        nn.init.xavier_uniform_(p)
loss_fn = torch.nn.CrossEntropyLoss(ignore_index=PAD_IDX)
optimizer = torch.optim.Adam(model.parameters(), lr=0.0005, betas=(0.9, 0.98), eps=1e-9)
from torch.nn.utils.rnn import pad_sequence

seqs = [torch.randint(4, 20, (int(torch.randint(3, 8, (1,))),)) for _ in range(24)]
tt = lambda s: torch.cat((torch.tensor([BOS_IDX]), s, torch.tensor([EOS_IDX])))
src = pad_sequence([tt(s) for s in seqs], padding_value=PAD_IDX)
tgt = pad_sequence([tt(s.flip(0)) for s in seqs], padding_value=PAD_IDX)
for e in range(8):
    model.train()
    ti = tgt[:-1, :]
    sm, tm, sp, tp = create_mask(src, ti)
    logits = model(src, ti, sm, tm, sp, tp, sp)
    optimizer.zero_grad()
    loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt[1:, :].reshape(-1))
    loss.backward()
    optimizer.step()
    print(f"Epoch: {e}, Train loss: {loss.item():.4f}")
model.eval()
with torch.no_grad():
    s = src[:, :1]
    memory = model.encode(s, torch.zeros(s.size(0), s.size(0)).type(torch.bool))
    ys = torch.ones(1, 1).fill_(BOS_IDX).type(torch.long)
    for i in range(6):
        tgt_mask = generate_square_subsequent_mask(ys.size(0)).type(torch.bool)
        out = model.decode(ys, memory, tgt_mask).transpose(0, 1)
        prob = model.generator(out[:, -1])
        _, nw = torch.max(prob, dim=1)
        ys = torch.cat([ys, torch.ones(1, 1).type_as(s.data).fill_(nw.item())], dim=0)
    print(ys.flatten().tolist())
enc = nn.TransformerEncoder(
    nn.TransformerEncoderLayer(16, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True),
    2,
    norm=nn.LayerNorm(16),
    enable_nested_tensor=False,
)
print(
    enc(
        torch.randn(3, 5, 16),
        mask=nn.Transformer.generate_square_subsequent_mask(5),
        is_causal=True,
    )
    .std()
    .item()
)
mha = nn.MultiheadAttention(16, 4, batch_first=True)
o, w = mha(
    torch.randn(2, 5, 16), torch.randn(2, 7, 16), torch.randn(2, 7, 16), average_attn_weights=False
)
print(o.shape, w.shape, w.sum().item())
