"""What a user did wrong, in one sentence: what is wrong, where, what to do."""


class UserError(ValueError):
    """Something the user can mend.  The message is the one sentence that says how."""
