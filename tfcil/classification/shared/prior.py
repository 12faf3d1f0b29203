"""The options of losses that balance by a softmax of z + tau log(count)."""

from pydantic import Field

from tfcil.components import facts
from tfcil.components.sections import NonNegative


class BalancedOptions(facts.Options):
    """Options of a balanced softmax."""

    tau: NonNegative = Field(1.0, description="strength of the shift; 0 is plain ce")

    @property
    def removes_prior(self) -> bool:
        """Whether it is more than plain cross-entropy."""
        return self.tau > 0
