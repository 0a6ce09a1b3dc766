"""Devices and hosts: data parallelism, distributed start-up, memory."""
