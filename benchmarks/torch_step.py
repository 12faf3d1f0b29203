"""The training step in eager PyTorch, of either memory layout: compared by training_step.py."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions; the shortcut picks every other pixel and appends zero channels."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.extra = stride, out - channels

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.extra:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return functional.relu(x + y)


class ResNet32(nn.Module):
    """The CIFAR ResNet of 32 layers on raw images."""

    def __init__(self, num_classes, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1))
        blocks, channels = [], 16
        for out in (16, 32, 64):
            for _ in range(5):
                blocks.append(Block(channels, out, 1 if out == channels else 2))
                channels = out
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(64, num_classes)

    def forward(self, images):
        x = (images.float() - self.mean) / self.std
        x = self.blocks(functional.relu(self.stem(x)))
        return self.head(x.mean(dim=(2, 3)))


class TorchSteps:
    """Takes training steps; see `BareSteps` for the arguments.

    `layout` is the memory layout of weights and images.
    """

    def __init__(
        self, images, labels, num_old, num_classes, settings, layout=torch.contiguous_format
    ):
        self.layout = layout
        # The pipelines of PyTorch keep channels first.
        self.images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        self.labels = torch.from_numpy(labels.astype("int64"))
        self.settings = settings
        self.num_old = num_old
        self.student = ResNet32(num_classes, settings.mean, settings.std).train()
        self.teacher = ResNet32(num_old, settings.mean, settings.std).eval() if num_old else None
        for model in filter(None, (self.student, self.teacher)):
            model.to(memory_format=layout)
        self.optimizer = torch.optim.SGD(
            self.student.parameters(),
            settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )

    def run(self, steps):
        """Takes steps and reads their losses."""
        losses = [self._step() for _ in range(steps)]
        return [loss.item() for loss in losses]

    def _step(self):
        settings = self.settings
        chosen = torch.randint(len(self.images), (settings.batch_size,))
        images, labels = self._augmented(self.images[chosen]), self.labels[chosen]
        logits = self.student(images)
        loss = functional.cross_entropy(logits, labels)
        if self.teacher:
            with torch.no_grad():
                targets = functional.log_softmax(self.teacher(images) / settings.temperature, dim=1)
            old = functional.log_softmax(logits[:, : self.num_old] / settings.temperature, dim=1)
            distance = functional.kl_div(old, targets, reduction="batchmean", log_target=True)
            loss = loss + settings.distillation_weight * settings.temperature**2 * distance
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _augmented(self, images):
        batch, _, height, width = images.shape
        padding = self.settings.crop_padding
        padded = functional.pad(images, (padding,) * 4)
        rows = torch.randint(2 * padding + 1, (batch, 1)) + torch.arange(height)
        columns = torch.arange(width).expand(batch, width)
        columns = torch.where(torch.rand(batch, 1) < 0.5, columns, width - 1 - columns)
        columns = columns + torch.randint(2 * padding + 1, (batch, 1))
        samples = torch.arange(batch)[:, None, None]
        cropped = padded[samples, :, rows[:, :, None], columns[:, None, :]]
        images = cropped.permute(0, 3, 1, 2)
        if self.settings.side != height:
            size = (self.settings.side,) * 2
            images = functional.interpolate(
                images.float(), size, mode="bilinear", align_corners=False, antialias=True
            )
        return images.contiguous(memory_format=self.layout)
