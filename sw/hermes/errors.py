"""What goes wrong in software."""


class ContractError(RuntimeError):
    """Software or its NIC broke a rule on which the other relies; the message is one line that says where."""
