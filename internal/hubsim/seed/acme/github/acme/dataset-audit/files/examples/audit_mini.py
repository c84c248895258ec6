"""Downloads acme/audit-mini and prints its copies and leaks."""

from audit.copies import exact, near
from datasets import load_dataset

data = load_dataset("acme/audit-mini")
train = [f"{r['prompt']} {r['completion']}" for r in data["train"]]
test = [f"{r['prompt']} {r['completion']}" for r in data["test"]]

print("exact copies in train:", list(exact(train)))
print("near copies in train:", list(near(train)))
print("leaks:", [(i, j - len(train)) for i, j in near(train + test) if i < len(train) <= j])
