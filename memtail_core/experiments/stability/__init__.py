"""Would another study say the same, and how many models does that take?"""
