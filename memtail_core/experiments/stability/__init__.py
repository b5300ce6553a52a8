"""Would another study say the same, and how many models would that take?"""
