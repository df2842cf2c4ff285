"""What the compiler makes of a training step, and what its explanation tells.

python examples/explain_step.py [explanation.html]
"""

import sys

import flambeau as torch
from flambeau import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


@torch.compile
def step(x, y):
    optimizer.zero_grad()
    scores = model(x)
    loss = nn.functional.cross_entropy(scores, y)
    loss.backward()
    optimizer.step()
    return loss


x, y = torch.randn(256, 64), torch.randint(10, (256,))
for _ in range(5):  # the first call runs as it is written, two are captured
    step(x, y)

explanation = step.explain(html=sys.argv[1] if len(sys.argv) > 1 else None)
print(explanation)

# The same as data. Where does the time go?
program = explanation.facts.variants[0].programs[0]
slowest = max(program.kernels, key=lambda kernel: kernel.seconds)
print()
print(f"the kernel that takes longest: {', '.join(slowest.computes)}")
print(f"  of the lines {'; '.join(slowest.origins)}")
print(f"  {slowest.operations:,} operations on {slowest.bytes:,} bytes")

# A kernel that does many operations per byte should come near the peak of arithmetic; one that does
# few, near that of memory. This is the line between the two:
machine = explanation.facts.machine
print(f"here {machine.float32 / machine.cache:.1f} operations per byte of cache balance the two")
