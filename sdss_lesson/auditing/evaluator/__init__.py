"""Examine a function evaluate(model, loader): where does its number come from?"""
