"""The game API and the PSPs, simulated from their specification alone.

The room certifies the service's own clients, so it shares no code with them: of the project it
imports `recon.money`, `recon.clock` and `recon.errors`, nothing else. All of its state lives in
memory and ends with the process; its control surface under ``/sandbox`` asks for no key, so it
belongs on loopback.

Public face: `recon.sandbox.app.build_app` composes it from `recon.sandbox.options.SandboxOptions`;
`recon.sandbox.accounts.GameBackend` is what the PSP simulators move money through.
"""

from __future__ import annotations

__all__: list[str] = []
