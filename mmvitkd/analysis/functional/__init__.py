"""Mathematics of the measures, usable alone: functions and accumulators on tensors."""
