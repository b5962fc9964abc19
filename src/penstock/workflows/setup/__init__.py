"""How a workflow begins a campaign: the options of its commands, the text of a definition, a demonstration."""
