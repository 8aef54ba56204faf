"""``recon demo``: the main job on one machine, with nothing set up."""

from recon.cli.demo.command import demo

__all__ = ["demo"]
