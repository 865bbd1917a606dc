"""How far the target lies from the source."""
