"""Principal components, least squares, Gaussian processes and filters in frequency."""

import torch

torch.manual_seed(0)
X = torch.randn(50, 4, dtype=torch.float64) @ torch.diag(
    torch.tensor([3.0, 2.0, 1.0, 0.1], dtype=torch.float64)
)
Xc = X - X.mean(0)
U, S, Vh = torch.linalg.svd(Xc, full_matrices=False)
print(S**2 / 49, (S**2 / (S**2).sum()).cumsum(0))
L, V = torch.linalg.eigh(torch.cov(X.T))
print(L.flip(0), torch.allclose(Xc @ V.flip(1)[:, :2].abs() * 0, Xc @ V[:, :2] * 0))
print(Vh.abs())
A = torch.cat([X, torch.ones(50, 1, dtype=torch.float64)], 1)
w = torch.tensor([1.0, -2, 3, 4, 0.5], dtype=torch.float64)
y = A @ w + 0.01 * torch.randn(50, dtype=torch.float64)
sol = torch.linalg.lstsq(A, y.unsqueeze(1)).solution
print(
    sol.squeeze(),
    torch.linalg.pinv(A) @ y,
    torch.linalg.solve(A.T @ A + 1e-3 * torch.eye(5), A.T @ y),
    torch.cholesky_solve((A.T @ y)[:, None], torch.linalg.cholesky(A.T @ A)).T,
    torch.linalg.cond(A),
    torch.linalg.matrix_rank(A),
    torch.linalg.norm(A, "fro"),
    torch.linalg.norm(A, 2),
    torch.linalg.vector_norm(y, float("inf")),
    sep="\n",
)
K = torch.exp(-(torch.cdist(X, X) ** 2) / 2) + 1e-2 * torch.eye(50)
Lc = torch.linalg.cholesky(K)
al = torch.cholesky_solve(y[:, None], Lc)
print(
    (-0.5 * y @ al.squeeze() - Lc.diagonal().log().sum()),
    torch.logdet(K),
    torch.linalg.slogdet(K),
    K.trace(),
    torch.linalg.inv(K)[0, 0],
    torch.linalg.matrix_power(K, 2)[0, 1],
    torch.linalg.eigvalsh(K)[-2:],
)
q, r = torch.linalg.qr(A)
print(r.diag().abs(), (q.T @ q - torch.eye(5)).abs().max() < 1e-10, torch.linalg.det(r).abs())
P, Lo, Uo = torch.linalg.lu(A.T @ A)
print(torch.dist(P @ Lo @ Uo, A.T @ A) < 1e-8)
M = torch.tensor([[2.0, -1.0], [1.0, 3.0]])
print(
    torch.linalg.eigvals(M),
    torch.matrix_exp(M),
    torch.linalg.multi_dot([M, M, M]),
    torch.chain_matmul(M, M) if 0 else "",
    torch.linalg.cross(torch.eye(3)[0], torch.eye(3)[1]),
    torch.linalg.solve_triangular(M.triu(), torch.ones(2, 1), upper=True),
    torch.baddbmm(torch.ones(1, 2, 2), M[None], M[None]),
    torch.addmv(torch.ones(2), M, torch.ones(2)),
    torch.ger(torch.ones(2), torch.arange(2.0)),
    torch.inner(M, M),
    torch.mv(M, torch.ones(2)),
)


def power(A, n=50):
    b = torch.ones(A.shape[1], dtype=A.dtype)
    for _ in range(n):
        b = A @ b
        b /= b.norm()
    return b @ A @ b


print(power(K))
Z = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
torch.linalg.slogdet(Z)[1].backward()
print(torch.allclose(Z.grad, torch.linalg.inv(Z).T))
Zs = (Z @ Z.T).detach().requires_grad_()
torch.linalg.eigvalsh(Zs).log().sum().backward()
print(Zs.grad.trace())
t = torch.arange(64) / 64
s = torch.sin(2 * torch.pi * 5 * t) + 0.5 * torch.sin(2 * torch.pi * 20 * t)
f = torch.fft.rfft(s)
fr = torch.fft.rfftfreq(64, 1 / 64)
print(fr[f.abs().topk(2).indices], f.abs().max(), f[5])
f[fr > 10] = 0
print(
    torch.fft.irfft(f, n=64)[:4],
    (torch.fft.irfft(f) - torch.sin(2 * torch.pi * 5 * t)).abs().max() < 1e-5,
)
im = torch.zeros(8, 8)
im[2:5, 3:6] = 1
F2 = torch.fft.fftshift(torch.fft.fft2(im))
mask = (
    torch.fft.fftshift(torch.fft.fftfreq(8))[:, None] ** 2
    + torch.fft.fftshift(torch.fft.fftfreq(8))[None] ** 2
) < 0.1
print(
    torch.fft.ifft2(torch.fft.ifftshift(F2 * mask)).real[3],
    F2.angle()[0, 0],
    torch.view_as_real(F2)[4, 4],
)
w = torch.hann_window(16)
st = torch.stft(s, 16, hop_length=8, window=w, return_complex=True)
print(st.shape, st.abs().sum(), torch.istft(st, 16, 8, window=w, length=64)[8:12], s[8:12])
c = torch.fft.irfft(torch.fft.rfft(s, 128) * torch.fft.rfft(w, 128), 128)
print(c[:5], torch.nn.functional.conv1d(s[None, None], w.flip(0)[None, None], padding=15)[0, 0, :5])
z = torch.tensor([1 + 1j, 2 - 1j], requires_grad=True)
l = (z.abs() ** 2).sum()
l.backward()
print(
    z.grad,
    z.conj().resolve_conj().detach(),
    torch.view_as_complex(torch.ones(2, 2)),
    z.real.detach(),
    torch.is_complex(z),
    torch.complex(torch.ones(1), torch.ones(1)).abs(),
    torch.fft.fft(torch.eye(2)),
    torch.exp(1j * torch.tensor(torch.pi)).real,
)


class FNO(torch.nn.Module):
    def __init__(self, i, o, m):
        super().__init__()
        self.m = m
        self.w = torch.nn.Parameter(1 / (i * o) * torch.rand(i, o, m, dtype=torch.cfloat))
        self.c = torch.nn.Conv1d(i, o, 1)

    def forward(self, x):
        f = torch.fft.rfft(x)
        o = torch.zeros(x.shape[0], self.w.shape[1], x.size(-1) // 2 + 1, dtype=torch.cfloat)
        o[:, :, : self.m] = torch.einsum("bix,iox->box", f[:, :, : self.m], self.w)
        return torch.nn.functional.gelu(torch.fft.irfft(o, n=x.size(-1)) + self.c(x))


n = FNO(2, 2, 4)
opt = torch.optim.Adam(n.parameters(), 1e-2)
x = torch.randn(4, 2, 16)
for _ in range(5):
    l = (n(x) - x.roll(1, -1)).pow(2).mean()
    opt.zero_grad()
    l.backward()
    opt.step()
print(l.item(), n.w.grad.abs().sum())
