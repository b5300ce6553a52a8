"""How well can an attacker tell which examples a model was trained on?"""
