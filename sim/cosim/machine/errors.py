"""What goes wrong in the machine."""


class AccountingError(RuntimeError):
    """A core's time does not add up; the message says where and by how much."""
