"""The values of flags: how they are read, checked and refused.

In: what was typed.
Out: values, or an error that says what to type instead.
Not imported here: the flags' declarations, the settings that are made of them, any step.
"""
