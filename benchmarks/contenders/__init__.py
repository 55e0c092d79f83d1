"""The same training step by different means, each behind the protocol of `base.Contender`."""
