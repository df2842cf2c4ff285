from __future__ import unicode_literals, print_function, division
import random, re, time, math, unicodedata
import numpy as np
import torch
import torch.nn as nn
from torch import optim
import torch.nn.functional as F
from torch.utils.data import TensorDataset, DataLoader, RandomSampler
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SOS_token, EOS_token, MAX_LENGTH = 0, 1, 8
torch.manual_seed(0)
random.seed(0)


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size, dropout_p=0.1):
        super(EncoderRNN, self).__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, input):
        embedded = self.dropout(self.embedding(input))
        return self.gru(embedded)


class BahdanauAttention(nn.Module):
    def __init__(self, hidden_size):
        super(BahdanauAttention, self).__init__()
        self.Wa = nn.Linear(hidden_size, hidden_size)
        self.Ua = nn.Linear(hidden_size, hidden_size)
        self.Va = nn.Linear(hidden_size, 1)

    def forward(self, query, keys):
        scores = self.Va(torch.tanh(self.Wa(query) + self.Ua(keys)))
        scores = scores.squeeze(2).unsqueeze(1)
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights, keys), weights


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size, dropout_p=0.1):
        super(AttnDecoderRNN, self).__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.attention = BahdanauAttention(hidden_size)
        self.gru = nn.GRU(2 * hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, encoder_outputs, encoder_hidden, target_tensor=None):
        batch_size = encoder_outputs.size(0)
        decoder_input = torch.empty(batch_size, 1, dtype=torch.long, device=device).fill_(SOS_token)
        decoder_hidden = encoder_hidden
        decoder_outputs, attentions = [], []
        for i in range(MAX_LENGTH):
            decoder_output, decoder_hidden, attn_weights = self.forward_step(
                decoder_input, decoder_hidden, encoder_outputs
            )
            decoder_outputs.append(decoder_output)
            attentions.append(attn_weights)
            if target_tensor is not None:
                decoder_input = target_tensor[:, i].unsqueeze(1)
            else:
                _, topi = decoder_output.topk(1)
                decoder_input = topi.squeeze(-1).detach()
        decoder_outputs = torch.cat(decoder_outputs, dim=1)
        decoder_outputs = F.log_softmax(decoder_outputs, dim=-1)
        return decoder_outputs, decoder_hidden, torch.cat(attentions, dim=1)

    def forward_step(self, input, hidden, encoder_outputs):
        embedded = self.dropout(self.embedding(input))
        query = hidden.permute(1, 0, 2)
        context, attn_weights = self.attention(query, encoder_outputs)
        input_gru = torch.cat((embedded, context), dim=2)
        output, hidden = self.gru(input_gru, hidden)
        return self.out(output), hidden, attn_weights


n = 96
input_ids = np.zeros((n, MAX_LENGTH), dtype=np.int32)
target_ids = np.zeros((n, MAX_LENGTH), dtype=np.int32)
for i in range(n):
    k = random.randint(3, 7)
    s = [random.randint(2, 11) for _ in range(k)]
    input_ids[i, : k + 1] = s + [EOS_token]
    target_ids[i, : k + 1] = s[::-1] + [EOS_token]
train_data = TensorDataset(
    torch.LongTensor(input_ids).to(device), torch.LongTensor(target_ids).to(device)
)
train_dataloader = DataLoader(train_data, sampler=RandomSampler(train_data), batch_size=16)
encoder, decoder = EncoderRNN(12, 24).to(device), AttnDecoderRNN(24, 12).to(device)
eo, do = optim.Adam(encoder.parameters(), lr=0.005), optim.Adam(decoder.parameters(), lr=0.005)
criterion = nn.NLLLoss()
for epoch in range(1, 5):
    total_loss = 0
    for input_tensor, target_tensor in train_dataloader:
        eo.zero_grad()
        do.zero_grad()
        encoder_outputs, encoder_hidden = encoder(input_tensor)
        decoder_outputs, _, _ = decoder(encoder_outputs, encoder_hidden, target_tensor)
        loss = criterion(decoder_outputs.view(-1, decoder_outputs.size(-1)), target_tensor.view(-1))
        loss.backward()
        eo.step()
        do.step()
        total_loss += loss.item()
    print("%d %.5f" % (epoch, total_loss / len(train_dataloader)))
encoder.eval()
decoder.eval()
with torch.no_grad():
    out, h, att = decoder(*encoder(train_data[0][0].unsqueeze(0)))
    print(out.topk(1)[1].squeeze().tolist(), att.shape)
# a masked, packed bidirectional encoder
torch.manual_seed(2)
seqs = [torch.randint(2, 12, (random.randint(2, 7),)) for _ in range(8)]
lengths = torch.tensor([len(s) for s in seqs])
lengths, order = lengths.sort(descending=True)
padded = pad_sequence([seqs[i] for i in order], batch_first=True, padding_value=0)
emb = nn.Embedding(12, 8, padding_idx=0)
lstm = nn.LSTM(8, 12, num_layers=2, bidirectional=True, batch_first=True, dropout=0.0)
fc = nn.Linear(24, 12)
params = [*emb.parameters(), *lstm.parameters(), *fc.parameters()]
opt = optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True)
for step in range(6):
    packed = pack_padded_sequence(emb(padded), lengths.cpu(), batch_first=True)
    o, (h, c) = lstm(packed)
    o, l = pad_packed_sequence(o, batch_first=True)
    logits = fc(o)
    loss = F.cross_entropy(logits.transpose(1, 2), padded, ignore_index=0)
    opt.zero_grad()
    loss.backward()
    gn = nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    print("packed %.5f %.5f %s" % (loss.item(), gn.item(), tuple(h.shape)))
packed = pack_padded_sequence(
    emb(padded[torch.randperm(8)]),
    torch.full((8,), padded.size(1)),
    batch_first=True,
    enforce_sorted=False,
)
print(lstm(packed)[0].data.shape, packed.batch_sizes.tolist())
