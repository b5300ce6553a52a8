"""How well does an attribution method predict what models on other subsets do?"""
