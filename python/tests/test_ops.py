"""The registered op as Python sees it: schema, gradients, fake tensors, torch.compile, errors.

Needs the library: HOPFIELD_TORCH_LIBRARY, else build/lib/libhopfield_torch.so beside this folder.
"""

import os
import pathlib
import unittest

import torch

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LIBRARY = os.environ.get("HOPFIELD_TORCH_LIBRARY", _ROOT / "build" / "lib" / "libhopfield_torch.so")
if not os.path.exists(_LIBRARY):
    raise unittest.SkipTest(f"{_LIBRARY} is missing; build the target hopfield_torch")
torch.ops.load_library(str(_LIBRARY))

SEED = 7


def inputs(dtype=torch.double, bags=2, states=3, stored=5, heads=2, depth=4, values=3):
    """states, stored, projections, beta, additive mask; all with gradients."""
    generator = torch.Generator().manual_seed(SEED)

    def tensor(*sizes):
        x = torch.randn(*sizes, dtype=torch.double, generator=generator)
        return x.to(dtype).requires_grad_(True)

    beta = torch.tensor([0.7, 1.6], dtype=dtype)[:heads].requires_grad_(True)
    return (
        tensor(bags, states, heads, depth),
        tensor(bags, stored, heads, depth),
        tensor(bags, stored, heads, values),
        beta,
        tensor(heads, 1, stored),
    )


def differentiable(separation="softmax", **options):
    """The op as a function of its differentiable inputs to its differentiable outputs."""

    def call(states, stored, projections, beta, mask):
        result = torch.ops.hopfield.retrieve(
            states, stored, projections, beta, mask=mask, separation=separation,
            want_energy=True, want_entropy=True, **options)
        return result[:4]

    return call


class RetrieveOp(unittest.TestCase):
    def test_equals_plain_attention(self):
        states, stored, projections, beta, _ = inputs()
        result = torch.ops.hopfield.retrieve(states, stored, projections, beta)
        scores = beta.view(1, -1, 1, 1) * torch.einsum("blhd,bshd->bhls", states, stored)
        expected = torch.einsum("bhls,bshv->blhv", scores.softmax(-1), projections)
        torch.testing.assert_close(result[0], expected, rtol=0, atol=1e-13)
        torch.testing.assert_close(
            result[1], scores.logsumexp(-1).transpose(1, 2), rtol=0, atol=1e-13)

    def test_opcheck(self):
        offsets = torch.tensor([0, 2, 2, 5])
        states, stored, projections, beta, mask = inputs()
        flat = [x.detach().flatten(0, 1)[:5].clone().requires_grad_(True)
                for x in (states, stored, projections)]
        cases = {
            "plain": ((states, stored, None, beta), {}),
            "everything": ((states, stored, projections, beta), dict(
                mask=mask, want_energy=True, want_entropy=True, want_largest=True,
                want_metastable=True, num_top=2)),
            "updates": ((states, stored, projections, beta), dict(
                update_steps_max=[2, -1], update_steps_eps=[1e-3])),
            "implicit": ((states, stored, projections, beta), dict(
                update_steps_max=[-1], update_steps_eps=[1e-3], gradient="implicit")),
            "separation": ((states, stored, projections, beta), dict(separation="entmax15")),
            "bool mask": ((states, stored, projections, beta), dict(mask=mask.detach() > 0)),
            "association": ((states, stored, projections, beta), dict(want_association=True)),
            "ragged": ((flat[0], flat[1], flat[2], beta), dict(
                stored_offsets=offsets, state_offsets=offsets)),
            "shared": ((states, stored[:1], projections[:1], beta), {}),
        }
        for name, (args, kwargs) in cases.items():
            with self.subTest(name):
                torch.library.opcheck(torch.ops.hopfield.retrieve.default, args, kwargs)
        bf16 = inputs(torch.bfloat16)
        with self.subTest("bf16"):
            torch.library.opcheck(torch.ops.hopfield.retrieve.default, bf16[:4])

    def test_gradcheck(self):
        for separation in ("softmax", "sparsemax", "entmax15", "max"):
            for updates in (0, 2):
                with self.subTest(separation=separation, updates=updates):
                    call = differentiable(separation, update_steps_max=[updates],
                                          update_steps_eps=[1e-12])
                    self.assertTrue(torch.autograd.gradcheck(call, inputs(stored=4)))

    def test_second_derivative(self):
        self.assertTrue(torch.autograd.gradgradcheck(
            differentiable(), inputs(bags=1, states=2, stored=3, depth=2, values=2)))

    def test_fake_tensors_have_the_shapes_of_the_result(self):
        from torch._subclasses.fake_tensor import FakeTensorMode

        call = differentiable(num_top=2, want_largest=True)
        real = call(*inputs())
        with FakeTensorMode() as mode:
            fake = call(*(mode.from_tensor(x) for x in inputs()))
        for a, b in zip(real, fake):
            self.assertEqual((a.shape, a.dtype, a.device), (b.shape, b.dtype, b.device))

    def test_compiles_as_one_graph(self):
        call = differentiable(update_steps_max=[2], update_steps_eps=[1e-12])

        def loss(*args):
            state, lse, energy, entropy = call(*args)
            return (state ** 2).sum() + lse.sum() + (energy * entropy).sum()

        for dynamic in (False, True):
            compiled = torch.compile(loss, backend="aot_eager", fullgraph=True, dynamic=dynamic)
            plain, fast = inputs(), inputs()
            expected, got = loss(*plain), compiled(*fast)
            torch.testing.assert_close(got, expected, rtol=0, atol=0)
            expected.backward()
            got.backward()
            for a, b in zip(plain, fast):
                torch.testing.assert_close(b.grad, a.grad, rtol=0, atol=1e-14)

    def test_autocast(self):
        states, stored, projections, beta, _ = inputs(torch.float)
        with torch.autocast("cpu"):
            state, lse = torch.ops.hopfield.retrieve(states, stored, projections, beta)[:2]
        self.assertEqual((state.dtype, lse.dtype), (torch.bfloat16, torch.float))
        state.float().sum().backward()
        self.assertEqual(states.grad.dtype, torch.float)

    def test_errors_become_exceptions_of_python(self):
        states, stored, projections, beta, _ = inputs()
        op = torch.ops.hopfield.retrieve
        with self.assertRaisesRegex(ValueError, r"\[retrieve\] expected stored patterns of depth 4"):
            op(states, stored[..., :3], None, beta)
        with self.assertRaisesRegex(ValueError, r'expected separation one of softmax, .* got "soft"'):
            op(states, stored, None, beta, separation="soft")
        with self.assertRaisesRegex(NotImplementedError, "got cosine"):
            op(states, stored, None, beta, similarity="cosine", want_energy=True)
        with self.assertRaisesRegex(ValueError, "expected stored_offsets ending at the 10 rows"):
            op(states, stored.flatten(0, 1), None, beta, stored_offsets=torch.tensor([0, 5, 9]))


if __name__ == "__main__":
    unittest.main()
