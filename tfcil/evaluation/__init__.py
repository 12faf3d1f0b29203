"""What a model predicts on the test images, and every figure computed from it."""
