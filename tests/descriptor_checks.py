"""What every descriptor network of l9.models must do, whatever it looks at."""

import torch


def lengths(descriptor):
    return torch.linalg.vector_norm(descriptor.float(), dim=1)


def check_descriptor(build, inputs, features):
    """Shape, float32, norm 1 to float32's rounding, and the same numbers again from the same seed."""
    found = []
    for _ in range(2):
        torch.manual_seed(0)
        found.append(build()(inputs))
    assert found[0].shape == (len(inputs), features) and found[0].dtype == torch.float32
    torch.testing.assert_close(lengths(found[0]), torch.ones(len(inputs)), rtol=0, atol=1e-5)
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0][0], found[0][1], atol=1e-3)


def check_bfloat16(build, inputs):
    """Under autocast values and gradients are finite, and descriptors near 1 long."""
    torch.manual_seed(0)
    model = build()
    with torch.autocast("cpu", torch.bfloat16):
        descriptor = model(inputs)
        loss = (descriptor[0] * descriptor[1]).sum()
    loss.backward()
    torch.testing.assert_close(lengths(descriptor), torch.ones(len(inputs)), rtol=0, atol=1e-2)
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def check_gradients(build, inputs):
    """Every parameter has a finite gradient, and all but what a following batch norm takes away a non-zero one."""
    torch.manual_seed(0)
    model = build()
    descriptor = model(inputs)
    (descriptor[0] * descriptor[1]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name
