"""The formats, one file each; :mod:`memtail_core.exchange.registry` lists them."""
