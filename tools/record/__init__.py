"""Records what real models ask of attention.

Runs a model's forward pass once over a real text, in float32 and with an attention of its own, and
writes every layer's q, k, v and the expected attention output to a safetensors file. The recording
judges attnrt's backends, so nothing here may use attnrt.

    PYTHONPATH=tools python -m record --help
"""
