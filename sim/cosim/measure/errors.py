"""What is wrong with a run that ended: it has no result. Each text is one line."""


class MeasureError(RuntimeError):
    """Any of these."""


class AccountingError(MeasureError):
    """A frame came back that nobody sent."""


class ConservationError(MeasureError):
    """Something came from nowhere or went nowhere: what, and how many came, left and are there."""


class StageError(MeasureError):
    """A completed request has no row of some kind, or its times do not ascend."""
